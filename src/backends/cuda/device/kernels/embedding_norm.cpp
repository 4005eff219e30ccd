// Kernel "embedding_norm": layer norm of rows of a table, chosen by indices, plus rows of a second table and of a tensor. Inputs: table [k, n],
// int32 or int64 indices, scale, bias, the tensor, the second table and its indices; the last four may be absent. What has fewer rows than
// the result begins again. What an index outside of its table chooses is zero: the host does not wait to see it. Parameters: epsilon.
#include "backends/cuda/device/cu/rows.h"
#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/registry.h"
#include "base/index.h"

namespace kiln::cuda::kernels {
namespace {

enum Input { kTable, kIndices, kScale, kBias, kAdded, kTable2, kIndices2, kInputs };
constexpr int kPartTables[kEmbeddingParts] = {kTable, kTable2, kAdded};
constexpr int kPartIndices[kEmbeddingParts] = {kIndices, kIndices2, -1};

class EmbeddingNorm final : public DenseKernel {
 public:
  EmbeddingNorm(Gpu& gpu, const EmbeddingNormParameters& p) : DenseKernel(gpu) {
    arguments_.norm.epsilon = static_cast<float>(p.epsilon);
    arguments_.norm.subtract_mean = true;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != kInputs || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "embedding_norm has other operands"};
    const TensorView& y = call.outputs[0];
    const char* suffix = float_suffix(y.dtype);
    if (!suffix) return {Code::kMalformedPlan, "embedding_norm is of float32, float16 or bfloat16"};
    if (y.rank == 0) return {Code::kShapeMismatch, "the result of embedding_norm has no axis"};
    RowNormArguments& norm = arguments_.norm;
    norm.n = y.dims[y.rank - 1];
    norm.rows = extent(y, 0, y.rank - 1);
    if (norm.rows > INT32_MAX) return {Code::kUnsupported, "the result of embedding_norm has too many rows"};
    norm.share = 1 / static_cast<float>(norm.n);
    norm.vectors_are_constant = true;
    for (int i : {kScale, kBias}) {
      const TensorView& v = nth(call.inputs, i);
      if (!v.present() && i == kBias) continue;
      if (v.dtype != y.dtype || v.elements() != norm.n)
        return {Code::kShapeMismatch, "scale or bias of embedding_norm has another size or type than a row"};
      norm.vectors_are_constant &= v.host != nullptr;
    }
    for (int part = 0; part < kEmbeddingParts; ++part) KILN_RETURN_IF_ERROR(read_part(call, part));

    any_ = {gpu_.function("rows", "embedding_norm" + std::string(suffix))};
    any_.threads = kRowThreads;
    any_.grid[0] = blocks_for(norm.rows, 1);
    in_words_ = any_;
    if (norm.n * element_bytes(y.dtype) % kWord != 0 || norm.n > kWarpRowElements) return kOkStatus;
    const int64_t warps = norm.rows > 4 * int64_t{gpu_.chip().multiprocessors} ? kRowThreads / 32 : 1;
    in_words_ = {gpu_.function("rows", "embedding_norm_short" + std::string(suffix))};
    in_words_.threads = static_cast<unsigned>(32 * warps);
    in_words_.grid[0] = blocks_for(norm.rows, warps);
    return kOkStatus;
  }

  // A part's rows go evenly into those of the result.
  Status read_part(const KernelCall& call, int part) {
    const RowNormArguments& norm = arguments_.norm;
    EmbeddingRows& rows = arguments_.parts[part];
    const TensorView& table = nth(call.inputs, kPartTables[part]);
    const TensorView* indices = kPartIndices[part] < 0 ? nullptr : &nth(call.inputs, kPartIndices[part]);
    rows = {};
    is_there_[part] = table.present();
    if (part != 0 && !table.present() && (!indices || !indices->present())) return kOkStatus;
    if (!table.present() || table.dtype != call.outputs[0].dtype || table.rank == 0 ||
        table.dims[table.rank - 1] != norm.n)
      return {Code::kShapeMismatch, "a table or summand of embedding_norm has other rows than the result"};
    rows.extent = extent(table, 0, table.rank - 1);
    int64_t count = rows.extent;
    if (indices) {
      if (!indices->present() || (indices->dtype != DType::kI32 && indices->dtype != DType::kI64))
        return {Code::kMalformedPlan, "indices of embedding_norm are absent or no integers of 32 or 64 bits"};
      rows.wide_indices = indices->dtype == DType::kI64;
      count = indices->elements();
    }
    if (norm.rows > 0 && (count == 0 || norm.rows % count != 0))
      return {Code::kShapeMismatch, "rows of a table or summand of embedding_norm do not go into those of the result"};
    rows.count = divisor(count);
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    EmbeddingNormArguments a = arguments_;
    a.norm.scale = call.inputs[kScale].data;
    a.norm.bias = call.inputs[kBias].data;
    void* y = call.outputs[0].data;
    bool aligned = is_aligned(y, kWord) && is_aligned(a.norm.scale, kWord) && is_aligned(a.norm.bias, kWord);
    for (size_t part = 0; part < kEmbeddingParts; ++part) {
      if (!is_there_[part]) continue;
      a.parts[part].table = call.inputs[static_cast<size_t>(kPartTables[part])].data;
      if (kPartIndices[part] >= 0) a.parts[part].indices = call.inputs[static_cast<size_t>(kPartIndices[part])].data;
      aligned = aligned && is_aligned(a.parts[part].table, kWord);
    }
    return gpu_.launch(stream, aligned ? in_words_ : any_, a, y);
  }

  EmbeddingNormArguments arguments_ = {};
  bool is_there_[kEmbeddingParts] = {};
  Launch any_, in_words_;  // the second when operands are aligned
};

}  // namespace

std::unique_ptr<Kernel> make_embedding_norm(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<EmbeddingNorm>(gpu, read_parameters<EmbeddingNormParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
