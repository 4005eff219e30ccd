// Kernel "pad": adds elements around a tensor, or removes them where a pad is negative. Inputs: data, value (one element of the same
// type, may be absent: zero). Parameters: mode (constant, edge, reflect, wrap), before (a number per axis).
#include <algorithm>

#include "backends/cpu/device/compute/transpose.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/checked.h"
#include "device/movement_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class Pad final : public Kernel {
 public:
  explicit Pad(PadParameters p) : mode_(p.mode), before_(std::move(p.before)) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.empty() || call.inputs.size() > 2 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "pad has other operands"};
      const TensorView &in = call.inputs[0], &out = call.outputs[0];
      const int size = element_bytes(in.dtype);
      if (!is_plain(in) || !is_plain(out) || size == 0 || in.dtype != out.dtype)
        return {Code::kMalformedPlan, "pad takes plain tensors of one type"};
      if (in.rank != out.rank || static_cast<int>(before_.size()) != in.rank)
        return {Code::kShapeMismatch, "pad has another number of axes"};
      if (call.inputs.size() == 2 && call.inputs[1].present() &&
          (call.inputs[1].dtype != in.dtype || call.inputs[1].elements() != 1))
        return {Code::kShapeMismatch, "the value of pad is one element"};
      pieces_.clear();
      if (out.elements() == 0) return kOkStatus;
      return mode_ == Padding::kConstant ? prepare_constant(in, out, size) : prepare_pieces(in, out, size);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    static constexpr uint8_t kZero[16] = {};
    const auto* in = static_cast<const uint8_t*>(call.inputs[0].data);
    auto* out = static_cast<uint8_t*>(call.outputs[0].data);
    if (mode_ == Padding::kConstant && !pieces_.empty()) {
      const bool given = call.inputs.size() == 2 && call.inputs[1].present();
      pieces_[0].copy.run(given ? call.inputs[1].data : kZero, out);
      if (pieces_.size() > 1) pieces_[1].copy.run(in + pieces_[1].from, out + pieces_[1].to);
      return kOkStatus;
    }
    for (const Piece& p : pieces_) p.copy.run(in + p.from, out + p.to);
    return kOkStatus;
  }

 private:
  static constexpr size_t kMostPieces = 1 << 16;
  struct Piece {
    StridedCopy copy;
    int64_t from, to;  // bytes
  };
  // A stretch of an axis of the result that takes adjacent (or, backwards, descending, or equal) elements of the source.
  struct Stretch {
    int64_t to, length, from, step;
  };

  // First the value everywhere, then what remains of the data.
  Status prepare_constant(const TensorView& in, const TensorView& out, int size) {
    const auto rank = static_cast<size_t>(in.rank);
    pieces_.push_back({StridedCopy({out.dims, rank}, Dims(rank, 0), {out.strides, rank}, size, thread_count()), 0, 0});
    Dims dims(rank);
    int64_t from = 0, to = 0;
    for (size_t i = 0; i < rank; ++i) {
      const int64_t first = std::max<int64_t>(0, -before_[i]), start = std::max<int64_t>(0, before_[i]);
      dims[i] = std::min(in.dims[i] - first, out.dims[i] - start);
      if (dims[i] <= 0) return kOkStatus;
      from += first * in.strides[i];
      to += start * out.strides[i];
    }
    pieces_.push_back(
        {StridedCopy(dims, {in.strides, rank}, {out.strides, rank}, size, thread_count()), from * size, to * size});
    return kOkStatus;
  }

  // The stretch that begins at position k of the source, which lies outside of it where it pads.
  Stretch stretch_at(int64_t k, int64_t extent) const {
    constexpr int64_t kToTheEnd = INT64_MAX;
    if (k >= 0 && k < extent) return {0, extent - k, k, 1};
    if (extent == 1 || (mode_ == Padding::kEdge && k >= extent)) return {0, kToTheEnd, extent - 1, 0};
    if (mode_ == Padding::kEdge) return {0, -k, 0, 0};
    const int64_t period = mode_ == Padding::kWrap ? extent : 2 * (extent - 1), at = floor_mod(k, period);
    return at < extent ? Stretch{0, extent - at, at, 1} : Stretch{0, period - at, period - at, -1};
  }

  std::vector<Stretch> stretches(int64_t before, int64_t extent, int64_t length) const {
    std::vector<Stretch> list;
    for (int64_t i = 0; i < length && list.size() <= kMostPieces; i += list.back().length) {
      list.push_back(stretch_at(i - before, extent));
      list.back().to = i;
      list.back().length = std::min(list.back().length, length - i);
    }
    return list;
  }

  // The result as a grid of boxes, each copied from one place.
  Status prepare_pieces(const TensorView& in, const TensorView& out, int size) {
    const auto rank = static_cast<size_t>(in.rank);
    std::vector<std::vector<Stretch>> axes;
    size_t count = 1;
    for (size_t i = 0; i < rank; ++i) {
      if (in.dims[i] == 0) return {Code::kShapeMismatch, "an axis without elements cannot be padded from itself"};
      axes.push_back(stretches(before_[i], in.dims[i], out.dims[i]));
      count *= axes.back().size();
      if (count > kMostPieces) return {Code::kUnsupported, "padding repeats the data too often"};
    }
    for (size_t k = 0; k < count; ++k) {
      Dims dims(rank), from(rank);
      int64_t source_start = 0, result_start = 0;
      size_t rest = k;
      for (size_t i = rank; i-- > 0;) {
        const Stretch& s = axes[i][rest % axes[i].size()];
        rest /= axes[i].size();
        dims[i] = s.length;
        from[i] = s.step * in.strides[i];
        source_start += s.from * in.strides[i];
        result_start += s.to * out.strides[i];
      }
      pieces_.push_back({StridedCopy(dims, from, {out.strides, rank}, size, thread_count()), source_start * size,
                         result_start * size});
    }
    return kOkStatus;
  }

  Padding mode_;
  Ints before_;
  std::vector<Piece> pieces_;
};

}  // namespace

std::unique_ptr<Kernel> make_pad(const Attributes& parameters) {
  return std::make_unique<Pad>(read_parameters<PadParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
