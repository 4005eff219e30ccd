// Kernel "product_plain": products of matrices of int32, uint32, int64, uint64 or float64, with batches that broadcast.
#include "backends/cuda/device/cu/product_plain.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kMostLayers = 65535;  // of a grid along y and z

// Integers of either sign have the same low bits.
const char* plain_suffix(DType type) {
  switch (type) {
    case DType::kI32:
    case DType::kU32: return "_u32";
    case DType::kI64:
    case DType::kU64: return "_u64";
    case DType::kF64: return "_f64";
    default: return nullptr;
  }
}

class PlainProduct final : public Kernel {
 public:
  PlainProduct(Gpu& gpu, const ProductPlainParameters& p)
      : gpu_(gpu), transpose_a_(p.transpose_a), transpose_b_(p.transpose_b) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 2 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "a product has two operands"};
      const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
      const char* suffix = plain_suffix(a.dtype);
      for (const TensorView* v : {&a, &b, &y})
        if (!suffix || v->dtype != a.dtype || !is_plain(*v) || v->rank < 2)
          return {Code::kMalformedPlan, "the operands of a product are matrices of one type that it knows"};
      if (y.strides[y.rank - 1] != 1 && y.dims[y.rank - 1] != 1)
        return {Code::kMalformedPlan, "the columns of a product are not adjacent"};
      KILN_RETURN_IF_ERROR(read(a, b, y));
      launch_ = {gpu_.function("product_plain", "product_plain" + std::string(suffix))};
      launch_.threads = kPlainTile * kPlainTile;
      const int64_t row_tiles = ceil_div(int64_t{arguments_.rows}, kPlainTile);
      if (row_tiles > kMostLayers) return {Code::kUnsupported, "a product has too many rows"};
      launch_.grid = {blocks_for(arguments_.columns, kPlainTile), static_cast<unsigned>(row_tiles),
                      static_cast<unsigned>(std::min<int64_t>(arguments_.matrices, kMostLayers))};
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const void *a = call.inputs[0].data, *b = call.inputs[1].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, a, b, y);
  }

 private:
  struct Axes {
    int64_t rows, columns, row, column;  // sizes, and elements between neighbours
  };
  static Axes axes_of(const TensorView& v, bool transposed) {
    const int r = v.rank - 2, c = v.rank - 1;
    if (transposed) return {v.dims[c], v.dims[r], v.strides[c], v.strides[r]};
    return {v.dims[r], v.dims[c], v.strides[r], v.strides[c]};
  }

  Status read(const TensorView& a, const TensorView& b, const TensorView& y) {
    const Axes left = axes_of(a, transpose_a_), right = axes_of(b, transpose_b_), result = axes_of(y, false);
    if (left.rows != result.rows || right.columns != result.columns || left.columns != right.rows || a.rank > y.rank ||
        b.rank > y.rank)
      return {Code::kShapeMismatch, "the operands of a product do not fit each other"};
    for (int64_t n : {left.rows, left.columns, right.columns})
      if (n > INT32_MAX) return {Code::kUnsupported, "a product has too many rows, columns or terms"};
    const auto rank = static_cast<size_t>(y.rank - 2);
    Loop loop{Dims(y.dims, y.dims + rank), {Dims(y.strides, y.strides + rank)}};
    for (const TensorView* v : {&a, &b}) {
      for (int i = 0; i < v->rank - 2; ++i)
        if (v->dims[i] != 1 && v->dims[i] != y.dims[y.rank - v->rank + i])
          return {Code::kShapeMismatch, "the batches of a product do not fit each other"};
      loop.strides.push_back(broadcast_strides(v->rank - 2, v->dims, v->strides, rank));
    }
    const Loop batch = merged(loop);
    if (batch.dims.size() > kMaxAxes || batch.count() > INT32_MAX)
      return {Code::kUnsupported, "a product has too many matrices"};
    arguments_ = {
        narrow(left.rows), narrow(right.columns), narrow(left.columns), narrow(batch.count()), left.row, left.column,
        right.row,         right.column,          result.row,           walk_of<3>(batch)};
    return kOkStatus;
  }

  Gpu& gpu_;
  bool transpose_a_, transpose_b_;
  PlainProductArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_product_plain(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<PlainProduct>(gpu, read_parameters<ProductPlainParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
