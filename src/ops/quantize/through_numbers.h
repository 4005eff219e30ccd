// Operators on bytes that mean: dequantize them, do something with the numbers, quantize the results.
#pragma once
#include <functional>

#include "ops/op.h"

namespace kiln::ops {

// What an operator makes of its operands, by its reference.
Datum evaluated(const char* op, const Attributes& attributes, std::vector<Datum> inputs);
// Dequantizes input `x` by x_scale and x_zero_point, and quantizes what `make` makes of it by y_scale and y_zero_point, to the type `to`.
void through_numbers(RefCall& c, const std::function<Datum(Datum)>& make);
// The attributes of a call without these.
Attributes attributes_without(const RefCall& c, std::initializer_list<const char*> names);

}  // namespace kiln::ops
