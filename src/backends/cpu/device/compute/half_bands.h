// Convolutions and products of float16 or bfloat16 by kernels of float32: some lines of an image at a time become float32 in memory of the
// thread, which its cache holds, and so do their results before they are rounded.
#pragma once
#include <algorithm>

#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends/cpu/device/compute/parallel.h"

namespace kiln::cpu {

// Where the numbers of an image of 16 bits lie, in elements.
struct HalfImage {
  const uint16_t* data = nullptr;
  int64_t image = 0, row = 0, pixel = 0, channel = 1;
};

struct HalfOperands {
  DType type = DType::kF16;  // or kBF16
  HalfImage x;
  const uint16_t* residual = nullptr;  // null: none
  int64_t residual_stride = 0;         // between its pixels
  uint16_t* y = nullptr;               // its pixels lie shape.out_stride apart
};

// How the lines of the result are cut into bands.
struct BandConfig {
  int threads = 1;     // that take bands side by side
  bool whole = false;  // all lines are one band, and the kernel has the threads
  int64_t step = 1;    // a band is a multiple of so many lines, where there are as many,
  int64_t pixels = 1;  // and has so many pixels of the result
  bool residual = false;
};

// What a kernel of float32 is given: images without gaps.
struct Band {
  ConvShape shape;
  const float* x;
  const float* residual;  // null: none; pixels lie out_c apart
  float* y;
  int part;  // below BandConfig::threads: no other band has it at the same time
};

class HalfBands {
 public:
  HalfBands() = default;
  HalfBands(const ConvShape& shape, const BandConfig& config);

  // No band is larger: what its kernel takes of scratch, theirs take, too.
  ConvShape largest() const;
  int parts() const { return config_.whole ? 1 : config_.threads; }
  int64_t floats() const { return (x_floats_ + residual_floats_ + y_floats_) * parts(); }

  // kernel(const Band&) for each band. `scratch` holds floats().
  template <class Kernel> void run(const HalfOperands& o, float* scratch, const Kernel& kernel) const noexcept {
    if (config_.whole) return run_whole(o, scratch, kernel);
    parallel_ranges(config_.threads, shape_.batch * shape_.out_h(), [&](int64_t begin, int64_t end, int part) {
      float* own = scratch + part * (x_floats_ + residual_floats_ + y_floats_);
      while (begin < end) {
        const int64_t height = shape_.out_h(), left = height - begin % height;
        const int64_t lines = std::min({lines_, left, end - begin});
        const Band band = widened(o, begin, lines, own, part);
        kernel(band);
        round_lines(o, band.y, begin, lines);
        begin += lines;
      }
    });
  }

 private:
  template <class Kernel> void run_whole(const HalfOperands& o, float* scratch, const Kernel& kernel) const noexcept {
    Band band{shape_, scratch, nullptr, scratch + x_floats_ + residual_floats_, 0};
    band.shape.in_stride = shape_.in_c;
    band.shape.out_stride = shape_.out_c;
    const int64_t in_lines = shape_.batch * shape_.in_h, out_lines = shape_.batch * shape_.out_h();
    parallel_ranges(config_.threads, in_lines, [&](int64_t begin, int64_t end) {
      widen_lines(o, begin, end - begin, scratch + begin * shape_.in_w * shape_.in_c);
    });
    if (o.residual) {
      band.residual = scratch + x_floats_;
      parallel_ranges(config_.threads, out_lines, [&](int64_t begin, int64_t end) {
        widen_residual(o, begin, end - begin, scratch + x_floats_ + begin * out_line());
      });
    }
    kernel(band);
    parallel_ranges(config_.threads, out_lines, [&](int64_t begin, int64_t end) {
      round_lines(o, band.y + begin * out_line(), begin, end - begin);
    });
  }

  int64_t out_line() const { return shape_.out_w() * shape_.out_c; }
  // Lines of the image, which so many neighbouring lines of the result read, padding included.
  int64_t window_lines(int64_t lines) const {
    return (lines - 1) * shape_.stride_h + (shape_.kernel_h - 1) * shape_.dilation_h + 1;
  }
  Band widened(const HalfOperands& o, int64_t line, int64_t lines, float* scratch, int part) const noexcept;
  void widen_lines(const HalfOperands& o, int64_t line, int64_t lines, float* to) const noexcept;
  void widen_residual(const HalfOperands& o, int64_t line, int64_t lines, float* to) const noexcept;
  void round_lines(const HalfOperands& o, const float* from, int64_t line, int64_t lines) const noexcept;

  ConvShape shape_;
  BandConfig config_;
  int64_t lines_ = 1;  // of a band
  int64_t x_floats_ = 0, residual_floats_ = 0, y_floats_ = 0;
};

}  // namespace kiln::cpu
