// Kernel "top_k": the first elements of each line in order, and their places; parameters axis, largest. A block sorts a line of up to
// kMostSorted elements in shared memory. Runs of longer lines are sorted so that as much as is wanted of each goes on, and joined in the
// workspace.
#include "backends/cuda/device/cu/sort.h"

#include <bit>

#include "backends/cuda/device/kernels/lines.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

bool is_wide(DType type) { return bits(type) == 64; }

int64_t checked(int64_t a, int64_t b) { return mul_or_throw(a, b, "what top_k sorts"); }

// Runs of one length in each line; the last has what is left.
struct Runs {
  int64_t count, length, items;
};

Runs shortened(int64_t count, int64_t of_last, int64_t length) {
  return {count, length, (count - 1) * length + std::min(of_last, length)};
}

// As they come out of the first sort.
Runs first_runs(int64_t n, int64_t k) {
  const int64_t count = ceil_div(n, kSortedRun);
  return shortened(count, n - (count - 1) * kSortedRun, std::min<int64_t>(k, kSortedRun));
}

// How many of them are joined into one.
int64_t grouped(const Runs& runs) { return std::max<int64_t>(kSortedRun / runs.length, 2); }

Runs joined(const Runs& runs, int64_t k) {
  const int64_t together = grouped(runs) * runs.length, count = ceil_div(runs.items, together);
  return shortened(count, runs.items - (count - 1) * together, std::min(k, together));
}

