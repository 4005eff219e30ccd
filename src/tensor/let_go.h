// Constants that lie in files.
#pragma once
#include "base/file_map.h"
#include "tensor/tensor.h"

namespace kiln {

// What was read of a constant that lies in a file leaves memory until it is read again; nothing of one that does not.
inline void let_go(const Tensor& constant) { FileMap::let_go(constant.data(), static_cast<size_t>(constant.bytes())); }

}  // namespace kiln
