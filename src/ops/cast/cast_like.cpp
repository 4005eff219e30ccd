// CastLike: Cast to the element type of the second input.
#include "ops/cast/conversion.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef cast_like =
    op("CastLike")
        .input("input", kCastTypes)
        .input("target_type", kCastTypes)
        .attr("saturate", int64_t{1})
        .attr("round_mode", std::string("up"))
        .output("y", same_type("target_type"))
        .shape_of_anything([](ShapeCall& c) {
          return std::vector<OutputShape>{c.ranked("input") ? OutputShape(c.dims("input")) : unranked()};
        })
        .elements([](ShapeCall& c) { return cast_elements(c, c.dtype("target_type")); })
        .reference(
            [](RefCall& c) { cast_tensor(c.input(0), c.output(), c.integer("saturate") != 0, c.text("round_mode")); });

}  // namespace kiln::ops
