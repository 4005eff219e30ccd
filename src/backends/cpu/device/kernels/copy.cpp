// Kernel "copy": one tensor into another, element by element. Parameter `what` says which goes where: dense (the same row-major
// order), transpose (perm), expand, tile, slice (axes, starts, steps; without starts they are
// input 1), depth_to_space and space_to_depth (block, column_major).
#include <algorithm>
#include <cstring>
#include <optional>

#include "backends/cpu/device/compute/transpose.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/registry.h"
#include "tensor/convert.h"

namespace kiln::cpu::kernels {
namespace {

struct Walk {
  Dims dims, from, to;
  int64_t from_start = 0;  // elements
};

Status wrong_shape() { return {Code::kShapeMismatch, "the copy's operands do not fit each other"}; }

class Copy final : public Kernel {
 public:
  explicit Copy(const Attributes& p)
      : what_(p.text("what")),
        perm_(p.ints("perm", {})),
        axes_(p.ints("axes", {})),
        starts_(p.ints("starts", {})),
        steps_(p.ints("steps", {})),
        late_starts_(what_ == "slice" && !p.has("starts")),
        block_(p.integer("block", 1)),
        crd_(p.integer("column_major", 0) != 0) {
    if (std::find(std::begin(kWays), std::end(kWays), what_) == std::end(kWays))
      throw Error(Code::kMalformedPlan, "there is no copy '" + what_ + "'");
    if (block_ < 1 || block_ > 1 << 15)
      throw Error(Code::kMalformedPlan, "a copy has a block of " + std::to_string(block_));
    if ((!late_starts_ && starts_.size() != axes_.size()) || steps_.size() != axes_.size())
      throw Error(Code::kMalformedPlan, "a slice has unequal numbers of axes, starts and steps");
  }

