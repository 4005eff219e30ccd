// What the rules of quantization ask about values.
#include "passes/quantize/quantized_values.h"

#include <algorithm>
#include <cmath>

#include "passes/pass.h"
#include "passes/quantize/integer_sums.h"

namespace kiln::passes {
namespace {

// Far from where products of scales leave the normal numbers.
constexpr float kLeastScale = 1e-18f, kMostScale = 1e18f;

}  // namespace

bool sound_scale(float scale) { return scale >= kLeastScale && scale <= kMostScale; }

bool is_finite(const Tensor& t) {
  for (int64_t i = 0; i < t.size(); ++i)
    if (!std::isfinite(t.at(i))) return false;
  return true;
}

bool centres_bytes(DType type, const Value* zero_point) {
  const auto zero = zero_point ? uniform(zero_point) : 0.0;
  return zero && *zero == (type == DType::kU8 ? 128 : 0);
}

bool multiplies_alike(const Value* a, const Value* b) {
  if (!a->ranked() || !b->ranked() || a->rank() < 2 || a->rank() != b->rank()) return false;
  return std::equal(a->shape().begin(), a->shape().end() - 2, b->shape().begin());
}

bool is_integer_product(const Node& n) {
  const bool conv = n.is("ConvInteger");
  if (!conv && !n.is("MatMulInteger")) return false;
  const Value *x = n.input(0), *w = n.input(1);
  const Value* x_zero = n.base_input_count() > 2 ? n.input(2) : nullptr;
  const Value* w_zero = n.base_input_count() > 3 ? n.input(3) : nullptr;
  if (!conv && !w->constant())
    return multiplies_alike(x, w) && (!x_zero || uniform(x_zero)) && centres_bytes(w->dtype(), w_zero);
  if (!x->ranked() || !w->constant()) return false;
  if (conv ? !has_space(x->rank()) || w->rank() != x->rank() : w->rank() != 2 || x->rank() < 2) return false;
  if (x_zero && !(x_zero->ranked() && element_count(x_zero->shape()) == Dim(1))) return false;
  return !w_zero || w_zero->constant();
}

bool convolves_bytes(int64_t rank, const FusionLimits& limits) {
  return has_space(rank) && (rank < 5 || limits.operators.count(kByteVolumes));
}

bool reorders(const Node& n) {
  constexpr std::string_view kReordering[] = {"DepthToSpace", "Flatten",   "Reshape",  "SpaceToDepth",
                                              "Squeeze",      "Transpose", "Unsqueeze"};
  return std::find(std::begin(kReordering), std::end(kReordering), n.op_name()) != std::end(kReordering);
}

bool is_nearest_resize(const Node& n) {
  return n.is("Resize") && text(n, "mode") == "nearest" &&
         text(n, "coordinate_transformation_mode") != "tf_crop_and_resize";
}

bool pads_zeros(const Node& n) {
  return n.is("Pad") && (text(n, "mode") != "constant" || !n.input(2) || uniform(n.input(2)) == 0.0);
}

std::vector<PatchValue> padded_integers(Patch& p, const Node& pad, PatchValue data, Value* zero_point) {
  std::vector<PatchValue> inputs{data, pad.input(1)};
  const bool fills = zero_point && text(pad, "mode") == "constant";
  if (fills || pad.input(3))
    inputs.push_back(fills ? p.constant(zero_point->constant()->reshaped({}), zero_point->name()) : PatchValue());
  if (pad.input(3)) inputs.push_back(pad.input(3));
  return inputs;
}

std::optional<Dequantized> dequantized(const Value* value) {
  Node* n = value ? value->producer() : nullptr;
  if (!n || !n->is("Dequantize") || !n->post.empty()) return std::nullopt;
  return Dequantized{n, n->input(0), n->input(1), n->input(2)};
}

std::optional<float> one_scale(const Value* scale) {
  const Tensor* t = scale ? scale->constant() : nullptr;
  if (!t || t->size() != 1 || t->dtype() != DType::kF32 || !sound_scale(t->as<float>()[0])) return std::nullopt;
  return t->as<float>()[0];
}

std::optional<std::vector<float>> scales_along(const Value* scale, const Shape& shape, int64_t axis) {
  const auto values = along_axis(scale, shape, axis);
  if (!values || scale->dtype() != DType::kF32) return std::nullopt;
  std::vector<float> scales(values->begin(), values->end());
  for (float s : scales)
    if (!sound_scale(s)) return std::nullopt;
  return scales;
}

Dims per_column(int64_t count, int64_t inner) {
  Dims dims(static_cast<size_t>(inner + 1), 1);
  dims[0] = count;
  return dims;
}

bool same_zero_points(const Value* a, const Value* b) {
  if (!a && !b) return true;
  if (!a || !b) return uniform(a ? a : b) == 0.0;
  return same_parameters(a, b) || (uniform(a) && uniform(a) == uniform(b) && a->dtype() == b->dtype());
}

bool same_parameters(const Value* a, const Value* b) {
  if (a == b) return true;
  return a && b && a->constant() && b->constant() && a->constant()->identical(*b->constant());
}

std::optional<int64_t> largest_size(const Dim& dim, const PassOptions& options) {
  if (const auto number = dim.constant()) return number;
  return options.largest ? options.largest(dim) : std::nullopt;
}

std::string refusal(const Rule& rule, Node& node, const PassOptions& options) {
  (void)take_decline_reason();
  if (const auto match = ir::match(rule.pattern, node)) (void)patch_of(rule, *match, options);
  return take_decline_reason();
}

}  // namespace kiln::passes
