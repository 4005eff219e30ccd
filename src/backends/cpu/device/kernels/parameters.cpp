// Parameters that several kernels share: what they mean together.
#include "backends/cpu/device/kernels/parameters.h"

#include "backends/cpu/device/compute/tile_kernel.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "base/require.h"

namespace kiln::cpu::kernels {

Epilogue make_epilogue(const EpilogueParameters& parameters, const TensorView& bias, const TensorView& residual,
                       int64_t residual_stride) {
  Epilogue e;
  e.bias = bias.present() ? static_cast<const float*>(bias.data) : nullptr;
  e.residual = residual.present() ? static_cast<const float*>(residual.data) : nullptr;
  e.residual_stride = residual_stride;
  e.residual_after = parameters.residual_after;
  e.activation = parameters.activation;
  e.alpha = parameters.alpha;
  e.beta = parameters.beta;
  return e;
}

void BlockParameters::check() const {
  require(panel % 16 == 0, Code::kMalformedPlan, "parameter 'panel' is no multiple of 16");
  require(rows <= kMaxTileRows, Code::kMalformedPlan, "parameter 'rows' is more than a tile has");
  require(int64_t{row_threads} * column_threads <= kMostThreads, Code::kMalformedPlan,
          "parameters 'row_threads' and 'column_threads' are too many threads");
}

void DepthParameters::check() const {
  if (!depth) return;
  require(depth->size() == 5, Code::kMalformedPlan, "parameter 'depth' has not five numbers");
  require(std::count(depth->begin(), depth->begin() + 3, 0) == 0, Code::kMalformedPlan,
          "parameter 'depth' has a kernel, stride or dilation of 0");
}

ConvShape conv_shape(const SlidingWindow& w, int64_t groups, const ImageView& in, const ImageView& out) {
  ConvShape s;
  s.batch = in.batch;
  s.in_h = in.height;
  s.in_w = in.width;
  s.in_c = in.channels;
  s.out_c = out.channels;
  s.groups = groups;
  s.kernel_h = w.kernel[0];
  s.kernel_w = w.kernel[1];
  s.stride_h = w.stride[0];
  s.stride_w = w.stride[1];
  s.dilation_h = w.dilation[0];
  s.dilation_w = w.dilation[1];
  std::tie(s.pad_top, s.pad_bottom) = w.pads(0, in.height, out.height);
  std::tie(s.pad_left, s.pad_right) = w.pads(1, in.width, out.width);
  s.in_stride = in.channels;
  s.out_stride = out.channels;
  return s;
}

}  // namespace kiln::cpu::kernels
