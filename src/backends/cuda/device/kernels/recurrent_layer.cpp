// What the kernels of recurrent layers check and bind alike.
#include "backends/cuda/device/kernels/recurrent_layer.h"

namespace kiln::cuda::kernels {

BoundLayer::BoundLayer(const RecurrentParameters& p) {
  layer_.directions = static_cast<int32_t>(p.directions());
  layer_.reverse = p.reverse;
  layer_.batch_first = p.batch_first;
  CellRules& rules = layer_.rules;
  rules.cell = p.cell;
  rules.linear = p.linear;
  rules.coupled = p.coupled;
  rules.clip = static_cast<float>(p.clip);
  const auto functions = static_cast<size_t>(functions_of(p.cell));
  for (size_t i = 0; i < p.kinds.size(); ++i)
    rules.functions[i / functions][i % functions] = {static_cast<CellActivation>(p.kinds[i]),
                                                     static_cast<float>(p.alphas[i]), static_cast<float>(p.betas[i])};
}

Status BoundLayer::prepare(const TensorView& x, int64_t hidden, std::span<const TensorView> operands,
                           std::span<const TensorView> results) {
  constexpr int64_t kMost = 1 << 16, kMostSteps = 1 << 24;
  if (results.empty() || results.size() > 3) return {Code::kMalformedPlan, "a recurrent layer has other results"};
  for (const TensorView& v : operands)
    if (v.present() && v.dtype != (&v == &operands[1] ? DType::kI32 : x.dtype))
      return {Code::kMalformedPlan, "a recurrent layer has operands of other types"};
  for (const TensorView& v : results)
    if (v.present() && v.dtype != x.dtype)
      return {Code::kMalformedPlan, "a recurrent layer has results of another type"};
  if (x.rank != 3) return {Code::kShapeMismatch, "a recurrent layer has other axes"};
  const int64_t steps = x.dims[layer_.batch_first ? 1 : 0], batch = x.dims[layer_.batch_first ? 0 : 1];
  if (steps > kMostSteps || batch > kMost || hidden > kMost)
    return {Code::kUnsupported, "a recurrent layer has too many units, steps or sequences"};
  layer_.steps = static_cast<int32_t>(steps);
  layer_.batch = static_cast<int32_t>(batch);
  layer_.hidden = static_cast<int32_t>(hidden);
  const int64_t sizes[] = {2 * rows(), batch, states(), states(), layer_.directions * 3 * hidden};
  for (size_t i = 0; i < kOperands; ++i)
    if (operands[i].present() && operands[i].elements() != sizes[i])
      return {Code::kShapeMismatch, "a bias, a state or the lengths of a recurrent layer have another size"};
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i].present() && results[i].elements() != (i == 0 ? states() * steps : states()))
      return {Code::kShapeMismatch, "a result of a recurrent layer has another size"};
  return kOkStatus;
}

RecurrentLayer BoundLayer::place(const TensorView& x, std::span<const TensorView> operands,
                                 std::span<const TensorView> results) const noexcept {
  const auto result = [&](size_t i) { return i < results.size() ? results[i].data : nullptr; };
  RecurrentLayer layer = layer_;
  layer.x = x.data;
  layer.b = operands[0].data;
  layer.lengths = pointer_of<const int32_t>(operands[1]);
  layer.initial_h = operands[2].data;
  layer.initial_c = operands[3].data;
  layer.peepholes = operands[4].data;
  layer.y = result(0);
  layer.y_h = result(1);
  layer.y_c = result(2);
  return layer;
}

}  // namespace kiln::cuda::kernels
