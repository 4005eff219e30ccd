// Kernel "top_k": the largest or smallest elements along an axis in order, the lower index first among equals, and their indices.
// Inputs: data, k. Parameters: axis, largest. NaN is greater than every number.
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/index.h"
#include "device/axis_parameters.h"

namespace kiln::cpu::kernels {
namespace {

// An unsigned number that orders as the element does; equal for equal elements.
template <class T> auto order_key(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr U sign = U{1} << (8 * sizeof(T) - 1);
    if (std::isnan(x)) return static_cast<U>(~U{});
    const U bits = std::bit_cast<U>(x == 0 ? T{0} : x);
    return static_cast<U>(bits & sign ? ~bits : bits | sign);
  } else {
    using U = std::make_unsigned_t<T>;
    return static_cast<U>(static_cast<U>(x) ^ (std::is_signed_v<T> ? U{1} << (8 * sizeof(T) - 1) : U{0}));
  }
}

// Key and index in one number that sorts first what comes first.
template <class T> struct Entry {
  using Key = decltype(order_key(T{}));
  using Word = std::conditional_t<sizeof(Key) <= 4, uint64_t, unsigned __int128>;
  static Word make(T x, uint32_t index, bool largest) {
    const Key key = order_key(x);
    return static_cast<Word>(static_cast<Key>(largest ? ~key : key)) << 32 | index;
  }
};

constexpr size_t kEntryBytes = 16;
constexpr int64_t kTogether = 16;  // neighbouring lines that are read at once
constexpr int64_t kRoom = 16;      // entries of a line that are kept before the first cut
constexpr int64_t kGroup = 32;     // neighbours that are passed over at once

class TopK final : public DenseKernel {
 public:
  explicit TopK(const TopKParameters& p) : axis_(p.axis), largest_(p.largest) {}

