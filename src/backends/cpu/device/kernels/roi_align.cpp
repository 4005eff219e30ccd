// Kernel "roi_align": regions of float32 x [n, c, h, w] as bins of bilinear samples. Inputs: x, rois [r, 4], images [r] (int64).
// Parameters: shifted (by half a pixel), maximum, ratio (samples of a bin along an axis; 0: as many as it has pixels), scale.
#include <algorithm>
#include <cmath>
#include <span>

#include "backends/cpu/device/compute/weighted_rows.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/region_parameters.h"

namespace kiln::cpu::kernels {
namespace {

constexpr double kMostSamples = 1 << 20;  // of a bin
constexpr int64_t kMostTerms = 1024;      // of the bins of a region along one axis, for a table
constexpr int64_t kMostColumns = 4096;    // of a region, for a table
constexpr int64_t kTogether = 64;         // channels that share the tables

// A sample along one axis: two elements and their weights; nothing when it lies too far outside.
struct Sample {
  int64_t low = 0, high = 0;
  double part = 0;  // of `high`
  bool inside = false;
};

Sample sample_of(double at, int64_t extent) {
  Sample s;
  s.inside = at >= -1 && at <= static_cast<double>(extent);
  if (!s.inside) return s;
  at = std::max(at, 0.0);
  s.low = std::min(static_cast<int64_t>(at), extent - 1);
  s.high = std::min(s.low + 1, extent - 1);
  s.part = s.high == s.low ? 0 : at - static_cast<double>(s.low);
  return s;
}

// A region along one axis.
struct Span {
  double start = 0, bin = 0;
  int64_t samples = 0;
  double at(int64_t index, int64_t sample) const {
    return start + static_cast<double>(index) * bin +
           (static_cast<double>(sample) + 0.5) * bin / static_cast<double>(samples);
  }
};

// What the bins of a region take along one axis: bin i the places [first[i], first[i + 1]), each counted as often as its weight says. A
// mean of bilinear samples is the product of both axes' sums.
struct Terms {
  int64_t first[kMostTerms + 1], places[kMostTerms];
  float weights[kMostTerms];

  static bool can_hold(const Span& span, int64_t bins) {
    return span.samples > 0 && bins <= kMostTerms / 2 && span.samples <= kMostTerms / 2 / bins;
  }
  Terms(const Span& span, int64_t bins, int64_t extent) {
    int64_t size = 0;
    for (int64_t i = 0; i < bins; ++i) {
      first[i] = size;
      for (int64_t k = 0; k < span.samples; ++k) {
        const Sample s = sample_of(span.at(i, k), extent);
        if (!s.inside) continue;
        add(first[i], size, s.low, static_cast<float>(1 - s.part));
        add(first[i], size, s.high, static_cast<float>(s.part));
      }
    }
    first[bins] = size;
  }

 private:
  // Samples follow each other, so the place is one of the last two or new.
  void add(int64_t begin, int64_t& size, int64_t place, float weight) {
    for (int64_t k = size - 1; k >= std::max(begin, size - 2); --k)
      if (places[k] == place) {
        weights[k] += weight;
        return;
      }
    places[size] = place;
    weights[size++] = weight;
  }
};

class RoiAlign final : public DenseKernel {
 public:
  explicit RoiAlign(const RoiAlignParameters& p) : p_(p) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 3 || call.outputs.size() != 1 || call.inputs[0].dtype != DType::kF32 ||
        call.inputs[1].dtype != DType::kF32 || call.inputs[2].dtype != DType::kI64 ||
        call.outputs[0].dtype != DType::kF32)
      return {Code::kMalformedPlan, "roi_align has other operands"};
    const TensorView &x = call.inputs[0], &rois = call.inputs[1], &y = call.outputs[0];
    if (x.rank != 4 || y.rank != 4 || rois.rank != 2 || rois.dims[1] != 4 || rois.dims[0] != y.dims[0] ||
        call.inputs[2].elements() != y.dims[0] || x.dims[1] != y.dims[1] ||
        (y.elements() > 0 && x.dims[2] * x.dims[3] == 0))
      return {Code::kShapeMismatch, "the operands of roi_align do not fit each other"};
    return kOkStatus;
  }

