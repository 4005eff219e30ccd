// Size: the number of elements of the input.
#include "ops/registry.h"

namespace kiln::ops {

const OpDef size =
    op("Size")
        .input("data", kAnyType)
        .output("size", fixed_type(DType::kI64))
        .shape_of_anything([](ShapeCall&) { return std::vector<OutputShape>{Shape{}}; })
        .elements([](ShapeCall& c) {
          return c.ranked("data") ? std::optional(std::vector<Dim>{element_count(c.dims("data"))}) : std::nullopt;
        })
        .reference([](RefCall& c) { c.output().set_int(0, c.input("data").size()); });

}  // namespace kiln::ops
