// Reductions of float32 tensors: rows where the innermost dimension is reduced, columns where it is kept.
#include "backends/cpu/device/compute/reduce.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/parallel.h"

#ifndef KILN_REDUCE_FOLD
#define KILN_REDUCE_FOLD
namespace kiln::cpu {
// What the inner loops fold; e^(x - shift) needs the maximum first.
enum class Fold : uint8_t { kSum, kSumAbs, kSumSquares, kSumExp, kMax, kMin, kProduct };
}  // namespace kiln::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/reduce.cpp"
#include "base/index.h"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

template <Fold fold> HWY_INLINE VF map_lane(F32 d, VF v, VF shift) {
  if constexpr (fold == Fold::kSumAbs) return hn::Abs(v);
  else if constexpr (fold == Fold::kSumSquares) return hn::Mul(v, v);
  else if constexpr (fold == Fold::kSumExp) return exp(d, hn::Sub(v, shift));
  else return v;
}
template <Fold fold> HWY_INLINE VF combine_lanes(VF a, VF b) {
  if constexpr (fold == Fold::kMax) return nan_max(a, b);
  else if constexpr (fold == Fold::kMin) return nan_min(a, b);
  else if constexpr (fold == Fold::kProduct) return hn::Mul(a, b);
  else return hn::Add(a, b);
}
template <Fold fold> HWY_INLINE VF neutral(F32 d) {
  if constexpr (fold == Fold::kMax) return hn::Set(d, -std::numeric_limits<float>::infinity());
  else if constexpr (fold == Fold::kMin) return hn::Set(d, std::numeric_limits<float>::infinity());
  else if constexpr (fold == Fold::kProduct) return hn::Set(d, 1.0f);
  else return hn::Zero(d);
}

template <Fold fold> double fold_row(const float* x, int64_t n, float shift) {
  const F32 d;
  const VF s = hn::Set(d, shift);
  auto map = [&](VF v) HWY_ATTR { return map_lane<fold>(d, v, s); };
  if constexpr (fold == Fold::kMax) {
    return static_cast<double>(max_row(x, n));
  } else if constexpr (fold == Fold::kMin || fold == Fold::kProduct) {
    HWY_ALIGN float lanes[hn::MaxLanes(d)];
    hn::Store(fold_block(x, n, neutral<fold>(d), map, [](VF a, VF b) HWY_ATTR { return combine_lanes<fold>(a, b); }), d,
              lanes);
    double total = static_cast<double>(lanes[0]);
    for (size_t i = 1; i < hn::Lanes(d); ++i) {
      const auto v = static_cast<double>(lanes[i]);
      if constexpr (fold == Fold::kProduct) total *= v;
      else total = std::isnan(total) || total < v ? total : v;
    }
    return total;
  } else {
    return sum_row(x, n, map);
  }
}

// out[c] = the fold of column c over `rows` rows.
template <Fold fold>
void fold_columns(const float* x, int64_t rows, int64_t stride, int64_t columns, const float* shift, float* out) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + 2 * lanes <= columns; c += 2 * lanes) {
    VF a = neutral<fold>(d), b = a;
    const VF s = shift ? hn::LoadU(d, shift + c) : a, t = shift ? hn::LoadU(d, shift + c + lanes) : a;
    const float* p = x + c;
    for (int64_t r = 0; r < rows; ++r, p += stride) {
      a = combine_lanes<fold>(a, map_lane<fold>(d, hn::LoadU(d, p), s));
      b = combine_lanes<fold>(b, map_lane<fold>(d, hn::LoadU(d, p + lanes), t));
    }
    hn::StoreU(a, d, out + c);
    hn::StoreU(b, d, out + c + lanes);
  }
  for (; c < columns; c += lanes) {
    const int64_t part = std::min(lanes, columns - c);
    VF a = neutral<fold>(d);
    const VF s = shift ? load_part_or_all(d, shift + c, part, lanes) : a;
    const float* p = x + c;
    for (int64_t r = 0; r < rows; ++r, p += stride)
      a = combine_lanes<fold>(a, map_lane<fold>(d, load_part_or_all(d, p, part, lanes), s));
    if (part < lanes) store_part(d, a, out + c, part);
    else hn::StoreU(a, d, out + c);
  }
}