  Status prepare(const KernelCall& call) noexcept override {
    if (call.inputs.size() != (late_starts_ ? 2 : 1) || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a copy has one result"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    if (!is_plain(in) || !is_plain(out) || in.dtype != out.dtype || !element_bytes(in.dtype))
      return {Code::kMalformedPlan, "a copy takes plain tensors of one type"};
    if (late_starts_) {
      const TensorView& starts = call.inputs[1];
      if (!is_plain(starts) || !starts.is_dense() || starts.elements() != static_cast<int64_t>(axes_.size()) ||
          (starts.dtype != DType::kI32 && starts.dtype != DType::kI64))
        return {Code::kMalformedPlan, "the starts of a slice are one integer per axis"};
    }
    return guarded([&] {
      Walk w;
      if (!(what_ == "dense" || what_ == "depth_to_space" || what_ == "space_to_depth" ? reorder(in, out, w)
                                                                                       : place(in, out, w)))
        return wrong_shape();
      start_ = w.from_start * element_bytes(in.dtype);
      copy_ = StridedCopy(w.dims, w.from, w.to, element_bytes(in.dtype), thread_count());
      return kOkStatus;
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    if (late_starts_) {
      const auto start = late_start(call);
      if (!start) return {Code::kInvalidArgument, "the starts of a slice do not suit the shape of its result"};
      copy_.run(static_cast<const uint8_t*>(call.inputs[0].data) + *start, call.outputs[0].data);
      return kOkStatus;
    }
    if (elementwise_) copy_elementwise(call.inputs[0], call.outputs[0]);
    else copy_.run(static_cast<const uint8_t*>(call.inputs[0].data) + start_, call.outputs[0].data);
    return kOkStatus;
  }

 private:
  static constexpr std::string_view kWays[] = {"dense", "transpose",      "expand",        "tile",
                                               "slice", "depth_to_space", "space_to_depth"};

  // Result element by element, each from one place of the source.
  bool place(const TensorView& in, const TensorView& out, Walk& w) const {
    elementwise_ = false;
    w.dims.assign(out.dims, out.dims + out.rank);
    w.to.assign(out.strides, out.strides + out.rank);
    w.from.assign(static_cast<size_t>(out.rank), 0);
    if (what_ == "transpose") return place_transposed(in, out, w);
    if (what_ == "expand") return place_expanded(in, out, w);
    if (what_ == "tile") return place_tiles(in, out, w);
    return place_slice(in, out, w);
  }

  bool place_transposed(const TensorView& in, const TensorView& out, Walk& w) const {
    if (in.rank != out.rank || static_cast<int>(perm_.size()) != in.rank) return false;
    for (int i = 0; i < out.rank; ++i) {
      const int64_t p = perm_[static_cast<size_t>(i)];
      if (p < 0 || p >= in.rank || in.dims[p] != out.dims[i]) return false;
      w.from[static_cast<size_t>(i)] = in.strides[p];
    }
    return true;
  }

  static bool place_expanded(const TensorView& in, const TensorView& out, Walk& w) {
    const int shift = out.rank - in.rank;
    if (shift < 0) return false;
    for (int i = 0; i < in.rank; ++i) {
      if (in.dims[i] != 1 && in.dims[i] != out.dims[i + shift]) return false;
      w.from[static_cast<size_t>(i) + static_cast<size_t>(shift)] = in.dims[i] == 1 ? 0 : in.strides[i];
    }
    return true;
  }

  // Each axis of the result is seen as two: the repetition and the axis itself.
  static bool place_tiles(const TensorView& in, const TensorView& out, Walk& w) {
    if (in.rank != out.rank) return false;
    w = {};
    for (int i = 0; i < in.rank; ++i) {
      const int64_t d = in.dims[i];
      if (d == 0 ? out.dims[i] != 0 : out.dims[i] % d != 0) return false;
      w.dims.insert(w.dims.end(), {d == 0 ? 0 : out.dims[i] / d, d});
      w.from.insert(w.from.end(), {0, in.strides[i]});
      w.to.insert(w.to.end(), {d * out.strides[i], out.strides[i]});
    }
    return true;
  }

  bool place_slice(const TensorView& in, const TensorView& out, Walk& w) const {
    if (in.rank != out.rank) return false;
    std::vector<bool> sliced(static_cast<size_t>(in.rank), false);
    std::copy(in.strides, in.strides + in.rank, w.from.begin());
    for (size_t k = 0; k < axes_.size(); ++k) {
      const int64_t axis = axes_[k], step = steps_[k];
      if (axis < 0 || axis >= in.rank || step == 0 || sliced[static_cast<size_t>(axis)]) return false;
      const int64_t extent = in.dims[axis], length = out.dims[axis];
      sliced[static_cast<size_t>(axis)] = true;
      if (length == 0) continue;
      if (extent == 0) return false;
      if (!late_starts_) {
        const auto start = slice_start(starts_[k], extent, length, step);
        if (!start) return false;
        w.from_start += *start * in.strides[axis];
      }
      w.from[static_cast<size_t>(axis)] = length > 1 ? in.strides[axis] * step : 0;
    }
    for (int i = 0; i < in.rank; ++i)
      if (!sliced[static_cast<size_t>(i)] && in.dims[i] != out.dims[i]) return false;
    return true;
  }

  // The first element taken of an axis; nothing when not all elements lie inside.
  static std::optional<int64_t> slice_start(int64_t given, int64_t extent, int64_t length, int64_t step) {
    const int64_t start =
        std::clamp<int64_t>(given < 0 ? std::max(given, -extent) + extent : given, 0, step > 0 ? extent : extent - 1);
    if (start >= extent || (length > 1 && (step > 0 ? (extent - 1 - start) / step < length - 1
                                                    : step == INT64_MIN || start / -step < length - 1)))
      return std::nullopt;
    return start;
  }

  // Bytes from the source's start to the first element; nothing when the starts do not suit the result.
  std::optional<int64_t> late_start(const KernelCall& call) const noexcept {
    const TensorView &in = call.inputs[0], &out = call.outputs[0], &starts = call.inputs[1];
    int64_t at = 0;
    for (size_t k = 0; k < axes_.size() && out.elements() > 0; ++k) {
      const auto start = slice_start(load_int(starts.dtype, starts.data, static_cast<int64_t>(k)), in.dims[axes_[k]],
                                     out.dims[axes_[k]], steps_[k]);
      if (!start) return std::nullopt;
      at += *start * in.strides[axes_[k]];
    }
    return at * element_bytes(in.dtype);
  }

  // Source and result have the same elements in the same row-major order once the axes of blocks stand where they belong.
  bool reorder(const TensorView& in, const TensorView& out, Walk& w) const {
    Dims dims(in.dims, in.dims + in.rank), from(in.strides, in.strides + in.rank);
    Dims out_dims(out.dims, out.dims + out.rank), to(out.strides, out.strides + out.rank);
    const auto before = checked_element_count(dims), after = checked_element_count(out_dims);
    if (!before || !after || *before != *after) return false;
    if (what_ == "depth_to_space" && !block_view(dims, from)) return false;
    if (what_ == "space_to_depth") {
      if (!block_view(out_dims, to)) return false;
    }
    if (what_ != "dense") {
      // One side is six axes [n, c, h, b, w, b]; the other is split to match.
      const bool forward = what_ == "depth_to_space";
      const Dims &whole = forward ? dims : out_dims, &other = forward ? out_dims : dims, &strides = forward ? to : from;
      if (other.size() != 4 || other[0] != whole[0] || other[1] != whole[1] || other[2] != whole[2] * block_ ||
          other[3] != whole[4] * block_)
        return false;
      const Dims split{strides[0], strides[1], strides[2] * block_, strides[2], strides[3] * block_, strides[3]};
      w = {whole, forward ? from : split, forward ? split : to, 0};
      elementwise_ = false;
      return true;
    }
    elementwise_ = !common_walk(dims, from, out_dims, to, w.dims, w.from, w.to);
    if (elementwise_) w = {};
    return true;
  }

  // [n, c, h, w] with c = channels and blocks of pixels as [n, channels, h, b, w, b].
  bool block_view(Dims& dims, Dims& strides) const {
    const int64_t b = block_;
    if (dims.size() != 4 || dims[1] % (b * b) != 0) return false;
    const int64_t channels = dims[1] / (b * b), s = strides[1];
    dims = {dims[0], channels, dims[2], b, dims[3], b};
    strides = crd_ ? Dims{strides[0], b * b * s, strides[2], b * s, strides[3], s}
                   : Dims{strides[0], s, strides[2], b * channels * s, strides[3], channels * s};
    return true;
  }

  void copy_elementwise(const TensorView& in, const TensorView& out) const noexcept {
    const int64_t count = in.elements();
    const auto size = static_cast<size_t>(element_bytes(in.dtype));
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(static_cast<uint8_t*>(out.data) + static_cast<size_t>(offset_of(out, i)) * size,
                  static_cast<const uint8_t*>(in.data) + static_cast<size_t>(offset_of(in, i)) * size, size);
  }

  std::string what_;
  Ints perm_, axes_, starts_, steps_;
  bool late_starts_;
  int64_t block_;
  bool crd_;
  StridedCopy copy_;
  int64_t start_ = 0;  // bytes
  mutable bool elementwise_ = false;
};

}  // namespace

std::unique_ptr<Kernel> make_copy(const Attributes& parameters) { return std::make_unique<Copy>(parameters); }

}  // namespace kiln::cpu::kernels
