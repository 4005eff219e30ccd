// Quantization of a float network by what is known of the ranges of its tensors.
#include "passes/quantize/by_range.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "passes/fuse/transposed_conv.h"
#include "passes/quantize/integer_sums.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"
#include "tensor/number_text.h"

namespace kiln::passes {
namespace {

constexpr double kSteps = 127;  // from zero to the largest
constexpr int kMostMoves = 16;  // that a range is followed through

// Operators whose results are elements of their inputs.
constexpr std::string_view kChoosing[] = {"Concat",  "DepthToSpace", "Expand",    "Flatten",      "Gather",
                                          "MaxPool", "Reshape",      "Slice",     "SpaceToDepth", "Split",
                                          "Squeeze", "Tile",         "Transpose", "Unsqueeze"};

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

// For a column whose largest weight is `most`; `largest` of all columns. Columns of nothing become zeros.
std::optional<float> column_scale(float most, float largest) {
  if (const float scale = scale_of(most); sound_scale(scale)) return scale;
  return most <= kNegligibleWeight * largest ? std::optional(1.0f) : std::nullopt;
}

// The weights in int8 with a scale for each index of `axis`.
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
    if (!std::isfinite(numbers[i])) return decline("a weight is not finite");
    most[index_of(i)] = std::max(most[index_of(i)], std::abs(numbers[i]));
  }
  const float largest = *std::max_element(most.begin(), most.end());
  for (size_t j = 0; j < most.size(); ++j) {
    const auto scale = column_scale(most[j], largest);
    if (!scale)
      return decline("column " + std::to_string(j) + " of the weights, up to " + real_text(most[j]) +
                     ", has no sound scale");
    most[j] = *scale;
  }
  ByteWeights bytes{Tensor::allocate(DType::kI8, w.dims()),
                    Tensor::of<float>(per_column(count, w.rank() - 1 - axis), most)};
  for (size_t i = 0; i < numbers.size(); ++i)
    bytes.integers.set_int(static_cast<int64_t>(i),
                           static_cast<int64_t>(std::clamp(
                               std::nearbyint(static_cast<double>(numbers[i]) / static_cast<double>(most[index_of(i)])),
                               -kSteps, kSteps)));
  return bytes;
}

PatchValue through_bytes(Patch& p, PatchValue x, const std::string& name, double range) {
  const PatchValue scale = p.constant(Tensor::scalar(scale_of(range)), name + ".scale");
  const PatchValue integers = p.add("Quantize", {x, scale}, {{"to", std::string("int8")}});
  return p.add("Dequantize", {integers, scale});
}

bool multiplies(const Node& n) { return n.is("Conv") || n.is("ConvTranspose") || n.is("MatMul"); }

bool is_product(const Node& n) {
  const Value* w = n.inputs().size() > 1 ? n.input(1) : nullptr;
  return multiplies(n) && n.output()->dtype() == DType::kF32 && w && w->constant() && w->constant()->size() > 0;
}

// Of the weights; those of a transposed convolution have the columns of a group.
int64_t column_axis(const Node& n) { return n.is("Conv") ? 0 : 1; }

// Why the product stays as it is; empty: it need not.
std::string reason_to_stay(const TensorRanges& ranges, const RangeOptions& options, const FusionLimits& limits,
                           const Node& n) {
  const Value *x = n.input(0), *w = n.input(1);
  const bool conv = !n.is("MatMul");
  if (!x->ranked() || (conv ? !convolves_bytes(x->rank(), limits) : w->rank() != 2 || x->rank() < 2))
    return "it is no product by a matrix, and no convolution that the target computes in bytes";
  if (n.precision == DType::kF32) return "it is to compute in float32";
  const auto is_slower = [&](const std::string& name) { return options.slower.count(name) > 0; };
  if (is_slower(n.name()) || std::any_of(n.origins.begin(), n.origins.end(), is_slower)) return "int8 makes it slower";
  const auto range = range_of(ranges, x);
  if (!range) return "there is no range of '" + x->name() + "'";
  if (!sound_scale(scale_of(*range)))
    return "the range of '" + x->name() + "' is " + real_text(static_cast<float>(*range));
  return "";
}