double row_of(Fold fold, const float* x, int64_t n, float shift) {
  switch (fold) {
    case Fold::kSum: return fold_row<Fold::kSum>(x, n, shift);
    case Fold::kSumAbs: return fold_row<Fold::kSumAbs>(x, n, shift);
    case Fold::kSumSquares: return fold_row<Fold::kSumSquares>(x, n, shift);
    case Fold::kSumExp: return fold_row<Fold::kSumExp>(x, n, shift);
    case Fold::kMax: return fold_row<Fold::kMax>(x, n, shift);
    case Fold::kMin: return fold_row<Fold::kMin>(x, n, shift);
    case Fold::kProduct: return fold_row<Fold::kProduct>(x, n, shift);
  }
  return 0;
}

void columns_of(Fold fold, const float* x, int64_t rows, int64_t stride, int64_t columns, const float* shift,
                float* out) {
  switch (fold) {
    case Fold::kSum: return fold_columns<Fold::kSum>(x, rows, stride, columns, shift, out);
    case Fold::kSumAbs: return fold_columns<Fold::kSumAbs>(x, rows, stride, columns, shift, out);
    case Fold::kSumSquares: return fold_columns<Fold::kSumSquares>(x, rows, stride, columns, shift, out);
    case Fold::kSumExp: return fold_columns<Fold::kSumExp>(x, rows, stride, columns, shift, out);
    case Fold::kMax: return fold_columns<Fold::kMax>(x, rows, stride, columns, shift, out);
    case Fold::kMin: return fold_columns<Fold::kMin>(x, rows, stride, columns, shift, out);
    case Fold::kProduct: return fold_columns<Fold::kProduct>(x, rows, stride, columns, shift, out);
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(row_of);
HWY_EXPORT(columns_of);

namespace {

constexpr int64_t kMaxRank = 16;
constexpr int64_t kColumnBlock = 64;  // columns folded at once
constexpr int64_t kRowBlock = 256;    // rows of a column that are folded in float
constexpr int64_t kPieces = 64;       // a lone long row is cut into as many, whatever the number of threads

struct Axis {
  int64_t extent, stride;
};

// A list of dimensions, outermost first, walked by index.
struct Walk {
  std::array<Axis, kMaxRank> axes;
  int64_t rank = 0, count = 1;
  void push(Axis axis) {
    if (rank > 0 && nth(axes, rank - 1).stride == axis.extent * axis.stride) {
      nth(axes, rank - 1) = {nth(axes, rank - 1).extent * axis.extent, axis.stride};
    } else {
      nth(axes, rank++) = axis;
    }
    count *= axis.extent;
  }
  // Takes the innermost dimension away; of extent 1 when there is none.
  Axis pop() {
    if (rank == 0) return {1, 1};
    const Axis last = nth(axes, --rank);
    count = 1;
    for (int64_t i = 0; i < rank; ++i) count *= nth(axes, i).extent;
    return last;
  }
  int64_t offset(int64_t index) const {
    int64_t at = 0;
    for (int64_t i = rank - 1; i >= 0; --i) {
      const Axis& a = nth(axes, i);
      at += index % a.extent * a.stride;
      index /= a.extent;
    }
    return at;
  }
};

struct Problem {
  Walk kept, reduced;  // without the innermost dimension of the kind that is innermost
  Axis inner;          // that dimension
  bool rows;           // it is reduced
  const float* x;
  float* y;
  int threads;
  double nanoseconds;
};

double start_of(Fold fold) {
  if (fold == Fold::kMax) return -INFINITY;
  if (fold == Fold::kMin) return INFINITY;
  return fold == Fold::kProduct ? 1 : 0;
}
double join(Fold fold, double a, double b) {
  if (fold == Fold::kMax) return std::isnan(a) || a > b ? a : b;
  if (fold == Fold::kMin) return std::isnan(a) || a < b ? a : b;
  return fold == Fold::kProduct ? a * b : a + b;
}

double row(Fold fold, const float* x, Axis axis, float shift) {
  if (axis.stride == 1) return HWY_DYNAMIC_DISPATCH(row_of)(fold, x, axis.extent, shift);
  double total = start_of(fold);
  for (int64_t i = 0; i < axis.extent; ++i)
    total = join(fold, total, HWY_DYNAMIC_DISPATCH(row_of)(fold, x + i * axis.stride, 1, shift));
  return total;
}

// Each output from rows. `finish(total, output)` turns the fold into the result.
template <class Finish> void fold_rows(const Problem& p, Fold fold, bool shifted, const Finish& finish) {
  const int64_t length = p.inner.extent;
  if (p.kept.count == 1 && p.reduced.count == 1 && length >= kPieces * kRowBlock) {
    double partial[kPieces];
    parallel_ranges(useful_threads(p.threads, p.nanoseconds), kPieces, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t from = length * i / kPieces, to = length * (i + 1) / kPieces;
        partial[i] = row(fold, p.x + from * p.inner.stride, {to - from, p.inner.stride}, shifted ? p.y[0] : 0);
      }
    });
    double total = start_of(fold);
    for (double v : partial) total = join(fold, total, v);
    p.y[0] = finish(total, p.y[0]);
    return;
  }
  parallel_ranges(useful_threads(p.threads, p.nanoseconds), p.kept.count, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const float* x = p.x + p.kept.offset(o);
      double total = start_of(fold);
      for (int64_t r = 0; r < p.reduced.count; ++r) {
        total = join(fold, total, row(fold, x + p.reduced.offset(r), p.inner, shifted ? p.y[o] : 0));
      }
      p.y[o] = finish(total, p.y[o]);
    }
  });
}

