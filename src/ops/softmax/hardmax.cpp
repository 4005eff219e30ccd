// Hardmax: 1 at the first largest element along `axis`, 0 elsewhere; a NaN counts as largest.
#include "ops/registry.h"
#include "ops/softmax/lines.h"

namespace kiln::ops {

const OpDef hardmax = op("Hardmax")
                          .input("input", kFloatTypes)
                          .attr("axis", int64_t{-1})
                          .output("y", same_type("input"))
                          .shape(shape_along_axis)
                          .reference([](RefCall& c) {
                            map_lines(c, [](std::vector<double>& line) {
                              size_t best = 0;
                              for (size_t i = 1; i < line.size() && !std::isnan(line[best]); ++i)
                                if (std::isnan(line[i]) || line[i] > line[best]) best = i;
                              line.assign(line.size(), 0);
                              line[best] = 1;
                            });
                          });

}  // namespace kiln::ops
