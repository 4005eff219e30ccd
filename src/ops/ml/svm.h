// Support vector machines: what their two operators share.
#pragma once
#include <vector>

#include "ops/op.h"

namespace kiln::ops {

// How a row compares with a support vector.
class SvmKernel {
 public:
  // Of the attributes kernel_type and kernel_params; a machine without support vectors is linear. Throws kInvalidArgument.
  SvmKernel(const ShapeCall& c, bool linear);
  double operator()(const double* row, const double* vector, int64_t features) const;

 private:
  enum Type { kLinear, kPoly, kRbf, kSigmoid } type_ = kLinear;
  double gamma_ = 0, coef0_ = 0, degree_ = 0;
};

// The transform of scores that ai.onnx.ml's classifiers and regressors name by post_transform.
enum class PostTransform { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };
PostTransform post_transform_of(const ShapeCall& c);
void transform_scores(PostTransform transform, std::vector<double>& scores);

// X as rows of numbers: [N, F], or [F] for one row.
struct Rows {
  int64_t count = 0, features = 0;
  std::vector<double> values;
};
Rows rows_of(const Tensor& x);

}  // namespace kiln::ops
