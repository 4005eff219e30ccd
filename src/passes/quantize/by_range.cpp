// Quantization of a float network by what is known of the ranges of its tensors.
#include "passes/quantize/by_range.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

constexpr double kSteps = 127;  // from zero to the largest
constexpr int kMostMoves = 16;  // that a range is followed through

// Operators whose results are elements of their inputs.
constexpr std::string_view kChoosing[] = {"Concat",  "DepthToSpace", "Expand",    "Flatten",      "Gather",
                                          "MaxPool", "Reshape",      "Slice",     "SpaceToDepth", "Split",
                                          "Squeeze", "Tile",         "Transpose", "Unsqueeze"};

bool chooses(const Node& n) {
  return n.post.empty() && std::count(std::begin(kChoosing), std::end(kChoosing), n.op_name()) > 0;
}

// Its own, or that of what it is chosen from.
std::optional<double> range_of(const TensorRanges& ranges, const Value* v, int moves = 0) {
  if (auto it = ranges.find(v->name()); it != ranges.end()) return it->second;
  const Node* n = v->producer();
  if (!n || !chooses(*n) || moves == kMostMoves) return std::nullopt;
  const size_t parts = n->is("Concat") ? n->inputs().size() : 1;
  double most = 0;
  for (size_t i = 0; i < parts; ++i) {
    const auto part = range_of(ranges, n->inputs()[i], moves + 1);
    if (!part) return std::nullopt;
    most = std::max(most, *part);
  }
  return most;
}

float scale_of(double range) { return static_cast<float>(range / kSteps); }

// The weights in int8 with a scale for each index of `axis`; nothing when an element is not finite.
struct ByteWeights {
  Tensor integers, scales;
};
std::optional<ByteWeights> in_bytes(const Tensor& w, int64_t axis) {
  const int64_t count = nth(w.dims(), axis);
  int64_t inner = 1;
  for (int64_t i = axis + 1; i < w.rank(); ++i) inner *= nth(w.dims(), i);
  const auto numbers = w.as<float>();
  std::vector<float> most(static_cast<size_t>(count), 0);
  const auto index_of = [&](size_t i) { return static_cast<size_t>(static_cast<int64_t>(i) / inner % count); };
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!std::isfinite(numbers[i])) return std::nullopt;
    most[index_of(i)] = std::max(most[index_of(i)], std::abs(numbers[i]));
  }
  for (float& m : most) m = sound_scale(scale_of(m)) ? scale_of(m) : 1;
  ByteWeights bytes{Tensor::allocate(DType::kI8, w.dims()),
                    Tensor::of<float>(per_column(count, w.rank() - 1 - axis), most)};
  for (size_t i = 0; i < numbers.size(); ++i)
    bytes.integers.set_int(static_cast<int64_t>(i),
                           static_cast<int64_t>(std::clamp(
                               std::nearbyint(static_cast<double>(numbers[i]) / static_cast<double>(most[index_of(i)])),
                               -kSteps, kSteps)));
  return bytes;
}

PatchValue through_bytes(Patch& p, Value* x, double range) {
  const PatchValue scale = p.constant(Tensor::scalar(scale_of(range)), x->name() + ".scale");
  const PatchValue integers = p.add("Quantize", {x, scale}, {{"to", std::string("int8")}});
  return p.add("Dequantize", {integers, scale});
}

bool is_product(const Node& n) {
  const Value* w = n.inputs().size() > 1 ? n.input(1) : nullptr;
  return (n.is("Conv") || n.is("MatMul")) && n.output()->dtype() == DType::kF32 && w && w->constant() &&
         w->constant()->size() > 0;
}

// Why the product stays as it is; empty: it need not.
std::string reason_to_stay(const TensorRanges& ranges, const Node& n) {
  const Value *x = n.input(0), *w = n.input(1);
  const bool conv = n.is("Conv");
  if (!x->ranked() || (conv ? x->rank() != 4 : w->rank() != 2 || x->rank() < 2))
    return "it is no product by a matrix, nor of images of two spatial dimensions";
  if (n.precision == DType::kF32) return "it is to compute in float32";
  const auto range = range_of(ranges, x);
  if (!range) return "there is no range of '" + x->name() + "'";
  if (!sound_scale(scale_of(*range))) return "the range of '" + x->name() + "' is " + std::to_string(*range);
  return "";
}