 private:
  bool sizes_results() const override { return true; }
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.empty() || call.outputs.size() > 2 ||
        call.inputs[1].dtype != DType::kI64 || call.inputs[1].elements() != 1 || !call.outputs[0].present() ||
        call.inputs[0].dtype != call.outputs[0].dtype || (wants_indices(call) && call.outputs[1].dtype != DType::kI64))
      return {Code::kMalformedPlan, "top_k has other operands"};
    const TensorView& in = call.inputs[0];
    if (axis_ < 0 || axis_ >= in.rank) return {Code::kShapeMismatch, "top_k has no such axis"};
    axis_extent_ = in.dims[axis_];
    if (axis_extent_ > std::numeric_limits<uint32_t>::max())
      return {Code::kUnsupported, "the axis of top_k is too long"};
    outer_ = extent(in, 0, static_cast<int>(axis_));
    inner_ = extent(in, static_cast<int>(axis_) + 1, in.rank);
    if (call.workspace_size < workspace_dense(call))
      return {Code::kMalformedPlan, "the workspace of top_k is too small"};
    return kOkStatus;
  }
  size_t workspace_dense(const KernelCall& call) override {
    if (call.inputs.empty() || axis_ < 0 || axis_ >= call.inputs[0].rank) return kNoWorkspace;
    return static_cast<size_t>(call.inputs[0].dims[axis_]) * kEntryBytes * static_cast<size_t>(thread_count());
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      switch (call.inputs[0].dtype) {
        case DType::kF32: return run<float>(call);
        case DType::kF64: return run<double>(call);
        case DType::kI8: return run<int8_t>(call);
        case DType::kU8: return run<uint8_t>(call);
        case DType::kI32: return run<int32_t>(call);
        case DType::kI64: return run<int64_t>(call);
        case DType::kU64: return run<uint64_t>(call);
        default: return {Code::kMalformedPlan, "top_k does not order this type"};
      }
    });
  }

  static bool wants_indices(const KernelCall& call) { return call.outputs.size() > 1 && call.outputs[1].present(); }

  template <class T> Status run(const KernelCall& call) const {
    const TensorView& in = call.inputs[0];
    const int64_t k = *static_cast<const int64_t*>(call.inputs[1].data);
    if (k < 0 || k > axis_extent_) return {Code::kInvalidArgument, "TopK of more elements than its axis has"};
    Dims dims(in.dims, in.dims + in.rank);
    nth(dims, axis_) = k;
    auto* values = static_cast<T*>(place_result(call.outputs[0], dims));
    auto* indices = wants_indices(call) ? static_cast<int64_t*>(place_result(call.outputs[1], dims)) : nullptr;
    if (!values || (wants_indices(call) && !indices))
      return {Code::kShapeMismatch, "the results of top_k have another shape"};
    const auto* data = static_cast<const T*>(in.data);
    const int64_t lines = outer_ * inner_, n = axis_extent_;
    if (k == 0 || lines == 0) return kOkStatus;
    const int threads = static_cast<int>(std::min<int64_t>(
        useful_threads(thread_count(), 4.0 * static_cast<double>(lines) * static_cast<double>(n)), lines));
    const int64_t room = k * 8 <= n ? std::max<int64_t>(2 * k, std::min<int64_t>(kRoom, n)) : n;
    const int64_t together = std::min({kTogether, inner_, n / room}), blocks = (inner_ + together - 1) / together;
    parallel_ranges(threads, outer_ * blocks, [&](int64_t begin, int64_t end, int part) {
      using Word = typename Entry<T>::Word;
      auto* entries = reinterpret_cast<Word*>(static_cast<uint8_t*>(call.workspace) +
                                              static_cast<size_t>(part) * static_cast<size_t>(n) * kEntryBytes);
      for (int64_t b = begin; b < end; ++b) {
        const int64_t column = b % blocks * together, count = std::min(together, inner_ - column);
        const T* line = data + b / blocks * n * inner_ + column;
        if (largest_) Lines<T, true>(line, inner_, k, room, entries).select(count, n);
        else Lines<T, false>(line, inner_, k, room, entries).select(count, n);
        for (int64_t c = 0; c < count; ++c) {
          const int64_t to = b / blocks * k * inner_ + column + c;
          for (int64_t j = 0; j < k; ++j) {
            const auto index = static_cast<int64_t>(static_cast<uint32_t>(entries[c * room + j]));
            values[to + j * inner_] = line[index * inner_ + c];
            if (indices) indices[to + j * inner_] = index;
          }
        }
      }
    });
    return kOkStatus;
  }

  // The k first of each of some neighbouring lines, in order, at the beginning of its `room` entries. Where room is short, only what comes
  // before the k-th of those seen so far is kept, and cut to k now and then.
  template <class T, bool kLargest> class Lines {
   public:
    using Word = typename Entry<T>::Word;
    Lines(const T* data, int64_t stride, int64_t k, int64_t room, Word* entries)
        : data_(data), stride_(stride), k_(k), room_(room), entries_(entries) {}

    void select(int64_t lines, int64_t n) {
      for (int64_t c = 0; c < lines; ++c) {
        for (int64_t j = 0; j < room_; ++j) put(c, j);
        if (room_ < n) cut(c);
      }
      if (stride_ == 1) scan_line(n);
      else scan_lines(lines, n);
      for (int64_t c = 0; c < lines; ++c) {
        Word* const to = entries_ + c * room_;
        if (k_ < counts_[c]) std::nth_element(to, to + k_, to + counts_[c]);
        std::sort(to, to + k_);
      }
    }

   private:
    // An element that equals the k-th is behind it: its index is higher.
    static bool is_behind(T x, T bound) { return kLargest ? x <= bound : x >= bound; }

    static bool group_is_behind(const T* x, T bound) {
      using Flags = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;  // as wide as T: vectors
      Flags ahead = 0;
      for (int64_t i = 0; i < kGroup; ++i) ahead |= is_behind(x[i], bound) ? Flags{0} : Flags{1};
      return ahead == 0;
    }
    void scan_lines(int64_t lines, int64_t n) {
      for (int64_t j = room_; j < n; ++j)
        for (int64_t c = 0; c < lines; ++c)
          if (!is_behind(data_[j * stride_ + c], bounds_[c])) add(c, j);
    }
    void scan_line(int64_t n) {
      for (int64_t j = room_; j < n;) {
        const int64_t end = std::min(j + kGroup, n);
        if (end - j == kGroup && group_is_behind(data_ + j, bounds_[0])) j = end;
        for (; j < end; ++j)
          if (!is_behind(data_[j], bounds_[0])) add(0, j);
      }
    }
    void put(int64_t c, int64_t j) {
      entries_[c * room_ + counts_[c]++] = Entry<T>::make(data_[j * stride_ + c], static_cast<uint32_t>(j), kLargest);
    }
    void add(int64_t c, int64_t j) {
      put(c, j);
      if (counts_[c] == room_) cut(c);
    }
    void cut(int64_t c) {
      Word* const to = entries_ + c * room_;
      std::nth_element(to, to + k_ - 1, to + counts_[c]);
      counts_[c] = k_;
      bounds_[c] = data_[static_cast<int64_t>(static_cast<uint32_t>(to[k_ - 1])) * stride_ + c];
    }

    const T* data_;
    int64_t stride_, k_, room_;
    Word* entries_;
    int64_t counts_[kTogether] = {};
    T bounds_[kTogether] = {};
  };

  int64_t axis_;
  bool largest_;
  int64_t outer_ = 0, inner_ = 0, axis_extent_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_top_k(const Attributes& p) {
  return std::make_unique<TopK>(read_parameters<TopKParameters>(p));
}

}  // namespace kiln::cpu::kernels
