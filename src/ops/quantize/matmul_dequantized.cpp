// MatMulDequantized: MatMul of a and (b - zero_point) * scale, where b is a matrix of integers or of float4 or float8 [k, n] with a scale and a zero point for
// each block of `block_size` elements along k and each column: [blocks, n]. The last block may be shorter. Computed in float32. Kiln's
// own; made of MatMul and DequantizeLinear.
#include "base/error.h"
#include "base/require.h"
#include "ops/quantize/granularity.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kCodes{DType::kI4,     DType::kU4,       DType::kI8,         DType::kU8,
                         DType::kF4E2M1, DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2};

OutputShape dequantized_product_shape(ShapeCall& c) {
  const int64_t block = c.attributes().integer("block_size");
  if (block < 1)
    throw Error(Code::kInvalidArgument, "MatMulDequantized has blocks of " + std::to_string(block) + " elements");
  require(c.rank("a") >= 2 && c.rank("b") == 2, Code::kShapeMismatch,
          "MatMulDequantized multiplies matrices by one matrix");
  const Dim k = c.dims("b")[0], n = c.dims("b")[1];
  for (const char* parameter : {"scale", "zero_point"}) {
    if (!c.present(parameter)) continue;
    const Shape& dims = c.dims(parameter);
    const bool known = k.is_constant() && n.is_constant() && is_static(dims);
    if (dims.size() != 2 ||
        (known && !(dims[0] == Dim(k.value() == 0 ? 0 : (k.value() - 1) / block + 1) && dims[1] == n)))
      throw Error(Code::kShapeMismatch, std::string(parameter) + " " + to_string(dims) + " of MatMulDequantized")
          .cause("b is " + to_string(c.dims("b")) + " in blocks of " + std::to_string(block));
  }
  Shape y = c.dims("a");
  if (y.back().is_constant() && k.is_constant() && !(y.back() == k))
    throw Error(Code::kShapeMismatch,
                "MatMulDequantized of " + to_string(c.dims("a")) + " and " + to_string(c.dims("b")));
  y.back() = n;
  return y;
}

}  // namespace

const OpDef matmul_dequantized =
    op("MatMulDequantized")
        .input("a", {DType::kF32, DType::kF16, DType::kBF16})
        .input("b", kCodes)
        .input("scale", {DType::kF32})
        .optional_input("zero_point", kCodes, "b")
        .required_attr("block_size", int64_t{0})
        .output("y", same_type("a"))
        .shape(dequantized_product_shape)
        .reference([](RefCall& c) {
          const Tensor& b = c.input("b");
          const int64_t block = c.integer("block_size");
          const auto scales = spread(c.input("scale"), b.dims(), 0, block);
          const auto zeros = c.present("zero_point") ? spread(c.input("zero_point"), b.dims(), 0, block)
                                                     : std::vector<double>(scales.size(), 0);
          Tensor weights = Tensor::allocate(DType::kF32, b.dims());
          for (int64_t i = 0; i < b.size(); ++i) {
            const auto at = static_cast<size_t>(i);
            weights.set(i, static_cast<float>(b.at(i) - zeros[at]) * static_cast<float>(scales[at]));
          }
          const Tensor a = c.input("a").cast(DType::kF32);
          c.output() = evaluate(*find_op("MatMul"), {}, {a, weights}, 1).at(0).tensor.cast(c.input("a").dtype());
        })
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
