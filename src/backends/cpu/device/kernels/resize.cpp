// Kernel "resize": Resize of row-major or channels-last tensors; nearest for every element size, linear and cubic in float32.
// Parameters: mode, nearest_mode, coordinates, cubic_a, antialias, exclude_outside, outside (the value there), axes, scales (one per
// axis, or none: the sizes' quotients), roi (starts, then ends; may be empty).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

#include "backends/cpu/device/compute/resample.h"
#include "backends/cpu/device/kernels/indexed.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/views.h"
#include "base/index.h"
#include "device/region_parameters.h"
#include "tensor/sampling.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kMostTaps = int64_t{1} << 28;  // of all output elements along an axis together

int64_t product(const Dims& dims, size_t begin, size_t end) {
  int64_t n = 1;
  for (size_t i = begin; i < end; ++i) n *= dims[i];
  return n;
}

std::vector<int> order_of(int rank, bool channels_last) {
  std::vector<int> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  if (channels_last) std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return order;
}

// Float32 by weights: axis after axis, within slabs that do not depend on each other.
class Weighted {
 public:
  // Slabs and buffers for tensors of these dims in storage order, of which `axes`, the first of them `first`, may change. Grows with
  // the dims, whichever axes do change.
  void reserve(const Dims& in, const Dims& out, size_t first, size_t axes) {
    first_ = first;
    slabs_ = product(in, 0, first);
    buffers_ = axes < 2 ? 0 : axes == 2 ? 1 : 2;
    buffer_ = 1;
    for (size_t i = first; i < in.size(); ++i) buffer_ *= std::max(in[i], out[i]);
    buffer_ = (buffer_ + 15) / 16 * 16;
  }
  // `maps` of axes in storage order.
  void prepare(Dims dims, const std::vector<AxisMap>& maps, const ResampleRule& rule) {
    passes_.clear();
    slab_from_ = product(dims, first_, dims.size());
    std::vector<AxisMap> order = maps;
    std::stable_sort(order.begin(), order.end(), [](const AxisMap& a, const AxisMap& b) {
      return static_cast<double>(a.out) * static_cast<double>(b.in) <
             static_cast<double>(b.out) * static_cast<double>(a.in);
    });
    for (const AxisMap& m : order) {
      Pass pass;
      pass.taps = taps_of(m, rule);
      pass.outer = product(dims, first_, m.axis);
      pass.inner = product(dims, m.axis + 1, dims.size());
      dims[m.axis] = m.out;
      passes_.push_back(std::move(pass));
    }
    slab_to_ = product(dims, first_, dims.size());
  }
  bool by_slabs() const { return slabs_ >= thread_count(); }
  size_t workspace() const {
    return static_cast<size_t>((by_slabs() ? thread_count() : 1) * buffers_ * buffer_) * sizeof(float);
  }
  void run(const float* from, float* to, void* workspace, float outside) const noexcept {
    auto* space = static_cast<float*>(workspace);
    if (!by_slabs()) {
      for (int64_t s = 0; s < slabs_; ++s)
        run_slab(from + s * slab_from_, to + s * slab_to_, space, outside, thread_count());
      return;
    }
    const double work = static_cast<double>(slabs_) * static_cast<double>(slab_from_ + slab_to_);
    parallel_ranges(useful_threads(thread_count(), work), slabs_, [&](int64_t begin, int64_t end, int part) {
      for (int64_t s = begin; s < end; ++s)
        run_slab(from + s * slab_from_, to + s * slab_to_, space + part * buffers_ * buffer_, outside, 1);
    });
  }

 private:
  struct Pass {
    AxisTaps taps;
    int64_t outer = 1, inner = 1;
  };

  static AxisTaps taps_of(const AxisMap& map, const ResampleRule& rule) {
    AxisTaps taps;
    taps.in = map.in;
    taps.out = map.out;
    taps.outside.assign(static_cast<size_t>(map.out), 0);
    for (int64_t i = 0; i < map.out; ++i) {
      const Sample s = sample_at(map, rule, i);
      if (s.outside) {
        nth(taps.outside, i) = 1;
        continue;
      }
      if (taps.count == 0) {
        taps.count = static_cast<int64_t>(s.weights.size());
        taps.index.assign(static_cast<size_t>(taps.count * taps.out), 0);
        taps.weight.assign(static_cast<size_t>(taps.count * taps.out), 0.0f);
      }
      for (int64_t k = 0; k < taps.count; ++k) {
        const auto to = static_cast<size_t>(k * taps.out + i);
        taps.index[to] = static_cast<int32_t>(std::clamp<int64_t>(s.first + k, 0, map.in - 1));
        taps.weight[to] = static_cast<float>(nth(s.weights, k));
      }
    }
    return taps;
  }

