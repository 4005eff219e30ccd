// Parameters that several kernels share: writing and checked reading.
#include "backends/cpu/device/kernels/parameters.h"

#include <algorithm>
#include <string>

#include "backends/cpu/device/compute/tile_kernel.h"
#include "base/error.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kMaxThreads = 4096;

}  // namespace

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

void put_blocks(Attributes& to, const BlockConfig& c) {
  to.set("panel", int64_t{c.panel});
  to.set("rows", int64_t{c.rows});
  to.set("depth", int64_t{c.depth});
  to.set("block_rows", int64_t{c.block_rows});
  to.set("block_columns", int64_t{c.block_columns});
  to.set("row_threads", int64_t{c.row_threads});
  to.set("column_threads", int64_t{c.column_threads});
  to.set("copy_rows", int64_t{c.copy_rows});
}

BlockConfig read_blocks(const Attributes& p) {
  const auto read = [&](std::string_view name, int64_t least, int64_t most) {
    return static_cast<int32_t>(read_integer(p, name, least, most));
  };
  BlockConfig c;
  c.panel = read("panel", 16, 64);
  if (c.panel % 16 != 0) throw Error(Code::kMalformedPlan, "parameter 'panel' is no multiple of 16");
  c.rows = read("rows", 1, kMaxTileRows);
  c.depth = read("depth", 1, 1 << 20);
  c.block_rows = read("block_rows", 1, 1 << 20);
  c.block_columns = read("block_columns", 0, 1 << 20);
  c.row_threads = read("row_threads", 1, kMaxThreads);
  c.column_threads = read("column_threads", 1, kMaxThreads / c.row_threads);
  c.copy_rows = read("copy_rows", 0, 1) != 0;
  return c;
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
