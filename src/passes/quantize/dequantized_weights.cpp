// A matrix product of float32 by dequantized constants keeps the integers, or the floats of 4 or 8 bits: MatMulDequantized unpacks them as it
// multiplies.
#include <algorithm>
#include <cmath>

#include "base/index.h"
#include "passes/pass.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

constexpr TypeSet kCodes{DType::kI4, DType::kU4, DType::kI8, DType::kU8};
constexpr TypeSet kRealCodes{DType::kF4E2M1, DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2};

// Constant integers [k, n], and their parameters [blocks, n].
struct Codes {
  Tensor integers, scales, zeros;  // the last invalid: none
  int64_t block = 0;
};

Tensor turned(const Tensor& t) {
  const int64_t rows = t.dims()[0], columns = t.dims()[1];
  Tensor result = Tensor::allocate(t.dtype(), {columns, rows});
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) copy_elements(t, i * columns + j, result, j * rows + i, 1);
  return result;
}

// One parameter, or one for each column, as [1, n]; nothing when it varies otherwise.
std::optional<Tensor> row_of_columns(const Tensor& t, const Tensor& integers, int64_t axis) {
  const int64_t n = nth(integers.dims(), axis);
  if (t.size() != 1 && (t.rank() > 2 || t.size() != n || nth(t.dims(), axis - (2 - t.rank())) != n))
    return std::nullopt;
  Tensor row = Tensor::allocate(t.dtype(), {1, n});
  for (int64_t j = 0; j < n; ++j) copy_elements(t, t.size() == 1 ? 0 : j, row, j, 1);
  return row;
}

// Whether every integer times a scale is a number, so that scaling may follow the sum.
bool has_sound_scales(const Value* scale) {
  const Tensor* t = scale->constant();
  if (!t || t->dtype() != DType::kF32 || t->size() == 0) return false;
  const auto numbers = t->as<float>();
  return std::all_of(numbers.begin(), numbers.end(), [](float v) { return std::isfinite(v * UINT8_MAX); });
}

// The same of codes that are floats, with room for the powers of two that kernels take for themselves.
bool has_sound_real_scales(const Tensor& scales) {
  constexpr float kLeast = 1e-30f, kMost = 1e30f;
  const auto numbers = scales.as<float>();
  return std::all_of(numbers.begin(), numbers.end(),
                     [](float v) { return v == 0 || (std::abs(v) >= kLeast && std::abs(v) <= kMost); });
}

bool is_zero(const Value* zero) {
  const Tensor* t = zero->constant();
  for (int64_t i = 0; t && i < t->size(); ++i)
    if (t->at(i) != 0) return false;
  return t != nullptr;
}

// Floats of 4 or 8 bits, by blocks, by column or with one scale: of DequantizeLinear.
std::optional<Codes> real_codes(const Node& n, int64_t axis) {
  const Tensor &numbers = *n.input(0)->constant(), *scale = n.input(1)->constant();
  if (!scale || (scale->dtype() != DType::kF32 && scale->dtype() != DType::kF8E8M0) || scale->size() == 0)
    return decline("the scales are no constants of float32 or float8e8m0");
  if (!is_finite(numbers)) return decline("the weights are not finite");
  if (n.input(2) && !is_zero(n.input(2))) return decline("the weights have zero points");
  const Tensor scales = scale->cast(DType::kF32);
  if (!has_sound_real_scales(scales)) return decline("the scales are too small or too large");
  const int64_t block = integer(n, "block_size"), own = normalize_axis(integer(n, "axis"), 2);
  if (block != 0) {
    if (own == axis) return decline("there are no blocks along the rows");
    return Codes{numbers, scales, {}, block};
  }
  if (scales.size() != 1 && own != axis) return decline("the weights have a scale per row");
  const int64_t count = nth(numbers.dims(), axis);
  Tensor columns = Tensor::allocate(DType::kF32, axis == 0 ? Dims{count, 1} : Dims{1, count});
  for (int64_t j = 0; j < count; ++j) copy_elements(scales, scales.size() == 1 ? 0 : j, columns, j, 1);
  return Codes{numbers, std::move(columns), {}, nth(numbers.dims(), 1 - axis)};
}

