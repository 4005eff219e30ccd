// Kernels of support vector machines, and transforms of scores.
#include "ops/ml/svm.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/work.h"
#include "ops/reference_math.h"

namespace kiln::ops {
namespace {

void softmax_of(std::vector<double>& scores) {
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& s : scores) sum += s = std::exp(s - most);
  for (double& s : scores) s /= sum;
}

// Zeros stay, and take no part.
void softmax_zero_of(std::vector<double>& scores) {
  constexpr double kZero = 1e-7;
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& s : scores) sum += s = std::abs(s) > kZero ? std::exp(s - most) : s * std::exp(-most);
  for (double& s : scores) s = sum == 0 ? 0.5 : s / sum;
}

// Winitzki's approximation of the inverse of the normal distribution, as the runtimes compute it.
double probit(double p) {
  constexpr double kA = 0.147, kPi = 3.14159265358979323846;
  const double x = 2 * p - 1, log = std::log((1 - x) * (1 + x)), half = 2 / (kPi * kA) + 0.5 * log;
  const double root = std::sqrt(-half + std::sqrt(half * half - log / kA));
  return std::sqrt(2.0) * (x < 0 ? -root : root);
}

}  // namespace

SvmKernel::SvmKernel(const ShapeCall& c, bool linear) {
  const std::string type = linear ? "LINEAR" : c.text("kernel_type");
  const Floats parameters = c.attributes().reals("kernel_params", {});
  if (type == "POLY") type_ = kPoly;
  else if (type == "RBF") type_ = kRbf;
  else if (type == "SIGMOID") type_ = kSigmoid;
  else if (type != "LINEAR")
    throw Error(Code::kInvalidArgument, "kernel_type '" + type + "' is not LINEAR, POLY, RBF or SIGMOID");
  if (!parameters.empty() && parameters.size() != 3)
    throw Error(Code::kInvalidArgument, "kernel_params has " + std::to_string(parameters.size()) + " elements, not 3");
  if (parameters.empty()) return;
  gamma_ = parameters[0];
  coef0_ = parameters[1];
  degree_ = parameters[2];
}

double SvmKernel::operator()(const double* row, const double* vector, int64_t features) const {
  poll_work(features);
  double sum = 0;
  for (int64_t i = 0; i < features; ++i) {
    const double difference = row[i] - vector[i];
    sum += type_ == kRbf ? difference * difference : row[i] * vector[i];
  }
  switch (type_) {
    case kLinear: return sum;
    case kPoly: return std::pow(gamma_ * sum + coef0_, degree_);
    case kRbf: return std::exp(-gamma_ * sum);
    default: return std::tanh(gamma_ * sum + coef0_);
  }
}

PostTransform post_transform_of(const ShapeCall& c) {
  const std::string name = c.text("post_transform");
  if (name == "NONE") return PostTransform::kNone;
  if (name == "SOFTMAX") return PostTransform::kSoftmax;
  if (name == "LOGISTIC") return PostTransform::kLogistic;
  if (name == "SOFTMAX_ZERO") return PostTransform::kSoftmaxZero;
  if (name == "PROBIT") return PostTransform::kProbit;
  throw Error(Code::kInvalidArgument, "post_transform '" + name + "' is not known");
}

void transform_scores(PostTransform transform, std::vector<double>& scores) {
  if (scores.empty()) return;
  switch (transform) {
    case PostTransform::kNone: return;
    case PostTransform::kSoftmax: return softmax_of(scores);
    case PostTransform::kSoftmaxZero: return softmax_zero_of(scores);
    case PostTransform::kLogistic:
      for (double& s : scores) s = 1 / (1 + std::exp(-s));
      return;
    case PostTransform::kProbit: std::transform(scores.begin(), scores.end(), scores.begin(), probit);
  }
}

Rows rows_of(const Tensor& x) {
  const bool one = x.rank() == 1;
  return {one ? 1 : x.dims()[0], x.dims()[one ? 0 : 1], doubles(x)};
}

}  // namespace kiln::ops
