// Parameters of what cuDNN does.
#pragma once
#include "device/attention_parameters.h"
#include "device/axis_parameters.h"
#include "device/parameters.h"

namespace kiln::cuda::kernels {

// One of the library's kernels, with its settings.
struct CudnnChoice {
  static constexpr int64_t kMostEngine = int64_t{1} << 20, kMostKnob = int64_t{1} << 10;
  int64_t engine = 0;            // its number among those that the library has for such an operation
  Ints knobs = {}, values = {};  // what is set of it, and to what
  int64_t library = 0;           // its version: of another version, or for other shapes, the first proposal is taken
  bool operator==(const CudnnChoice&) const = default;
  template <class V> void fields(V& v) {
    v("engine", engine, 0, kMostEngine);
    v("knobs", knobs, 0, kMostKnob);
    v("values", values);
    v("library", library, 0);
  }
  void check() const;  // that each knob has a value
};

// What of an epilogue the library does: the sums before the activation, and Relu; in kernels that it compiles for a plan, sums behind it and
// other activations, too; behind a transposed convolution nothing. The rest is left to a kernel of ours.
struct CudnnEpilogue {
  bool bias = false, residual = false, residual_after = false;
  Activation activation = Activation::kNone;
  bool left_bias = false, left_residual = false;
  EpilogueParameters left = {};
};
CudnnEpilogue cudnn_epilogue(bool transposed, bool compiled, const EpilogueParameters& epilogue, bool bias,
                             bool residual);
// Where a program follows, which does all but adding the bias.
CudnnEpilogue cudnn_epilogue_of_program(bool transposed, bool bias, bool residual);

// A window over two or three axes. Padding is as given.
struct CudnnWindow {
  bool transposed = false;
  Ints strides = {1, 1}, dilations = {1, 1}, begin = {0, 0}, end = {0, 0};
  bool operator==(const CudnnWindow&) const = default;
  template <class V> void fields(V& v) {
    v("transposed", transposed);
    v("strides", strides, 1, kMostWindow);
    v("dilations", dilations, 1, kMostWindow);
    v("pads_begin", begin, 0, kMostWindow);
    v("pads_end", end, 0, kMostWindow);
  }
  void check() const;  // that they are of as many axes
};

// Tensors of a graph that was made for them alone, one after the other.
struct CudnnTensors {
  static constexpr size_t kAxes = 4;
  static constexpr int64_t kMostStride = int64_t{1} << 40;
  std::vector<DType> types = {};
  Ints dims = {}, strides = {};  // of all of them
  bool operator==(const CudnnTensors&) const = default;
  template <class V> void fields(V& v) {
    v("types", types);
    v("dims", dims, 0, INT32_MAX);
    v("strides", strides, 0, kMostStride);
  }
  void check() const;  // that each has all of its axes
  size_t count() const { return types.size(); }
  void add(DType type, const Dims& tensor_dims, const Dims& tensor_strides);
  Dims dims_of(size_t tensor) const { return axes_of(dims, tensor); }
  Dims strides_of(size_t tensor) const { return axes_of(strides, tensor); }

 private:
  static Dims axes_of(const Ints& all, size_t tensor) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(tensor * kAxes);
    return Dims(first, first + kAxes);
  }
};

struct CudnnParameters {
  CudnnWindow window = {};
  bool tf32 = false;  // float32 may lose what TF32 lacks
  EpilogueParameters epilogue = {};
  CudnnChoice choice = {};
  template <class V> void fields(V& v) {
    v(window);
    v("tf32", tf32);
    v(epilogue);
    v(choice);
  }
};

}  // namespace kiln::cuda::kernels
