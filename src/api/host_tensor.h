// Tensors of the public API as the rooms' tensors.
#pragma once
#include "kiln/kiln.h"
#include "tensor/tensor.h"

namespace kiln::api {

bool has_host_form(const Datum& value);      // a tensor of numbers that is there
HostTensor to_host(const Tensor& tensor);    // copies; throws kUnsupported for strings
Tensor from_host(const HostTensor& tensor);  // borrows from `tensor`, which must stay; throws on a wrong size

}  // namespace kiln::api
