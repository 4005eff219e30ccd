// Kernel "product_int8": products of as many matrices of bytes as of signed ones, or of unsigned ones less 128, on tensor cores of compute
// capability 8.0 and later, exact in int32, and the steps behind them. Inputs: a [..., m, k], b [..., k, n], then what SumCall has.
#include "backends/cuda/device/cu/product_int8.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/kernels/sum_call.h"

namespace kiln::cuda::kernels {
namespace {

class ProductInt8 final : public DenseKernel {
 public:
  ProductInt8(Gpu& gpu, const ByteSums& p) : DenseKernel(gpu), sums_(p, 2) {
    if (!gpu.chip().has_cp_async()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 8.0");
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() < 2 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product of bytes has two operands and those of its steps"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
    if (!is_byte(a) || !is_byte(b) || a.rank < 2 || a.rank != b.rank || a.rank != y.rank)
      return {Code::kMalformedPlan, "the operands of a product of bytes are not as many matrices of bytes"};
    const int row = a.rank - 2, column = a.rank - 1;
    if (!std::equal(a.dims, a.dims + row, b.dims) || !std::equal(a.dims, a.dims + row, y.dims) ||
        a.dims[row] != y.dims[row] || a.dims[column] != b.dims[row] || b.dims[column] != y.dims[column])
      return {Code::kShapeMismatch, "the operands of a product of bytes do not fit each other"};
    for (int64_t n : {a.dims[row], a.dims[column], b.dims[column]})
      if (n > INT32_MAX) return {Code::kUnsupported, "a product has too many rows, columns or terms"};
    const auto rows = rows_as_image(y);
    if (!rows) return {Code::kUnsupported, "a product of bytes has too many rows"};
    KILN_RETURN_IF_ERROR(sums_.prepare(call, *rows, y.dims[column], rows_as_image));
    if (call.inputs[4].present()) return {Code::kMalformedPlan, "the kernel takes a zero point that is a parameter"};
    ProductInt8Arguments& p = arguments_;
    p = {};
    p.rows = narrow(a.dims[row]);
    p.terms = narrow(a.dims[column]);
    p.columns = narrow(b.dims[column]);
    p.flip = b.dtype == DType::kU8 ? 0x80808080u : 0;
    const int64_t across = ceil_div(int64_t{p.columns}, kBytePairTile),
                  tiles = mul_or_throw(across, ceil_div(int64_t{p.rows}, kBytePairTile), "a product");
    p.column_tiles = divisor(across);
    p.tiles = divisor(std::min<int64_t>(tiles, INT32_MAX));
    launch_ = {gpu_.function("product_int8", a.dtype == DType::kI8 ? "product_int8_i8" : "product_int8_u8")};
    launch_.threads = kBytePairThreads;
    launch_.grid[0] = blocks_for(mul_or_throw(tiles, extent(y, 0, row), "a product"), 1);
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    ProductInt8Arguments& p = arguments_;
    p.a = pointer_of<const uint8_t>(call.inputs[0]);
    p.b = pointer_of<const uint8_t>(call.inputs[1]);
    p.y = call.outputs[0].data;
    p.sums = sums_.arguments(call);
    p.a_in_words = p.terms % kPiece == 0 && is_aligned(p.a, kPiece);
    p.b_in_words = p.columns % 4 == 0 && is_aligned(p.b, 4);
    return gpu_.launch(stream, launch_, arguments_);
  }

  SumCall sums_;
  ProductInt8Arguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_product_int8(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ProductInt8>(gpu, read_parameters<ByteSums>(parameters));
}

}  // namespace kiln::cuda::kernels
