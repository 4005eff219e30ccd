// QLinearConv and QLinearMatMul with constant parameters become products of integers with post-operations.
#include "passes/pass.h"
#include "passes/quantize/integer_sums.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

// Of the two operators, whose inputs stand in the same places.
enum Place : int { kX, kXScale, kXZero, kW, kWScale, kWZero, kYScale, kYZero, kBias };

// One scale for all columns or one for each, as float32.
std::optional<std::vector<float>> column_scales(const Value* scale, int64_t columns) {
  if (const auto one = one_scale(scale)) return std::vector<float>(static_cast<size_t>(columns), *one);
  if (scale->rank() != 1) return std::nullopt;
  return scales_along(scale, {Dim(columns)}, 0);
}

// The sums of a product of integers, as the operator's bytes: plus a bias, where there is one, times `scale`, and rounded.
void finish(Patch& p, const Node& n, const std::string& op, const PatchValue& bias, const PatchValue& scale) {
  const PatchValue one = p.constant(Tensor::scalar(1.0f));
  const PatchValue y_zero = p.constant(n.input(kYZero)->constant()->reshaped({}), n.input(kYZero)->name());
  const PatchValue x_zero = p.constant(n.input(kXZero)->constant()->reshaped({}), n.input(kXZero)->name());
  std::vector<PatchValue> inputs{n.input(kX), n.input(kW), x_zero};
  if (uniform(n.input(kWZero)) != 0.0) inputs.push_back(n.input(kWZero));
  const PatchValue sums = p.add(op, std::move(inputs), n.attributes);
  if (n.input(kBias)) p.add_post_op(sums, "Add", {}, {std::nullopt, bias});
  p.add_post_op(sums, "Cast", {{"to", std::string("float32")}}, {std::nullopt});
  p.add_post_op(sums, "Mul", {}, {std::nullopt, scale});
  p.add_post_op(sums, "Quantize", {{"to", std::string(name(n.output()->dtype()))}}, {std::nullopt, one, y_zero});
  p.replace(n.output(), sums);
}

// A product of matrices that only running tells: with one scale, and centred bytes to the right.
std::optional<Patch> product_of_values(const Match& m, const PassOptions& options, float x_scale, float y_scale) {
  const Node& n = m.root();
  const Value *x = n.input(kX), *w = n.input(kW);
  if (!multiplies_alike(x, w)) return decline("the weights are not constant, and x has other matrices than they");
  const auto w_scale = one_scale(n.input(kWScale));
  if (!w_scale) return decline("the weights are not constant, and have no sound scale of their own");
  if (!n.input(kWZero)->constant() || !centres_bytes(w->dtype(), n.input(kWZero)))
    return decline("the weights are not constant, and no signed bytes less their zero point");
  const auto terms = largest_size(x->shape().back(), options);
  if (!terms || !sums_fit(byte_range(x->dtype(), n.input(kXZero)), byte_range(w->dtype(), n.input(kWZero)), *terms))
    return decline(kSumsMayWrap);

  Patch p(m);
  const PatchValue scale = p.constant(Tensor::scalar(*w_scale * x_scale / y_scale), n.input(kWScale)->name());
  finish(p, n, "MatMulInteger", {}, scale);
  return p;
}

}  // namespace

const Rule qlinear_to_integer{
    .name = "qlinear_to_integer",
    .pattern = one_of({"QLinearConv", "QLinearMatMul"}),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      const Node& n = m.root();
      const bool conv = n.is("QLinearConv");
      for (int place : {kX, kW, kYZero})
        if (!kByteTypes.has(n.input(place)->dtype())) return decline("it is no product of bytes");
      const auto x_scale = one_scale(n.input(kXScale)), y_scale = one_scale(n.input(kYScale));
      if (!x_scale || !y_scale) return decline("x or y have no sound scale of their own");
      for (int place : {kXZero, kYZero})
        if (!n.input(place)->constant() || n.input(place)->constant()->size() != 1)
          return decline("a zero point is not one constant");
      const Tensor* w = n.input(kW)->constant();
      if (!w && !conv) return product_of_values(m, options, *x_scale, *y_scale);
      if (!w || !n.input(kWZero)->constant()) return decline("the weights are not constant");
      if (conv && !convolves_bytes(w->rank(), options.limits)) return decline(kOtherSpace);
      if (!n.input(kX)->ranked() || (!conv && (w->rank() != 2 || n.input(kX)->rank() < 2)))
        return decline("it is no product by a matrix");
      const int64_t columns = conv ? w->dims()[0] : w->dims()[1];
      auto scales = column_scales(n.input(kWScale), columns);
      if (!scales) return decline("the weights have no sound scale per column");
      for (float& s : *scales) s = s * *x_scale / *y_scale;
      const Value* bias = n.input(kBias);
      if (bias && !bias->constant()) return decline("the bias is not constant");
      if (!sums_fit(byte_range(n.input(kX)->dtype(), n.input(kXZero)), {*w, conv ? 0 : 1, n.input(kWZero)->constant()},
                    bias ? bias->constant() : nullptr))
        return decline(kSumsMayWrap);

      Patch p(m);
      const Dims dims = per_column(columns, conv ? n.output()->rank() - 2 : 0);
      const PatchValue scale = p.constant(Tensor::of<float>(dims, *scales), n.input(kWScale)->name());
      PatchValue summand;
      if (bias) summand = p.constant(bias->constant()->reshaped(dims), bias->name());
      finish(p, n, conv ? "ConvInteger" : "MatMulInteger", summand, scale);
      return p;
    },
};

}  // namespace kiln::passes