  void run_slab(const float* from, float* to, float* space, float outside, int threads) const noexcept {
    float* buffers[2] = {space, space + buffer_};
    for (size_t p = 0; p < passes_.size(); ++p) {
      float* result = p + 1 == passes_.size() ? to : buffers[p % 2];
      resample_axis(passes_[p].taps, passes_[p].outer, passes_[p].inner, from, result, outside, threads);
      from = result;
    }
  }

  std::vector<Pass> passes_;
  size_t first_ = 0;
  int64_t slabs_ = 0, slab_from_ = 0, slab_to_ = 0, buffers_ = 0, buffer_ = 0;  // sizes in elements
};

// Whole elements: rows of runs behind the last axis that changes.
class Nearest {
 public:
  void prepare(const Dims& in, const Dims& out, const std::vector<AxisMap>& maps, const ResampleRule& rule, int size) {
    const Dims strides = row_major_strides(in);
    size_t last = 0;
    for (const AxisMap& m : maps) last = std::max(last, m.axis);
    from_.assign(last + 1, {});
    for (size_t a = 0; a <= last; ++a)
      for (int64_t i = 0; i < out[a]; ++i) from_[a].push_back(i * strides[a] * size);
    for (const AxisMap& m : maps)
      for (int64_t i = 0; i < m.out; ++i) {
        const Sample s = sample_at(m, rule, i);
        nth(from_[m.axis], i) = s.outside ? -1 : s.first * strides[m.axis] * size;
      }
    run_ = strides[last] * size;
    rows_ = 1;
    for (size_t a = 0; a < last; ++a) rows_ *= out[a];
  }
  // `outside`: one element.
  void run(const uint8_t* from, uint8_t* to, const void* outside, int size) const noexcept {
    const std::vector<int64_t>& columns = from_.back();
    const auto count = static_cast<int64_t>(columns.size());
    const int threads =
        useful_threads(thread_count(), 0.15 * static_cast<double>(rows_ * count) * static_cast<double>(run_ + 4));
    parallel_ranges(threads, rows_, [&](int64_t begin, int64_t end) {
      int64_t before = -2;  // where the row above came from
      for (int64_t r = begin; r < end; ++r) {
        uint8_t* row = to + r * count * run_;
        const int64_t start = row_start(r);
        if (start == before) std::memcpy(row, row - count * run_, static_cast<size_t>(count * run_));
        else if (start >= 0 && run_ == size) pick(from + start, row, outside, size);
        else
          for (int64_t i = 0; i < count; ++i)
            copy_run(from + start, start < 0 ? -1 : nth(columns, i), row + i * run_, outside, size);
        before = start;
      }
    });
  }

 private:
  int64_t row_start(int64_t row) const noexcept {
    int64_t at = 0;
    for (size_t a = from_.size() - 1; a-- > 0;) {
      const auto n = static_cast<int64_t>(from_[a].size());
      const int64_t part = nth(from_[a], row % n);
      if (part < 0) return -1;
      at += part;
      row /= n;
    }
    return at;
  }
  void pick(const uint8_t* from, uint8_t* to, const void* outside, int size) const noexcept {
    with_element(size, [&]<class T>(T) {
      T other;
      std::memcpy(&other, outside, sizeof(T));
      auto* results = reinterpret_cast<T*>(to);
      for (int64_t column : from_.back()) *results++ = column < 0 ? other : *reinterpret_cast<const T*>(from + column);
    });
  }
  void copy_run(const uint8_t* from, int64_t column, uint8_t* to, const void* outside, int size) const noexcept {
    if (column >= 0) std::memcpy(to, from + column, static_cast<size_t>(run_));
    else
      for (int64_t i = 0; i < run_; i += size) std::memcpy(to + i, outside, static_cast<size_t>(size));
  }

  std::vector<std::vector<int64_t>> from_;  // per axis up to the last that changes: bytes; -1 outside
  int64_t run_ = 0, rows_ = 0;
};

class Resize final : public DenseKernel {
 public:
  explicit Resize(ResizeParameters p)
      : rule_(std::move(p.resample.rule)),
        outside_(static_cast<float>(p.resample.outside)),
        axes_(std::move(p.resample.axes)),
        scales_(std::move(p.scales)),
        roi_(std::move(p.roi)) {
    std::memcpy(other_.data(), &outside_, sizeof(outside_));
  }

 private:
  bool takes(const KernelCall& call) const override { return channels_last(call); }
  static bool channels_last(const KernelCall& call) {
    if (call.inputs.empty() || call.outputs.empty()) return false;
    return is_channels_last(call.inputs[0]) && is_channels_last(call.outputs[0]);
  }
  bool nearest() const { return rule_.mode == "nearest"; }

