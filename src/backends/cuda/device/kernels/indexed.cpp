// Kernels "gather_elements" and "scatter_elements" (parameter axis), "gather_nd" (parameter batch_axes) and "scatter_nd". Inputs: data,
// int32 or int64 indices, and updates, which replace elements of a copy of the data or are combined with them: parameter reduction (none,
// add, mul, max, min).
#include "backends/cuda/device/cu/indexed.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cuda::kernels {
namespace {

uint32_t narrow_or_throw(int64_t n, const char* what) {
  if (n > INT32_MAX) throw Error(Code::kUnsupported, std::string(what) + " has too many elements");
  return static_cast<uint32_t>(n);
}

class Indexed : public DenseKernel {
 protected:
  // Gathering kernels have no updates.
  explicit Indexed(Gpu& gpu) : DenseKernel(gpu), scatters_(false) {}
  Indexed(Gpu& gpu, Scattering reduction)
      : DenseKernel(gpu), scatters_(true), combine_(static_cast<Combine>(reduction)) {}

  Status check(const KernelCall& call) {
    if (call.inputs.size() != (scatters_ ? 3u : 2u) || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "an indexing kernel has other operands"};
    const TensorView &data = call.inputs[0], &indices = call.inputs[1], &y = call.outputs[0];
    const int bytes = element_bytes(data.dtype);
    if (bytes == 0 || y.dtype != data.dtype || (indices.dtype != DType::kI32 && indices.dtype != DType::kI64))
      return {Code::kMalformedPlan, "an indexing kernel has operands of other types"};
    suffix_ = "_" + std::to_string(bytes);
    if (!scatters_) return kOkStatus;
    const char* combined = number_suffix(data.dtype);
    if (call.inputs[2].dtype != data.dtype || (combine_ != Combine::kReplace && !combined))
      return {Code::kMalformedPlan, "a scattering kernel has operands of other types"};
    if (combine_ != Combine::kReplace) suffix_ = combined;
    if (!same_dims(data, y))
      return {Code::kShapeMismatch, "the result of a scattering operator has the shape of its data"};
    const Dims dims(data.dims, data.dims + data.rank), strides = row_major_strides(dims);
    copy_ = StridedCopy(gpu_, dims, strides, strides, bytes);
    return kOkStatus;
  }

  void cover(const std::string& function, int64_t threads) {
    launch_ = {gpu_.function("indexed", function)};
    launch_.threads = kIndexedThreads;
    launch_.grid[0] = blocks_for(threads, kIndexedThreads);
  }

  template <class Arguments> Status run(Stream& stream, const KernelCall& call, const Arguments& a) const noexcept {
    const void *data = call.inputs[0].data, *indices = call.inputs[1].data;
    void* y = call.outputs[0].data;
    if (!scatters_) return gpu_.launch(stream, launch_, a, data, indices, y);
    KILN_RETURN_IF_ERROR(copy_.run(stream, data, y));
    const void* updates = call.inputs[2].data;
    return gpu_.launch(stream, launch_, a, indices, updates, y);
  }

  const bool scatters_;
  Combine combine_ = Combine::kReplace;
  std::string suffix_;
  StridedCopy copy_;
  Launch launch_;
};

class Elements final : public Indexed {
 public:
  Elements(Gpu& gpu, const AxisParameters& p) : Indexed(gpu), axis_(p.axis) {}
  Elements(Gpu& gpu, const ScatterElementsParameters& p) : Indexed(gpu, p.reduction), axis_(p.axis) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check(call));
    const TensorView &data = call.inputs[0], &indices = call.inputs[1];
    if (data.rank != indices.rank || axis_ < 0 || axis_ >= data.rank ||
        !same_dims(indices, scatters_ ? call.inputs[2] : call.outputs[0]))
      return {Code::kShapeMismatch, "the operands of an indexing kernel do not fit each other"};
    const auto axis = static_cast<size_t>(axis_);
    Loop loop{Dims(indices.dims, indices.dims + indices.rank), {}};
    for (const TensorView* v : {&indices, &data}) loop.strides.emplace_back(v->strides, v->strides + v->rank);
    for (size_t i = 0; i < loop.dims.size(); ++i)
      if (i != axis && loop.dims[i] > data.dims[i])
        return {Code::kShapeMismatch, "the indices of an indexing kernel exceed its data"};
    arguments_ = {};
    arguments_.combine = combine_;
    arguments_.count = narrow_or_throw(loop.dims[axis], "an axis of indices");
    arguments_.index_stride = loop.strides[0][axis];
    arguments_.extent = data.dims[axis];
    arguments_.stride = loop.strides[1][axis];
    loop.strides[1][axis] = 0;
    if (scatters_) loop.dims[axis] = std::min<int64_t>(loop.dims[axis], 1);
    const Loop lines = merged(loop);
    if (lines.dims.size() > kMaxAxes) return {Code::kUnsupported, "an indexing kernel has too many axes"};
    (void)narrow_or_throw(lines.count(), "an indexing kernel");
    arguments_.lines = walk_of<2>(lines);
    cover((scatters_ ? "scatter_elements" : "gather_elements") + suffix_ +
              (indices.dtype == DType::kI32 ? "_i32" : "_i64"),
          lines.count());
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    return run(stream, call, arguments_);
  }

  int64_t axis_;
  ElementsArguments arguments_ = {};
};

