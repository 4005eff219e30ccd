// Tactic: products with weights of few bits in blocks.
#include "backends/cpu/device/compute/product_blocks.h"

#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/epilogue.h"

namespace kiln::cpu::tactics {
namespace {

BlockCode code_of(DType type) {
  switch (type) {
    case DType::kF4E2M1: return BlockCode::kE2M1;
    case DType::kF8E4M3FN:
    case DType::kF8E4M3FNUZ: return BlockCode::kE4M3;
    case DType::kF8E5M2: return BlockCode::kE5M2;
    default: return BlockCode::kInteger;
  }
}

BlockWeights block_weights(const Problem& p) {
  const Tensor& b = *p.input(1).constant;
  return {b.dims()[0], b.dims()[1], std::min(p.attributes().integer("block_size"), b.dims()[0]), bits(b.dtype()),
          code_of(b.dtype())};
}

// The bits of element `i`.
int64_t bits_of(const Tensor& codes, int64_t i) {
  const auto* bytes = static_cast<const uint8_t*>(codes.data());
  return bits(codes.dtype()) == 8 ? bytes[i] : bytes[i / 2] >> (i % 2 * 4) & 15;
}

// What scales are multiplied by: exponents of float8_e4m3fnuz stand for half as much as those of float8_e4m3fn.
float scale_factor(DType type) { return code_scale(code_of(type)) * (type == DType::kF8E4M3FNUZ ? 0.5f : 1.0f); }

// What signed codes are less than those without sign.
int64_t code_shift(const Tensor& b) { return is_signed_integer(b.dtype()) ? int64_t{1} << (bits(b.dtype()) - 1) : 0; }

// Numbers [blocks, columns] as the kernel has them, 0 where there are none, times `factor` plus `shift`.
Tensor by_group(const BlockWeights& w, const Tensor* numbers, double shift, double factor = 1) {
  return packed_floats(w.blocks() * w.padded_columns(), [&](float* to) {
    std::fill_n(to, w.blocks() * w.padded_columns(), 0.0f);
    for (int64_t b = 0; b < w.blocks(); ++b)
      for (int64_t j = 0; j < w.columns; ++j)
        to[w.parameter(b, j)] = static_cast<float>((numbers ? numbers->at(b * w.columns + j) * factor : 0) + shift);
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
      const DType type = p.input(1).dtype;
      if (!is_integer(type) && code_of(type) == BlockCode::kInteger)
        return refuse("weights of type " + std::string(name(type)));
      if (!is_integer(type) && p.input(3).present) return refuse("weights of small floats with zero points");
      return p.input(1).constant->size() > 0 ? accept() : refuse("there are no weights");
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const BlockWeights w = block_weights(p);
          const Tensor& b = *p.input(1).constant;
          const int64_t shift = code_shift(b);
          const bool integers = w.code == BlockCode::kInteger;
          Emitted e = emit_kernel("gemm_blocks",
                                  kernels::GemmBlocksParameters{
                                      .k = w.terms,
                                      .n = w.columns,
                                      .block = w.block,
                                      .bits = w.bits,
                                      .code = integers ? std::nullopt : std::optional(w.code),
                                  },
                                  {0});
          Tensor packed = Tensor::allocate(DType::kI32, {w.words() * w.padded_columns()});
          pack_blocks(
              w,
              [&](int64_t t, int64_t j) {
                const int64_t i = t * w.columns + j;
                return integers ? b.int_at(i) + shift : bits_of(b, i);
              },
              packed.as_mutable<int32_t>().data());
          e.inputs.push_back(add_constant(e, std::move(packed)));
          e.inputs.push_back(add_constant(e, by_group(w, p.input(2).constant, 0, scale_factor(b.dtype()))));
          if (integers && !counts_from_middle(b, p.input(3).constant))
            e.inputs.push_back(add_constant(e, by_group(w, p.input(3).constant, static_cast<double>(shift))));
          return e;
        },
};

}  // namespace kiln::cpu::tactics
