// Machine code for GPUs as a file of it is laid out.
#pragma once
#include <cstddef>
#include <span>

namespace kiln::cuda {

// Whether it is machine code ("cubin") whose tables all point inside of it: drivers are not told how long it is. What it does, nobody can
// tell.
bool is_whole_image(std::span<const std::byte> bytes);

}  // namespace kiln::cuda
