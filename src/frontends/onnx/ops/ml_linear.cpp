// ai.onnx.ml.LinearClassifier and LinearRegressor: a product with the coefficients, plus the intercepts.
#include "frontends/onnx/ops/ml_scores.h"

namespace kiln::onnx::ops {
namespace {

// [rows, targets]; the coefficients of each target stand together.
ir::Value* linear(NodeImport& n, int64_t targets) {
  const DType type = float_type_of(n);
  const Floats coefficients = n.reals("coefficients"), intercepts = n.reals("intercepts");
  const auto count = static_cast<int64_t>(coefficients.size());
  if (targets < 1 || count % targets != 0)
    n.invalid(std::to_string(count) + " coefficients do not make " + std::to_string(targets) + " targets");
  ir::Value* weights = n.constant(numbers(type, {targets, count / targets}, coefficients));
  std::vector<ir::Value*> operands{as_rows(n, as_float(n)), weights};
  if (!intercepts.empty()) operands.push_back(n.constant(numbers(type, {targets}, intercepts)));
  return n.add("Gemm", operands, {{"transB", int64_t{1}}});
}

void import_regressor(NodeImport& n) {
  ir::Value* y = transformed(n, linear(n, n.integer("targets", 1)), n.text("post_transform", "NONE"));
  n.emit("Cast", {y}, {{"to", std::string("float32")}});
}

// Without intercepts, the width of X tells how many scores there are.
int64_t score_count(NodeImport& n, const Labels& labels) {
  const auto intercepts = static_cast<int64_t>(n.reals("intercepts").size());
  if (intercepts > 0) return intercepts;
  const auto width = n.in(0)->shape().back().constant();
  if (width && *width > 0) return static_cast<int64_t>(n.reals("coefficients").size()) / *width;
  return static_cast<int64_t>(labels.count());
}

void import_classifier(NodeImport& n) {
  const Labels labels{n.ints("classlabels_ints"), n.texts("classlabels_strings")};
  n.rank(0);
  const int64_t scores = score_count(n, labels);
  const bool duel = scores == 1 && labels.count() == 2;
  if (!duel && static_cast<int64_t>(labels.count()) != scores)
    n.invalid(std::to_string(labels.count()) + " labels and " + std::to_string(scores) + " scores");
  yield_classes(n, labels, linear(n, scores), duel ? std::optional(Duel{0, true}) : std::nullopt);
}

}  // namespace

const OnnxOp ml_linear_classifier{"ai.onnx.ml.LinearClassifier", {{1, import_classifier}}};
const OnnxOp ml_linear_regressor{"ai.onnx.ml.LinearRegressor", {{1, import_regressor}}};

}  // namespace kiln::onnx::ops
