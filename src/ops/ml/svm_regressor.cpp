// SVMRegressor: the weighted sum of a row's likeness to each support vector, or of its features; one_class: its sign.
#include "base/index.h"
#include "ops/dim_checks.h"
#include "ops/ml/svm.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

struct RegressionMachine {
  Floats coefficients, vectors;
  double rho = 0;
  int64_t supports = 0;
};

RegressionMachine regression_machine(const ShapeCall& c) {
  const Attributes& a = c.attributes();
  const Floats rho = a.reals("rho", {});
  RegressionMachine machine{a.reals("coefficients", {}), a.reals("support_vectors", {}), 0, c.integer("n_supports")};
  const auto fail = [](const std::string& what) { throw Error(Code::kInvalidArgument, "SVMRegressor: " + what); };
  if (rho.size() > 1 || c.integer("n_targets") != 1) fail("more than one target is asked for");
  if (machine.supports < 0) fail("n_supports is negative");
  if (machine.supports > 0 && static_cast<int64_t>(machine.coefficients.size()) != machine.supports)
    fail("there is not one coefficient per support vector");
  if (!rho.empty()) machine.rho = rho[0];
  return machine;
}

OutputShape regressor_shape(ShapeCall& c) {
  require_rank(c, "X", 1, 2);
  regression_machine(c);
  post_transform_of(c);
  return Shape{c.rank("X") == 1 ? Dim(1) : c.dims("X")[0], Dim(1)};
}

void regressor_reference(RefCall& c) {
  const RegressionMachine machine = regression_machine(c.shapes());
  const bool linear = machine.supports == 0;
  const SvmKernel kernel(c.shapes(), linear);
  const Rows x = rows_of(c.input("X"));
  const std::vector<double>& vectors = linear ? machine.coefficients : machine.vectors;
  const int64_t count = linear ? 1 : machine.supports;
  if (static_cast<int64_t>(vectors.size()) / count != x.features || static_cast<int64_t>(vectors.size()) % count != 0)
    throw Error(Code::kShapeMismatch, "SVMRegressor of rows of " + std::to_string(x.features) + " features")
        .cause("the machine has " + std::to_string(vectors.size()) + " numbers for " + std::to_string(count) +
               " vectors");
  for (int64_t r = 0; r < x.count; ++r) {
    std::vector<double> score{machine.rho};
    for (int64_t s = 0; s < count; ++s) {
      const double likeness = kernel(x.values.data() + r * x.features, vectors.data() + s * x.features, x.features);
      score[0] += linear ? likeness : nth(machine.coefficients, s) * likeness;
    }
    if (c.integer("one_class") != 0) score[0] = score[0] > 0 ? 1 : -1;
    else transform_scores(post_transform_of(c.shapes()), score);
    c.output().set(r, score[0]);
  }
}

}  // namespace

const OpDef svm_regressor = op("SVMRegressor")
                                .input("X", TypeSet{DType::kF32, DType::kF64, DType::kI32, DType::kI64})
                                .attr("coefficients", Floats{})
                                .attr("kernel_params", Floats{})
                                .attr("kernel_type", std::string("LINEAR"))
                                .attr("n_supports", int64_t{0})
                                .attr("n_targets", int64_t{1})
                                .attr("one_class", int64_t{0})
                                .attr("post_transform", std::string("NONE"))
                                .attr("rho", Floats{})
                                .attr("support_vectors", Floats{})
                                .output("Y", fixed_type(DType::kF32))
                                .shape(regressor_shape)
                                .reference(regressor_reference)
                                .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