  // One entry per axis that changes, counted in storage order. Nothing: the operands do not fit.
  std::optional<std::vector<AxisMap>> maps(const TensorView& in, const TensorView& out,
                                           const std::vector<int>& order) const {
    std::vector<AxisMap> list;
    std::vector<bool> changes(static_cast<size_t>(in.rank), false);
    for (size_t i = 0; i < axes_.size(); ++i) {
      const int64_t axis = axes_[i];
      if (axis < 0 || axis >= in.rank || nth(changes, axis)) return std::nullopt;
      nth(changes, axis) = true;
      const auto at = static_cast<size_t>(std::find(order.begin(), order.end(), axis) - order.begin());
      AxisMap m{.axis = at, .in = in.dims[axis], .out = out.dims[axis]};
      if (m.in > INT32_MAX || m.in < 1) return std::nullopt;
      m.scale = scales_.empty() ? static_cast<double>(m.out) / static_cast<double>(m.in) : scales_[i];
      if (!roi_.empty()) m.start = roi_[i], m.end = roi_[axes_.size() + i];
      const double taps = nearest() ? 1 : rule_.antialias ? 4 / std::min(m.scale, 1.0) + 4 : 4;
      if (taps * static_cast<double>(m.out) > static_cast<double>(kMostTaps)) return std::nullopt;
      const bool crops = rule_.coordinates == "tf_crop_and_resize" && (m.start != 0 || m.end != 1);
      if (m.scale != 1 || m.in != m.out || crops) list.push_back(m);
    }
    for (int i = 0; i < in.rank; ++i)
      if (!nth(changes, i) && in.dims[i] != out.dims[i]) return std::nullopt;
    return list;
  }

  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1 || call.inputs[0].dtype != call.outputs[0].dtype ||
        element_bytes(call.inputs[0].dtype) == 0)
      return {Code::kMalformedPlan, "resize has other operands"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    if (in.dtype != DType::kF32 && (!nearest() || rule_.coordinates == "tf_crop_and_resize"))
      return {Code::kMalformedPlan, "resize computes in float32"};
    if (in.rank != out.rank || in.rank > 16) return {Code::kShapeMismatch, "resize keeps the rank"};
    empty_ = out.elements() == 0;
    if (empty_) return kOkStatus;
    const auto order = order_of(in.rank, channels_last(call));
    const auto list = maps(in, out, order);
    if (!list) return {Code::kShapeMismatch, "the operands of resize do not fit each other"};
    Dims from, to;
    for (int axis : order) from.push_back(in.dims[axis]), to.push_back(out.dims[axis]);
    copies_ = list->empty();
    if (copies_) return kOkStatus;
    if (nearest()) {
      nearest_.prepare(from, to, *list, rule_, element_bytes(in.dtype));
      return kOkStatus;
    }
    reserve(call);
    if (call.workspace_size < weighted_.workspace())
      return {Code::kMalformedPlan, "the workspace of resize is too small"};
    weighted_.prepare(from, *list, rule_);
    return kOkStatus;
  }
  size_t workspace_dense(const KernelCall& call) override {
    if (call.inputs.empty() || call.outputs.empty() || call.inputs[0].rank != call.outputs[0].rank) return kNoWorkspace;
    return nearest() || axes_.empty() ? 0 : (reserve(call), weighted_.workspace());
  }
  void reserve(const KernelCall& call) {
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    const auto order = order_of(in.rank, channels_last(call));
    Dims from, to;
    size_t first = order.size();
    for (size_t i = 0; i < order.size(); ++i) {
      from.push_back(in.dims[order[i]]);
      to.push_back(out.dims[order[i]]);
      if (std::find(axes_.begin(), axes_.end(), order[i]) != axes_.end()) first = std::min(first, i);
    }
    weighted_.reserve(from, to, first, axes_.size());
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    const int size = element_bytes(in.dtype);
    if (empty_) return kOkStatus;
    if (copies_) std::memcpy(out.data, in.data, static_cast<size_t>(out.elements() * size));
    else if (nearest())
      nearest_.run(static_cast<const uint8_t*>(in.data), static_cast<uint8_t*>(out.data), other_.data(), size);
    else weighted_.run(static_cast<const float*>(in.data), static_cast<float*>(out.data), call.workspace, outside_);
    return kOkStatus;
  }
  ResampleRule rule_;
  float outside_;
  std::array<uint8_t, 16> other_{};  // that value as an element of any size; only float32 has one
  Ints axes_;
  Floats scales_, roi_;
  bool empty_ = false, copies_ = false;
  Weighted weighted_;
  Nearest nearest_;
};

}  // namespace

std::unique_ptr<Kernel> make_resize(const Attributes& p) {
  return std::make_unique<Resize>(read_parameters<ResizeParameters>(p));
}

}  // namespace kiln::cpu::kernels
