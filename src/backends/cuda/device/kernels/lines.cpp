// Kernels along one axis. "cumulative": running sums or products; parameters axis, product, exclusive, reverse. "arg_extreme": the place of
// the largest or smallest element, int64; parameters axis, largest, last. "hardmax": 1 at the first largest element, 0 elsewhere; parameter
// axis. "top_k": the first elements in order, and their places; parameters axis, largest.
#include "backends/cuda/device/cu/lines.h"

#include <bit>

#include "backends/cuda/device/kernels/cumulative_parameters.h"
#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cuda::kernels {
namespace {

// The suffix of functions; null for types without such functions.
const char* ordered_suffix(DType type) {
  switch (type) {
    case DType::kI8: return "_i8";
    case DType::kU8: return "_u8";
    default: return number_suffix(type);
  }
}

class LineKernel : public DenseKernel {
 protected:
  LineKernel(Gpu& gpu, int64_t axis) : DenseKernel(gpu), axis_(axis) {}

  Lines lines_of(const TensorView& x) const {
    const int axis = static_cast<int>(axis_);
    return {extent(x, 0, axis), x.dims[axis], extent(x, axis + 1, x.rank)};
  }
  bool has_axis(const TensorView& x) const { return axis_ >= 0 && axis_ < x.rank; }

  // A warp for each row, or a thread for each column.
  void cover(const std::string& name, const char* suffix, const Lines& l) {
    const bool rows = l.inner == 1;
    launch_ = {gpu_.function("lines", name + (rows ? "_rows" : "_columns") + suffix)};
    launch_.threads = kLineThreads;
    launch_.grid[0] = rows ? blocks_for(l.outer, kLineThreads / 32) : blocks_for(l.outer * l.inner, kLineThreads);
    if (l.n == 0) launch_.grid[0] = 0;
  }

  int64_t axis_;
  Launch launch_;
};

// Makes one tensor of one.
template <class Arguments> class MappedLines : public LineKernel {
 protected:
  using LineKernel::LineKernel;
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept final {
    void *x = call.inputs[0].data, *y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, y);
  }
  Arguments arguments_ = {};
};

class Cumulative final : public MappedLines<CumulativeArguments> {
 public:
  Cumulative(Gpu& gpu, const AxisCumulativeParameters& p) : MappedLines(gpu, p.along.axis) {
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
    arguments_.lines = lines_of(x);
    cover("cumulative", suffix, arguments_.lines);
    return kOkStatus;
  }
};

class ArgExtreme final : public MappedLines<ArgExtremeArguments> {
 public:
  ArgExtreme(Gpu& gpu, const ArgExtremeParameters& p) : MappedLines(gpu, p.axis) {
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
    arguments_.lines = l;
    cover("arg_extreme", suffix, l);
    return kOkStatus;
  }
};

class Hardmax final : public MappedLines<ArgExtremeArguments> {
 public:
  Hardmax(Gpu& gpu, const AxisParameters& p) : MappedLines(gpu, p.axis) { arguments_.largest = true; }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "hardmax has one operand and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const char* suffix = is_float(x.dtype) ? number_suffix(x.dtype) : nullptr;
    if (!suffix || y.dtype != x.dtype) return {Code::kMalformedPlan, "there is no hardmax of this type"};
    if (!same_dims(x, y) || !has_axis(x)) return {Code::kShapeMismatch, "hardmax has no such axis"};
    arguments_.lines = lines_of(x);
    cover("hardmax", suffix, arguments_.lines);
    return kOkStatus;
  }
};

class TopK final : public LineKernel {
 public:
  TopK(Gpu& gpu, const TopKParameters& p) : LineKernel(gpu, p.axis) { arguments_.largest = p.largest; }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.empty() || call.outputs.size() > 2)
      return {Code::kMalformedPlan, "top_k has other operands"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const char* suffix = ordered_suffix(x.dtype);
    if (!suffix || y.dtype != x.dtype) return {Code::kMalformedPlan, "there is no order of this type"};
    if (!has_axis(x) || y.rank != x.rank) return {Code::kShapeMismatch, "top_k has no such axis"};
    const int axis = static_cast<int>(axis_);
    for (int i = 0; i < x.rank; ++i)
      if (i == axis ? y.dims[i] > x.dims[i] : y.dims[i] != x.dims[i])
        return {Code::kShapeMismatch, "the result of top_k has another size"};
    if (call.outputs.size() > 1 && call.outputs[1].present() &&
        (call.outputs[1].dtype != DType::kI64 || !same_dims(call.outputs[1], y)))
      return {Code::kShapeMismatch, "the places of top_k are int64, one for each element"};
    TopKArguments& a = arguments_;
    a.lines = lines_of(x);
    if (a.lines.n > kMostSorted) return {Code::kUnsupported, "a line is too long to be sorted"};
    a.k = static_cast<int32_t>(y.dims[axis]);
    a.size = std::max(2u, std::bit_ceil(static_cast<uint32_t>(a.lines.n)));
    const int shared = static_cast<int>(a.size * (sizeof(int64_t) + sizeof(uint32_t)));
    launch_ = {gpu_.function("lines", "top_k" + std::string(suffix), shared)};
    launch_.threads = std::clamp(a.size / 2, 32u, static_cast<unsigned>(kSortThreads));
    launch_.shared = static_cast<unsigned>(shared);
    launch_.grid[0] = a.k == 0 ? 0 : blocks_for(a.lines.outer * a.lines.inner, 1);
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *values = call.outputs[0].data,
         *indices = call.outputs.size() > 1 ? call.outputs[1].data : nullptr;
    return gpu_.launch(stream, launch_, arguments_, x, values, indices);
  }

  TopKArguments arguments_ = {};
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
std::unique_ptr<Kernel> make_top_k(Gpu& gpu, const Attributes& p) {
  return std::make_unique<TopK>(gpu, read_parameters<TopKParameters>(p));
}

}  // namespace kiln::cuda::kernels
