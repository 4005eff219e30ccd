// CenterCropPad: what is longer than wanted is cut around its centre, what is shorter gets zeros around it.
#include <algorithm>

#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_center_crop_pad(NodeImport& n) {
  Ints axes = n.ints("axes");
  if (!n.has_attr("axes"))
    for (int64_t i = 0; i < n.rank(0); ++i) axes.push_back(i);
  for (int64_t& axis : axes) axis = normalize_axis(axis, n.rank(0));
  ir::Value *axis_list = n.ints(axes), *two = n.ints(Ints{2}), *zero = n.ints(Ints{0});
  ir::Value* have = n.add("Gather", {n.add("Shape", {n.in(0)}), axis_list});
  ir::Value* want = n.add("Cast", {n.in(1)}, {{"to", std::string("int64")}});
  ir::Value* start = n.add("Div", {n.add("Max", {n.add("Sub", {have, want}), zero}), two});
  ir::Value* end = n.add("Add", {start, n.add("Min", {have, want})});
  ir::Value* cut = n.add("Slice", {n.in(0), start, end, axis_list});
  ir::Value* lack = n.add("Max", {n.add("Sub", {want, have}), zero});
  ir::Value* before = n.add("Div", {lack, two});
  ir::Value* pads = n.add("Concat", {before, n.add("Sub", {lack, before})}, {{"axis", int64_t{0}}});
  n.emit("Pad", {cut, pads, nullptr, axis_list});
}

}  // namespace

const OnnxOp center_crop_pad{"CenterCropPad", {{18, import_center_crop_pad}}};

}  // namespace kiln::onnx::ops
