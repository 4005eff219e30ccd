// Parameters of the steps.
#pragma once
#include "backends/onednn/device/window.h"
#include "device/parameters.h"
#include "device/sum_steps.h"

namespace kiln::onednn {

// How packed weights lie; empty: there are none, or they are not packed yet.
struct PackedWeights {
  std::string layout = {};
  template <class V> void fields(V& v) { v("weights", layout); }
};

// What every step has.
struct PrimitiveParameters {
  bool copied = false;  // operands are copied to channels last first
  PackedWeights weights = {};
  template <class V> void fields(V& v) {
    v("copied", copied);
    v(weights);
  }
};

// Of "conv" and "deconv".
struct ConvolutionParameters {
  PrimitiveParameters primitive = {};
  Window window = {};
  int64_t groups = 1;
  EpilogueParameters epilogue = {};
  template <class V> void fields(V& v) {
    v(primitive);
    v(window);
    v("groups", groups, 1, int64_t{1} << 30);
    v(epilogue);
  }
};

struct MatMulParameters {
  PrimitiveParameters primitive = {};
  bool vector_a = false, vector_b = false;        // the operand has no axis m, n
  bool transpose_a = false, transpose_b = false;  // its last axes are swapped
  Ints b_dims = {};                               // the shape of packed weights; none when b is known only at run time
  double alpha = 1;                               // scales the product then
  EpilogueParameters epilogue = {};
  template <class V> void fields(V& v) {
    v(primitive);
    v("vector_a", vector_a);
    v("vector_b", vector_b);
    v("transpose_a", transpose_a);
    v("transpose_b", transpose_b);
    v("b_dims", b_dims, 1, INT32_MAX);
    v("alpha", alpha);
    v(epilogue);
  }
};

// Means of windows.
struct MeanParameters {
  PrimitiveParameters primitive = {};
  bool count_padding = false;         // elements of the padding count
  std::optional<Window> window = {};  // nothing: the whole image
  template <class V> void fields(V& v) {
    v(primitive);
    v("count_padding", count_padding);
    bool whole = !window;
    v("whole", whole);
    if (whole) return;
    if (!window) window.emplace();
    v(*window);
  }
};

// Of sums of products of bytes.
struct MatMulInt8Parameters {
  SumFields sums = {};
  template <class V> void fields(V& v) { v(sums); }
};

struct ConvInt8Parameters {
  Window window = {};
  int64_t groups = 1;
  SumFields sums = {};
  template <class V> void fields(V& v) {
    v(window);
    v("groups", groups, 1, int64_t{1} << 30);
    v(sums);
  }
};

}  // namespace kiln::onednn