class Tuples final : public Indexed {
 public:
  Tuples(Gpu& gpu, const GatherNdParameters& p) : Indexed(gpu), batch_axes_(p.batch_axes) {}
  Tuples(Gpu& gpu, const ScatterNdParameters& p) : Indexed(gpu, p.reduction) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check(call));
    const TensorView &data = call.inputs[0], &indices = call.inputs[1],
                     &slices = scatters_ ? call.inputs[2] : call.outputs[0];
    const Status unfit = {Code::kShapeMismatch, "the operands of an indexing kernel do not fit each other"};
    if (indices.dtype != DType::kI64) return {Code::kMalformedPlan, "tuples of indices are int64"};
    if (indices.rank < 1 || batch_axes_ >= indices.rank || batch_axes_ > data.rank) return unfit;
    const int batch = static_cast<int>(batch_axes_);
    const int64_t depth = indices.dims[indices.rank - 1];
    if (depth > data.rank - batch) return unfit;
    if (depth > kMaxIndexedAxes) return {Code::kUnsupported, "a tuple of indices is too long"};
    for (int i = 0; i < batch; ++i)
      if (data.dims[i] != indices.dims[i]) return unfit;
    const int first = batch + static_cast<int>(depth);
    const int64_t tuples = extent(indices, 0, indices.rank - 1), run = extent(data, first, data.rank);
    if (slices.elements() != tuples * run) return unfit;
    TuplesArguments& a = arguments_;
    a = {};
    a.combine = combine_;
    a.tuples = narrow_or_throw(tuples, "a list of indices");
    a.total = narrow_or_throw(tuples * run, "an indexing kernel");
    a.run = FastDivisor::of(narrow_or_throw(run, "a slice"));
    a.per_batch = FastDivisor::of(narrow_or_throw(extent(indices, batch, indices.rank - 1), "a list of indices"));
    a.batch_size = extent(data, batch, data.rank);
    a.depth = static_cast<int32_t>(depth);
    for (int k = 0; k < a.depth; ++k) {
      a.extents[k] = data.dims[batch + k];
      a.strides[k] = extent(data, batch + k + 1, data.rank);
    }
    if (!scatters_) cover("gather_nd" + suffix_, tuples * run);
    else if (combine_ == Combine::kReplace) cover("place_nd" + suffix_, tuples * run);
    else cover("scatter_nd" + suffix_, tuples == 0 ? 0 : run);
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    return run(stream, call, arguments_);
  }

  int64_t batch_axes_ = 0;
  TuplesArguments arguments_ = {};
};

}  // namespace

std::unique_ptr<Kernel> make_gather_elements(Gpu& gpu, const Attributes& p) {
  return std::make_unique<Elements>(gpu, read_parameters<AxisParameters>(p));
}
std::unique_ptr<Kernel> make_scatter_elements(Gpu& gpu, const Attributes& p) {
  return std::make_unique<Elements>(gpu, read_parameters<ScatterElementsParameters>(p));
}
std::unique_ptr<Kernel> make_gather_nd(Gpu& gpu, const Attributes& p) {
  return std::make_unique<Tuples>(gpu, read_parameters<GatherNdParameters>(p));
}
std::unique_ptr<Kernel> make_scatter_nd(Gpu& gpu, const Attributes& p) {
  return std::make_unique<Tuples>(gpu, read_parameters<ScatterNdParameters>(p));
}

}  // namespace kiln::cuda::kernels
