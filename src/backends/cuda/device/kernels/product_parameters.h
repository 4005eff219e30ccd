// Parameters of the matrix products that are none by tiles of convolutions.
#pragma once
#include "backends/cuda/device/kernels/product_blocks.h"
#include "backends/cuda/device/lt_choices.h"
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
  int64_t proposal = 0;  // of those that the library makes for the shapes
  int64_t library = 0;   // its version: of another version the first proposal is taken
  template <class V> void fields(V& v) {
    v("proposal", proposal, 0, LtChoices::kMostProposals - 1);
    v("library", library, 0);
  }
};
// What a product whose sizes only running tells was chosen for; no rows: its sizes are known.
struct LtBuilt {
  DType type = DType::kInvalid;
  int64_t rows = 0, columns = 0, terms = 0, count = 1;
  bool batches_a = false, batches_b = false;  // the operand has a matrix for each of `count`
  bool bias = false;
  LtShape shape(bool transpose_a, bool transpose_b) const;  // without gaps
  template <class V> void fields(V& v) {
    v("built_type", type, kDTypeCount);
    v("built_rows", rows, 0, INT32_MAX);
    v("built_columns", columns, 0, INT32_MAX);
    v("built_terms", terms, 0, INT32_MAX);
    v("built_count", count, 1, INT32_MAX);
    v("built_batches_a", batches_a);
    v("built_batches_b", batches_b);
    v("built_bias", bias);
  }
};
struct LtParameters {
  bool image = false;  // a and the result are images whose pixels are rows
  bool transpose_a = false, transpose_b = false;
  bool tf32 = false;  // float32 may lose what TF32 lacks
  double alpha = 1;
  EpilogueParameters epilogue = {};
  LtChoice choice = {};
  LtBuilt built = {};
  template <class V> void fields(V& v) {
    v("image", image);
    v("transpose_a", transpose_a);
    v("transpose_b", transpose_b);
    v("tf32", tf32);
    v("alpha", alpha);
    v(epilogue);
    v(choice);
    v(built);
  }
};

}  // namespace kiln::cuda::kernels
