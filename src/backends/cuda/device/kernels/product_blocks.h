// Weights of 4 and 8 bits in blocks as the kernel of their products reads them. The builder packs, the kernel checks sizes.
#pragma once
#include "backends/cuda/device/cu/product_blocks.h"
#include "base/checked.h"
#include "tensor/tensor.h"

namespace kiln::cuda::kernels {

// Codes [terms, columns] without sign, and numbers [blocks, columns]. `block`: terms that share a number.
struct BlockLayout {
  int64_t terms = 0, columns = 0, block = 1;
  int bits = 4;
  template <class V> void fields(V& v) {
    v("k", terms, 1, INT32_MAX);
    v("n", columns, 1, INT32_MAX);
    v("block", block, 1, INT32_MAX);
    v("bits", bits, kBits);
  }
  void check() const;  // that a block has no more terms than there are
  int64_t blocks() const { return ceil_div(terms, block); }
  int64_t units_per_block() const { return ceil_div(block, kBlockUnitTerms); }
  int64_t units() const { return product(blocks(), units_per_block()); }
  int64_t column_tiles() const { return ceil_div(columns, kBlockUnitColumns); }
  int64_t words() const { return product(product(column_tiles(), units()), block_unit_words(bits)); }
  int64_t numbers() const { return product(product(column_tiles(), blocks()), kBlockUnitColumns); }

 private:
  static constexpr int kBits[] = {4, 8};
  static int64_t product(int64_t a, int64_t b) { return mul_or_throw(a, b, "packed weights"); }
};

// int32 [words()]: the integers plus `shift`, which makes them codes without sign.
Tensor pack_block_codes(const BlockLayout& layout, const Tensor& integers, int64_t shift);
// float32 [numbers()], zeros beyond the columns.
Tensor pack_block_scales(const BlockLayout& layout, const Tensor& scales);
// uint8 [numbers()]: the zero points, 0 where there are none, plus `shift`.
Tensor pack_block_zeros(const BlockLayout& layout, const Tensor* zeros, int64_t shift);

}  // namespace kiln::cuda::kernels