// By columns: of Dequantize. Columns of the product lie along `axis` of the integers.
std::optional<Codes> codes_by_column(const Node& n, int64_t axis) {
  const Tensor& integers = *n.input(0)->constant();
  if (n.input(1)->rank() == 1 && n.input(1)->constant()->size() != 1 && axis != 1)
    return decline("the weights have a scale per row");
  const auto scales = row_of_columns(*n.input(1)->constant(), integers, axis);
  if (!scales) return decline("the weights have other scales than one per column");
  Codes codes{integers, *scales, {}, nth(integers.dims(), 1 - axis)};
  if (n.input(2)) {
    if (!n.input(2)->constant()) return decline("the zero points are not constant");
    const auto zeros = row_of_columns(*n.input(2)->constant(), integers, axis);
    if (!zeros) return decline("the weights have other zero points than one per column");
    codes.zeros = *zeros;
  }
  return codes;
}

// By blocks: of DequantizeLinear.
std::optional<Codes> codes_by_block(const Node& n, int64_t axis) {
  const int64_t block = integer(n, "block_size");
  if (block == 0 || normalize_axis(integer(n, "axis"), 2) == axis) return decline("there are no blocks along the rows");
  if (n.input(2) && !n.input(2)->constant()) return decline("the zero points are not constant");
  Codes codes{*n.input(0)->constant(), *n.input(1)->constant(), {}, block};
  if (n.input(2)) codes.zeros = *n.input(2)->constant();
  return codes;
}

}  // namespace

const Rule dequantized_weights{
    .name = "dequantized_weights",
    .pattern = one_of({"Gemm", "MatMul"}),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      const Node& n = m.root();
      const Node* w = n.input(1)->producer();
      if (!w || !(w->is("Dequantize") || w->is("DequantizeLinear")) || !w->post.empty()) return std::nullopt;
      const Value* integers = w->input(0);
      const bool floats = options.limits.real_codes && kRealCodes.has(integers->dtype()) && w->is("DequantizeLinear");
      if (!integers->constant() || !(floats || kCodes.has(integers->dtype())) || integers->rank() != 2 ||
          integers->constant()->size() == 0)
        return decline("the weights are no constant matrix of 4 or 8 bits");
      if (n.output()->dtype() != DType::kF32) return decline("the result is not float32");
      if (!n.input(0)->ranked() || n.input(0)->rank() < 2) return decline("it is no product of matrices");
      if (n.is("Gemm") && (integer(n, "transA") != 0 || real(n, "alpha") != 1 || n.input(2)))
        return decline("it is more than a product");
      if (!floats && !has_sound_scales(w->input(1)))
        return decline("the scales are no constants of float32 that keep the weights finite");
      const bool transposed = n.is("Gemm") && integer(n, "transB") != 0;
      const int64_t axis = transposed ? 0 : 1;
      auto codes = floats                ? real_codes(*w, axis)
                   : w->is("Dequantize") ? codes_by_column(*w, axis)
                                         : codes_by_block(*w, axis);
      if (!codes) return std::nullopt;
      if (transposed) {
        codes->integers = turned(codes->integers);
        if (w->is("DequantizeLinear")) {
          codes->scales = turned(codes->scales);
          if (codes->zeros.valid()) codes->zeros = turned(codes->zeros);
        }
      }
      Patch p(m);
      std::vector<PatchValue> inputs{n.input(0), p.constant(codes->integers, integers->name()),
                                     p.constant(codes->scales, w->input(1)->name())};
      if (codes->zeros.valid()) inputs.push_back(p.constant(codes->zeros, w->input(2)->name()));
      p.replace(n.output(), p.add("MatMulDequantized", std::move(inputs), {{"block_size", codes->block}}));
      return p;
    },
    .makes = "MatMulDequantized",
    .stage = 3,
};

}  // namespace kiln::passes
