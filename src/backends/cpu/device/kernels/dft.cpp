// Kernel "dft": Fourier transforms along an axis of [..., parts], float32 or float64, computed in float64, because a transform cancels
// sums of many terms. Parameters: axis, inverse, onesided, length (0: that of the input).
#include <algorithm>
#include <optional>

#include "backends/cpu/device/compute/fft.h"
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kLines = 16;  // transformed together

class DftKernel final : public DenseKernel {
 public:
  explicit DftKernel(const DftParameters& p)
      : axis_(p.axis), given_length_(p.length), inverse_(p.inverse), half_(p.onesided) {}

 private:
  // Sizes of a call; nothing when the operands do not fit each other.
  struct Sizes {
    int64_t length, given, made, outer, inner, parts, made_parts;
    int64_t lines() const { return outer * inner; }
  };
  bool mirrors() const { return half_ && inverse_; }

  std::optional<Sizes> sizes_of(const KernelCall& call) const {
    if (call.inputs.size() != 1 || call.outputs.size() != 1) return std::nullopt;
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (x.dtype != y.dtype || (x.dtype != DType::kF32 && x.dtype != DType::kF64) || x.rank < 2 || x.rank != y.rank ||
        axis_ < 0 || axis_ >= x.rank - 1)
      return std::nullopt;
    const auto axis = static_cast<int>(axis_);
    Sizes s{};
    s.given = x.dims[axis];
    s.made = y.dims[axis];
    s.parts = x.dims[x.rank - 1];
    s.made_parts = y.dims[y.rank - 1];
    s.outer = extent(x, 0, axis);
    s.inner = extent(x, axis + 1, x.rank - 1);
    s.length = given_length_ > 0 ? given_length_ : mirrors() ? 2 * (s.given - 1) : s.given;
    const int64_t made = half_ && !inverse_ ? s.length / 2 + 1 : s.length;
    if (s.length < 1 || s.made != made || s.made_parts != (mirrors() ? 1 : 2) || (s.parts != 1 && s.parts != 2))
      return std::nullopt;
    for (int i = 0; i < x.rank - 1; ++i)
      if (i != axis && x.dims[i] != y.dims[i]) return std::nullopt;
    return s;
  }

  static int64_t together(const Sizes& s) { return std::clamp<int64_t>(s.lines() / thread_count(), 1, kLines); }
  static int64_t elements_per_thread(const Sizes& s, int64_t lines) {
    return 2 * s.length * lines + Fft::scratch_elements(s.length, lines);
  }

  Status prepare_dense(const KernelCall& call) override {
    const auto sizes = sizes_of(call);
    if (!sizes) return {Code::kShapeMismatch, "the operands of a Fourier transform do not fit each other"};
    if (workspace_dense(call) > call.workspace_size)
      return {Code::kMalformedPlan, "the workspace of a Fourier transform is too small"};
    fft_.emplace(sizes->length, inverse_);
    sizes_ = *sizes;
    return kOkStatus;
  }

  size_t workspace_dense(const KernelCall& call) override {
    const auto s = sizes_of(call);
    if (!s) return kNoWorkspace;
    return static_cast<size_t>(thread_count() * elements_per_thread(*s, together(*s))) * sizeof(double);
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    if (call.outputs[0].elements() == 0) return kOkStatus;
    if (call.inputs[0].dtype == DType::kF32) run<float>(call);
    else run<double>(call);
    return kOkStatus;
  }

  template <class T> void run(const KernelCall& call) const noexcept {
    const Sizes& s = sizes_;
    const auto* x = static_cast<const T*>(call.inputs[0].data);
    auto* y = static_cast<T*>(call.outputs[0].data);
    const int64_t width = together(s), blocks = (s.lines() + width - 1) / width;
    const double work = 8.0 * static_cast<double>(s.lines()) * static_cast<double>(s.length);
    parallel_ranges(useful_threads(thread_count(), work), blocks, [&](int64_t begin, int64_t end, int part) {
      double* re = static_cast<double*>(call.workspace) + part * elements_per_thread(s, width);
      double *im = re + s.length * width, *scratch = im + s.length * width;
      for (int64_t b = begin; b < end; ++b) {
        const int64_t first = b * width, lines = std::min(width, s.lines() - first);
        for (int64_t q = 0; q < lines; ++q) read_line(x, first + q, re + q, im + q, lines);
        fft_->run(re, im, scratch, lines);
        for (int64_t q = 0; q < lines; ++q) write_line(re + q, im + q, lines, y, first + q);
      }
    });
  }

  // One line into every `lines`-th element; what the input lacks is 0, or mirrors what it has.
  template <class T> void read_line(const T* x, int64_t line, double* re, double* im, int64_t lines) const noexcept {
    const Sizes& s = sizes_;
    const int64_t step = s.inner * s.parts;
    x += (line / s.inner * s.given * s.inner + line % s.inner) * s.parts;
    const int64_t count = std::min(s.given, mirrors() ? s.length / 2 + 1 : s.length);
    for (int64_t t = 0; t < count; ++t) {
      re[t * lines] = x[t * step];
      im[t * lines] = s.parts == 2 ? static_cast<double>(x[t * step + 1]) : 0;
    }
    for (int64_t t = count; t < s.length; ++t) re[t * lines] = im[t * lines] = 0;
    if (!mirrors()) return;
    // Of a real signal the second half is the conjugate of the first; what has no partner is real.
    im[0] = 0;
    if (s.length % 2 == 0) im[s.length / 2 * lines] = 0;
    for (int64_t t = s.length / 2 + 1; t < s.length; ++t) {
      re[t * lines] = re[(s.length - t) * lines];
      im[t * lines] = -im[(s.length - t) * lines];
    }
  }

  template <class T>
  void write_line(const double* re, const double* im, int64_t lines, T* y, int64_t line) const noexcept {
    const Sizes& s = sizes_;
    const int64_t step = s.inner * s.made_parts;
    const double factor = inverse_ ? 1 / static_cast<double>(s.length) : 1;
    y += (line / s.inner * s.made * s.inner + line % s.inner) * s.made_parts;
    for (int64_t t = 0; t < s.made; ++t) {
      y[t * step] = static_cast<T>(re[t * lines] * factor);
      if (s.made_parts == 2) y[t * step + 1] = static_cast<T>(im[t * lines] * factor);
    }
  }

  int64_t axis_, given_length_;
  bool inverse_, half_;
  Sizes sizes_{};
  std::optional<Fft> fft_;
};

}  // namespace

std::unique_ptr<Kernel> make_dft(const Attributes& p) {
  return std::make_unique<DftKernel>(read_parameters<DftParameters>(p));
}

}  // namespace kiln::cpu::kernels
