// Kernels along one axis. "cumulative": running sums or products; parameters axis, product, exclusive, reverse. "arg_extreme": the place of
// the largest or smallest element, int64; parameters axis, largest, last. "hardmax": 1 at the first largest element, 0 elsewhere; parameter
// axis. Few long lines are made in parts: by three launches for sums, by two for places.
#include "backends/cuda/device/kernels/lines.h"

#include "backends/cuda/device/kernels/cumulative_parameters.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

// Threads and blocks of one multiprocessor that are under way at once.
constexpr int64_t kThreadsPerUnit = 1024, kWarpsPerUnit = 32, kBlocksPerUnit = 8;
// Elements of a part at least: of a running sum that a thread or a warp makes, and of a search, in all its lines.
constexpr int64_t kThreadPart = 64, kWarpPart = 1024, kSearchPart = 4096;

// As many parts as are wanted and `room` holds; one where the line is short or lines are many.
LineParts parts_of(int64_t n, int64_t wanted, int64_t least, int64_t room) {
  const int64_t parts = std::min({wanted, n / least, room});
  if (parts < 2 || n < 4 * least) return {1, n};
  const int64_t chunk = ceil_div(n, parts);
  return {ceil_div(n, chunk), chunk};
}

class Cumulative final : public LineKernel {
 public:
  Cumulative(Gpu& gpu, const AxisCumulativeParameters& p) : LineKernel(gpu, p.along.axis) {
    arguments_.product = p.sum.product;
    arguments_.exclusive = p.sum.exclusive;
    arguments_.reverse = p.sum.reverse;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a running sum has one operand and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const char* suffix = number_suffix(x.dtype);
    if (!suffix || y.dtype != x.dtype) return {Code::kMalformedPlan, "there are no running sums of this type"};
    if (!same_dims(x, y) || !has_axis(x)) return {Code::kShapeMismatch, "a running sum has no such axis"};
    const Lines l = arguments_.lines = lines_of(x);
    const bool rows = l.inner == 1;
    const int64_t lines = l.outer * l.inner, units = gpu_.chip().multiprocessors;
    arguments_.parts = lines == 0 ? LineParts{1, l.n}
                                  : parts_of(l.n, units * (rows ? kWarpsPerUnit : kThreadsPerUnit) / lines,
                                             rows ? kWarpPart : kThreadPart,
                                             static_cast<int64_t>(call.workspace_size / kTotalBytes) / lines);
    const int64_t parts = arguments_.parts.count;
    cover("cumulative", suffix, l, parts);
    totals_ = starts_ = launch_;
    totals_.function = gpu_.function("lines", std::string("cumulative_totals") + suffix);
    starts_.function = gpu_.function("lines", std::string("cumulative_starts") + suffix);
    starts_.grid[0] = blocks_for(lines, 1);
    return kOkStatus;
  }
  // Enough for all smaller shapes.
  size_t workspace_dense(const KernelCall& call) override {
    if (call.inputs.empty()) return 0;
    const int64_t most = gpu_.chip().multiprocessors * kThreadsPerUnit;
    return static_cast<size_t>(std::min(call.inputs[0].elements() / kThreadPart, most)) * kTotalBytes;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *y = call.outputs[0].data, *starts = nullptr;
    if (arguments_.parts.count > 1) {
      starts = call.workspace;
      if (call.workspace_size / kTotalBytes < static_cast<size_t>(arguments_.parts.count * starts_.grid[0]))
        return {Code::kMalformedPlan, "the workspace of a running sum is too small"};
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, totals_, arguments_, x, starts));
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, starts_, arguments_, starts));
    }
    return gpu_.launch(stream, launch_, arguments_, x, y, starts);
  }

  static constexpr size_t kTotalBytes = sizeof(int64_t);
  CumulativeArguments arguments_ = {};
  Launch totals_, starts_;
};

// Lines are searched whole, or in parts whose extremes lie in the workspace.
class SearchedLines : public LineKernel {
 protected:
  using LineKernel::LineKernel;

