// SVMClassifier: the class that wins most duels between pairs of classes, each decided by likeness to their support vectors, or, without
// vectors, the class with the greatest linear score. Its scores are those of the duels, or probabilities fitted to them.
#include <algorithm>
#include <cmath>

#include "base/index.h"
#include "ops/dim_checks.h"
#include "ops/ml/svm.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

struct Classifier {
  Floats coefficients, vectors, rho, prob_a, prob_b;
  Ints per_class, starts;  // support vectors of each class, and the first of each
  int64_t classes = 1, supports = 0;
  bool is_linear() const { return supports == 0; }
  int64_t duels() const { return classes * (classes - 1) / 2; }
  bool has_probabilities() const { return !is_linear() && !prob_a.empty(); }
  int64_t score_count() const {
    const int64_t scores = is_linear() || has_probabilities() ? classes : duels();
    return scores == 1 && classes == 2 ? 2 : scores;
  }
};

[[noreturn]] void refuse_classifier(const std::string& what) {
  throw Error(Code::kInvalidArgument, "SVMClassifier: " + what);
}

Classifier classifier_of(const ShapeCall& c) {
  const Attributes& a = c.attributes();
  Classifier m{a.reals("coefficients", {}),
               a.reals("support_vectors", {}),
               a.reals("rho", {}),
               a.reals("prob_a", {}),
               a.reals("prob_b", {}),
               c.ints("vectors_per_class"),
               {}};
  const size_t labels = std::max(c.ints("classlabels_ints").size(), a.texts("classlabels_strings", {}).size());
  if (labels == 0) refuse_classifier("it has no labels");
  m.classes = static_cast<int64_t>(labels);
  constexpr int64_t kMostClasses = 1 << 15;
  if (m.classes > kMostClasses) refuse_classifier("it has " + std::to_string(labels) + " labels");
  for (int64_t count : m.per_class) {
    m.starts.push_back(m.supports);
    if (count < 0 || count > INT32_MAX) refuse_classifier("a class has " + std::to_string(count) + " support vectors");
    m.supports += count;
  }
  if (m.rho.empty()) refuse_classifier("rho is empty");
  if (m.is_linear()) return m;
  const auto pairs = static_cast<size_t>(m.duels());
  if (m.per_class.size() != labels) refuse_classifier("there is not one number of support vectors per label");
  if (m.rho.size() != pairs) refuse_classifier("there is not one rho per pair of classes");
  if (static_cast<int64_t>(m.coefficients.size()) != (m.classes - 1) * m.supports)
    refuse_classifier("there are " + std::to_string(m.coefficients.size()) + " coefficients");
  if (m.prob_a.size() != m.prob_b.size() || (!m.prob_a.empty() && m.prob_a.size() != pairs))
    refuse_classifier("prob_a and prob_b do not have one element per pair of classes");
  return m;
}

std::vector<OutputShape> classifier_shapes(ShapeCall& c) {
  require_rank(c, "X", 1, 2);
  const Classifier machine = classifier_of(c);
  post_transform_of(c);
  const Dim rows = c.rank("X") == 1 ? Dim(1) : c.dims("X")[0];
  return {Shape{rows}, Shape{rows, Dim(machine.score_count())}};
}

std::vector<double> linear_scores(const Classifier& m, const SvmKernel& kernel, const double* row, int64_t features) {
  std::vector<double> scores;
  for (int64_t k = 0; k < m.classes; ++k)
    scores.push_back(m.rho[0] + kernel(row, m.coefficients.data() + k * features, features));
  return scores;
}

// One score per pair of classes; the winners' votes are counted.
std::vector<double> duel_scores(const Classifier& m, const SvmKernel& kernel, const double* row, int64_t features,
                                std::vector<int64_t>& votes) {
  std::vector<double> likeness, scores;
  for (int64_t s = 0; s < m.supports; ++s) likeness.push_back(kernel(row, m.vectors.data() + s * features, features));
  const auto part = [&](int64_t row_of_coefficients, size_t of) {
    double sum = 0;
    for (int64_t s = m.starts[of]; s < m.starts[of] + m.per_class[of]; ++s)
      sum += nth(m.coefficients, row_of_coefficients * m.supports + s) * nth(likeness, s);
    return sum;
  };
  const auto classes = static_cast<size_t>(m.classes);
  for (size_t i = 0; i < classes; ++i)
    for (size_t j = i + 1; j < classes; ++j) {
      const double score =
          m.rho[scores.size()] + part(static_cast<int64_t>(j) - 1, i) + part(static_cast<int64_t>(i), j);
      scores.push_back(score);
      ++votes[score > 0 ? i : j];
    }
  return scores;
}

