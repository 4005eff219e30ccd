// A convolution or matrix product of dequantized operands becomes a product of the integers, exact in int32, that is scaled per column
// afterwards.
#include "base/index.h"
#include "passes/pass.h"
#include "passes/quantize/integer_sums.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

constexpr TypeSet kWeights = kByteTypes | TypeSet{DType::kI4, DType::kU4};

// Kernels of 16 bits multiply whole panels of columns, which leaves float32 faster where groups have but a few.
bool has_small_groups(const Node& conv) {
  constexpr int64_t kFewColumns = 8;
  const int64_t groups = integer(conv, "group");
  const Value* w = conv.input(1);
  return groups > 1 && (!w->ranked() || !w->shape()[0].is_constant() || w->shape()[0].value() / groups < kFewColumns);
}

// Weights as the integer product has them.
struct Weights {
  Tensor integers, zero_points;  // the latter one, or one per column; invalid: none
  std::vector<float> scales;     // one per column
};

Tensor transposed(const Tensor& t) {
  const int64_t rows = t.dims()[0], columns = t.dims()[1];
  Tensor result = Tensor::allocate(t.dtype(), {columns, rows});
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) result.set_int(j * rows + i, t.int_at(i * columns + j));
  return result;
}

Tensor as_bytes(const Tensor& t) {
  if (t.dtype() == DType::kI4) return t.cast(DType::kI8);
  return t.dtype() == DType::kU4 ? t.cast(DType::kU8) : t;
}

// One element, or one for each column (`axis` of the weights), in a list.
std::optional<Tensor> zero_points_along(const Value* zero, const Shape& shape, int64_t axis) {
  const Tensor* t = zero->constant();
  if (!t || !broadcasts_into(zero, shape)) return std::nullopt;
  const int64_t own = axis - (static_cast<int64_t>(shape.size()) - t->rank());
  for (int64_t i = 0; i < t->rank(); ++i)
    if (i != own && nth(t->dims(), i) != 1) return std::nullopt;
  return as_bytes(*t).reshaped(t->size() == 1 ? Dims{} : Dims{t->size()});
}

std::optional<Weights> read_weights(const Dequantized& w, int64_t column_axis, bool transpose) {
  const Tensor* integers = w.integers->constant();
  if (!integers || !kWeights.has(integers->dtype())) return decline("the weights are not constant bytes");
  if (w.scale->rank() > w.integers->rank()) return decline("the scale of the weights grows them");
  const auto scales = scales_along(w.scale, w.integers->shape(), column_axis);
  if (!scales) return decline("the weights have no sound scale per column");
  Weights result{as_bytes(*integers), {}, *scales};
  if (w.zero_point && uniform(w.zero_point) != 0.0) {
    const auto zeros = zero_points_along(w.zero_point, w.integers->shape(), column_axis);
    if (!zeros) return decline("the weights have no zero point per column");
    result.zero_points = *zeros;
  }
  if (transpose) result.integers = transposed(result.integers);
  return result;
}

// The bias in units of the sums, when it was quantized so; it is then exact.
std::optional<Tensor> integer_bias(const Value* bias, const std::vector<float>& scales) {
  const auto from = dequantized(bias);
  if (!from || !from->integers->constant() || from->integers->dtype() != DType::kI32 || bias->rank() != 1)
    return std::nullopt;
  const auto own = along_axis(from->scale, bias->shape(), 0);
  if (!own || own->size() != scales.size()) return std::nullopt;
  for (size_t i = 0; i < scales.size(); ++i)
    if (static_cast<float>((*own)[i]) != scales[i]) return std::nullopt;
  return *from->integers->constant();
}

std::optional<Tensor> real_bias(const Value* bias) {
  if (const Tensor* t = bias->constant()) return *t;
  const auto from = dequantized(bias);
  if (!from || !from->integers->constant() || !from->scale->constant() ||
      (from->zero_point && !from->zero_point->constant()))
    return std::nullopt;
  std::vector<Datum> inputs{*from->integers->constant(), *from->scale->constant()};
  if (from->zero_point) inputs.push_back(*from->zero_point->constant());
  return ir::evaluate(*from->node, std::move(inputs)).at(0).tensor;
}

