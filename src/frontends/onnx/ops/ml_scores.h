// What classifiers and regressors of ai.onnx.ml share.
#pragma once
#include <optional>

#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

// The element type of X, or float32 for integers; and X cast to it.
DType float_type_of(const NodeImport& n);
ir::Value* as_float(NodeImport& n);
// X as rows: [1, F] when it is [F].
ir::Value* as_rows(NodeImport& n, ir::Value* x);
ir::Value* cast_to(NodeImport& n, ir::Value* x, DType type);
Tensor numbers(DType type, Dims dims, const Floats& values);

// The transform of each row of scores that the attribute post_transform names.
ir::Value* transformed(NodeImport& n, ir::Value* scores, const std::string& transform);

struct Labels {
  Ints numbers;
  Strings words;  // one of the two
  size_t count() const { return std::max(numbers.size(), words.size()); }
};
// Labels at the positions, int64[rows], as result 0 of the node.
ir::Value* labels_at(NodeImport& n, const Labels& labels, ir::Value* positions);

// How the score of one class tells two apart.
struct Duel {
  double threshold;  // beyond it the second class wins
  bool adds_to_one;  // the first class has 1 - score, else -score
};
// The results of a classifier with one score for each label, or, for two labels, with one [rows, 1].
void yield_classes(NodeImport& n, const Labels& labels, ir::Value* scores, const std::optional<Duel>& duel);

}  // namespace kiln::onnx::ops