// Probabilities of the classes that fit those of the pairs best (Wu, Lin and Weng, 2004, as libsvm computes them).
std::vector<double> coupled(const std::vector<std::vector<double>>& pairs) {
  const size_t k = pairs.size();
  std::vector<std::vector<double>> q(k, std::vector<double>(k));
  std::vector<double> p(k, 1.0 / static_cast<double>(k)), qp(k);
  for (size_t t = 0; t < k; ++t)
    for (size_t j = 0; j < k; ++j) {
      if (j == t) continue;
      q[t][t] += pairs[j][t] * pairs[j][t];
      q[t][j] = -pairs[j][t] * pairs[t][j];
    }
  for (size_t round = 0; round < std::max<size_t>(100, k); ++round) {
    double pqp = 0, worst = 0;
    for (size_t t = 0; t < k; ++t) {
      qp[t] = 0;
      for (size_t j = 0; j < k; ++j) qp[t] += q[t][j] * p[j];
      pqp += p[t] * qp[t];
    }
    for (size_t t = 0; t < k; ++t) worst = std::max(worst, std::abs(qp[t] - pqp));
    if (worst < 0.005 / static_cast<double>(k)) break;
    for (size_t t = 0; t < k; ++t) {
      const double step = (pqp - qp[t]) / q[t][t];
      p[t] += step;
      pqp = (pqp + step * (step * q[t][t] + 2 * qp[t])) / (1 + step) / (1 + step);
      for (size_t j = 0; j < k; ++j) {
        qp[j] = (qp[j] + step * q[t][j]) / (1 + step);
        p[j] /= 1 + step;
      }
    }
  }
  return p;
}

std::vector<double> probabilities(const Classifier& m, const std::vector<double>& scores) {
  const auto classes = static_cast<size_t>(m.classes);
  std::vector<std::vector<double>> pairs(classes, std::vector<double>(classes));
  size_t duel = 0;
  for (size_t i = 0; i < classes; ++i)
    for (size_t j = i + 1; j < classes; ++j, ++duel) {
      const double fitted = 1 - 1 / (1 + std::exp(-(scores[duel] * m.prob_a[duel] + m.prob_b[duel])));
      pairs[i][j] = std::clamp(fitted, 1e-7, 1 - 1e-7);
      pairs[j][i] = 1 - pairs[i][j];
    }
  return coupled(pairs);
}

// The single score of two classes becomes one of each.
void finish_scores(const Classifier& m, PostTransform transform, std::vector<double>& scores) {
  if (scores.size() == 1 && m.classes == 2) scores = {-scores[0], scores[0]};
  transform_scores(transform, scores);
}

void classifier_reference(RefCall& c) {
  const Classifier m = classifier_of(c.shapes());
  const SvmKernel kernel(c.shapes(), m.is_linear());
  const Rows x = rows_of(c.input("X"));
  const std::vector<double>& vectors = m.is_linear() ? m.coefficients : m.vectors;
  const int64_t count = m.is_linear() ? m.classes : m.supports;
  if (static_cast<int64_t>(vectors.size()) != count * x.features)
    throw Error(Code::kShapeMismatch, "SVMClassifier of rows of " + std::to_string(x.features) + " features")
        .cause("the machine has " + std::to_string(vectors.size()) + " numbers for " + std::to_string(count) +
               " vectors");
  const Ints labels = c.ints("classlabels_ints");
  const Strings words = c.shapes().attributes().texts("classlabels_strings", {});
  const bool none_negative = std::all_of(m.coefficients.begin(), m.coefficients.end(), [](double w) { return w >= 0; });
  Strings named;
  std::vector<int64_t> numbered;
  for (int64_t r = 0; r < x.count; ++r) {
    const double* row = x.values.data() + r * x.features;
    std::vector<int64_t> votes(static_cast<size_t>(m.classes));
    std::vector<double> scores =
        m.is_linear() ? linear_scores(m, kernel, row, x.features) : duel_scores(m, kernel, row, x.features, votes);
    auto best = static_cast<size_t>(m.is_linear() ? std::max_element(scores.begin(), scores.end()) - scores.begin()
                                                  : std::max_element(votes.begin(), votes.end()) - votes.begin());
    if (!m.is_linear() && m.classes == 2 && !m.has_probabilities() && none_negative) best = 1;
    if (m.has_probabilities()) scores = probabilities(m, scores);
    finish_scores(m, post_transform_of(c.shapes()), scores);
    if (words.empty()) numbered.push_back(labels[best]);
    else named.push_back(words[best]);
    for (size_t k = 0; c.wants(1) && k < scores.size(); ++k)
      c.output(1).set(r * m.score_count() + static_cast<int64_t>(k), scores[k]);
  }
  c.set_output(0, words.empty() ? Tensor::of<int64_t>({x.count}, numbered) : Tensor::strings({x.count}, named));
}

DType label_type(const ShapeCall& c) {
  return c.attributes().texts("classlabels_strings", {}).empty() ? DType::kI64 : DType::kString;
}

}  // namespace

const OpDef svm_classifier = op("SVMClassifier")
                                 .input("X", TypeSet{DType::kF32, DType::kF64, DType::kI32, DType::kI64})
                                 .attr("classlabels_ints", Ints{})
                                 .attr("classlabels_strings", Strings{})
                                 .attr("coefficients", Floats{})
                                 .attr("kernel_params", Floats{})
                                 .attr("kernel_type", std::string("LINEAR"))
                                 .attr("post_transform", std::string("NONE"))
                                 .attr("prob_a", Floats{})
                                 .attr("prob_b", Floats{})
                                 .attr("rho", Floats{})
                                 .attr("support_vectors", Floats{})
                                 .attr("vectors_per_class", Ints{})
                                 .output("Y", computed_type(label_type))
                                 .optional_output("Z", fixed_type(DType::kF32))
                                 .shapes(classifier_shapes)
                                 .reference(classifier_reference)
                                 .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
