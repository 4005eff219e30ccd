// Parameters of the matrix products.
#pragma once
#include "backends/cpu/device/compute/product_blocks.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/sum_steps.h"

namespace kiln::cpu::kernels {

inline constexpr int64_t kMostColumns = int64_t{1} << 40;

struct GemmPackedParameters {
  int64_t n = 0;
  bool columns = true;  // the result has an axis of columns: b is a matrix
  BlockParameters blocks = {};
  EpilogueParameters epilogue = {};
  template <class V> void fields(V& v) {
    v("n", n, 0, kMostColumns);
    v("columns", columns);
    v(blocks);
    v(epilogue);
  }
  void check() const;  // that a vector has one column
};

struct GemmBatchedParameters {
  bool vector_a = false, vector_b = false, transpose_b = false;
  BlockParameters blocks = {};
  EpilogueParameters epilogue = {};
  template <class V> void fields(V& v) {
    v("vector_a", vector_a);
    v("vector_b", vector_b);
    v("transpose_b", transpose_b);
    v(blocks);
    v(epilogue);
  }
};

struct GemmBlocksParameters {
  static constexpr int64_t kMost = int64_t{1} << 31;
  int64_t k = 1, n = 1, block = 1, bits = 4;
  std::optional<BlockCode> code = {};  // integers where there is none
  template <class V> void fields(V& v) {
    v("k", k, 1, kMost);
    v("n", n, 1, kMost);
    v("block", block, 1, kMost);
    v("bits", bits, 2, 8);
    v("code", code, static_cast<int>(BlockCode::kE5M2) + 1);
  }
  void check() const;  // that the bits are 2, 4 or 8, and as many as the codes have
};

struct GemmBfloat16Parameters {
  int64_t n = 0;
  std::optional<bool> tiles = {};  // the processor's unit for tiles multiplies
  SumFields sums = {};
  template <class V> void fields(V& v) {
    v("n", n, 0, kMostColumns);
    v("tiles", tiles);
    v(sums);
  }
};

struct GemmInt16Parameters {
  int64_t n = 0;
  SumFields sums = {};
  template <class V> void fields(V& v) {
    v("n", n, 0, kMostColumns);
    v(sums);
  }
};

struct GemmInt8Parameters {
  int64_t n = 0;
  int64_t parts = 1;               // the weights are the sum of so many, packed below one another
  std::optional<bool> tiles = {};  // the processor's unit for tiles multiplies
  SumFields sums = {};
  template <class V> void fields(V& v) {
    v("n", n, 0, kMostColumns);
    v("parts", parts, 1, 3);
    v("tiles", tiles);
    v(sums);
  }
};

struct GemmInt8BatchedParameters {
  int32_t a_zero = 0;
  std::optional<bool> tiles = {};  // the processor's unit for tiles multiplies
  SumFields sums = {};
  template <class V> void fields(V& v) {
    v("a_zero", a_zero, -128, 255);
    v("tiles", tiles);
    v(sums);
  }
};

}  // namespace kiln::cpu::kernels