// Facts of the channels that a product reads, when there are so many of them.
const ChannelFacts* channels_of(const RangeOptions& options, const Value* x, int64_t count) {
  const auto it = options.channels.find(x->name());
  if (it == options.channels.end()) return nullptr;
  const auto fits = [&](const std::vector<float>& v) {
    return static_cast<int64_t>(v.size()) == count &&
           std::all_of(v.begin(), v.end(), [](float f) { return std::isfinite(f); });
  };
  return fits(it->second.mean) && fits(it->second.most) ? &it->second : nullptr;
}

// What makes up for the change of the weights' means, per column of the result; nothing when the channels are not known, or when results
// of a column sum by different weights, as those of a transposed convolution do.
std::optional<Tensor> mean_correction(const RangeOptions& options, const Node& n, const Tensor& w,
                                      const ByteWeights& bytes) {
  const bool conv = n.is("Conv");
  const int64_t columns = conv ? w.dims()[0] : w.dims()[1], terms = conv ? w.dims()[1] : w.dims()[0];
  const int64_t groups = conv ? integer(n, "group") : 1,
                taps = conv ? w.size() / std::max<int64_t>(columns * terms, 1) : 1;
  const bool corrects = options.corrects_bias && !n.is("ConvTranspose");
  const ChannelFacts* facts = corrects ? channels_of(options, n.input(0), terms * groups) : nullptr;
  if (!facts) return std::nullopt;
  Tensor correction = Tensor::allocate(DType::kF32, {columns});
  const auto numbers = w.as<float>();
  for (int64_t j = 0; j < columns; ++j) {
    const double scale = bytes.scales.at(bytes.scales.size() == 1 ? 0 : j);
    double sum = 0;
    for (int64_t t = 0; t < terms; ++t)
      for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t at = conv ? (j * terms + t) * taps + tap : t * columns + j;
        const double change = scale * static_cast<double>(bytes.integers.int_at(at)) -
                              static_cast<double>(numbers[static_cast<size_t>(at)]);
        sum += change * static_cast<double>(facts->mean[static_cast<size_t>(j / (columns / groups) * terms + t)]);
      }
    correction.set(j, -sum);
  }
  return correction;
}

// Divisors of the channels that products by matrices read; nothing where they stay.
std::optional<std::vector<float>> divisors_of(const RangeOptions& options, const Node& n) {
  const Value* x = n.input(0);
  if (options.smoothing <= 0 || !n.is("MatMul")) return std::nullopt;
  const int64_t terms = n.input(1)->constant()->dims()[0];
  const ChannelFacts* facts = channels_of(options, x, terms);
  if (!facts) return std::nullopt;
  std::vector<float> largest(static_cast<size_t>(terms), 0);
  for (const ir::Use& use : x->uses()) {  // all that read it share its integers
    if (use.input != 0 || !use.node->is("MatMul") || !is_product(*use.node) || use.node->input(1)->rank() != 2)
      continue;
    const Tensor& w = *use.node->input(1)->constant();
    for (int64_t i = 0; i < w.size(); ++i) {
      float& most = largest[static_cast<size_t>(i / w.dims()[1])];
      most = std::max(most, std::abs(w.as<float>()[static_cast<size_t>(i)]));
    }
  }
  for (size_t i = 0; i < largest.size(); ++i) {
    const double own = std::pow(static_cast<double>(facts->most[i]), options.smoothing),
                 other = std::pow(static_cast<double>(largest[i]), 1 - options.smoothing);
    const auto divisor = static_cast<float>(own / other);
    largest[i] = std::isnormal(divisor) ? divisor : 1;
  }
  return largest;
}

// x and the weights with channels divided and multiplied; and the range that x has then.
struct Smoothed {
  PatchValue x;
  Tensor weights;
  double range;
};
Smoothed smoothed(Patch& p, const ChannelFacts& facts, Value* x, const Tensor& w, double range,
                  const std::vector<float>& divisors) {
  Tensor factors = Tensor::allocate(DType::kF32, {w.dims()[0]}), weights = Tensor::allocate(DType::kF32, w.dims());
  double most = 0, before = 0;
  for (size_t i = 0; i < divisors.size(); ++i) {
    factors.as_mutable<float>()[i] = 1 / divisors[i];
    most = std::max(most, static_cast<double>(facts.most[i] / divisors[i]));
    before = std::max(before, static_cast<double>(facts.most[i]));
  }
  for (int64_t i = 0; i < w.size(); ++i)
    weights.as_mutable<float>()[static_cast<size_t>(i)] =
        w.as<float>()[static_cast<size_t>(i)] * divisors[static_cast<size_t>(i / w.dims()[1])];
  const PatchValue divided = p.add("Mul", {x, p.constant(factors, x->name() + ".smooth")});
  return {divided, weights, before > 0 ? range * most / before : range};
}

