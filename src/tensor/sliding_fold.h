// Folds of the windows that slide along an axis, in a time that does not depend on how long the windows are.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace kiln {

// Window o has the elements o * stride - begin + t * dilation, t in [0, taps): those of them that lie in [0, in).
struct SlidingAxis {
  int64_t in, out, taps, stride, dilation, begin;

  struct Reach {
    int64_t first, count;
  };
  Reach reach(int64_t o) const { return reach_from(o * stride - begin, in); }
  // The same of an input that its padding makes longer: begin in front, end behind.
  Reach padded_reach(int64_t o, int64_t end) const { return reach_from(o * stride, begin + in + end); }

 private:
  Reach reach_from(int64_t start, int64_t length) const {
    const int64_t skipped = start < 0 ? std::min((-start + dilation - 1) / dilation, taps) : 0;
    const int64_t first = start + skipped * dilation;
    return {first, first >= length ? 0 : std::min(taps - skipped, (length - 1 - first) / dilation + 1)};
  }
};

// to[o * step] = what join makes of window o of from[i * step], `none` when it is empty. join is associative; scratch has 2 * in elements.
// Elements a dilation apart stand in blocks of as many as a window has, which meets the end of one block and the beginning of the next.
template <class T, class Join>
void fold_windows(const SlidingAxis& axis, const T* from, T* to, int64_t step, const T& none, Join join, T* scratch) {
  T *to_here = scratch, *from_here = scratch + axis.in;  // within the block
  const int64_t d = axis.dilation;
  for (int64_t i = 0; i < axis.in; ++i)
    to_here[i] = i / d % axis.taps == 0 ? from[i * step] : join(to_here[i - d], from[i * step]);
  for (int64_t i = axis.in; i-- > 0;)
    from_here[i] = i / d % axis.taps == axis.taps - 1 || i + d >= axis.in ? from[i * step]
                                                                          : join(from[i * step], from_here[i + d]);
  for (int64_t o = 0; o < axis.out; ++o) {
    const auto [first, count] = axis.reach(o);
    const int64_t last = first + (count - 1) * d;
    if (count == 0) to[o * step] = none;
    else if (first / d % axis.taps == 0) to[o * step] = to_here[last];
    else if (first / d / axis.taps == last / d / axis.taps) to[o * step] = from_here[first];
    else to[o * step] = join(from_here[first], to_here[last]);
  }
}

// In which order the axes are folded, so that nothing in between is larger than what is given and what is asked for.
inline std::vector<size_t> folding_order(const std::vector<SlidingAxis>& axes) {
  std::vector<size_t> order(axes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto growth = [&](size_t i) {
    return static_cast<double>(axes[i].out) / static_cast<double>(std::max<int64_t>(axes[i].in, 1));
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return growth(a) < growth(b); });
  return order;
}

// The larger of two elements; NaN is larger than all, the first of equals counts.
struct Extreme {
  double value;
  int64_t position;  // negative: there is none
};
inline Extreme larger(const Extreme& a, const Extreme& b) {
  const Extreme &first = a.position <= b.position ? a : b, &second = a.position <= b.position ? b : a;
  if (first.position < 0) return second;
  return second.value <= first.value || first.value != first.value ? first : second;
}

}  // namespace kiln