// Blocks of adjacent outputs from columns.
template <class Finish> void fold_blocks(const Problem& p, Fold fold, bool shifted, const Finish& finish) {
  const int64_t width = p.inner.extent, blocks = (width + kColumnBlock - 1) / kColumnBlock;
  Walk outer = p.reduced;
  const Axis column = outer.pop();
  parallel_ranges(useful_threads(p.threads, p.nanoseconds), p.kept.count * blocks, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t o = i / blocks, c = i % blocks * kColumnBlock, n = std::min(kColumnBlock, width - c);
      const float* x = p.x + p.kept.offset(o) + c;
      float* y = p.y + o * width + c;
      double total[kColumnBlock];
      float partial[kColumnBlock];
      std::fill(total, total + n, start_of(fold));
      for (int64_t r = 0; r < outer.count; ++r) {
        const float* from = x + outer.offset(r);
        for (int64_t first = 0; first < column.extent; first += kRowBlock) {
          const int64_t rows = std::min(kRowBlock, column.extent - first);
          HWY_DYNAMIC_DISPATCH(columns_of)
          (fold, from + first * column.stride, rows, column.stride, n, shifted ? y : nullptr, partial);
          for (int64_t k = 0; k < n; ++k) total[k] = join(fold, total[k], static_cast<double>(partial[k]));
        }
      }
      for (int64_t k = 0; k < n; ++k) y[k] = finish(total[k], y[k]);
    }
  });
}

template <class Finish> void run_fold(const Problem& p, Fold fold, bool shifted, const Finish& finish) {
  if (p.rows) fold_rows(p, fold, shifted, finish);
  else fold_blocks(p, fold, shifted, finish);
}