  // `whole`: functions that search a line at once and store what is wanted of it.
  void search(const TensorView& x, const char* suffix, const std::string& whole, size_t room) {
    const Lines l = arguments_.lines = lines_of(x);
    const int64_t width = std::clamp<int64_t>(l.inner, 1, kMostArgColumns), tiles = l.outer * ceil_div(l.inner, width);
    const int64_t lines = l.outer * l.inner, wanted = gpu_.chip().multiprocessors * kBlocksPerUnit;
    arguments_.width = static_cast<int32_t>(width);
    arguments_.parts = lines == 0 ? LineParts{1, l.n}
                                  : parts_of(l.n, wanted / tiles, kSearchPart / width,
                                             static_cast<int64_t>(room / kFoundBytes) / lines);
    cover(whole, suffix, l, 1);
    in_parts_ = arguments_.parts.count > 1;
    if (!in_parts_) return;
    find_ = {gpu_.function("lines", std::string("arg_extreme_parts") + suffix)};
    find_.threads = kArgThreads;
    find_.grid[0] = blocks_for(tiles * arguments_.parts.count, 1);
    finish_ = {gpu_.function("lines", "arg_extreme_finish")};
    finish_.threads = kLineThreads;
    finish_.grid[0] = blocks_for(lines, kLineThreads / 32);
  }
  // Enough for all smaller shapes.
  size_t workspace_dense(const KernelCall& call) override {
    if (call.inputs.empty()) return 0;
    const int64_t most = gpu_.chip().multiprocessors * kBlocksPerUnit * kMostArgColumns;
    const int64_t found = std::min(call.inputs[0].elements() / (kSearchPart / kMostArgColumns), most);
    return static_cast<size_t>(found) * kFoundBytes;
  }
  // Stores the places where `places` says; null: in the workspace, where it then points.
  Status find_places(Stream& stream, const KernelCall& call, void*& places) noexcept {
    const auto lines = static_cast<size_t>(arguments_.lines.outer * arguments_.lines.inner);
    const size_t found = static_cast<size_t>(arguments_.parts.count) * lines;
    if (call.workspace_size / kFoundBytes < found)
      return {Code::kMalformedPlan, "the workspace of a search is too small"};
    if (!places) places = static_cast<Extreme*>(call.workspace) + found;
    const void* x = call.inputs[0].data;
    KILN_RETURN_IF_ERROR(gpu_.launch(stream, find_, arguments_, x, call.workspace));
    return gpu_.launch(stream, finish_, arguments_, call.workspace, places);
  }
  Status launch_whole(Stream& stream, const KernelCall& call) noexcept {
    void *x = call.inputs[0].data, *y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, y);
  }

  // Of a part of a line, and its share of the line's place.
  static constexpr size_t kFoundBytes = sizeof(Extreme) + sizeof(int64_t);
  ArgExtremeArguments arguments_ = {};
  Launch find_, finish_;
  bool in_parts_ = false;
};

class ArgExtreme final : public SearchedLines {
 public:
  ArgExtreme(Gpu& gpu, const ArgExtremeParameters& p) : SearchedLines(gpu, p.axis) {
    arguments_.largest = p.largest;
    arguments_.last = p.last;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a search has one operand and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const char* suffix = ordered_suffix(x.dtype);
    if (!suffix || y.dtype != DType::kI64) return {Code::kMalformedPlan, "there is no search in this type"};
    if (!has_axis(x)) return {Code::kShapeMismatch, "a search has no such axis"};
    const Lines l = lines_of(x);
    if (y.elements() != l.outer * l.inner || (l.n == 0 && y.elements() > 0))
      return {Code::kShapeMismatch, "the result of a search has another size"};
    search(x, suffix, "arg_extreme", call.workspace_size);
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void* places = call.outputs[0].data;
    return in_parts_ ? find_places(stream, call, places) : launch_whole(stream, call);
  }
};

class Hardmax final : public SearchedLines {
 public:
  Hardmax(Gpu& gpu, const AxisParameters& p) : SearchedLines(gpu, p.axis) { arguments_.largest = true; }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "hardmax has one operand and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const char* suffix = is_float(x.dtype) ? number_suffix(x.dtype) : nullptr;
    if (!suffix || y.dtype != x.dtype) return {Code::kMalformedPlan, "there is no hardmax of this type"};
    if (!same_dims(x, y) || !has_axis(x)) return {Code::kShapeMismatch, "hardmax has no such axis"};
    search(x, suffix, "hardmax", call.workspace_size);
    if (!in_parts_) return kOkStatus;
    place_ = {gpu_.function("lines", std::string("hardmax_place") + suffix)};
    place_.threads = kLineThreads;
    place_.grid[0] = blocks_for(x.elements(), kLineThreads);
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    if (!in_parts_) return launch_whole(stream, call);
    void *places = nullptr, *y = call.outputs[0].data;
    KILN_RETURN_IF_ERROR(find_places(stream, call, places));
    return gpu_.launch(stream, place_, arguments_, places, y);
  }

  Launch place_;
};

}  // namespace

std::unique_ptr<Kernel> make_cumulative(Gpu& gpu, const Attributes& p) {
  return std::make_unique<Cumulative>(gpu, read_parameters<AxisCumulativeParameters>(p));
}
std::unique_ptr<Kernel> make_arg_extreme(Gpu& gpu, const Attributes& p) {
  return std::make_unique<ArgExtreme>(gpu, read_parameters<ArgExtremeParameters>(p));
}
std::unique_ptr<Kernel> make_hardmax(Gpu& gpu, const Attributes& p) {
  return std::make_unique<Hardmax>(gpu, read_parameters<AxisParameters>(p));
}

}  // namespace kiln::cuda::kernels
