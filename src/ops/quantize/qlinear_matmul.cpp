// QLinearMatMul: matrix product of quantized a and b, quantized again. Scales and zero points: one, or one for each row of a and
// column of b. The combined scale is computed in the type of the scales.
#include "ops/quantize/granularity.h"
#include "ops/quantize/integer_products.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kTypes{DType::kI8,         DType::kU8,     DType::kF8E4M3FN,
                         DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ};
constexpr TypeSet kScaleTypes{DType::kF32, DType::kF16, DType::kBF16};

void qlinear_matmul_reference(RefCall& c) {
  const Tensor a = centered(c.input("a"), as_column(c.input("a_zero_point"))),
               b = centered(c.input("b"), c.input("b_zero_point"));
  const std::vector<double> products = doubles(run_as("MatMul", c, {a, b}));
  Tensor& y = c.output();
  const DType type = c.input("a_scale").dtype();
  const auto a_scale = broadcast_values(as_column(c.input("a_scale")), y.dims()),
             b_scale = broadcast_values(c.input("b_scale"), y.dims());
  const auto y_scale = broadcast_values(as_column(c.input("y_scale")), y.dims());
  const auto zero = broadcast_values(as_column(c.input("y_zero_point")), y.dims());
  for (size_t i = 0; i < products.size(); ++i) {
    const double combined = rounded_to(type, rounded_to(type, a_scale[i] * b_scale[i]) / y_scale[i]);
    store_quantized(y, static_cast<int64_t>(i), products[i] * combined, zero[i]);
  }
}

}  // namespace

const OpDef qlinear_matmul = op("QLinearMatMul")
                                 .input("a", kTypes)
                                 .input("a_scale", kScaleTypes)
                                 .input("a_zero_point", kTypes, "a")
                                 .input("b", kTypes)
                                 .input("b_scale", kScaleTypes, "a_scale")
                                 .input("b_zero_point", kTypes, "b")
                                 .input("y_scale", kScaleTypes, "a_scale")
                                 .input("y_zero_point", kTypes)
                                 .output("y", same_type("y_zero_point"))
                                 .shape([](ShapeCall& c) {
                                   OutputShape y = shape_as("MatMul", c, "a", "b");
                                   check_by_row(c, {"a_scale", "a_zero_point"}, c.dims("a"));
                                   check_by_column(c, {"b_scale", "b_zero_point"}, c.dims("b"));
                                   if (c.rank("a") < 2 || c.rank("b") < 2) check_one(c, {"y_scale", "y_zero_point"});
                                   else if (y.ranked) check_by_row(c, {"y_scale", "y_zero_point"}, y.shape);
                                   return y;
                                 })
                                 .reference(qlinear_matmul_reference)
                                 .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
