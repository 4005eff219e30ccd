// Parameters of the convolutions.
#pragma once
#include "backends/cpu/device/compute/winograd.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/sum_steps.h"
#include "device/conv_parameters.h"

namespace kiln::cpu::kernels {

struct ConvNhwcParameters {
  ConvParameters conv = {};
  BlockParameters blocks = {};
  bool packs = false;  // the weights are packed at each launch
  template <class V> void fields(V& v) {
    v(conv);
    v(blocks);
    v("packs", packs);
  }
};

// How a convolution of 16-bit images is done in float32, band by band. Stored in engine files: append only.
enum class HalfWay : uint8_t { kProduct, kDepthwise, kMinimal2, kMinimal4 };
struct ConvHalfParameters {
  ConvParameters conv = {};
  BlockParameters blocks = {};
  HalfWay way = HalfWay::kProduct;
  template <class V> void fields(V& v) {
    v(conv);
    v(blocks);
    v("way", way, static_cast<int>(HalfWay::kMinimal4) + 1);
  }
};

struct ConvTransposeParameters {
  ConvParameters conv = {};
  BlockParameters blocks = {};
  bool ordered = false;  // the weights are packed already
  template <class V> void fields(V& v) {
    v(conv);
    v(blocks);
    v("ordered", ordered);
  }
};

struct WinogradParameters {
  int32_t tile = 4;
  BlockParameters blocks = {};
  WinogradConfig config() const { return {tile, blocks}; }
  template <class V> void fields(V& v) {
    v("tile", tile, 2, 4);
    v(blocks);
  }
  void check() const;  // that there are such tiles
};

struct ConvWinogradParameters {
  ConvParameters conv = {};
  WinogradParameters winograd = {};
  template <class V> void fields(V& v) {
    v(conv);
    v(winograd);
  }
};

// What may vary of "expand_depthwise".
struct BandParameters {
  BlockParameters blocks = {};
  int64_t band = 1;  // rows that a thread makes at a time
  int threads = 1;
  template <class V> void fields(V& v) {
    v(blocks);
    v("band", band, 1, int64_t{1} << 30);
    v("threads", threads, 1, kMostThreads);
  }
};
// What follows the 1x1 convolution.
struct ExpansionParameters {
  Activation activation = Activation::kNone;
  float alpha = 0, beta = 0;
  template <class V> void fields(V& v) {
    v("expand_activation", activation, kActivationCount);
    v("expand_alpha", alpha);
    v("expand_beta", beta);
  }
};
struct ExpandDepthwiseParameters {
  SlidingWindow window = {};
  ExpansionParameters expansion = {};
  EpilogueParameters epilogue = {};
  BandParameters bands = {};
  template <class V> void fields(V& v) {
    v(window);
    v(expansion);
    v(epilogue);
    v(bands);
  }
};

// Along the first of three spatial dimensions; there are two without it.
struct DepthParameters {
  std::optional<Ints> depth = {};  // kernel, stride, dilation, padding before and behind
  template <class V> void fields(V& v) { v("depth", depth, 0, kMostWindow); }
  void check() const;  // that there are five numbers, the first three not zero
};

// Of "conv_int8" and "depthwise_int8".
struct ConvInt8Parameters {
  GroupedWindow image = {};
  DepthParameters depth = {};
  int32_t x_zero = 0;              // the value of padding
  int64_t parts = 1;               // the weights are the sum of so many, packed below one another
  std::optional<bool> tiles = {};  // of "conv_int8": the processor's unit for tiles multiplies
  SumFields sums = {};
  template <class V> void fields(V& v) {
    v(image);
    v(depth);
    v("x_zero", x_zero, -128, 255);
    v("parts", parts, 1, 3);
    v("tiles", tiles);
    v(sums);
  }
};

struct ConvInt16Parameters {
  GroupedWindow image = {};
  DepthParameters depth = {};
  int32_t x_zero = 0;  // the value of padding
  SumFields sums = {};
  template <class V> void fields(V& v) {
    v(image);
    v(depth);
    v("x_zero", x_zero, INT16_MIN, UINT16_MAX);
    v(sums);
  }
};

struct ConvBfloat16Parameters {
  GroupedWindow image = {};
  std::optional<bool> tiles = {};  // the processor's unit for tiles multiplies
  std::optional<bool> even = {};   // an odd number of channels is made even by one of zeros
  SumFields sums = {};
  template <class V> void fields(V& v) {
    v(image);
    v("tiles", tiles);
    v("even", even);
    v(sums);
  }
};

}  // namespace kiln::cpu::kernels