Rule quantized_by_range(const TensorRanges& ranges, const RangeOptions& options) {
  return {
      .name = std::string(kQuantizedByRange),
      .pattern = one_of({"Conv", "ConvTranspose", "MatMul"}),
      .rewrite_within = [&ranges, &options](const Match& m, const PassOptions& within) -> std::optional<Patch> {
        const Node& n = m.root();
        if (!is_product(n)) return std::nullopt;
        if (const std::string reason = reason_to_stay(ranges, options, within.limits, n); !reason.empty())
          return decline(reason);
        if (n.is("ConvTranspose") && !transposed_as_convolutions(m)) return std::nullopt;
        Patch p(m);
        Smoothed from{n.input(0), *n.input(1)->constant(), *range_of(ranges, n.input(0))};
        if (const auto divisors = divisors_of(options, n))
          from = smoothed(p, *channels_of(options, n.input(0), from.weights.dims()[0]), n.input(0), from.weights,
                          from.range, *divisors);
        const auto weights = in_bytes(from.weights, column_axis(n));
        if (!weights) return std::nullopt;
        if (!sums_fit({INT8_MIN, INT8_MAX}, {weights->integers, column_axis(n)})) return decline(kSumsMayWrap);
        std::vector<PatchValue> inputs(n.inputs().begin(), n.inputs().end());
        inputs[0] = through_bytes(p, from.x, n.input(0)->name(), from.range);
        const std::string& name = n.input(1)->name();
        inputs[1] =
            p.add("Dequantize", {p.constant(weights->integers, name), p.constant(weights->scales, name + ".scale")});
        const auto correction = options.smoothing > 0 && n.is("MatMul")
                                    ? std::nullopt
                                    : mean_correction(options, n, *n.input(1)->constant(), *weights);
        const PatchValue y = p.add(n.op_name(), std::move(inputs), n.attributes);
        if (!correction) {
          p.replace(n.output(), y);
          return p;
        }
        const Dims dims = per_column(correction->size(), n.is("Conv") ? n.input(0)->rank() - 2 : 0);
        p.replace(n.output(), p.add("Add", {y, p.constant(correction->reshaped(dims), name + ".correction")}));
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
      .name = std::string(kSumsOfBytes),
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

// `rule` was tried on all products.
void note_what_stays(const Graph& graph, const TensorRanges& ranges, const Rule& rule, PassContext& context) {
  size_t with_range = 0, without = 0;
  for (const auto& n : graph.nodes()) {
    if (!multiplies(*n)) continue;
    if (dequantized(n->input(0))) ++with_range;
    if (!is_product(*n)) continue;
    const auto range = range_of(ranges, n->input(0));
    ++(range ? with_range : without);
    const std::string reason = refusal(rule, *n, context.options());
    if (reason.empty()) continue;  // nobody knows: the rule was held back
    context.stays(*n, reason, range && !sound_scale(scale_of(*range)) ? Severity::kWarning : Severity::kInfo);
  }
  if (with_range == 0 && without > 0)
    throw Error(Code::kInvalidArgument, "no product of the network reads a tensor that has a range")
        .cause("the " + std::to_string(ranges.size()) + " ranges are those of another network")
        .remedy("calibrate this network: kiln calibrate MODEL --data=…");
}

}  // namespace

bool chooses(const Node& n) {
  return n.post.empty() && std::count(std::begin(kChoosing), std::end(kChoosing), n.op_name()) > 0;
}

Pass quantize_by_ranges(TensorRanges ranges, RangeOptions options) {
  return {"ranges", [ranges = std::move(ranges), options = std::move(options)](Graph& graph, PassContext& context) {
            apply_rules(graph, {&conv_batch_norm, &conv_bias, &pad_conv}, context);
            const Rule products = quantized_by_range(ranges, options), sums = sums_of_bytes();
            apply_rules(graph, {&products}, context);
            apply_rules(graph, canonical_rules(), context);
            apply_rules(graph, {&sums}, context);
            note_what_stays(graph, ranges, products, context);
          }};
}

}  // namespace kiln::passes
