// Arrays as numpy stores them.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "kiln/kiln.h"

namespace kiln::api {

inline constexpr std::string_view kNpyMagic = "\x93NUMPY";

// Numbers or text, of either byte order and either order of dimensions. `what` names the bytes in errors.
HostValue read_npy(std::span<const std::byte> bytes, const std::string& what);
// Throws when the value is text.
HostTensor numbers_of(HostValue value, const std::string& what);

}  // namespace kiln::api