Problem make_problem(std::span<const int64_t> dims, std::span<const int64_t> strides, uint32_t reduced, const float* x,
                     float* y, int threads) {
  Problem p{};
  p.x = x, p.y = y, p.threads = threads;
  p.nanoseconds = 0.06;
  bool any = false;
  for (size_t d = 0; d < dims.size(); ++d) {
    p.nanoseconds *= static_cast<double>(dims[d]);
    if (dims[d] == 1) continue;
    p.rows = reduced >> d & 1;
    any = true;
    (p.rows ? p.reduced : p.kept).push({dims[d], strides[d]});
  }
  // Columns are made for adjacent elements; all else goes by rows.
  if (!any || (!p.rows && nth(p.kept.axes, p.kept.rank - 1).stride != 1)) p.rows = true;
  p.inner = p.rows ? p.reduced.pop() : p.kept.pop();
  return p;
}

}  // namespace

void reduce(ReduceKind kind, std::span<const int64_t> dims, std::span<const int64_t> strides, uint32_t reduced,
            const float* x, float* y, int threads) noexcept {
  const Problem p = make_problem(dims, strides, reduced, x, y, threads);
  const double count = static_cast<double>(p.reduced.count) * static_cast<double>(p.rows ? p.inner.extent : 1);
  auto plain = [](double v, float) { return static_cast<float>(v); };
  switch (kind) {
    case ReduceKind::kSum: return run_fold(p, Fold::kSum, false, plain);
    case ReduceKind::kMean:
      return run_fold(p, Fold::kSum, false, [&](double v, float) { return static_cast<float>(v / count); });
    case ReduceKind::kMax: return run_fold(p, Fold::kMax, false, plain);
    case ReduceKind::kMin: return run_fold(p, Fold::kMin, false, plain);
    case ReduceKind::kProduct: return run_fold(p, Fold::kProduct, false, plain);
    case ReduceKind::kL1: return run_fold(p, Fold::kSumAbs, false, plain);
    case ReduceKind::kL2:
      return run_fold(p, Fold::kSumSquares, false, [](double v, float) { return static_cast<float>(std::sqrt(v)); });
    case ReduceKind::kSumSquares: return run_fold(p, Fold::kSumSquares, false, plain);
    case ReduceKind::kLogSum:
      return run_fold(p, Fold::kSum, false, [](double v, float) { return static_cast<float>(std::log(v)); });
    case ReduceKind::kLogSumExp:
      // The maximum waits in y; where it is infinite nothing is subtracted.
      run_fold(p, Fold::kMax, false, [](double v, float) { return std::isinf(v) ? 0.0f : static_cast<float>(v); });
      return run_fold(p, Fold::kSumExp, true, [](double v, float shift) {
        return static_cast<float>(std::log(v) + static_cast<double>(shift));
      });
  }
}

void arg_extreme(bool largest, bool last_of_equals, int64_t outer, int64_t n, int64_t inner, const float* x, int64_t* y,
                 int threads) noexcept {
  const double nanoseconds = 0.6 * static_cast<double>(outer) * static_cast<double>(n) * static_cast<double>(inner);
  const Fold fold = largest ? Fold::kMax : Fold::kMin;
  const int64_t blocks = (inner + kColumnBlock - 1) / kColumnBlock;
  parallel_ranges(useful_threads(threads, nanoseconds), outer * blocks, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t o = i / blocks, c = i % blocks * kColumnBlock, columns = std::min(kColumnBlock, inner - c);
      const float* p = x + o * n * inner + c;
      float best[kColumnBlock];
      if (inner == 1) best[0] = static_cast<float>(HWY_DYNAMIC_DISPATCH(row_of)(fold, p, n, 0));
      else HWY_DYNAMIC_DISPATCH(columns_of)(fold, p, n, inner, columns, nullptr, best);
      const int64_t first = last_of_equals ? n - 1 : 0, step = last_of_equals ? -1 : 1;
      for (int64_t k = 0; k < columns; ++k) {
        const bool nan = std::isnan(best[k]);
        int64_t at = first;
        while (nan ? !std::isnan(p[at * inner + k]) : p[at * inner + k] != best[k]) at += step;
        y[o * inner + c + k] = at;
      }
    }
  });
}

}  // namespace kiln::cpu
#endif
