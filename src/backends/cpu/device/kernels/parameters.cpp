// Parameters that several kernels share: writing and checked reading.
#include "backends/cpu/device/kernels/parameters.h"

#include <algorithm>
#include <string>

#include "backends/cpu/device/compute/tile_kernel.h"
#include "base/error.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 30;  // of kernels, strides, padding
constexpr int64_t kMaxThreads = 4096;

void read_pair(const Attributes& parameters, std::string_view name, int64_t least, int64_t (&to)[2]) {
  const Ints& values = parameters.ints(name);
  const auto sound = [&](int64_t v) { return v >= least && v <= kMaxExtent; };
  if (values.size() != 2 || !sound(values[0]) || !sound(values[1]))
    throw Error(Code::kMalformedPlan,
                "parameter '" + std::string(name) + "' is not two numbers from " + std::to_string(least));
  std::copy(values.begin(), values.end(), to);
}

Ints pair(const int64_t (&from)[2]) { return {from[0], from[1]}; }

}  // namespace

int64_t read_integer(const Attributes& parameters, std::string_view name, int64_t least, int64_t most) {
  const int64_t value = parameters.integer(name);
  if (value < least || value > most)
    throw Error(Code::kMalformedPlan, "parameter '" + std::string(name) + "' is " + std::to_string(value))
        .cause("it must lie between " + std::to_string(least) + " and " + std::to_string(most));
  return value;
}

void put_epilogue(Attributes& to, const EpilogueParameters& e) {
  to.set("activation", static_cast<int64_t>(e.activation));
  to.set("activation_alpha", double{e.alpha});
  to.set("activation_beta", double{e.beta});
  to.set("residual_after", int64_t{e.residual_after});
}

EpilogueParameters read_epilogue(const Attributes& p) {
  EpilogueParameters e;
  e.activation = static_cast<Activation>(read_integer(p, "activation", 0, kActivationCount - 1));
  e.alpha = static_cast<float>(p.real("activation_alpha"));
  e.beta = static_cast<float>(p.real("activation_beta"));
  e.residual_after = read_integer(p, "residual_after", 0, 1) != 0;
  return e;
}

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

bool SlidingWindow::fits(int axis, int64_t in, int64_t out) const {
  return out <= 1 || out - 1 <= (in + begin[axis] + end[axis]) / stride[axis];
}

std::pair<int64_t, int64_t> SlidingWindow::pads(int axis, int64_t in, int64_t out) const {
  if (padding == kGiven) return {begin[axis], end[axis]};
  const int64_t reach = (kernel[axis] - 1) * dilation[axis] + 1;
  const int64_t total = std::max<int64_t>((out - 1) * stride[axis] + reach - in, 0), half = total / 2;
  return padding == kSameUpper ? std::pair(half, total - half) : std::pair(total - half, half);
}

void put_window(Attributes& to, const SlidingWindow& w) {
  to.set("kernel", pair(w.kernel));
  to.set("strides", pair(w.stride));
  to.set("dilations", pair(w.dilation));
  to.set("pads_begin", pair(w.begin));
  to.set("pads_end", pair(w.end));
  to.set("padding", static_cast<int64_t>(w.padding));
}

SlidingWindow read_window(const Attributes& p) {
  SlidingWindow w;
  read_pair(p, "kernel", 1, w.kernel);
  read_pair(p, "strides", 1, w.stride);
  read_pair(p, "dilations", 1, w.dilation);
  read_pair(p, "pads_begin", 0, w.begin);
  read_pair(p, "pads_end", 0, w.end);
  w.padding = static_cast<SlidingWindow::Padding>(read_integer(p, "padding", 0, 2));
  return w;
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
