// MatMulInteger: matrix product of (a - a_zero_point) and (b - b_zero_point) in int32. Zero points: one, or one for each row of a
// and column of b. That a may have 16 bits is Kiln's own.
#include "ops/quantize/granularity.h"
#include "ops/quantize/integer_products.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kFactors{DType::kI8, DType::kU8, DType::kI16, DType::kU16};

}  // namespace

const OpDef matmul_integer = op("MatMulInteger")
                                 .input("a", kFactors)
                                 .input("b", {DType::kI8, DType::kU8})
                                 .optional_input("a_zero_point", kFactors, "a")
                                 .optional_input("b_zero_point", {DType::kI8, DType::kU8}, "b")
                                 .output("y", fixed_type(DType::kI32))
                                 .shape([](ShapeCall& c) {
                                   OutputShape y = shape_as("MatMul", c, "a", "b");
                                   check_by_row(c, {"a_zero_point"}, c.dims("a"));
                                   check_by_column(c, {"b_zero_point"}, c.dims("b"));
                                   return y;
                                 })
                                 .reference([](RefCall& c) {
                                   const Tensor a = centered(c.input("a"), as_column(c.input("a_zero_point"))),
                                                b = centered(c.input("b"), c.input("b_zero_point"));
                                   store_wrapped(run_as("MatMul", c, {a, b}), c.output());
                                 });

}  // namespace kiln::ops
