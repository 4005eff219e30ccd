// What operators along axes ask of their kernels.
#include "target/axis_parameters.h"

#include "target/checks.h"

namespace kiln {
namespace {

int64_t own_axis(const Problem& p, int64_t fallback) { return axis_of(p, "axis", fallback, rank(p.input(0))); }

bool flag(const Problem& p, const char* name, bool fallback = false) {
  return p.attributes().integer(name, fallback) != 0;
}

Scattering reduction_of(const Problem& p) {
  return word_among<Scattering>(kScatterings, p.attributes().text("reduction", "none"));
}

}  // namespace

AxisParameters axis_parameters(const Problem& p, int64_t fallback) { return {own_axis(p, fallback)}; }

SoftmaxParameters softmax_parameters(const Problem& p) {
  return {.axis = own_axis(p, -1), .logarithm = p.op() == "LogSoftmax"};
}

RowNormParameters row_norm_parameters(const Problem& p) {
  return {.axis = own_axis(p, -1),
          .epsilon = p.attributes().real("epsilon", 1e-5),
          .subtract_mean = p.op() == "LayerNormalization"};
}

GroupNormParameters group_norm_parameters(const Problem& p) {
  return {.groups = p.op() == "InstanceNormalization" ? 0 : p.attributes().integer("num_groups"),
          .epsilon = p.attributes().real("epsilon", 1e-5)};
}

ArgExtremeParameters arg_extreme_parameters(const Problem& p) {
  return {.axis = own_axis(p, 0), .largest = p.op() == "ArgMax", .last = flag(p, "select_last_index")};
}

TopKParameters top_k_parameters(const Problem& p) {
  return {.axis = own_axis(p, -1), .largest = flag(p, "largest", true)};
}

CumulativeParameters cumulative_parameters(const Problem& p) {
  return {.product = p.op() == "CumProd", .exclusive = flag(p, "exclusive"), .reverse = flag(p, "reverse")};
}

GatherNdParameters gather_nd_parameters(const Problem& p) {
  return {.batch_axes = p.attributes().integer("batch_dims", 0)};
}

ScatterElementsParameters scatter_elements_parameters(const Problem& p) {
  return {.axis = own_axis(p, 0), .reduction = reduction_of(p)};
}

ScatterNdParameters scatter_nd_parameters(const Problem& p) { return {.reduction = reduction_of(p)}; }

}  // namespace kiln