class TopK final : public LineKernel {
 public:
  TopK(Gpu& gpu, const TopKParameters& p) : LineKernel(gpu, p.axis), largest_(p.largest) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.empty() || call.outputs.size() > 2)
      return {Code::kMalformedPlan, "top_k has other operands"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (!ordered_suffix(x.dtype) || y.dtype != x.dtype) return {Code::kMalformedPlan, "there is no order of this type"};
    if (!has_axis(x) || y.rank != x.rank) return {Code::kShapeMismatch, "top_k has no such axis"};
    const int axis = static_cast<int>(axis_);
    for (int i = 0; i < x.rank; ++i)
      if (i == axis ? y.dims[i] > x.dims[i] : y.dims[i] != x.dims[i])
        return {Code::kShapeMismatch, "the result of top_k has another size"};
    if (call.outputs.size() > 1 && call.outputs[1].present() &&
        (call.outputs[1].dtype != DType::kI64 || !same_dims(call.outputs[1], y)))
      return {Code::kShapeMismatch, "the places of top_k are int64, one for each element"};
    joins_.clear();
    const Lines lines = lines_of(x);
    const int64_t k = y.dims[axis];
    is_long_ = lines.n > kMostSorted && k > 0 && lines.outer * lines.inner > 0;
    if (is_long_) sort_long(x, lines, k);
    else sort_short(x, lines, k);
    return kOkStatus;
  }

  size_t workspace_dense(const KernelCall& call) override {
    if (call.inputs.empty() || call.outputs.empty() || !has_axis(call.inputs[0]) || call.outputs[0].rank <= axis_)
      return 0;
    const Lines lines = lines_of(call.inputs[0]);
    const int64_t k = call.outputs[0].dims[axis_];
    if (lines.n <= kMostSorted || k <= 0 || k > lines.n) return 0;
    const Runs first = first_runs(lines.n, k);
    const int64_t items = first.items + (first.count > 1 ? joined(first, k).items : 0);
    return static_cast<size_t>(checked(checked(lines.outer * lines.inner, items), item_bytes(call.inputs[0].dtype)));
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *values = call.outputs[0].data,
         *indices = call.outputs.size() > 1 ? call.outputs[1].data : nullptr;
    if (!is_long_) return gpu_.launch(stream, launch_, short_, x, values, indices);
    if (call.workspace_size < wanted_) return {Code::kMalformedPlan, "the workspace of top_k is too small"};
    void *from = call.workspace, *to = static_cast<uint8_t*>(call.workspace) + second_;
    KILN_RETURN_IF_ERROR(gpu_.launch(stream, launch_, long_, x, from));
    for (const Join& join : joins_) {
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, join.launch, join.arguments, from, to));
      std::swap(from, to);
    }
    return gpu_.launch(stream, pick_launch_, pick_, from, x, values, indices);
  }

  static int64_t item_bytes(DType type) { return is_wide(type) ? sizeof(WideItem) : sizeof(NarrowItem); }

  void sort_short(const TensorView& x, const Lines& lines, int64_t k) {
    short_.lines = lines;
    short_.largest = largest_;
    short_.k = static_cast<int32_t>(k);
    short_.size = std::max(2u, std::bit_ceil(static_cast<uint32_t>(std::min<int64_t>(lines.n, kMostSorted))));
    const int shared = static_cast<int>(short_.size * (sizeof(int64_t) + sizeof(uint32_t)));
    launch_ = {gpu_.function("lines", "top_k" + std::string(ordered_suffix(x.dtype)), shared)};
    launch_.threads = std::clamp(short_.size / 2, 32u, static_cast<unsigned>(kSortThreads));
    launch_.shared = static_cast<unsigned>(shared);
    launch_.grid[0] = k == 0 ? 0 : blocks_for(lines.outer * lines.inner, 1);
  }

  void sort_long(const TensorView& x, const Lines& lines, int64_t k) {
    if (lines.n > INT32_MAX) throw Error(Code::kUnsupported, "a line is too long to be sorted");
    const int64_t count = lines.outer * lines.inner;
    Runs runs = first_runs(lines.n, k);
    long_ = {lines, largest_, static_cast<uint32_t>(runs.count), static_cast<uint32_t>(runs.length), runs.items};
    launch_ = {gpu_.function("sort", "sort_runs" + std::string(ordered_suffix(x.dtype)))};
    launch_.threads = kRunThreads;
    launch_.grid[0] = blocks_for(checked(count, runs.count), 1);
    const int64_t bytes = item_bytes(x.dtype);
    const auto room = [&] { return static_cast<size_t>(checked(checked(count, runs.items), bytes)); };
    wanted_ = second_ = room();
    for (bool first = true; runs.count > 1; first = false) {
      add_join(x.dtype, runs, k, count);
      runs = joined(runs, k);
      if (first) wanted_ += room();
    }
    pick_ = {lines, k, runs.items};
    pick_launch_ = {gpu_.function("sort", "pick_" + std::to_string(element_bytes(x.dtype)))};
    pick_launch_.threads = kMergeThreads;
    pick_launch_.grid[0] = blocks_for(checked(count, k), kMergeThreads);
  }

  void add_join(DType type, const Runs& runs, int64_t k, int64_t lines) {
    const Runs after = joined(runs, k);
    const bool sorts = 2 * runs.length <= kSortedRun;
    Join join;
    join.arguments = {runs.length,
                      runs.items,
                      static_cast<uint32_t>(after.count),
                      static_cast<uint32_t>(grouped(runs)),
                      static_cast<uint32_t>(after.length),
                      sorts ? 1 : static_cast<uint32_t>(ceil_div(after.length, kMergedTile)),
                      after.items};
    const std::string name = sorts ? "sort_group" : "merge_pairs";
    join.launch = {gpu_.function("sort", name + (is_wide(type) ? "_wide" : "_narrow"))};
    join.launch.threads = sorts ? kRunThreads : kMergeThreads;
    join.launch.grid[0] = blocks_for(checked(checked(lines, after.count), join.arguments.tiles), 1);
    joins_.push_back(join);
  }

  struct Join {
    Launch launch;
    JoinArguments arguments;
  };
  bool largest_, is_long_ = false;
  TopKArguments short_ = {};
  SortArguments long_ = {};
  std::vector<Join> joins_;
  PickArguments pick_ = {};
  Launch pick_launch_;
  size_t second_ = 0, wanted_ = 0;  // bytes: where the second half of the workspace begins, and of all of it
};

}  // namespace

std::unique_ptr<Kernel> make_top_k(Gpu& gpu, const Attributes& p) {
  return std::make_unique<TopK>(gpu, read_parameters<TopKParameters>(p));
}

}  // namespace kiln::cuda::kernels
