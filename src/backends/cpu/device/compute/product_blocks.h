// Matrix products with weights of 2, 4 or 8 bits in blocks along the inner axis, unpacked in registers.
#pragma once
#include <algorithm>
#include <cstdint>

namespace kiln::cpu {

// What codes stand for: integers, or float4 and float8 (sign, bits of the exponent, bits of the mantissa), which are finite and have no zero
// points. Kernels make the number divided by code_scale() of them, by which scales are multiplied instead. Stored in engine files: append only.
enum class BlockCode : uint8_t { kInteger, kE2M1, kE4M3, kE5M2 };
inline float code_scale(BlockCode code) {
  return code == BlockCode::kE2M1 ? 0x1p-1f : code == BlockCode::kE4M3 ? 0x1p8f : 1.0f;
}

// Codes without sign in words of 32 bits, whole words for each block: by group of kGroup columns, word and column. A weight is
// (code - zero) * scale; scales and zero points lie by group, block and column, padded as columns are.
struct BlockWeights {
  static constexpr int64_t kPanel = 16, kGroup = 64;
  int64_t terms = 0, columns = 0, block = 1, bits = 4;
  BlockCode code = BlockCode::kInteger;
  int64_t codes() const { return 32 / bits; }  // in a word
  int64_t blocks() const { return (terms + block - 1) / block; }
  int64_t block_terms(int64_t b) const { return std::min(block, terms - b * block); }
  int64_t block_words(int64_t b) const { return (block_terms(b) + codes() - 1) / codes(); }
  int64_t words() const { return blocks() == 0 ? 0 : (blocks() - 1) * block_words(0) + block_words(blocks() - 1); }
  int64_t padded_columns() const { return (columns + kPanel - 1) / kPanel * kPanel; }
  // Where the scale and the zero point of a block of a column lie.
  int64_t parameter(int64_t block, int64_t column) const {
    const int64_t group = column / kGroup * kGroup;
    return group * blocks() + block * std::min(kGroup, padded_columns() - group) + column - group;
  }
};

// code(term, column), below 2^bits. `packed` holds words() * padded_columns().
template <class Code> void pack_blocks(const BlockWeights& w, const Code& code, int32_t* packed) {
  for (int64_t group = 0; group < w.columns; group += BlockWeights::kGroup)
    for (int64_t b = 0; b < w.blocks(); ++b)
      for (int64_t word = 0; word < w.block_words(b); ++word)
        for (int64_t j = group; j < std::min(group + BlockWeights::kGroup, w.padded_columns()); ++j) {
          uint32_t bits = 0;
          for (int64_t i = 0; i < w.codes() && word * w.codes() + i < w.block_terms(b) && j < w.columns; ++i)
            bits |= static_cast<uint32_t>(code(b * w.block + word * w.codes() + i, j)) << (i * w.bits);
          *packed++ = static_cast<int32_t>(bits);
        }
}

struct BlockProduct {
  BlockWeights weights;
  int64_t rows = 0;
  const float* a = nullptr;
  int64_t a_stride = 0;  // elements between rows
  const int32_t* packed = nullptr;
  const float *scales = nullptr, *zeros = nullptr;  // no zero points: all are 2^(bits - 1), of integers
  float* out = nullptr;
  int64_t out_stride = 0;
};

// Floats of scratch; no more than 16 for each row and block, and one for each term.
int64_t block_product_scratch(const BlockWeights& w, int64_t rows) noexcept;
void product_blocks(const BlockProduct& product, int threads, float* scratch) noexcept;

}  // namespace kiln::cpu
