// Tile: repeats the input along each axis.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {
namespace {

OutputShape tile_shape(ShapeCall& c) {
  auto repeats = partial_elements(c, "repeats");
  if (!repeats) return c.unknown_shape(0, c.rank("input"));
  Shape result = c.dims("input");
  if (repeats->size() != result.size())
    throw Error(Code::kShapeMismatch, "Tile of " + to_string(result) + " by " + to_string(*repeats))
        .cause("it takes one number for each axis");
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = is_unknown_element((*repeats)[i]) ? c.unknown_dim(0, static_cast<int>(i)) : result[i] * (*repeats)[i];
  return result;
}

// Each axis of the result is seen as two: the repetition, which moves nothing, and the axis itself.
std::vector<int64_t> tile_positions(const Dims& dims, const Ints& repeats) {
  const Dims own = row_major_strides(dims);
  Dims shape, strides;
  for (size_t i = 0; i < dims.size(); ++i) {
    shape.insert(shape.end(), {repeats[i], dims[i]});
    strides.insert(strides.end(), {0, own[i]});
  }
  return strided_positions(0, shape, strides);
}

std::optional<std::vector<Dim>> tile_elements(ShapeCall& c) {
  auto elements = few_elements(c, "input");
  auto repeats = c.int_values("repeats");
  if (!elements || !repeats || !is_static(c.dims("input"))) return std::nullopt;
  if (element_count(*repeats) * static_cast<int64_t>(elements->size()) > kMaxElements) return std::nullopt;
  return pick(*elements, tile_positions(static_dims(c.dims("input")), *repeats));
}

}  // namespace

const OpDef tile =
    op("Tile")
        .input("input", kAnyType)
        .input("repeats", DType::kI64)
        .output("output", same_type("input"))
        .shape(tile_shape)
        .elements(tile_elements)
        .reference([](RefCall& c) {
          pick(c.input("input"), tile_positions(c.input("input").dims(), c.input("repeats").to_ints()), c.output());
        });

}  // namespace kiln::ops
