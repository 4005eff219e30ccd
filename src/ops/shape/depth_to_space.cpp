// DepthToSpace: moves blocks of channels into squares of pixels; mode DCR (depth, column, row) or CRD.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape depth_to_space_shape(ShapeCall& c) {
  const Shape& dims = c.dims("input");
  const int64_t block = c.integer("blocksize");
  const std::string mode = c.text("mode");
  if (mode != "DCR" && mode != "CRD")
    throw Error(Code::kInvalidArgument, "DepthToSpace has no mode '" + mode + "'").remedy("use DCR or CRD");
  if (dims.size() != 4 || block < 1 || block > 1 << 15 ||
      (dims[1].is_constant() && dims[1].value() % (block * block) != 0))
    throw Error(Code::kShapeMismatch, "DepthToSpace of " + to_string(dims) + " with blocks of " + std::to_string(block))
        .cause("it takes [N,C,H,W] with C a multiple of the block's square");
  return Shape{dims[0], floor_div(dims[1], Dim(block * block)), dims[2] * Dim(block), dims[3] * Dim(block)};
}

void depth_to_space_reference(RefCall& c) {
  const Tensor& input = c.input("input");
  const int64_t b = c.integer("blocksize"), n = input.dims()[0], h = input.dims()[2], w = input.dims()[3];
  const int64_t channels = c.output().dims()[1], plane = h * w;
  const Dims index{n, channels, h, b, w, b};
  const Dims strides = c.text("mode") == "DCR"
                           ? Dims{channels * b * b * plane, plane, w, b * channels * plane, 1, channels * plane}
                           : Dims{channels * b * b * plane, b * b * plane, w, b * plane, 1, plane};
  pick(input, strided_positions(0, index, strides), c.output());
}

}  // namespace

const OpDef depth_to_space = op("DepthToSpace")
                                 .input("input", kAnyType)
                                 .required_attr("blocksize", int64_t{0})
                                 .attr("mode", std::string("DCR"))
                                 .output("output", same_type("input"))
                                 .shape(depth_to_space_shape)
                                 .reference(depth_to_space_reference);

}  // namespace kiln::ops
