// TensorScatter: writes `update` into a copy of a cache along the sequence axis, at a position for each batch entry.
#include "base/checked.h"
#include "base/error.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape tensor_scatter_shape(ShapeCall& c) {
  const std::string mode = c.text("mode");
  if (mode != "linear" && mode != "circular")
    throw Error(Code::kInvalidArgument, "TensorScatter has no mode '" + mode + "'").remedy("use linear or circular");
  if (c.axis("axis", c.rank("past_cache")) == 0 || c.rank("update") != c.rank("past_cache"))
    throw Error(Code::kShapeMismatch, "TensorScatter of " + to_string(c.dims("update")) + " into " +
                                          to_string(c.dims("past_cache")) + " along axis " +
                                          std::to_string(c.integer("axis")));
  return c.dims("past_cache");
}

void tensor_scatter_reference(RefCall& c) {
  const Tensor &cache = c.input("past_cache"), &update = c.input("update");
  const auto axis = static_cast<size_t>(c.axis("axis", cache.rank()));
  Dims expected = cache.dims();
  const int64_t extent = expected[axis], steps = update.dims()[axis];
  expected[axis] = steps;
  if (update.dims() != expected || (extent == 0 && steps > 0))
    throw Error(Code::kShapeMismatch, "TensorScatter of " + update.type_string() + " into " + cache.type_string());
  copy_all(cache, c.output());
  const int64_t per_batch = product(cache.dims(), 1, axis), run = product(cache.dims(), axis + 1, cache.dims().size());
  for (int64_t o = 0; o < cache.dims()[0] * per_batch; ++o) {
    const int64_t first = c.present("write_indices") ? c.input("write_indices").int_at(o / per_batch) : 0;
    for (int64_t s = 0; s < steps; ++s) {
      int64_t to = first + s;
      if (c.text("mode") == "circular") to = floor_mod(to, extent);
      if (to < 0 || to >= extent)
        throw Error(Code::kInvalidArgument,
                    "TensorScatter writes step " + std::to_string(to) + " of " + std::to_string(extent));
      copy_elements(update, (o * steps + s) * run, c.output(), (o * extent + to) * run, run);
    }
  }
}

}  // namespace

const OpDef tensor_scatter = op("TensorScatter")
                                 .input("past_cache", kAnyType)
                                 .input("update", kAnyType, "past_cache")
                                 .optional_input("write_indices", DType::kI64)
                                 .attr("axis", int64_t{-2})
                                 .attr("mode", std::string("linear"))
                                 .output("present_cache", same_type("past_cache"))
                                 .shape(tensor_scatter_shape)
                                 .reference(tensor_scatter_reference);

}  // namespace kiln::ops