  Span span(double from, double to, int64_t bins) const {
    const double offset = p_.shifted ? 0.5 : 0;
    Span s;
    s.start = from * p_.scale - offset;
    double size = to * p_.scale - offset - s.start;
    if (!p_.shifted) size = std::max(size, 1.0);
    s.bin = size / static_cast<double>(bins);
    s.samples = p_.ratio > 0                        ? p_.ratio
                : s.bin > 0 && s.bin < kMostSamples ? static_cast<int64_t>(std::ceil(s.bin))
                                                    : 0;
    return s;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (y.elements() == 0) return kOkStatus;
    const auto* images = static_cast<const int64_t*>(call.inputs[2].data);
    for (int64_t r = 0; r < y.dims[0]; ++r)
      if (images[r] < 0 || images[r] >= x.dims[0])
        return {Code::kInvalidArgument, "a region lies in an image that there is not"};
    const int64_t parts = (y.dims[1] + kTogether - 1) / kTogether;
    const int threads = useful_threads(thread_count(), 20.0 * static_cast<double>(y.elements()));
    parallel_ranges(threads, y.dims[0] * parts, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t r = i / parts;
        const auto* roi = static_cast<const float*>(call.inputs[1].data) + r * 4;
        region(x, y, span(roi[1], roi[3], y.dims[2]), span(roi[0], roi[2], y.dims[3]), images[r], r,
               i % parts * kTogether);
      }
    });
    return kOkStatus;
  }

  // All bins of some channels.
  void region(const TensorView& x, const TensorView& y, const Span& down, const Span& across, int64_t image,
              int64_t roi, int64_t first) const {
    const int64_t channels = std::min(kTogether, y.dims[1] - first), bins = y.dims[2] * y.dims[3];
    const int64_t plane = x.dims[2] * x.dims[3];
    const auto* from = static_cast<const float*>(x.data) + (image * y.dims[1] + first) * plane;
    auto* to = static_cast<float*>(y.data) + (roi * y.dims[1] + first) * bins;
    if (!p_.maximum && Terms::can_hold(down, y.dims[2]) && Terms::can_hold(across, y.dims[3]) &&
        means(x, y, down, across, from, channels, to))
      return;
    for (int64_t b = 0; b < bins; ++b) bin(x, y, down, across, from, channels, b, to + b);
  }

  // All bins of some channels as sums of rows, then of columns. False when the region has too many columns.
  static bool means(const TensorView& x, const TensorView& y, const Span& down, const Span& across, const float* from,
                    int64_t channels, float* to) {
    const int64_t height = x.dims[2], width = x.dims[3], columns = y.dims[3];
    Terms rows(down, y.dims[2], height), along(across, columns, width);
    const int64_t size = along.first[columns];
    const auto [low, high] = std::minmax_element(along.places, along.places + size);
    const int64_t begin = size ? *low : 0, span = size ? *high + 1 - begin : 0;
    if (span > kMostColumns) return false;
    for (int64_t& place : std::span(rows.places, static_cast<size_t>(rows.first[y.dims[2]]))) place *= width;
    for (int64_t& place : std::span(along.places, static_cast<size_t>(size))) place -= begin;
    const auto scale = static_cast<float>(1.0 / static_cast<double>(down.samples * across.samples));
    float sums[kMostColumns];
    for (int64_t c = 0; c < channels; ++c, from += height * width)
      for (int64_t i = 0; i < y.dims[2]; ++i) {
        const int64_t row = rows.first[i];
        weighted_rows(from + begin, rows.places + row, rows.weights + row, rows.first[i + 1] - row, scale, span, sums);
        for (int64_t j = 0; j < columns; ++j) {
          float sum = 0;
          for (int64_t k = along.first[j]; k < along.first[j + 1]; ++k) sum += along.weights[k] * sums[along.places[k]];
          *to++ = sum;
        }
      }
    return true;
  }

  // One bin, sample by sample.
  void bin(const TensorView& x, const TensorView& y, const Span& down, const Span& across, const float* from,
           int64_t channels, int64_t index, float* to) const {
    const int64_t plane = x.dims[2] * x.dims[3], bins = y.dims[2] * y.dims[3], width = x.dims[3];
    const auto count = static_cast<double>(std::max<int64_t>(down.samples * across.samples, 1));
    double values[kTogether];
    std::fill(values, values + channels, 0.0);
    bool is_first = true;
    for (int64_t a = 0; a < down.samples; ++a) {
      const Sample v = sample_of(down.at(index / y.dims[3], a), x.dims[2]);
      for (int64_t b = 0; b < across.samples; ++b, is_first = false)
        add_sample(v, sample_of(across.at(index % y.dims[3], b), width), from, plane, width, channels, is_first,
                   values);
    }
    for (int64_t c = 0; c < channels; ++c)
      to[c * bins] = static_cast<float>(p_.maximum ? values[c] : values[c] / count);
  }

  void add_sample(const Sample& v, const Sample& h, const float* from, int64_t plane, int64_t width, int64_t channels,
                  bool is_first, double* values) const {
    const bool inside = v.inside && h.inside;
    if (!inside && !p_.maximum) return;
    const int64_t at[] = {v.low * width + h.low, v.low * width + h.high, v.high * width + h.low,
                          v.high * width + h.high};
    const double weights[] = {(1 - v.part) * (1 - h.part), (1 - v.part) * h.part, v.part * (1 - h.part),
                              v.part * h.part};
    for (int64_t c = 0; c < channels; ++c, from += plane)
      for (int k = 0; k < 4; ++k) {
        const double term = inside ? weights[k] * static_cast<double>(from[at[k]]) : 0;
        values[c] = !p_.maximum ? values[c] + term : is_first && k == 0 ? term : std::max(values[c], term);
      }
  }

  RoiAlignParameters p_;
};

}  // namespace

std::unique_ptr<Kernel> make_roi_align(const Attributes& p) {
  return std::make_unique<RoiAlign>(read_parameters<RoiAlignParameters>(p));
}

}  // namespace kiln::cpu::kernels
