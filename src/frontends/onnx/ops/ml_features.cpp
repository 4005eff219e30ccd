// ai.onnx.ml.ArrayFeatureExtractor, FeatureVectorizer, OneHotEncoder and the support vector machines.
#include "frontends/onnx/ops/ml_scores.h"

#include "base/index.h"

namespace kiln::onnx::ops {
namespace {

void import_extractor(NodeImport& n) {
  ir::Value* places = n.add("Reshape", {n.in(1), n.ints(Ints{-1})});
  if (n.rank(0) != 1) return n.emit("Gather", {n.in(0), places}, {{"axis", int64_t{-1}}});
  n.emit("Unsqueeze", {n.add("Gather", {n.in(0), places}, {{"axis", int64_t{0}}}), n.ints(Ints{0})});
}

void import_vectorizer(NodeImport& n) {
  const Ints widths = n.ints("inputdimensions");
  std::vector<ir::Value*> parts;
  for (int i = 0; i < n.input_count(); ++i) {
    const int64_t rank = n.rank(i);
    if (rank != 1 && rank != 2) n.invalid("an input has rank " + std::to_string(rank), "it needs 1 or 2");
    const auto width = n.in(i)->shape().back().constant();
    if (!widths.empty() && width && (widths.size() <= static_cast<size_t>(i) || nth(widths, i) != *width))
      n.invalid("inputdimensions does not fit input " + std::to_string(i) + " of width " + std::to_string(*width));
    ir::Value* part = cast_to(n, n.in(i), DType::kF32);
    parts.push_back(rank == 2 ? part : n.add("Unsqueeze", {part, n.ints(Ints{0})}));
  }
  n.emit("Concat", parts, {{"axis", int64_t{1}}});
}

}  // namespace

const OnnxOp ml_array_feature_extractor{"ai.onnx.ml.ArrayFeatureExtractor", {{1, import_extractor}}};
const OnnxOp ml_feature_vectorizer{"ai.onnx.ml.FeatureVectorizer", {{1, import_vectorizer}}};
const OnnxOp ml_one_hot_encoder{"ai.onnx.ml.OneHotEncoder", {{1, import_as_is}}};
const OnnxOp ml_svm_classifier{"ai.onnx.ml.SVMClassifier", {{1, import_as_is}}};
const OnnxOp ml_svm_regressor{"ai.onnx.ml.SVMRegressor", {{1, import_as_is}}};

}  // namespace kiln::onnx::ops
