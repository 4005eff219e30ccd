// What the reductions share: schema, shape rule and the walk over the elements that make one result.
#pragma once
#include <span>

#include "ops/movement.h"

namespace kiln::ops {

inline constexpr TypeSet kReduceTypes = kFloatTypes | TypeSet{DType::kI32, DType::kI64, DType::kU32, DType::kU64};

// Schema with `axes`, keepdims and noop_with_empty_axes, and the shape rule.
OpDef reduction(std::string name, TypeSet types);

// Calls `finish` with the elements that are reduced to each result, in row-major order.
void reduce_doubles(RefCall& c, const std::function<double(std::span<const double>)>& finish);
void reduce_integers(RefCall& c, const std::function<int64_t(std::span<const int64_t>)>& finish);
// Reference of reductions that compute in floating point even on integers, whose results are truncated.
OpDef::Reference real_reference(double (*finish)(std::span<const double>));
// Reference of reductions that are exact on integers.
OpDef::Reference exact_reference(double (*finish)(std::span<const double>),
                                 int64_t (*finish_integers)(std::span<const int64_t>));
// Element rule for shape arithmetic: a fold of all elements of a vector.
OpDef::ElementRule folded_elements(Dim first, Dim (*combine)(const Dim&, const Dim&));

}  // namespace kiln::ops
