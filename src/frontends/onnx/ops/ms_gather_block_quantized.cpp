// com.microsoft GatherBlockQuantized: slices of a table of integers in blocks, dequantized. Integers in bytes (uint8 data) are packed
// along the last axis, each row beginning a byte, and their zero points likewise; without zero points they are counted from the middle.
#include "base/checked.h"
#include "frontends/onnx/ops/ops.h"
#include "frontends/onnx/ops/packed_codes.h"

namespace kiln::onnx::ops {
namespace {

DType code_type(int64_t bits) { return bits == 2 ? DType::kU2 : bits == 4 ? DType::kU4 : DType::kU8; }

// The integers of a list of bytes; `last` of them in a row.
Tensor unpacked_rows(const NodeImport& n, int input, int64_t bits, int64_t last) {
  const ir::Value* v = n.in(input);
  if (!v->constant()) n.unsupported("packed integers are not constant", "store '" + v->name() + "' in the model");
  const Tensor& t = *v->constant();
  if (t.dtype() != DType::kU8 || t.rank() == 0 || t.dims().back() != ceil_div(last * bits, 8))
    n.invalid("'" + v->name() + "' is " + t.type_string() + ", not rows of " + std::to_string(last) + " integers of " +
              std::to_string(bits) + " bits in uint8");
  Dims dims = t.dims();
  dims.back() = last;
  if (last * bits % 8 == 0) return Tensor::borrow(code_type(bits), dims, t.data(), std::make_shared<const Tensor>(t));
  Tensor codes = Tensor::allocate(code_type(bits), dims);
  const auto* bytes = static_cast<const uint8_t*>(t.data());
  for (int64_t i = 0; i < codes.size(); ++i)
    codes.set_int(i, packed_code(bytes + i / last * t.dims().back(), i % last, bits));
  return codes;
}

void import_gather_block_quantized(NodeImport& n) {
  const int64_t bits = n.integer("bits", 4), block = n.integer("block_size", 128);
  if (bits != 2 && bits != 4 && bits != 8) n.unsupported("a table of integers of " + std::to_string(bits) + " bits");
  if (block < 1) n.invalid("block_size is " + std::to_string(block));
  std::vector<ir::Value*> table{n.in(0), n.in(2)};
  if (n.optional(3)) table.push_back(n.in(3));
  if (n.dtype() == DType::kU8) {
    const int64_t rank = n.rank();
    if (rank < 1 || n.rank(2) != rank || !is_static(n.in(0)->shape()) || !is_static(n.in(2)->shape()))
      n.invalid("the scales have another rank than the table, or no size");
    const int64_t width = n.in(0)->shape().back().value(), blocks = n.in(2)->shape().back().value();
    if (width > INT64_MAX / 8 || blocks > INT64_MAX / 8) n.invalid("the table is too wide");
    table[0] = n.constant(unpacked_rows(n, 0, bits, width * 8 / bits));
    if (n.optional(3)) table[2] = n.constant(unpacked_rows(n, 3, bits, blocks));
    else table.push_back(n.scalar(code_type(bits), static_cast<double>(int64_t{1} << (bits - 1))));
  }
  n.emit("Gather",
         {n.add("DequantizeLinear", std::move(table), {{"axis", n.integer("quantize_axis", 1)}, {"block_size", block}}),
          n.in(1)},
         {{"axis", n.integer("gather_axis", 0)}});
}

}  // namespace

const OnnxOp ms_gather_block_quantized{"com.microsoft.GatherBlockQuantized", {{1, import_gather_block_quantized}}};

}  // namespace kiln::onnx::ops
