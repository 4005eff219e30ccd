// LpPool: the p-norm of each window.
#include <cmath>

#include "ops/pool/pooling.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef lp_pool = op("LpPool")
                          .input("x", kFloatTypes)
                          .attr("auto_pad", std::string("NOTSET"))
                          .attr("ceil_mode", int64_t{0})
                          .attr("dilations", Ints{})
                          .required_attr("kernel_shape", Ints{})
                          .attr("p", int64_t{2})
                          .attr("pads", Ints{})
                          .attr("strides", Ints{})
                          .output("y", same_type("x"))
                          .shape(pool_shape)
                          .reference([](RefCall& c) {
                            const PoolPlan plan(c);
                            const auto p = static_cast<double>(c.integer("p"));
                            std::vector<double> x = doubles(c.input("x"));
                            for (double& v : x) v = std::pow(std::abs(v), p);
                            std::vector<double> y = sum_planes(plan, std::move(x));
                            for (double& v : y) v = std::pow(v, 1 / p);
                            store(c.output(), y);
                          })
                          .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
