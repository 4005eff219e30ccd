// Products of quantized tensors by the MatMul and Conv operators on values of float64, which hold them exactly.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// The shape that operator `op` (with this node's attributes) infers from inputs `a` and `b`.
OutputShape shape_as(const char* op, ShapeCall& c, std::string_view a, std::string_view b);

// The value minus its zero point, which may be an invalid tensor, as float64.
Tensor centered(const Tensor& x, const Tensor& zero_point);
// A list of values, one for each row, seen as a column; one for each output channel of a weight of this rank, seen as such.
Tensor as_column(const Tensor& values);
Tensor as_channels(const Tensor& values, int64_t rank);

Tensor run_as(const char* op, RefCall& c, std::vector<Datum> inputs);
void store_wrapped(const Tensor& exact, Tensor& to);  // float64 to int32, modulo 2^32

}  // namespace kiln::ops
