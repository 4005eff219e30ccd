// Kernel "suppress_boxes": for each batch entry and class, the boxes of best score that do not overlap a better one too much. Inputs: boxes
// [batch, boxes, 4], scores [batch, classes, boxes], overlap and score thresholds; the last two may be absent. Results: int64 rows of
// batch entry, class and box, -1 behind the last, and their number.
#include "backends/cuda/device/cu/suppress_boxes.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/memory.h"
#include "base/checked.h"

namespace kiln::cuda::kernels {
namespace {

class SuppressBoxes final : public DenseKernel {
 public:
  SuppressBoxes(Gpu& gpu, const SuppressBoxesParameters& p) : DenseKernel(gpu), most_(p.most), center_(p.center) {}

 private:
  // Bytes of the parts of the workspace.
  struct Scratch {
    int64_t candidates, kept, counts;
    int64_t total() const { return candidates + kept + counts; }
  };
  Scratch scratch() const {
    const auto part = [](int64_t count, int64_t bytes) {
      const auto size = checked_mul(count, bytes);
      if (!size || *size > INT64_MAX / 4) throw Error(Code::kUnsupported, "there are too many boxes for the kernel");
      return align_up(*size, int64_t{kAlignment});
    };
    const SuppressArguments& a = arguments_;
    return {part(int64_t{a.problems} * a.boxes, sizeof(uint64_t)), part(int64_t{a.problems} * a.most, sizeof(int32_t)),
            part(a.problems, sizeof(int32_t))};
  }

  Status read(const KernelCall& call) {
    if (call.inputs.size() != 4 || call.outputs.size() != 2)
      return {Code::kMalformedPlan, "suppress_boxes has four operands and two results"};
    const TensorView &boxes = call.inputs[0], &scores = call.inputs[1], &selected = call.outputs[0],
                     &count = call.outputs[1];
    for (const TensorView& v : call.inputs)
      if (v.present() && v.dtype != DType::kF32) return {Code::kMalformedPlan, "boxes and scores are float32"};
    if (selected.dtype != DType::kI64 || count.dtype != DType::kI64)
      return {Code::kMalformedPlan, "the results of suppress_boxes are int64"};
    if (boxes.rank != 3 || scores.rank != 3 || boxes.dims[2] != 4 || boxes.dims[0] != scores.dims[0] ||
        boxes.dims[1] != scores.dims[2])
      return {Code::kShapeMismatch, "boxes and scores do not fit each other"};
    const auto problems = checked_mul(scores.dims[0], scores.dims[1]);
    const int64_t most = std::min(most_, boxes.dims[1]);
    if (!problems || *problems > INT32_MAX || boxes.dims[1] > INT32_MAX)
      return {Code::kUnsupported, "there are too many boxes or classes for the kernel"};
    const auto rows = checked_mul(*problems, most);
    if (!rows || selected.rank != 2 || selected.dims[0] != *rows || selected.dims[1] != 3 || count.elements() != 1)
      return {Code::kShapeMismatch, "the results of suppress_boxes have another size"};
    SuppressArguments& a = arguments_;
    a = {};
    a.problems = static_cast<uint32_t>(*problems);
    a.boxes = static_cast<uint32_t>(boxes.dims[1]);
    a.most = static_cast<uint32_t>(most);
    a.classes = divisor(scores.dims[1]);
    a.is_centered = center_;
    a.is_filtered = call.inputs[3].present();
    return kOkStatus;
  }

  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(read(call));
    find_ = {gpu_.function("suppress_boxes", "suppress_boxes")};
    find_.threads = kSuppressThreads;
    find_.grid[0] = arguments_.problems;
    store_ = {gpu_.function("suppress_boxes", "store_selected")};
    store_.threads = kSelectedThreads;
    store_.grid[0] = std::max(arguments_.problems, 1u);
    scratch_ = scratch();
    return kOkStatus;
  }
  size_t workspace_dense(const KernelCall& call) override {
    return read(call).ok() ? static_cast<size_t>(scratch().total()) : kNoWorkspace;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    if (call.workspace_size < static_cast<size_t>(scratch_.total()))
      return {Code::kMalformedPlan, "the workspace of suppress_boxes is too small"};
    SuppressArguments& a = arguments_;
    const auto threshold = [&](size_t i) {
      const TensorView& v = call.inputs[i];
      return v.present() && v.elements() > 0 ? pointer_of<const float>(v) : nullptr;
    };
    a.corners = pointer_of<const float>(call.inputs[0]);
    a.scores = pointer_of<const float>(call.inputs[1]);
    a.iou_threshold = threshold(2);
    a.score_threshold = threshold(3);
    auto* workspace = static_cast<uint8_t*>(call.workspace);
    a.candidates = reinterpret_cast<uint64_t*>(workspace);
    a.kept = reinterpret_cast<int32_t*>(workspace + scratch_.candidates);
    a.counts = reinterpret_cast<int32_t*>(workspace + scratch_.candidates + scratch_.kept);
    a.selected = pointer_of<int64_t>(call.outputs[0]);
    a.count = pointer_of<int64_t>(call.outputs[1]);
    KILN_RETURN_IF_ERROR(gpu_.launch(stream, find_, a));
    return gpu_.launch(stream, store_, a);
  }

  int64_t most_;
  bool center_;
  Scratch scratch_ = {};
  SuppressArguments arguments_ = {};
  Launch find_, store_;
};

}  // namespace

std::unique_ptr<Kernel> make_suppress_boxes(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<SuppressBoxes>(gpu, read_parameters<SuppressBoxesParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
