// NonMaxSuppression: for each batch entry and class, the boxes of best score that do not overlap a better one too much.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "base/work.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

struct Box {
  double x0, y0, x1, y1;
  double area() const { return (x1 - x0) * (y1 - y0); }
};

// Two opposite corners as y, x, y, x; or the centre as x, y, and width and height.
Box make_box(const double* v, bool center) {
  if (center) return {v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2};
  return {std::min(v[1], v[3]), std::min(v[0], v[2]), std::max(v[1], v[3]), std::max(v[0], v[2])};
}

double overlap(const Box& a, const Box& b) {
  const double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0),
               height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (width <= 0 || height <= 0 || a.area() <= 0 || b.area() <= 0) return 0;
  return width * height / (a.area() + b.area() - width * height);
}

OutputShape suppression_shape(ShapeCall& c) {
  if (c.rank("boxes") != 3 || c.rank("scores") != 3)
    throw Error(Code::kShapeMismatch, "NonMaxSuppression of boxes " + to_string(c.dims("boxes")) + " with scores " +
                                          to_string(c.dims("scores")))
        .cause("it takes [batch,boxes,4] and [batch,classes,boxes]");
  return Shape{c.unknown_dim(0, 0), 3};
}

// Places of the boxes kept among those of one batch entry and class.
std::vector<int64_t> keep(const std::vector<Box>& boxes, const double* scores, int64_t most, double iou_threshold,
                          const double* score_threshold) {
  std::vector<int64_t> order, kept;
  for (size_t i = 0; i < boxes.size(); ++i)
    if (!score_threshold || scores[i] > *score_threshold) order.push_back(static_cast<int64_t>(i));
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  for (int64_t i : order) {
    poll_work(static_cast<int64_t>(kept.size()));
    if (static_cast<int64_t>(kept.size()) >= most) break;
    auto covers = [&](int64_t k) { return overlap(nth(boxes, i), nth(boxes, k)) > iou_threshold; };
    if (std::none_of(kept.begin(), kept.end(), covers)) kept.push_back(i);
  }
  return kept;
}

void suppression_reference(RefCall& c) {
  const std::vector<double> boxes = doubles(c.input("boxes")), scores = doubles(c.input("scores"));
  const Dims &box_dims = c.input("boxes").dims(), &score_dims = c.input("scores").dims();
  const int64_t batches = box_dims[0], count = box_dims[1], classes = score_dims[1];
  if (box_dims[2] != 4 || score_dims[0] != batches || score_dims[2] != count)
    throw Error(Code::kShapeMismatch,
                "NonMaxSuppression of boxes " + to_string(box_dims) + " with scores " + to_string(score_dims));
  auto number = [&](const char* input) {
    return c.present(input) && c.input(input).size() > 0 ? c.input(input).at(0) : 0.0;
  };
  const bool bounded = c.present("max_output_boxes_per_class") && c.input("max_output_boxes_per_class").size() > 0;
  const int64_t most = bounded ? c.input("max_output_boxes_per_class").int_at(0) : 0;
  const double score_threshold = number("score_threshold");
  std::vector<int64_t> selected;
  for (int64_t b = 0; b < batches; ++b) {
    std::vector<Box> candidates;
    for (int64_t i = 0; i < count; ++i)
      candidates.push_back(make_box(&nth(boxes, (b * count + i) * 4), c.integer("center_point_box") != 0));
    for (int64_t k = 0; k < classes; ++k)
      for (int64_t i : keep(candidates, scores.data() + (b * classes + k) * count, most, number("iou_threshold"),
                            c.present("score_threshold") ? &score_threshold : nullptr))
        selected.insert(selected.end(), {b, k, i});
  }
  c.set_output(0, Tensor::of<int64_t>({static_cast<int64_t>(selected.size()) / 3, 3}, selected));
}

}  // namespace

const OpDef non_max_suppression = op("NonMaxSuppression")
                                      .input("boxes", DType::kF32)
                                      .input("scores", DType::kF32)
                                      .optional_input("max_output_boxes_per_class", DType::kI64)
                                      .optional_input("iou_threshold", DType::kF32)
                                      .optional_input("score_threshold", DType::kF32)
                                      .attr("center_point_box", int64_t{0})
                                      .output("selected_indices", fixed_type(DType::kI64))
                                      .shape(suppression_shape)
                                      .reference(suppression_reference);

}  // namespace kiln::ops
