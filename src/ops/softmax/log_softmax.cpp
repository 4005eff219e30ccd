// LogSoftmax: x - log(sum of exp(x)) along `axis`.
#include "ops/registry.h"
#include "ops/softmax/lines.h"

namespace kiln::ops {

const OpDef log_softmax = op("LogSoftmax")
                              .input("input", kFloatTypes)
                              .attr("axis", int64_t{-1})
                              .output("y", same_type("input"))
                              .shape(shape_along_axis)
                              .reference([](RefCall& c) {
                                map_lines(c, [](std::vector<double>& line) {
                                  const double top = largest(line);
                                  double total = 0;
                                  for (double v : line) total += std::exp(v - top);
                                  for (double& v : line) v = v - top - std::log(total);
                                });
                              })
                              .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
