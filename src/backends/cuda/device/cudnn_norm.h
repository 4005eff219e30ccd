// Normalisations as graphs of cuDNN's operations.
#pragma once
#include "backends/cuda/device/cudnn_graph.h"

namespace kiln::cuda {

// (x - mean) / sqrt(variance + epsilon) * scale [+ bias], for one shape. Without a mean, the variance is the mean of squares.
struct CudnnNorm {
  enum class Over : uint8_t { kRow, kRowAboutZero, kImage };
  static constexpr int kOverCount = 3;
  Over over = Over::kRow;  // elements of a row; the pixels of an image, for each channel
  double epsilon = 1e-5;
  // x, the result, the scale, and the bias, where there is one: [rows, elements, 1, 1], or [batch, channels, pixels, 1]; scale and bias have
  // the second axis alone.
  kernels::CudnnTensors tensors = {};
  template <class V> void fields(V& v) {
    v("over", over, kOverCount);
    v("epsilon", epsilon);
    v(tensors);
  }
  bool has_bias() const { return tensors.count() > 3; }
  bool is_empty() const;    // there are no results
  Status fits() const;      // that the sizes fit each other
  std::string str() const;  // all of it, as text
  CudnnNeeds needs() const { return {.compiled = true}; }
  CudnnGraph graph(const Cudnn& library, const CudnnSite& site) const;  // throws Error, also where the sizes do not fit
};

// The tensors of its graph, as a plan's caller names them: those above in their order, and a number.
enum class CudnnNormOperand : int64_t { kX = 1, kY, kScale, kBias, kEpsilon };

// What the normalisation of those operands is: x, scale, and a bias that may be absent. Over rows from `axis` on, which are dense; over the
// pixels of images in row-major order or channels last.
Status read_norm(const KernelCall& call, CudnnNorm::Over over, int64_t axis, double epsilon, CudnnNorm& to);

}  // namespace kiln::cuda
