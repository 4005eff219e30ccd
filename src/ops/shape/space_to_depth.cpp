// SpaceToDepth: moves squares of pixels into blocks of channels.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape space_to_depth_shape(ShapeCall& c) {
  const Shape& dims = c.dims("input");
  const int64_t block = c.integer("blocksize");
  auto divides = [block](const Dim& d) { return !d.is_constant() || d.value() % block == 0; };
  if (dims.size() != 4 || block < 1 || block > 1 << 15 || !divides(dims[2]) || !divides(dims[3]))
    throw Error(Code::kShapeMismatch, "SpaceToDepth of " + to_string(dims) + " with blocks of " + std::to_string(block))
        .cause("it takes [N,C,H,W] with H and W multiples of the block");
  return Shape{dims[0], dims[1] * Dim(block * block), floor_div(dims[2], Dim(block)), floor_div(dims[3], Dim(block))};
}

void space_to_depth_reference(RefCall& c) {
  const Tensor& input = c.input("input");
  const int64_t b = c.integer("blocksize"), n = input.dims()[0], channels = input.dims()[1], h = input.dims()[2],
                w = input.dims()[3];
  pick(input, strided_positions(0, {n, b, b, channels, h / b, w / b}, {channels * h * w, w, 1, h * w, b * w, b}),
       c.output());
}

}  // namespace

const OpDef space_to_depth = op("SpaceToDepth")
                                 .input("input", kAnyType)
                                 .required_attr("blocksize", int64_t{0})
                                 .output("output", same_type("input"))
                                 .shape(space_to_depth_shape)
                                 .reference(space_to_depth_reference);

}  // namespace kiln::ops
