// Evaluation with rounding exaggerated.
#include "operators/graphs/shaking.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "tensor/number_text.h"

namespace kiln::operators {
namespace {

constexpr double kFewShaken = 4, kSumShaken = 16, kShortSumShaken = 2;
constexpr double kLoosest = 0.02;  // of the largest element: what moves further is decided by rounding
constexpr double kMargin = 8;      // over the movement that was seen

double epsilon(DType type) {
  switch (type) {
    case DType::kF64: return 0x1p-52;
    case DType::kF32: return 0x1p-23;
    case DType::kF16: return 0x1p-10;
    case DType::kBF16: return 0x1p-7;
    default: return 0x1p-3;
  }
}

double smallest(DType type) { return type == DType::kF16 ? 0x1p-22 : type == DType::kF64 ? 0x1p-1020 : 0x1p-124; }

bool moves(const Tensor& t) { return t.valid() && is_float(t.dtype()); }

double direction(Shake how, std::mt19937_64& random) {
  if (how == Shake::kRandom) return std::uniform_real_distribution<double>(-1, 1)(random);
  return how == Shake::kUp ? 1 : -1;
}

// By some units in the last place of each element, or of `magnitude` where that is not negative.
void move_elements(Tensor& tensor, double ulps, double magnitude, Shake how, std::mt19937_64& random) {
  Tensor moved = tensor.clone();
  const double step = ulps * epsilon(tensor.dtype());
  for (int64_t i = 0; i < moved.size(); ++i) {
    const double x = moved.at(i);
    if (!std::isfinite(x)) continue;
    moved.set(i, x + direction(how, random) * step * (magnitude < 0 ? std::abs(x) : magnitude));
    if (!std::isfinite(moved.at(i))) moved.set(i, x);
  }
  tensor = moved;
}

// Of what a reduction adds up: its result for the absolute values of its inputs.
double magnitude_of(const OpDef& op, const Attributes& attributes, std::vector<Datum> inputs, size_t output,
                    const Tensor& result) {
  double most = largest(result);
  for (Datum& d : inputs)
    if (moves(d.tensor)) {
      d.tensor = d.tensor.clone();
      for (int64_t i = 0; i < d.tensor.size(); ++i) d.tensor.set(i, std::abs(d.tensor.at(i)));
    }
  try {
    const int count = static_cast<int>(output) + 1;
    most = std::max(most, largest(evaluate(op, attributes, std::move(inputs), count).at(output).tensor));
  } catch (const Error&) {  // the absolute values are no inputs of it
  }
  return most;
}

// Sums of products of such numbers, and of their squares, may overflow in float32, and do not in the reference.
bool may_overflow(const std::vector<Datum>& inputs) {
  constexpr double kLarge = 0x1p60;
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const Datum& d) { return moves(d.tensor) && largest(d.tensor) > kLarge; });
}

void lose(Tensor& tensor) {
  Tensor lost = tensor.clone();
  for (int64_t i = 0; i < lost.size(); ++i) lost.set(i, std::numeric_limits<double>::quiet_NaN());
  tensor = lost;
}

bool is_inexact(const OpDef& op) { return op.accuracy() != Accuracy::kExact || op.is_pointwise(); }

}  // namespace

double largest(const Tensor& tensor) {
  double most = 0;
  if (is_complex(tensor.dtype())) return most;
  for (int64_t i = 0; i < tensor.size(); ++i)
    if (std::isfinite(tensor.at(i))) most = std::max(most, std::abs(tensor.at(i)));
  return most;
}

namespace {

std::vector<Datum> evaluate_graph(const ir::Graph& graph, std::vector<Datum> inputs, Shake how,
                                  std::mt19937_64& random) {
  std::map<const ir::Value*, Datum> values;
  for (size_t i = 0; i < inputs.size(); ++i) values[graph.inputs().at(i)] = std::move(inputs[i]);
  const auto read = [&](const ir::Value* v) {
    if (!v) return Datum();
    return v->constant() ? Datum(*v->constant()) : values.at(v);
  };
  for (const auto& node : graph.nodes()) {
    std::vector<Datum> arguments;
    for (const ir::Value* v : node->inputs()) arguments.push_back(read(v));
    std::vector<Datum> results = evaluate_shaken(node->op(), node->attributes, arguments,
                                                 static_cast<int>(node->outputs().size()), node->regions, how, random);
    for (size_t i = 0; i < results.size(); ++i) values[node->output(static_cast<int>(i))] = std::move(results[i]);
  }
  std::vector<Datum> outputs;
  for (const ir::Value* v : graph.outputs()) outputs.push_back(read(v));
  return outputs;
}

}  // namespace

