// Helpers of reference evaluations: tensors as plain vectors of double or int64, and walking of index spaces.
#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace kiln::ops {

std::vector<double> doubles(const Tensor& tensor);              // all elements
void store(Tensor& tensor, const std::vector<double>& values);  // rounds to the tensor's type
std::vector<int64_t> integers(const Tensor& tensor);
void store(Tensor& tensor, const std::vector<int64_t>& values);  // wraps to the tensor's type

// Integer types: rounds half to even and clamps to the type's range.
void round_to_type(std::vector<double>& values, DType type);

// Steps a row-major index; false after the last one. Call only when no dimension is zero.
bool advance(Dims& index, const Dims& dims);
int64_t dot(const Dims& index, const Dims& strides);
// Strides in elements of a dense tensor of `dims` seen as the broadcast shape `to`: 0 where it is repeated.
Dims broadcast_strides(const Dims& dims, const Dims& to);
int64_t product(const Dims& dims, size_t begin, size_t end);

}  // namespace kiln::ops
