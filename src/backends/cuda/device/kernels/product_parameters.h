// Parameters of the matrix products that are none by tiles of convolutions.
#pragma once
#include "backends/cuda/device/kernels/product_blocks.h"
#include "device/parameters.h"

namespace kiln::cuda::kernels {

struct ProductAnyParameters {
  bool vector_a = false, vector_b = false;  // the operand has no axis m, n
  bool transpose_a = false, transpose_b = false;
  double factor = 1;
  EpilogueParameters epilogue = {};
  template <class V> void fields(V& v) {
    v("vector_a", vector_a);
    v("vector_b", vector_b);
    v("transpose_a", transpose_a);
    v("transpose_b", transpose_b);
    v("factor", factor);
    v(epilogue);
  }
};

struct ProductPlainParameters {
  bool transpose_a = false, transpose_b = false;
  template <class V> void fields(V& v) {
    v("transpose_a", transpose_a);
    v("transpose_b", transpose_b);
  }
};

struct BlocksChoice {
  int64_t tile = 0;  // of kBlocksTiles
  template <class V> void fields(V& v) { v("tile", tile, 0, kBlocksTileCount - 1); }
};
struct ProductBlocksParameters {
  BlockLayout layout = {};
  BlocksChoice choice = {};
  template <class V> void fields(V& v) {
    v(layout);
    v(choice);
  }
};

struct LtChoice {
  static constexpr int64_t kMostProposals = 8;
  int64_t proposal = 0;  // of those that the library makes for the shapes
  int64_t library = 0;   // its version: of another version the first proposal is taken
  template <class V> void fields(V& v) {
    v("proposal", proposal, 0, kMostProposals - 1);
    v("library", library, 0);
  }
};
struct LtParameters {
  bool image = false;  // a and the result are images whose pixels are rows
  bool transpose_a = false, transpose_b = false;
  bool tf32 = false;  // float32 may lose what TF32 lacks
  double alpha = 1;
  EpilogueParameters epilogue = {};
  LtChoice choice = {};
  template <class V> void fields(V& v) {
    v("image", image);
    v("transpose_a", transpose_a);
    v("transpose_b", transpose_b);
    v("tf32", tf32);
    v("alpha", alpha);
    v(epilogue);
    v(choice);
  }
};

}  // namespace kiln::cuda::kernels
