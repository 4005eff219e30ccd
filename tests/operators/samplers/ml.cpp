// Samples of what ai.onnx.ml needs: trees, labels, machines of support vectors.
#include <algorithm>

#include "operators/sample.h"
#include "tensor/trees.h"

namespace kiln::operators {
namespace {

// A tree of random branches below node `at`, whose children are leaves where no node is left.
void grow(Draw& draw, Trees& trees, int64_t features, int64_t nodes) {
  const auto leaf = [&] {
    for (int64_t v = draw.integer(0, 2); v > 0; --v)
      trees.votes.push_back({static_cast<int32_t>(draw.integer(0, trees.targets - 1)), draw.real(-1, 1)});
    trees.leaf_ends.push_back(static_cast<int64_t>(trees.votes.size()));
    return static_cast<int32_t>(-static_cast<int64_t>(trees.leaf_ends.size()));
  };
  const auto first = static_cast<int64_t>(trees.nodes.size());
  trees.roots.push_back(nodes == 0 ? leaf() : static_cast<int32_t>(first));
  std::vector<int32_t*> open;
  trees.nodes.resize(static_cast<size_t>(first + nodes));
  for (int64_t i = first; i < first + nodes; ++i) {
    if (!open.empty()) {
      const auto which = static_cast<size_t>(draw.integer(0, static_cast<int64_t>(open.size()) - 1));
      *open[which] = static_cast<int32_t>(i);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
    }
    TreeNode& node = trees.nodes[static_cast<size_t>(i)];
    node.feature = static_cast<int32_t>(draw.integer(0, features - 1));
    node.split = static_cast<double>(draw.integer(-2, 2));
    node.mode = draw.chance(0.5) ? TreeNode::kLessOrEqual
                                 : static_cast<TreeNode::Mode>(draw.integer(0, TreeNode::kModeCount - 1));
    node.missing_is_true = draw.chance(0.2);
    open.push_back(&node.if_true);
    open.push_back(&node.if_false);
  }
  for (int32_t* child : open) *child = leaf();
}

Sample sample_decision_trees(Draw& draw) {
  Sample s;
  Trees trees;
  trees.targets = draw.integer(1, 3);
  trees.aggregate = static_cast<Trees::Aggregate>(draw.integer(0, 3));
  const int64_t features = draw.integer(1, 6), count = draw.integer(0, 40);
  const int64_t most = draw.chance(0.2) ? 70 : 9;
  for (int64_t t = 0; t < count; ++t) grow(draw, trees, features, draw.integer(0, most));
  if (draw.chance(0.3))
    for (int64_t t = 0; t < trees.targets; ++t) trees.base.push_back(draw.real(-1, 1));
  const DType type = draw.type({DType::kF16, DType::kF32, DType::kF64});
  const Dims dims{draw.chance(0.2) ? draw.integer(50, 200) : draw.size(), features};
  s.data(draw.chance(0.3) ? draw.values(type, dims) : draw.integers(DType::kI32, dims, -3, 3).cast(type));
  s.attributes = to_attributes(trees);
  return s;
}

Sample sample_label_encoder(Draw& draw) {
  Sample s;
  const TypeSet types{DType::kI16, DType::kI32, DType::kI64, DType::kF32, DType::kF64};
  const DType from = draw.type(types), to = draw.type(types);
  const int64_t count = draw.integer(0, 6);
  s.data(draw.integers(DType::kI32, draw.dims(0, 3), -4, 4).cast(from));
  s.set("keys_tensor", draw.integers(DType::kI32, {count}, -4, 4).cast(from));
  s.set("values_tensor", draw.values(to, {count}));
  return s.set("default_tensor", draw.values(to, {1}));
}

Sample sample_one_hot_encoder(Draw& draw) {
  Sample s;
  const DType type = draw.type({DType::kF32, DType::kF64, DType::kI32, DType::kI64});
  s.data(draw.integers(DType::kI32, draw.dims(0, 3), -3, 5).cast(type));
  Ints categories;
  for (int64_t i = draw.integer(1, 5); i > 0; --i) categories.push_back(draw.integer(-3, 5));
  s.set("cats_int64s", categories);
  if (draw.chance(0.2)) s.set("zeros", draw.flag());
  return s;
}

Floats reals(Draw& draw, int64_t count) {
  Floats values;
  for (int64_t i = 0; i < count; ++i) values.push_back(draw.real(-1, 1));
  return values;
}

Tensor rows(Draw& draw, int64_t features) {
  const DType type = draw.type({DType::kF32, DType::kF64, DType::kI32, DType::kI64});
  const Dims dims = draw.chance(0.2) ? Dims{features} : Dims{draw.size(), features};
  return draw.integers(DType::kI32, dims, -2, 2).cast(type);
}

void set_kernel(Draw& draw, Sample& s) {
  s.set("kernel_type", draw.word({"LINEAR", "POLY", "RBF", "SIGMOID"}));
  s.set("kernel_params", Floats{0.5, 1, 2});
  s.set("post_transform", draw.word({"NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"}));
}

Sample sample_svm_regressor(Draw& draw) {
  Sample s;
  const int64_t features = draw.integer(1, 4), vectors = draw.integer(0, 4);
  s.data(rows(draw, features));
  set_kernel(draw, s);
  s.set("n_supports", vectors)
      .set("coefficients", reals(draw, vectors > 0 ? vectors : features))
      .set("rho", reals(draw, 1));
  if (vectors > 0) s.set("support_vectors", reals(draw, vectors * features));
  if (draw.chance(0.2)) s.set("one_class", draw.flag());
  return s;
}

Sample sample_svm_classifier(Draw& draw) {
  Sample s;
  const int64_t features = draw.integer(1, 4), classes = draw.integer(2, 4), duels = classes * (classes - 1) / 2;
  s.data(rows(draw, features));
  set_kernel(draw, s);
  Ints labels, counts;
  int64_t vectors = 0;
  for (int64_t k = 0; k < classes; ++k) {
    labels.push_back(10 + k);
    counts.push_back(draw.integer(1, 3));
    vectors += counts.back();
  }
  s.set("classlabels_ints", labels);
  s.outputs = static_cast<int>(draw.integer(1, 2));
  if (draw.chance(0.4)) return s.set("coefficients", reals(draw, classes * features)).set("rho", reals(draw, 1));
  s.set("vectors_per_class", counts).set("support_vectors", reals(draw, vectors * features));
  s.set("coefficients", reals(draw, (classes - 1) * vectors)).set("rho", reals(draw, duels));
  if (draw.chance(0.5)) s.set("prob_a", reals(draw, duels)).set("prob_b", reals(draw, duels));
  return s;
}

Sample sample_tf_idf_vectorizer(Draw& draw) {
  Sample s;
  const DType type = draw.type({DType::kI32, DType::kI64});
  s.data(draw.integers(type, draw.dims(1, 2), 0, 4));
  const int64_t singles = draw.integer(0, 4), pairs = draw.integer(0, 4);
  Ints pool, columns;
  for (int64_t i = 0; i < singles + 2 * pairs; ++i) pool.push_back(draw.integer(0, 4));
  for (int64_t i = 0; i < singles + pairs; ++i) columns.push_back(draw.integer(0, 6));
  s.set("mode", draw.word({"TF", "IDF", "TFIDF"})).set("max_skip_count", draw.integer(0, 3));
  s.set("min_gram_length", draw.integer(1, 2)).set("max_gram_length", int64_t{2});
  s.set("ngram_counts", Ints{0, singles}).set("ngram_indexes", columns).set("pool_int64s", pool);
  if (draw.chance(0.5)) s.set("weights", reals(draw, singles + pairs));
  return s;
}

}  // namespace

Entries ml_samplers() {
  return {{"DecisionTrees", sample_decision_trees},  {"LabelEncoder", sample_label_encoder},
          {"OneHotEncoder", sample_one_hot_encoder}, {"SVMClassifier", sample_svm_classifier},
          {"SVMRegressor", sample_svm_regressor},    {"TfIdfVectorizer", sample_tf_idf_vectorizer}};
}

}  // namespace kiln::operators
