// SuppressBoxes: NonMaxSuppression whose result has room for all that may be selected: min(most, boxes) for each batch entry and class. The
// rows behind those selected are -1; `count` says how many are. Kiln's own, for devices on which a result's size must be known.
#include <algorithm>

#include "base/error.h"
#include "base/require.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

std::vector<OutputShape> suppress_shapes(ShapeCall& c) {
  require(c.rank("boxes") == 3 && c.rank("scores") == 3, Code::kShapeMismatch,
          "SuppressBoxes takes boxes [batch,boxes,4] and scores [batch,classes,boxes]");
  require(c.integer("most") > 0, Code::kInvalidArgument, "SuppressBoxes selects at least one box of a class");
  const Shape& scores = c.dims("scores");
  return {Shape{scores[0] * scores[1] * min(Dim(c.integer("most")), scores[2]), 3}, Shape{1}};
}

void suppress_reference(RefCall& c) {
  const auto optional = [&](const char* name) { return c.present(name) ? c.input(name) : Tensor(); };
  const std::vector<Datum> selected =
      evaluate(*find_op("NonMaxSuppression"), {{"center_point_box", c.integer("center_point_box")}},
               {c.input("boxes"), c.input("scores"), Tensor::of<int64_t>({}, {c.integer("most")}),
                optional("iou_threshold"), optional("score_threshold")},
               1);
  const Tensor& rows = selected.at(0).tensor;
  Tensor& all = c.output(0);
  for (int64_t i = 0; i < all.size(); ++i) all.set_int(i, i < rows.size() ? rows.int_at(i) : -1);
  c.output(1).set_int(0, rows.dims()[0]);
}

}  // namespace

const OpDef suppress_boxes = op("SuppressBoxes")
                                 .input("boxes", DType::kF32)
                                 .input("scores", DType::kF32)
                                 .optional_input("iou_threshold", DType::kF32)
                                 .optional_input("score_threshold", DType::kF32)
                                 .required_attr("most", int64_t{0})
                                 .attr("center_point_box", int64_t{0})
                                 .output("selected_indices", fixed_type(DType::kI64))
                                 .output("count", fixed_type(DType::kI64))
                                 .shapes(suppress_shapes)
                                 .reference(suppress_reference);

}  // namespace kiln::ops
