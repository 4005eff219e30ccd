// com.microsoft MatMulNBits: a product with weights of 2, 4 or 8 bits in blocks along the inner axis, each block with a scale and a
// zero point. Constant weights of 4 and 8 bits become dequantized integers, others numbers when the model is read.
#include "base/error.h"
#include "frontends/onnx/ops/ops.h"
#include "frontends/onnx/ops/packed_codes.h"

namespace kiln::onnx::ops {
namespace {

struct Blocks {
  int64_t n, k, bits, size;
  int64_t count() const { return (k + size - 1) / size; }
  int64_t bytes() const { return (size * bits + 7) / 8; }  // of a block
};

const Tensor& constant_of(const NodeImport& n, int input, const char* what) {
  if (!n.in(input)->constant()) n.unsupported(std::string(what) + " are not constant", "store them in the model");
  return *n.in(input)->constant();
}

void require_size(const NodeImport& n, const Tensor& t, int64_t least, const char* what) {
  if (t.size() < least)
    n.invalid(std::string(what) + " " + t.type_string() + " hold fewer than " + std::to_string(least) + " elements");
}

// The weights as [k, n].
Tensor dequantized_blocks(const NodeImport& n, const Blocks& b) {
  const Tensor &codes = constant_of(n, 1, "the weights"), &scales = constant_of(n, 2, "the scales");
  const Tensor* zeros = n.optional(3) ? &constant_of(n, 3, "the zero points") : nullptr;
  if (codes.dtype() != DType::kU8) n.unsupported("weights of type " + codes.type_string());
  require_size(n, codes, b.n * b.count() * b.bytes(), "the weights");
  require_size(n, scales, b.n * b.count(), "the scales");
  const bool packed_zeros = zeros && zeros->dtype() == DType::kU8;
  const int64_t zero_row = (b.count() * b.bits + 7) / 8;  // bytes of the zero points of one column
  if (zeros) require_size(n, *zeros, packed_zeros ? b.n * zero_row : b.n * b.count(), "the zero points");
  Tensor weights = Tensor::allocate(DType::kF32, {b.k, b.n});
  float* to = weights.as_mutable<float>().data();
  const auto* bytes = static_cast<const uint8_t*>(codes.data());
  for (int64_t column = 0; column < b.n; ++column)
    for (int64_t block = 0; block < b.count(); ++block) {
      const int64_t at = column * b.count() + block;
      const double scale = scales.at(at);
      double zero = static_cast<double>(int64_t{1} << (b.bits - 1));
      if (packed_zeros)
        zero = static_cast<double>(
            packed_code(static_cast<const uint8_t*>(zeros->data()) + column * zero_row, block, b.bits));
      else if (zeros) zero = zeros->at(at);
      for (int64_t i = 0; i < b.size && block * b.size + i < b.k; ++i)
        to[(block * b.size + i) * b.n + column] =
            static_cast<float>((static_cast<double>(packed_code(bytes + at * b.bytes(), i, b.bits)) - zero) * scale);
    }
  return weights;
}

// Integers of 4 or 8 bits, [k, n], from a list that holds them one after another for each column, each column beginning a byte.
Tensor unpacked(const uint8_t* bytes, int64_t column_bytes, int64_t bits, int64_t k, int64_t n) {
  Tensor codes = Tensor::allocate(bits == 4 ? DType::kU4 : DType::kU8, {k, n});
  for (int64_t column = 0; column < n; ++column)
    for (int64_t i = 0; i < k; ++i) codes.set_int(i * n + column, packed_code(bytes + column * column_bytes, i, bits));
  return codes;
}

// The weights dequantized by their blocks, when the integers hold what they are.
ir::Value* dequantized_codes(NodeImport& n, const Blocks& b) {
  const Tensor &codes = constant_of(n, 1, "the weights"), &scales = constant_of(n, 2, "the scales");
  const Tensor* zeros = n.optional(3) ? &constant_of(n, 3, "the zero points") : nullptr;
  if (b.bits == 2 || b.size * b.bits % 8 != 0 || (zeros && zeros->dtype() != DType::kU8)) return nullptr;
  if (codes.dtype() != DType::kU8) n.unsupported("weights of type " + codes.type_string());
  const int64_t zero_row = (b.count() * b.bits + 7) / 8;
  require_size(n, codes, b.n * b.count() * b.bytes(), "the weights");
  require_size(n, scales, b.n * b.count(), "the scales");
  if (zeros) require_size(n, *zeros, b.n * zero_row, "the zero points");
  Tensor by_block = Tensor::allocate(DType::kF32, {b.count(), b.n});
  for (int64_t column = 0; column < b.n; ++column)
    for (int64_t block = 0; block < b.count(); ++block)
      by_block.set(block * b.n + column, scales.at(column * b.count() + block));
  Tensor points = Tensor::allocate(b.bits == 4 ? DType::kU4 : DType::kU8, {b.count(), b.n});
  for (int64_t i = 0; i < points.size(); ++i) points.set_int(i, int64_t{1} << (b.bits - 1));
  if (zeros) points = unpacked(static_cast<const uint8_t*>(zeros->data()), zero_row, b.bits, b.count(), b.n);
  return n.add(
      "DequantizeLinear",
      {n.constant(unpacked(static_cast<const uint8_t*>(codes.data()), b.count() * b.bytes(), b.bits, b.k, b.n)),
       n.constant(std::move(by_block)), n.constant(std::move(points))},
      {{"axis", int64_t{0}}, {"block_size", b.size}});
}

void import_matmul_nbits(NodeImport& n) {
  const Blocks b{n.integer("N"), n.integer("K"), n.integer("bits", 4), n.integer("block_size")};
  if (b.bits != 2 && b.bits != 4 && b.bits != 8) n.unsupported("weights of " + std::to_string(b.bits) + " bits");
  constexpr int64_t kMost = int64_t{1} << 31;
  if (b.n < 1 || b.k < 1 || b.size < 1 || b.n > kMost || b.k > kMost || b.size > kMost)
    n.invalid("N, K or block_size is out of range");
  if (n.optional(4)) n.unsupported("weights in the order of g_idx", "export without reordered groups");
  ir::Value *weights = dequantized_codes(n, b), *x = n.in(0);
  if (!weights) weights = n.constant(dequantized_blocks(n, b));
  const Attributes own{{"to", std::string(kiln::name(n.dtype()))}};
  if (n.dtype() == DType::kF32) {
    if (!n.optional(5)) return n.emit("MatMul", {x, weights});
    return n.emit("Add", {n.add("MatMul", {x, weights}), n.in(5)});
  }
  ir::Value* y = n.add("MatMul", {n.add("Cast", {x}, {{"to", std::string("float32")}}), weights});
  if (!n.optional(5)) return n.emit("Cast", {y}, own);
  n.emit("Add", {n.add("Cast", {y}, own), n.in(5)});
}

}  // namespace

const OnnxOp ms_matmul_nbits{"com.microsoft.MatMulNBits", {{1, import_matmul_nbits}}};

}  // namespace kiln::onnx::ops
