// Reformat: the input itself, lying in memory in another layout.
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef reformat = op("Reformat")
                           .input("input", kAnyType)
                           .output("output", same_type("input"))
                           .shape([](ShapeCall& c) { return c.dims("input"); })
                           .elements(same_elements("input"))
                           .reference([](RefCall& c) { copy_all(c.input("input"), c.output()); });

}  // namespace kiln::ops