std::vector<Datum> evaluate_shaken(const OpDef& op, const Attributes& attributes, const std::vector<Datum>& inputs,
                                   int outputs, const Regions& regions, Shake how, std::mt19937_64& random) {
  const RefCall::RegionRunner run_region = [&](int region, std::vector<Datum> given) {
    return evaluate_graph(*regions.at(static_cast<size_t>(region)), std::move(given), how, random);
  };
  std::vector<Datum> results = evaluate(op, attributes, inputs, outputs, run_region);
  if (how == Shake::kNot || !is_inexact(op)) return results;
  if (op.accuracy() != Accuracy::kExact && !is_float(results[0].tensor.dtype())) {  // it rounds to integers
    std::vector<Datum> moved = inputs;
    for (Datum& d : moved)
      if (moves(d.tensor)) move_elements(d.tensor, kFewShaken, -1, how, random);
    return evaluate(op, attributes, moved, outputs, run_region);
  }
  for (size_t i = 0; i < results.size(); ++i) {
    Tensor& t = results[i].tensor;
    if (!moves(t)) continue;
    const bool is_short = bits(t.dtype()) < 32;
    if (op.accuracy() == Accuracy::kReduction && may_overflow(inputs)) lose(t);
    else if (op.accuracy() == Accuracy::kReduction)
      move_elements(t, is_short ? kShortSumShaken : kSumShaken, magnitude_of(op, attributes, inputs, i, t), how,
                    random);
    else move_elements(t, is_short ? 1 : kFewShaken, -1, how, random);
  }
  return results;
}

std::optional<double> distance(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) return std::nullopt;
  if (a.dtype() != DType::kString && a.identical(b)) return 0;
  if (a.dtype() == DType::kString || is_complex(a.dtype())) return std::nullopt;
  double most = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double x = a.at(i), y = b.at(i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (!std::isfinite(x) || !std::isfinite(y)) return std::nullopt;
    most = std::max(most, std::abs(x - y));
  }
  return most;
}

bool agrees(const Tensor& shaken, const Tensor& exact) {
  const auto moved = distance(shaken, exact);
  return moved && (*moved == 0 || (exact.dtype() != DType::kBool && *moved <= kLoosest * largest(exact)));
}

namespace {

void widen(Expected& expected, const Tensor& shaken) {
  if (!agrees(shaken, expected.value)) {
    expected.stable = false;
    return;
  }
  if (is_complex(shaken.dtype())) return;
  for (int64_t i = 0; i < shaken.size(); ++i) {
    const double moved = std::abs(shaken.at(i) - expected.value.at(i));
    if (double& spread = expected.spread[static_cast<size_t>(i)]; moved > spread) spread = moved;
  }
}

}  // namespace

std::vector<Expected> expect(const ir::Graph& graph, const std::vector<Tensor>& inputs) {
  std::mt19937_64 random(1);
  std::vector<Expected> expected;
  for (const Datum& d : evaluate_graph(graph, {inputs.begin(), inputs.end()}, Shake::kNot, random))
    expected.push_back({d.tensor, true, std::vector<double>(static_cast<size_t>(d.tensor.size()))});
  for (const Shake how : kShakes) {
    std::vector<Datum> shaken;
    try {
      shaken = evaluate_graph(graph, {inputs.begin(), inputs.end()}, how, random);
    } catch (const Error&) {
      for (Expected& e : expected) e.stable = false;
      return expected;
    }
    for (size_t i = 0; i < expected.size(); ++i) widen(expected[i], shaken[i].tensor);
  }
  return expected;
}

std::string difference_from(const Expected& expected, const Tensor& actual) {
  const Tensor& value = expected.value;
  if (actual.dtype() != value.dtype()) return "is " + actual.type_string() + ", expected " + value.type_string();
  if (!expected.stable) return "";
  if (actual.dims() != value.dims()) return "is " + actual.type_string() + ", expected " + value.type_string();
  if (actual.identical(value)) return "";
  const double most = expected.spread.empty() ? 0 : *std::max_element(expected.spread.begin(), expected.spread.end());
  for (int64_t i = 0; i < value.size(); ++i) {
    const double a = actual.at(i), e = value.at(i);
    double tolerance = kMargin * std::max(expected.spread[static_cast<size_t>(i)], most / 8);
    if (is_float(value.dtype())) tolerance += smallest(value.dtype());
    const bool same = is_complex(value.dtype()) ? false : a == e || (std::isnan(a) && std::isnan(e));
    if (same || std::abs(a - e) <= tolerance) continue;
    return "element " + std::to_string(i) + " of " + value.type_string() + " is " + real_text(a) + ", expected " +
           real_text(e) + " within " + real_text(tolerance);
  }
  return "";
}

}  // namespace kiln::operators
