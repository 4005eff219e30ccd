// BatchNormalization with constant statistics as one multiplication and addition per element.
#include "target/channel_affine.h"

#include <algorithm>
#include <cmath>

#include "device/pointwise_parameters.h"
#include "ops/expr.h"
#include "target/checks.h"

namespace kiln {
namespace {

ScalarProgram multiply_add(DType type) {
  ExprBuilder builder;
  const Expr x = builder.input(0, scalar_type_of(type)), factor = builder.input(1, ScalarType::kF32),
             shift = builder.input(2, ScalarType::kF32);
  const Expr y[] = {x * factor + shift};
  return builder.finish(y);
}

}  // namespace

Refusal accept_channel_affine(const Problem& p) {
  constexpr TypeSet kReal{DType::kF32, DType::kF16, DType::kBF16};
  if (!kReal.has(p.input(0).dtype)) return refuse("elements of type " + std::string(name(p.input(0).dtype)));
  if (p.outputs.size() > 1 || p.attributes().integer("training_mode", 0) != 0) return refuse("it is in training mode");
  for (int i = 1; i < 5; ++i)
    if (!p.input(i).constant) return refuse("its statistics are not constant");
  return accept();
}

void emit_channel_affine(const Problem& p, Emitted& e) {
  const int64_t channels = p.input(1).constant->size(), axes = rank(p.input(0));
  Dims dims(static_cast<size_t>(std::max<int64_t>(axes - 1, 1)), 1);
  dims[0] = channels;
  Tensor factor = Tensor::allocate(DType::kF32, dims), shift = Tensor::allocate(DType::kF32, dims);
  const double epsilon = p.attributes().real("epsilon", 1e-5);
  for (int64_t c = 0; c < channels; ++c) {
    const double f = p.input(1).constant->at(c) / std::sqrt(p.input(4).constant->at(c) + epsilon);
    factor.set(c, f);
    shift.set(c, p.input(2).constant->at(c) - p.input(3).constant->at(c) * f);
  }
  e.inputs = {0, Emitted::from_constant(0), Emitted::from_constant(1)};
  e.constants = {std::move(factor), std::move(shift)};
  put_parameters(e.parameters, PointwiseParameters{multiply_add(p.input(0).dtype)});
}

}  // namespace kiln
