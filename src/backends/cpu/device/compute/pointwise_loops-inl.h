// Loops of pointwise tiles over vectors of T. Included once per instruction set.
#if defined(KILN_POINTWISE_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KILN_POINTWISE_LOOPS_INL_H_
#undef KILN_POINTWISE_LOOPS_INL_H_
#else
#define KILN_POINTWISE_LOOPS_INL_H_
#endif
#include "backends/cpu/device/compute/pointwise_tiles.h"
#include "backends/cpu/device/compute/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

template <class T> struct Lanes {
  const T* p;
  int64_t step;
  HWY_INLINE Lanes(const TileCall& c, int k)
      : p(static_cast<const T*>(c.in[k])), step(c.step[k] * static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()))) {}
};

template <class T, class Op> HWY_INLINE void unary(const TileCall& c, const Op& op) {
  transform(static_cast<const T*>(c.in[0]), static_cast<T*>(c.out), c.n, op);
}

template <class T, class Op> HWY_INLINE void binary(const TileCall& c, const Op& op) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  Lanes<T> a(c, 0), b(c, 1);
  T* out = static_cast<T*>(c.out);
  int64_t left = c.n;
  for (; left >= lanes; left -= lanes, a.p += a.step, b.p += b.step, out += lanes) {
    hn::StoreU(op(d, hn::LoadU(d, a.p), hn::LoadU(d, b.p)), d, out);
  }
  if (left) store_part(d, op(d, load_part(d, a.p, left), load_part(d, b.p, left)), out, left);
}

// `expression` of the vectors x and y, whose tag is d, as a tile of T.
#define KILN_UNARY(T, name, expression)                                            \
  void name(const TileCall& c) {                                                   \
    unary<T>(c, [](hn::ScalableTag<T> d, hn::Vec<hn::ScalableTag<T>> x) HWY_ATTR { \
      (void)d;                                                                     \
      return expression;                                                           \
    });                                                                            \
  }
#define KILN_BINARY(T, name, expression)                                                                           \
  void name(const TileCall& c) {                                                                                   \
    binary<T>(c, [](hn::ScalableTag<T> d, hn::Vec<hn::ScalableTag<T>> x, hn::Vec<hn::ScalableTag<T>> y) HWY_ATTR { \
      (void)d;                                                                                                     \
      return expression;                                                                                           \
    });                                                                                                            \
  }

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
