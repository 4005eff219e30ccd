// Parameters of kernels that only this device has, or has more of.
#pragma once
#include "backends/cuda/device/cu/attention_stream.h"
#include "backends/cuda/device/cu/squeeze_excite.h"
#include "backends/cuda/device/kernels/conv_parameters.h"
#include "device/attention_parameters.h"
#include "device/movement_parameters.h"
#include "tensor/convert.h"

namespace kiln::cuda::kernels {

struct QueriesChoice {
  static constexpr int kQueries[] = {0, 16, 32, kQueryRows, kStreamQueries};
  int64_t queries = 0;  // of a block on tensor cores, where there is such a kernel; 0: as seems best
  template <class V> void fields(V& v) { v("queries", queries, kQueries); }
};
// Of "attention".
struct BlockAttentionParameters {
  AttentionParameters attention = {};
  QueriesChoice choice = {};
  template <class V> void fields(V& v) {
    v(attention);
    v(choice);
  }
};

struct SqueezeChoice {
  static constexpr int kBlocks[] = {1, 2, 4, kMostSqueezeBlocks};
  int64_t blocks = 1;  // of a cluster, which shares an image
  int64_t keep = 0;    // 0: x is read twice; 1: once; 2: once, and the next image while this one is finished
  int64_t threads = kSqueezeThreads[0];  // of a block
  template <class V> void fields(V& v) {
    v("blocks", blocks, kBlocks);
    v("keep", keep, 0, 2);
    v("threads", threads, kSqueezeThreads);
  }
};
// The two products that make factors of means.
struct SqueezeProducts {
  int64_t hidden = 1;  // elements between them
  Activation squeeze = Activation::kNone, excite = Activation::kNone;
  double alpha = 0, beta = 0;  // of the second
  template <class V> void fields(V& v) {
    v("hidden", hidden, 1, 1 << 16);
    v("squeeze", squeeze, kActivationCount);
    v("excite", excite, kActivationCount);
    v("alpha", alpha);
    v("beta", beta);
  }
};
struct SqueezeExciteParameters {
  SqueezeProducts products = {};
  SqueezeChoice choice = {};
  template <class V> void fields(V& v) {
    v(products);
    v(choice);
  }
};
struct ConvExciteParameters {
  DepthwiseBoxesParameters boxes = {};
  SqueezeProducts products = {};
  template <class V> void fields(V& v) {
    v(boxes);
    v(products);
  }
};

struct EmbeddingNormParameters {
  double epsilon = 1e-5;
  template <class V> void fields(V& v) { v("epsilon", epsilon); }
};

struct SuppressBoxesParameters {
  int64_t most = 1;     // boxes of a class
  bool center = false;  // boxes are centres and sizes, not corners
  template <class V> void fields(V& v) {
    v("most", most, 1);
    v("center", center);
  }
};

struct QuantizeAnyParameters {
  bool inverse = false;
  int64_t axis = 0, block = 0;    // elements of the axis with one scale; 0: one for each index of it
  DType precision = DType::kF32;  // in which it divides
  bool saturate = true;           // what a type of 8 bits does not hold becomes its largest number
  template <class V> void fields(V& v) {
    v("inverse", inverse);
    v("axis", axis, 0, kMostAxis);
    v("block", block, 0, INT32_MAX);
    v("precision", precision, kDTypeCount);
    v("saturate", saturate);
  }
};

struct CastFloat8Parameters {
  static constexpr std::string_view kRoundings[] = {"up", "down", "nearest"};  // by E8M0Rounding
  E8M0Rounding rounding = E8M0Rounding::kUp;                                   // to float8e8m0
  bool saturate = true;  // what the type does not hold becomes its largest number
  template <class V> void fields(V& v) {
    v("rounding", rounding, kRoundings);
    v("saturate", saturate);
  }
};

struct DftParameters {
  int64_t axis = 0;
  int64_t length = 0;  // 0: that of the input
  bool inverse = false, onesided = false;
  template <class V> void fields(V& v) {
    v("axis", axis, 0, kMostAxis);
    v("length", length, 0, INT32_MAX);
    v("inverse", inverse);
    v("onesided", onesided);
  }
};

// The longest stride, dilation and padding of "deform_conv".
inline constexpr int64_t kMostDeformExtent = INT16_MAX;

}  // namespace kiln::cuda::kernels
