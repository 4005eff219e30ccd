// Tactic: products with weights of few bits in blocks.
#include "backends/cpu/device/compute/product_blocks.h"

#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/epilogue.h"

namespace kiln::cpu::tactics {
namespace {

BlockWeights block_weights(const Problem& p) {
  const Tensor& b = *p.input(1).constant;
  return {b.dims()[0], b.dims()[1], std::min(p.attributes().integer("block_size"), b.dims()[0]), bits(b.dtype())};
}

// What signed codes are less than those without sign.
int64_t code_shift(const Tensor& b) { return is_signed_integer(b.dtype()) ? int64_t{1} << (bits(b.dtype()) - 1) : 0; }

// Numbers [blocks, columns] as the kernel has them, 0 where there are none, plus `shift`.
Tensor by_group(const BlockWeights& w, const Tensor* numbers, double shift) {
  return packed_floats(w.blocks() * w.padded_columns(), [&](float* to) {
    std::fill_n(to, w.blocks() * w.padded_columns(), 0.0f);
    for (int64_t b = 0; b < w.blocks(); ++b)
      for (int64_t j = 0; j < w.columns; ++j)
        to[w.parameter(b, j)] = static_cast<float>((numbers ? numbers->at(b * w.columns + j) : 0) + shift);
  });
}

// Whether all codes are counted from the middle of those without sign.
bool counts_from_middle(const Tensor& codes, const Tensor* zeros) {
  const int64_t middle = (int64_t{1} << (bits(codes.dtype()) - 1)) - code_shift(codes);
  if (!zeros) return middle == 0;
  for (int64_t i = 0; i < zeros->size(); ++i)
    if (zeros->int_at(i) != middle) return false;
  return true;
}

}  // namespace

const Tactic gemm_blocks{
    .name = "gemm_blocks",
    .version = 2,
    .ops = {"MatMulDequantized"},
    .accepts = [](const Problem& p) -> Refusal {
      if (!p.post().empty()) return refuse("it has post-operations");
      if (p.input(0).dtype != DType::kF32) return refuse("elements of type " + std::string(name(p.input(0).dtype)));
      if (!p.input(0).layout.is_row_major() || !p.outputs[0].layout.is_row_major())
        return refuse("an operand is not row-major");
      for (int i = 1; i < p.node->base_input_count(); ++i)
        if (p.input(i).present && !p.input(i).constant) return refuse("a parameter is not constant");
      return p.input(1).constant->size() > 0 ? accept() : refuse("there are no weights");
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const BlockWeights w = block_weights(p);
          const Tensor& b = *p.input(1).constant;
          const int64_t shift = code_shift(b);
          Emitted e = emit_kernel(
              "gemm_blocks",
              kernels::GemmBlocksParameters{.k = w.terms, .n = w.columns, .block = w.block, .bits = w.bits}, {0});
          Tensor packed = Tensor::allocate(DType::kI32, {w.words() * w.padded_columns()});
          pack_blocks(
              w, [&](int64_t t, int64_t j) { return b.int_at(t * w.columns + j) + shift; },
              packed.as_mutable<int32_t>().data());
          e.inputs.push_back(add_constant(e, std::move(packed)));
          e.inputs.push_back(add_constant(e, by_group(w, p.input(2).constant, 0)));
          if (!counts_from_middle(b, p.input(3).constant))
            e.inputs.push_back(add_constant(e, by_group(w, p.input(3).constant, static_cast<double>(shift))));
          return e;
        },
};

}  // namespace kiln::cpu::tactics
