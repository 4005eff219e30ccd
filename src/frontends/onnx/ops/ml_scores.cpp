// Scores and labels of classifiers.
#include "frontends/onnx/ops/ml_scores.h"

#include <numbers>

namespace kiln::onnx::ops {
namespace {

// Zeros stay, and take no part: exp(x - max), but x * exp(-max) of what is next to zero; over their sum, or 1/2 when that is 0.
ir::Value* softmax_but_zero(NodeImport& n, ir::Value* x) {
  const auto number = [&](double v) { return n.scalar(x->dtype(), v); };
  ir::Value* most = n.add("ReduceMax", {x, n.ints(Ints{-1})});
  ir::Value* powers = n.add("Exp", {n.add("Sub", {x, most})});
  ir::Value* small = n.add("Mul", {x, n.add("Exp", {n.add("Neg", {most})})});
  ir::Value* counts = n.add("Greater", {n.add("Abs", {x}), number(1e-7)});
  ir::Value* parts = n.add("Where", {counts, powers, small});
  ir::Value* sum = n.add("ReduceSum", {parts, n.ints(Ints{-1})});
  ir::Value* none = n.add("Equal", {sum, number(0)});
  return n.add("Where", {none, number(0.5), n.add("Div", {parts, sum})});
}

// Winitzki's approximation of the inverse of the normal distribution, as the runtimes compute it.
ir::Value* probit(NodeImport& n, ir::Value* p) {
  constexpr double kA = 0.147;
  const auto number = [&](double v) { return n.scalar(p->dtype(), v); };
  ir::Value* x = n.add("Sub", {n.add("Mul", {p, number(2)}), number(1)});
  ir::Value* log = n.add("Log", {n.add("Mul", {n.add("Sub", {number(1), x}), n.add("Add", {number(1), x})})});
  ir::Value* half = n.add("Add", {n.add("Mul", {log, number(0.5)}), number(2 / (std::numbers::pi * kA))});
  ir::Value* inner = n.add("Sub", {n.add("Mul", {half, half}), n.add("Mul", {log, number(1 / kA)})});
  ir::Value* root = n.add("Sqrt", {n.add("Sub", {n.add("Sqrt", {inner}), half})});
  ir::Value* sign =
      n.add("Where", {n.add("Less", {x, number(0)}), number(-std::numbers::sqrt2), number(std::numbers::sqrt2)});
  return n.add("Mul", {root, sign});
}

ir::Value* transformed_duel(NodeImport& n, ir::Value* score, const Duel& duel, const std::string& transform) {
  if (transform == "PROBIT") n.unsupported("PROBIT of the one score of two classes", "use LOGISTIC or NONE");
  ir::Value* opposite = n.add("Neg", {score});
  if (transform == "NONE" && duel.adds_to_one) opposite = n.add("Sub", {n.scalar(score->dtype(), 1), score});
  return transformed(n, n.add("Concat", {opposite, score}, {{"axis", int64_t{1}}}), transform);
}

}  // namespace

DType float_type_of(const NodeImport& n) { return is_integer(n.dtype()) ? DType::kF32 : n.dtype(); }

ir::Value* cast_to(NodeImport& n, ir::Value* x, DType type) {
  return x->dtype() == type ? x : n.add("Cast", {x}, {{"to", std::string(name(type))}});
}

ir::Value* as_float(NodeImport& n) { return cast_to(n, n.in(0), float_type_of(n)); }

ir::Value* as_rows(NodeImport& n, ir::Value* x) {
  const int64_t rank = n.rank(0);
  if (rank != 1 && rank != 2) n.invalid("X has rank " + std::to_string(rank), "it needs 1 or 2");
  return rank == 2 ? x : n.add("Unsqueeze", {x, n.ints(Ints{0})});
}

Tensor numbers(DType type, Dims dims, const Floats& values) {
  Tensor result = Tensor::allocate(type, std::move(dims));
  if (result.size() != static_cast<int64_t>(values.size()))
    throw_size_mismatch(result.size(), static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) result.set(static_cast<int64_t>(i), values[i]);
  return result;
}

ir::Value* transformed(NodeImport& n, ir::Value* scores, const std::string& transform) {
  if (transform == "NONE") return scores;
  if (transform == "LOGISTIC") return n.add("Sigmoid", {scores});
  if (transform == "SOFTMAX") return n.add("Softmax", {scores}, {{"axis", int64_t{-1}}});
  if (transform == "SOFTMAX_ZERO") return softmax_but_zero(n, scores);
  if (transform == "PROBIT") return probit(n, scores);
  n.invalid("post_transform '" + transform + "' is not known");
}

ir::Value* labels_at(NodeImport& n, const Labels& labels, ir::Value* positions) {
  const auto count = static_cast<int64_t>(labels.count());
  if (labels.words.empty())
    return n.result(0, "Gather", {n.constant(Tensor::of<int64_t>({count}, labels.numbers)), positions});
  Ints places(labels.words.size());
  for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int64_t>(i);
  return n.result(0, "LabelEncoder", {positions},
                  {{"keys_tensor", Tensor::of<int64_t>({count}, places)},
                   {"values_tensor", Tensor::strings({count}, labels.words)},
                   {"default_tensor", Tensor::strings({1}, {""})}});
}

void yield_classes(NodeImport& n, const Labels& labels, ir::Value* scores, const std::optional<Duel>& duel) {
  const std::string transform = n.text("post_transform", "NONE");
  ir::Value* positions = nullptr;
  if (duel) {
    ir::Value* wins = n.add("Greater", {scores, n.scalar(scores->dtype(), duel->threshold)});
    positions = n.add("Squeeze", {cast_to(n, wins, DType::kI64), n.ints(Ints{1})});
    scores = transformed_duel(n, scores, *duel, transform);
  } else {
    positions = n.add("ArgMax", {scores}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
    scores = transformed(n, scores, transform);
  }
  ir::Value* label = labels_at(n, labels, positions);
  n.yield(
      {label, n.result(1, scores->dtype() == DType::kF32 ? "Identity" : "Cast", {scores},
                       scores->dtype() == DType::kF32 ? Attributes() : Attributes{{"to", std::string("float32")}})});
}

}  // namespace kiln::onnx::ops
