// Identity: the input itself: a tensor, a sequence or an optional.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef identity_op = op("Identity")
                              .input("input", kAnyType)
                              .output("y", same_type("input"))
                              .edges([](ShapeCall& c) { return std::vector<EdgeType>{c.info(0).type}; })
                              .elements([](ShapeCall& c) { return c.elements(0); })
                              .reference([](RefCall& c) { c.set_output(0, c.datum(0)); });

}  // namespace kiln::ops
