// What kernels that take elements by index share: dispatch on element and index types, and where indexed elements lie.
#pragma once
#include <atomic>
#include <utility>
#include <vector>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/dense.h"

namespace kiln::cpu::kernels {

struct Bytes16 {
  uint64_t half[2];
};

// Calls body with a value of an unsigned type of that many bytes; false for other sizes.
template <class Body> bool with_element(int bytes, Body&& body) {
  switch (bytes) {
    case 1: return body(uint8_t{}), true;
    case 2: return body(uint16_t{}), true;
    case 4: return body(uint32_t{}), true;
    case 8: return body(uint64_t{}), true;
    case 16: return body(Bytes16{}), true;
    default: return false;
  }
}

inline bool is_index(const TensorView& v) { return v.dtype == DType::kI32 || v.dtype == DType::kI64; }

// Calls body with the typed indices of a tensor for which is_index holds.
template <class Body> void with_indices(const TensorView& v, Body&& body) {
  if (v.dtype == DType::kI64) body(static_cast<const int64_t*>(v.data));
  else body(static_cast<const int32_t*>(v.data));
}

// An index counted from the end when negative; -1 when it is outside.
inline int64_t place_index(int64_t index, int64_t extent) {
  if (index < 0) index += extent;
  return index >= 0 && index < extent ? index : -1;
}

// The elements that GatherElements and ScatterElements pair: indices [outer, count, inner], and where each outer and inner position
// lies in the data.
class ElementPairs {
 public:
  // False: the shapes do not fit each other.
  bool prepare(const TensorView& data, const TensorView& indices, int64_t axis);
  // Calls body(i, at) for indices i and positions `at` in the data. Positions that threads share never meet: one thread sees all
  // indices of a line along the axis, in order. False when an index is outside.
  template <class T, class Body> bool run(const T* indices, Body&& body) const noexcept {
    std::atomic<bool> outside{false};
    const bool by_outer = outer_ >= inner_;
    const int threads =
        useful_threads(thread_count(), 1.5 * static_cast<double>(outer_) * static_cast<double>(count_ * inner_));
    parallel_ranges(threads, by_outer ? outer_ : inner_, [&](int64_t begin, int64_t end) {
      const int64_t o0 = by_outer ? begin : 0, o1 = by_outer ? end : outer_;
      const int64_t i0 = by_outer ? 0 : begin, i1 = by_outer ? inner_ : end;
      bool wrong = false;
      for (int64_t o = o0; o < o1; ++o)
        for (int64_t j = 0; j < count_; ++j)
          for (int64_t i = i0; i < i1; ++i) {
            const int64_t from = (o * count_ + j) * inner_ + i, index = place_index(indices[from], extent_);
            if (index < 0) wrong = true;
            else
              body(from, outer_base_[static_cast<size_t>(o)] + index * stride_ + inner_base_[static_cast<size_t>(i)]);
          }
      if (wrong) outside.store(true, std::memory_order_relaxed);
    });
    return !outside;
  }

 private:
  int64_t outer_ = 0, count_ = 0, inner_ = 0, extent_ = 0, stride_ = 1;
  std::vector<int64_t> outer_base_, inner_base_;
};

// The slices that GatherND and ScatterND pair: tuple t, of `depth` indices, names the slice of `run` elements at offset(t).
class Tuples {
 public:
  // False: the shapes do not fit each other.
  bool prepare(const TensorView& data, const TensorView& indices, int64_t batch_axes);
  int64_t count() const { return batches_ * per_batch_; }
  int64_t run() const { return run_; }
  // In elements; -1 when an index is outside.
  int64_t offset(const int64_t* indices, int64_t t) const noexcept {
    int64_t at = t / per_batch_ * batch_size_;
    const auto depth = static_cast<int64_t>(axes_.size());
    for (int64_t k = 0; k < depth; ++k) {
      const auto [extent, stride] = axes_[static_cast<size_t>(k)];
      const int64_t index = place_index(indices[t * depth + k], extent);
      if (index < 0) return -1;
      at += index * stride;
    }
    return at;
  }

 private:
  int64_t batches_ = 0, per_batch_ = 0, batch_size_ = 0, run_ = 0;
  std::vector<std::pair<int64_t, int64_t>> axes_;  // extent, stride
};

}  // namespace kiln::cpu::kernels