// What is added behind the products: to the sums in int32, or to the numbers that they become.
struct Bias {
  std::optional<Tensor> whole, real;
};
std::optional<Bias> read_bias(const Value* bias, const std::vector<float>& scales, ByteRange x,
                              const ConstantFactors& w) {
  if (!bias) return Bias();
  auto whole = integer_bias(bias, scales);
  if (whole && sums_fit(x, w, &*whole)) return Bias{std::move(whole), {}};
  auto real = real_bias(bias);
  if (!real) return decline("the bias is not constant");
  if (!is_finite(*real)) return decline("the bias is not finite");
  return Bias{{}, std::move(real)};
}

}  // namespace

const Rule quantized_product{
    .name = "quantized_product",
    .pattern = one_of({"Conv", "Gemm", "MatMul"}),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      const Node& n = m.root();
      const auto x = dequantized(n.input(0)), w = dequantized(n.input(1));
      if (!x || !w) return std::nullopt;
      if (n.output()->dtype() != DType::kF32) return decline("the result is not float32");
      if (n.precision == DType::kF32) return decline("it is to compute in float32");
      const bool words = kWordTypes.has(x->integers->dtype());
      if (words && !options.limits.words) return decline("x has 16 bits");
      if (words && n.is("Conv") && has_small_groups(n))
        return decline("x has 16 bits, and its groups have few channels");
      if (!words && !kByteTypes.has(x->integers->dtype())) return decline("x is not of bytes");
      if (!x->integers->ranked() || !n.output()->ranked()) return decline("the rank is not known");
      const auto x_scale = one_scale(x->scale);
      if (!x_scale || (x->zero_point && !uniform(x->zero_point))) return decline("x has no sound scale of its own");
      const bool conv = n.is("Conv");
      const bool transpose = n.is("Gemm") && integer(n, "transB") != 0;
      if (n.is("Gemm") && (integer(n, "transA") != 0 || real(n, "alpha") != 1 || n.input(2)))
        return decline("it is more than a product");
      if (conv && !convolves_bytes(x->integers->rank(), options.limits)) return decline(kOtherSpace);
      if (!conv && (w->integers->rank() != 2 || x->integers->rank() < 2))
        return decline("it is no product by a matrix");
      const auto weights = read_weights(*w, conv || transpose ? 0 : 1, transpose);
      if (!weights) return std::nullopt;

      const auto columns = static_cast<int64_t>(weights->scales.size());
      const Dims dims = per_column(columns, conv ? n.output()->rank() - 2 : 0);
      std::vector<float> scales = weights->scales;
      for (float& s : scales) s *= *x_scale;
      const ByteRange range = byte_range(x->integers->dtype(), x->zero_point);
      const ConstantFactors factors{weights->integers, conv ? 0 : 1,
                                    weights->zero_points.valid() ? &weights->zero_points : nullptr};
      if (!sums_fit(range, factors)) return decline(kSumsMayWrap);
      const auto read = read_bias(n.input(2), scales, range, factors);
      if (!read) return std::nullopt;
      const auto& [whole, real] = *read;

      Patch p(m);
      const std::string& name = w->integers->name();
      std::vector<PatchValue> inputs{x->integers, p.constant(weights->integers, name)};
      if (x->zero_point || weights->zero_points.valid())
        inputs.push_back(x->zero_point ? p.constant(x->zero_point->constant()->reshaped({}), x->zero_point->name())
                                       : PatchValue());
      if (weights->zero_points.valid()) inputs.push_back(p.constant(weights->zero_points, name + ".zero_point"));
      const PatchValue scale = p.constant(Tensor::of<float>(dims, scales), name + ".scale");
      PatchValue bias;
      if (whole || real) bias = p.constant((whole ? *whole : *real).reshaped(dims), name + ".bias");

      const PatchValue sums =
          p.add(conv ? "ConvInteger" : "MatMulInteger", std::move(inputs), conv ? n.attributes : Attributes());
      if (whole) p.add_post_op(sums, "Add", {}, {std::nullopt, bias});
      p.add_post_op(sums, "Cast", {{"to", std::string("float32")}}, {std::nullopt});
      p.add_post_op(sums, "Mul", {}, {std::nullopt, scale});
      if (real) p.add_post_op(sums, "Add", {}, {std::nullopt, bias});
      p.replace(n.output(), sums);
      return p;
    },
};

}  // namespace kiln::passes
