// A 1x1 convolution and a depthwise convolution of its results in bands of rows.
#include "backends/cpu/device/compute/expand_depthwise.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/device/compute/conv_depthwise.h"
#include "backends/cpu/device/compute/parallel.h"
#include "base/checked.h"

namespace kiln::cpu {
namespace {

// Rows of the expansion that one band reads.
int64_t band_reach(const ExpandDepthwiseShape& s, int64_t band) {
  const Window2d& w = s.window;
  return std::min((band - 1) * w.stride_h + (w.kernel_h - 1) * w.dilation_h + 1, s.height);
}

int64_t buffer_rows(const ExpandDepthwiseShape& s, const ExpandDepthwiseConfig& config) {
  return band_reach(s, std::min(config.band, std::max<int64_t>(s.out_height, 1)));
}

// For each thread.
int64_t buffer_floats(const ExpandDepthwiseShape& s, const ExpandDepthwiseConfig& config) {
  return align_up(buffer_rows(s, config) * s.width * s.channels, 16);
}

// One thread's walk down the rows; keeps the rows [first_, last_) of the expansion of one image.
class Walk {
 public:
  Walk(const ExpandDepthwiseShape& shape, const float* x, const float* expand, const Epilogue& expand_epilogue,
       const BlockConfig& blocks, float* rows)
      : s_(shape), x_(x), expand_(expand), epilogue_(expand_epilogue), blocks_(blocks), rows_(rows) {
    blocks_.row_threads = blocks_.column_threads = 1;
  }

  // Makes the rows [first, last) of the image available; returns where the first lies.
  const float* provide(int64_t image, int64_t first, int64_t last) {
    const int64_t row_floats = s_.width * s_.channels;
    const bool go_on = image == image_ && first >= first_ && first < last_;
    const int64_t kept = go_on ? last_ - first : 0;
    if (kept > 0 && first > first_)
      std::memmove(rows_, rows_ + (first - first_) * row_floats,
                   static_cast<size_t>(kept * row_floats) * sizeof(float));
    if (first + kept < last) expand_rows(image, first + kept, last, rows_ + kept * row_floats);
    image_ = image;
    first_ = first;
    last_ = std::max(first + kept, last);
    return rows_;
  }

 private:
  void expand_rows(int64_t image, int64_t first, int64_t last, float* to) const {
    ConvShape c;
    c.in_h = last - first;
    c.in_w = s_.width;
    c.in_c = s_.in_c;
    c.out_c = s_.channels;
    c.in_stride = s_.in_stride;
    c.out_stride = s_.channels;
    conv_nhwc(c, x_ + (image * s_.height + first) * s_.width * s_.in_stride, expand_, to, epilogue_, blocks_, nullptr);
  }

  const ExpandDepthwiseShape& s_;
  const float *x_, *expand_;
  const Epilogue& epilogue_;
  BlockConfig blocks_;
  float* rows_;
  int64_t image_ = -1, first_ = 0, last_ = 0;
};

}  // namespace

std::optional<int64_t> expand_depthwise_workspace(const ExpandDepthwiseShape& s, const ExpandDepthwiseConfig& config) {
  constexpr int64_t kMost = int64_t{1} << 56;
  const auto row = checked_mul(s.width, s.channels);
  const auto floats = row ? checked_mul(*row, buffer_rows(s, config)) : std::nullopt;
  const auto all = floats && *floats < kMost ? checked_mul(align_up(*floats, 16), config.threads) : std::nullopt;
  return all && *all < kMost ? all : std::nullopt;
}

void expand_depthwise_nhwc(const ExpandDepthwiseShape& s, const float* x, const float* expand,
                           const Epilogue& expand_epilogue, const float* depthwise, float* y, const Epilogue& epilogue,
                           const ExpandDepthwiseConfig& config, float* workspace) noexcept {
  const Window2d& w = s.window;
  const PixelStrides inner = dense_pixels(s.height, s.width, s.channels);
  const PixelStrides outer{s.out_stride, s.out_width * s.out_stride, s.out_height * s.out_width * s.out_stride};
  const auto walk_rows = [&](int64_t begin, int64_t end, int part) {
    Walk walk(s, x, expand, expand_epilogue, config.blocks, workspace + part * buffer_floats(s, config));
    for (int64_t row = begin; row < end;) {
      const int64_t image = row / s.out_height, oh = row % s.out_height;
      const int64_t band = std::min({config.band, end - row, s.out_height - oh});
      const int64_t top = oh * w.stride_h - w.pad_top;
      const int64_t first = std::clamp<int64_t>(top, 0, s.height);
      const int64_t last =
          std::clamp<int64_t>(top + (band - 1) * w.stride_h + (w.kernel_h - 1) * w.dilation_h + 1, first, s.height);
      DepthwiseShape d{1, last - first, s.width, s.channels, band, s.out_width, w};
      d.window.pad_top = first - top;
      Epilogue e = epilogue;
      if (e.residual) e.residual += row * s.out_width * e.residual_stride;
      conv_depthwise(d, walk.provide(image, first, last), inner, depthwise, y + row * outer.row, outer, e, 1);
      row += band;
    }
  };
  parallel_ranges(config.threads, s.batch * s.out_height, walk_rows);
}

}  // namespace kiln::cpu
