// Parameters that kernels of several devices share: writing and checked reading.
#include "device/parameters.h"

#include <algorithm>

#include "base/error.h"

namespace kiln {
namespace {

constexpr int64_t kMaxExtent = int64_t{1} << 30;  // of kernels, strides, padding

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

SlidingWindow read_sliding_window(const Attributes& p) {
  SlidingWindow w;
  read_pair(p, "kernel", 1, w.kernel);
  read_pair(p, "strides", 1, w.stride);
  read_pair(p, "dilations", 1, w.dilation);
  read_pair(p, "pads_begin", 0, w.begin);
  read_pair(p, "pads_end", 0, w.end);
  w.padding = static_cast<SlidingWindow::Padding>(read_integer(p, "padding", 0, 2));
  return w;
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

}  // namespace kiln
