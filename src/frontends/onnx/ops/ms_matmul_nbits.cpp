// com.microsoft MatMulNBits: a product with weights of 2, 4 or 8 bits in blocks along the inner axis, each block with a scale and a
// zero point. Constant weights become numbers when the model is read.
#include "base/error.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

struct Blocks {
  int64_t n, k, bits, size;
  int64_t count() const { return (k + size - 1) / size; }
  int64_t bytes() const { return (size * bits + 7) / 8; }  // of a block
};

int64_t packed(const uint8_t* bytes, int64_t index, int64_t bits) {
  const int64_t at = index * bits;
  return (bytes[at / 8] >> (at % 8)) & ((1 << bits) - 1);
}

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
        zero =
            static_cast<double>(packed(static_cast<const uint8_t*>(zeros->data()) + column * zero_row, block, b.bits));
      else if (zeros) zero = zeros->at(at);
      for (int64_t i = 0; i < b.size && block * b.size + i < b.k; ++i)
        to[(block * b.size + i) * b.n + column] =
            static_cast<float>((static_cast<double>(packed(bytes + at * b.bytes(), i, b.bits)) - zero) * scale);
    }
  return weights;
}

void import_matmul_nbits(NodeImport& n) {
  const Blocks b{n.integer("N"), n.integer("K"), n.integer("bits", 4), n.integer("block_size")};
  if (b.bits != 2 && b.bits != 4 && b.bits != 8) n.unsupported("weights of " + std::to_string(b.bits) + " bits");
  constexpr int64_t kMost = int64_t{1} << 31;
  if (b.n < 1 || b.k < 1 || b.size < 1 || b.n > kMost || b.k > kMost || b.size > kMost)
    n.invalid("N, K or block_size is out of range");
  if (n.optional(4)) n.unsupported("weights in the order of g_idx", "export without reordered groups");
  ir::Value* weights = n.constant(dequantized_blocks(n, b));
  if (n.dtype() != DType::kF32) weights = n.add("Cast", {weights}, {{"to", std::string(kiln::name(n.dtype()))}});
  if (!n.optional(5)) return n.emit("MatMul", {n.in(0), weights});
  n.emit("Add", {n.add("MatMul", {n.in(0), weights}), n.in(5)});
}

}  // namespace

const OnnxOp ms_matmul_nbits{"com.microsoft.MatMulNBits", {{1, import_matmul_nbits}}};

}  // namespace kiln::onnx::ops
