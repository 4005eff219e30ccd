// Kernel "non_max_suppression": for each batch entry and class, the boxes of best score that do not overlap a better one too much.
// Inputs: boxes [batch, count, 4], scores [batch, classes, count], the most boxes per class, overlap and score thresholds; the last
// three may be absent. Parameter center: boxes are centres and sizes, not corners.
#include <algorithm>
#include <memory>
#include <vector>

#include "backends/cpu/device/compute/box_overlap.h"
#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/index.h"
#include "device/region_parameters.h"

namespace kiln::cpu::kernels {
namespace {

constexpr double kNanosecondsPerPair = 0.5;  // of boxes

Box make_box(const float* v, bool center) {
  const double a = v[0], b = v[1], c = v[2], d = v[3];
  Box box = center ? Box{a - c / 2, b - d / 2, a + c / 2, b + d / 2, 0}
                   : Box{std::min(b, d), std::min(a, c), std::max(b, d), std::max(a, c), 0};
  box.area = (box.x1 - box.x0) * (box.y1 - box.y0);
  return box;
}

class NonMaxSuppression final : public DenseKernel {
 public:
  explicit NonMaxSuppression(const NmsParameters& p) : center_(p.center) {}

 private:
  bool sizes_results() const override { return true; }
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 5 || call.outputs.size() != 1 || call.outputs[0].dtype != DType::kI64)
      return {Code::kMalformedPlan, "non_max_suppression has other operands"};
    constexpr DType kTypes[] = {DType::kF32, DType::kF32, DType::kI64, DType::kF32, DType::kF32};
    for (size_t i = 0; i < 5; ++i)
      if ((i < 2 || call.inputs[i].present()) && call.inputs[i].dtype != kTypes[i])
        return {Code::kMalformedPlan, "non_max_suppression has operands of other types"};
    const TensorView &boxes = call.inputs[0], &scores = call.inputs[1];
    if (boxes.rank != 3 || scores.rank != 3 || boxes.dims[2] != 4 || boxes.dims[0] != scores.dims[0] ||
        boxes.dims[1] != scores.dims[2])
      return {Code::kShapeMismatch, "boxes and scores do not fit each other"};
    return kOkStatus;
  }

  template <class T> static T number(const TensorView& v) {
    return v.present() && v.elements() > 0 ? *static_cast<const T*>(v.data) : T{0};
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      const TensorView& scores = call.inputs[1];
      const int64_t classes = scores.dims[1], count = scores.dims[2], problems = scores.dims[0] * classes;
      std::vector<Box> boxes;
      boxes.reserve(static_cast<size_t>(scores.dims[0] * count));
      const auto* corners = static_cast<const float*>(call.inputs[0].data);
      for (int64_t i = 0; i < scores.dims[0] * count; ++i) boxes.push_back(make_box(corners + 4 * i, center_));
      std::vector<std::vector<int64_t>> kept(static_cast<size_t>(problems));
      const int64_t most = std::clamp<int64_t>(number<int64_t>(call.inputs[2]), 0, count);
      for (auto& k : kept) k.reserve(static_cast<size_t>(most));
      const int threads =
          useful_threads(thread_count(), 20.0 * static_cast<double>(problems) * static_cast<double>(count));
      const auto candidates = std::make_unique_for_overwrite<Candidate[]>(static_cast<size_t>(threads * count));
      const auto taken = std::make_unique_for_overwrite<double[]>(static_cast<size_t>(threads * most) * kBoxNumbers);
      parallel_ranges(threads, problems, [&](int64_t begin, int64_t end, int part) {
        const BoxRows rows{taken.get() + static_cast<size_t>(part * most) * kBoxNumbers, most};
        for (int64_t p = begin; p < end; ++p)
          keep(call, boxes.data() + p / classes * count, static_cast<const float*>(scores.data) + p * count, count,
               candidates.get() + part * count, rows, most, nth(kept, p));
      });
      int64_t total = 0;
      for (const auto& k : kept) total += static_cast<int64_t>(k.size());
      auto* to = static_cast<int64_t*>(place_result(call.outputs[0], {total, 3}));
      if (!to) return {Code::kShapeMismatch, "the result of non_max_suppression has another shape"};
      for (int64_t p = 0; p < problems; ++p)
        for (int64_t i : nth(kept, p)) {
          *to++ = p / classes;
          *to++ = p % classes;
          *to++ = i;
        }
      return kOkStatus;
    });
  }

  struct Candidate {
    float score;
    int64_t box;
  };
  // Whether a comes behind b: by score, then by index; NaN behind all numbers.
  static bool is_behind(const Candidate& a, const Candidate& b) noexcept {
    if (a.score > b.score || a.score < b.score) return a.score < b.score;
    const bool a_nan = a.score != a.score, b_nan = b.score != b.score;
    return a_nan != b_nan ? a_nan : a.box > b.box;
  }

  // A heap gives the best candidates one by one: few are asked for.
  static void keep(const KernelCall& call, const Box* boxes, const float* scores, int64_t count, Candidate* heap,
                   const BoxRows& taken, int64_t most, std::vector<int64_t>& kept) noexcept {
    const double overlap = number<float>(call.inputs[3]);
    const float least = number<float>(call.inputs[4]);
    const bool filtered = call.inputs[4].present();
    int64_t n = 0;
    for (int64_t i = 0; i < count && most > 0; ++i)
      if (!filtered || scores[i] > least) heap[n++] = {scores[i], i};
    std::make_heap(heap, heap + n, is_behind);
    Looks looks(kNanosecondsPerPair);
    for (; n > 0 && static_cast<int64_t>(kept.size()) < most; --n) {
      if (looks.before(static_cast<double>(kept.size()))) return;
      std::pop_heap(heap, heap + n, is_behind);
      const Box& box = boxes[heap[n - 1].box];
      const auto count_taken = static_cast<int64_t>(kept.size());
      if (overlaps_one(box, taken, count_taken, overlap)) continue;
      taken.put(count_taken, box);
      kept.push_back(heap[n - 1].box);
    }
  }

  bool center_;
};

}  // namespace

std::unique_ptr<Kernel> make_non_max_suppression(const Attributes& p) {
  return std::make_unique<NonMaxSuppression>(read_parameters<NmsParameters>(p));
}

}  // namespace kiln::cpu::kernels
