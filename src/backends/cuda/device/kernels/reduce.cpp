// Kernel "reduce": a reduction over axes of float32, float16, bfloat16 (sums are float32), float64, or 32 and 64-bit integers, which wrap
// around and have no means, roots and logarithms. Parameters: kind (a ReduceKind), axes.
#include "backends/cuda/device/cu/reduce.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/axis_parameters.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kFewResults = 16384;   // fewer than these do not fill a GPU with a thread each
constexpr int64_t kLongRow = 1024;       // a warp takes fewer elements alone
constexpr int64_t kPartElements = 4096;  // that a block has at least, where blocks share the terms of a result
constexpr int64_t kBlocksPerUnit = 8;    // of one multiprocessor, which run at once

const char* reduced_suffix(DType type) {
  return type == DType::kU32 ? "_u32" : type == DType::kU64 ? "_u64" : number_suffix(type);
}

// Bytes of a part of a result: its sum, and the largest element beside it.
int64_t part_bytes(DType type) { return is_float(type) && type != DType::kF64 ? 8 : 16; }

class Reduce final : public Kernel {
 public:
  Reduce(Gpu& gpu, ReduceParameters p) : gpu_(gpu), axes_(std::move(p.axes)), kind_(p.kind) {}

  // Enough for parts of all smaller shapes.
  size_t workspace(const KernelCall& call) noexcept override {
    if (call.inputs.empty()) return kNoWorkspace;
    const int64_t parts = call.inputs[0].elements() / (kPartElements / kMostReduceWidth);
    return static_cast<size_t>(std::min(parts, blocks_wanted() * kMostReduceWidth) * part_bytes(call.inputs[0].dtype));
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 1 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "reduce has one operand and one result"};
      const TensorView &in = call.inputs[0], &out = call.outputs[0];
      if (!is_plain(in) || !is_plain(out) || !reduced_suffix(in.dtype) || in.dtype != out.dtype)
        return {Code::kMalformedPlan, "reduce takes plain floats or integers of 32 or 64 bits"};
      if (!is_float(in.dtype) && !is_exact(kind_)) return {Code::kMalformedPlan, "integers have no such reduction"};
      std::vector<bool> gone(static_cast<size_t>(in.rank), false);
      for (int64_t axis : axes_) {
        if (axis < 0 || axis >= in.rank) return {Code::kShapeMismatch, "reduce has no such axis"};
        gone[static_cast<size_t>(axis)] = true;
      }
      room_ = static_cast<int64_t>(call.workspace_size) / part_bytes(in.dtype);
      return plan(in, out, gone);
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    for (const Part& p : parts_) {
      const void* x = static_cast<const uint8_t*>(call.inputs[0].data) + p.from;
      void* y = static_cast<uint8_t*>(call.outputs[0].data) + p.to;
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, p.launch, p.arguments, x, y));
    }
    for (const SharedPart& p : shared_parts_) {
      const void* x = static_cast<const uint8_t*>(call.inputs[0].data) + p.from;
      void* y = static_cast<uint8_t*>(call.outputs[0].data) + p.to;
      if (call.workspace_size < p.bytes) return {Code::kMalformedPlan, "the workspace of a reduction is too small"};
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, p.parts, p.arguments, x, call.workspace));
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, p.finish, p.arguments, call.workspace, y));
    }
    return kOkStatus;
  }

 private:
  struct Part {
    Launch launch;
    ReduceArguments arguments;
    int64_t from, to;  // bytes
  };
  // Blocks share the terms of its results.
  struct SharedPart {
    Launch parts, finish;
    ReducePartsArguments arguments;
    int64_t from, to;  // bytes
    size_t bytes;      // of the workspace
  };

  int64_t blocks_wanted() const { return kBlocksPerUnit * gpu_.chip().multiprocessors; }

  Status plan(const TensorView& in, const TensorView& out, const std::vector<bool>& gone) {
    Loop kept{{}, {{}, {}}}, reduced{{}, {{}}};
    int result_axis = 0;
    const bool keeps_axes = out.rank == in.rank;
    for (int i = 0; i < in.rank; ++i) {
      if (gone[static_cast<size_t>(i)]) {
        if (keeps_axes && out.dims[result_axis++] != 1)
          return {Code::kShapeMismatch, "the result of reduce has another size"};
        reduced.dims.push_back(in.dims[i]);
        reduced.strides[0].push_back(in.strides[i]);
        continue;
      }
      if (result_axis >= out.rank || out.dims[result_axis] != in.dims[i])
        return {Code::kShapeMismatch, "the result of reduce has another size"};
      kept.dims.push_back(in.dims[i]);
      kept.strides[0].push_back(out.strides[result_axis++]);
      kept.strides[1].push_back(in.strides[i]);
    }
    if (result_axis != out.rank) return {Code::kShapeMismatch, "the result of reduce has another size"};
    const Loop inner = merged(reduced);
    if (inner.dims.size() > kMaxAxes || inner.count() > INT32_MAX)
      return {Code::kUnsupported, "reduce takes together too many axes or elements"};
    parts_.clear();
    shared_parts_.clear();
    for (const LoopPart& part : kernels::parts(merged(kept)))
      if (!add_shared_part(part, inner, in.dtype)) add_part(part, inner, in.dtype);
    return kOkStatus;
  }

  // False where results are many, or terms few.
  bool add_shared_part(const LoopPart& part, const Loop& inner, DType type) {
    const int64_t results = part.loop.count(), terms = inner.count();
    if (results == 0) return false;
    const bool adjacent = !part.loop.dims.empty() && part.loop.strides[1].back() == 1;
    const int64_t width = adjacent ? std::min<int64_t>(part.loop.dims.back(), kMostReduceWidth) : 1;
    const int64_t tiles = ceil_div(results, width), least = kPartElements / width;
    const int64_t parts = std::min({blocks_wanted() / tiles, terms / least, room_ / results});
    if (parts < 2 || terms < 4 * least) return false;
    SharedPart p{{}, {}, {}, part.starts[1] * element_bytes(type), part.starts[0] * element_bytes(type), 0};
    // Whole words of 16 bytes, so that all parts are aligned where the first is.
    const int64_t chunk = align_up(ceil_div(terms, parts), 16);
    const auto count = static_cast<uint32_t>(ceil_div(terms, chunk));
    p.arguments.reduce = {kind_, walk_of<2>(part.loop), walk_of<1>(inner), static_cast<double>(terms)};
    p.arguments.parts = FastDivisor::of(count);
    p.arguments.chunk = static_cast<uint32_t>(chunk);
    p.arguments.width = static_cast<uint32_t>(width);
    p.arguments.step = inner.dims.size() == 1 ? inner.strides[0][0] : 0;
    p.bytes = static_cast<size_t>(results * count * part_bytes(type));
    p.parts.function = gpu_.function("reduce", std::string("reduce_parts") + reduced_suffix(type));
    p.finish.function = gpu_.function("reduce", std::string("reduce_finish") + reduced_suffix(type));
    p.parts.threads = p.finish.threads = kReduceThreads;
    p.parts.grid[0] = static_cast<unsigned>(tiles * count);
    p.finish.grid[0] = static_cast<unsigned>(tiles);
    shared_parts_.push_back(p);
    return true;
  }

  void add_part(const LoopPart& part, const Loop& inner, DType type) {
    Part p{{}, {kind_, walk_of<2>(part.loop), walk_of<1>(inner), static_cast<double>(inner.count())}, 0, 0};
    p.to = part.starts[0] * element_bytes(type);
    p.from = part.starts[1] * element_bytes(type);
    const int64_t results = part.loop.count(), row = inner.count();
    const bool adjacent = !part.loop.dims.empty() && part.loop.strides[1].back() == 1 && part.loop.dims.back() >= 32;
    const char* way = "blocks";
    int64_t per_block = 1;
    if (adjacent && results >= kFewResults) way = "columns", per_block = kReduceThreads;
    else if (adjacent) way = "shared_columns", per_block = 32;
    else if (row < kLongRow) way = "warps", per_block = kReduceThreads / 32;
    p.launch.function = gpu_.function("reduce", "reduce_" + std::string(way) + reduced_suffix(type));
    p.launch.threads = kReduceThreads;
    p.launch.grid[0] = blocks_for(results, per_block);
    parts_.push_back(p);
  }

  Gpu& gpu_;
  Ints axes_;
  ReduceKind kind_;
  std::vector<Part> parts_;
  std::vector<SharedPart> shared_parts_;
  int64_t room_ = 0;  // parts of results that the workspace holds
};

}  // namespace

std::unique_ptr<Kernel> make_reduce(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Reduce>(gpu, read_parameters<ReduceParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