Rule quantized_by_range(const TensorRanges& ranges) {
  return {
      .name = "quantized_by_range",
      .pattern = one_of({"Conv", "MatMul"}),
      .rewrite = [&ranges](const Match& m) -> std::optional<Patch> {
        const Node& n = m.root();
        if (!is_product(n)) return std::nullopt;
        if (const std::string reason = reason_to_stay(ranges, n); !reason.empty()) return decline(reason);
        const auto weights = in_bytes(*n.input(1)->constant(), n.is("Conv") ? 0 : 1);
        if (!weights) return decline("a weight is not finite");
        Patch p(m);
        std::vector<PatchValue> inputs(n.inputs().begin(), n.inputs().end());
        inputs[0] = through_bytes(p, n.input(0), *range_of(ranges, n.input(0)));
        const std::string& name = n.input(1)->name();
        inputs[1] =
            p.add("Dequantize", {p.constant(weights->integers, name), p.constant(weights->scales, name + ".scale")});
        p.replace(n.output(), p.add(n.op_name(), std::move(inputs), n.attributes));
        return p;
      },
  };
}

// The integers that somebody reads of a value; null when nobody does.
Value* integers_of(const Value* v) {
  for (const ir::Use& use : v->uses())
    if (use.node->is("Quantize") && use.input == 0 && use.node->output()->dtype() == DType::kI8)
      return use.node->output();
  return nullptr;
}

// A sum reads the integers that the next product reads, so that nobody needs the numbers.
Rule sums_of_bytes() {
  return {
      .name = "sums_of_bytes",
      .pattern = node("Add"),
      .rewrite = [](const Match& m) -> std::optional<Patch> {
        const Node& n = m.root();
        for (int i : {0, 1}) {
          Value* integers = integers_of(n.input(i));
          if (!integers || !same_type(n.input(i), n.output())) continue;
          Patch p(m);
          std::vector<PatchValue> inputs(n.inputs().begin(), n.inputs().end());
          nth(inputs, i) = p.add("Dequantize", {integers, integers->producer()->input(1)});
          p.replace(n.output(), p.add("Add", std::move(inputs)));
          return p;
        }
        return std::nullopt;
      },
  };
}

void note_what_stays(const Graph& graph, const TensorRanges& ranges, PassContext& context) {
  size_t bytes = 0, wide = 0;
  for (const auto& n : graph.nodes()) {
    if (!n->is("Conv") && !n->is("MatMul")) continue;
    if (dequantized(n->input(0))) ++bytes;
    if (!is_product(*n)) continue;
    ++wide;
    const std::string reason = reason_to_stay(ranges, *n);
    context.remark("'" + n->name() + "' (" + n->op_name() +
                   ") stays in float32: " + (reason.empty() ? "its weights are not finite" : reason));
  }
  if (bytes == 0 && wide > 0)
    throw Error(Code::kInvalidArgument, "no product of the network reads a tensor that has a range")
        .cause("the " + std::to_string(ranges.size()) + " ranges are those of another network")
        .remedy("calibrate this network: kiln calibrate MODEL --data=…");
}

}  // namespace

Pass quantize_by_ranges(TensorRanges ranges) {
  return {"ranges", [ranges = std::move(ranges)](Graph& graph, PassContext& context) {
            apply_rules(graph, {&conv_batch_norm, &conv_bias, &pad_conv}, context);
            const Rule products = quantized_by_range(ranges), sums = sums_of_bytes();
            apply_rules(graph, {&products}, context);
            apply_rules(graph, canonical_rules(), context);
            apply_rules(graph, {&sums}, context);
            note_what_stays(graph, ranges, context);
          }};
}

}  // namespace kiln::passes
