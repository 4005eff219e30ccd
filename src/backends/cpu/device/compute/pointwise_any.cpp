// Pointwise tiles of every type: typed loops for the common instructions, the interpreter for the rest, loads and stores.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "backends/cpu/device/compute/pointwise_tiles.h"
#include "tensor/convert.h"

namespace kiln::cpu {
namespace {

using BoolLane = int32_t;  // 0 or -1

template <class T> BoolLane bool_lane(T v) { return v ? -1 : 0; }

// Calls f with a value of the C++ type that holds a lane.
template <class F> auto with_lane_type(ScalarType type, const F& f) {
  switch (type) {
    case ScalarType::kI64: return f(int64_t{});
    case ScalarType::kU64: return f(uint64_t{});
    case ScalarType::kF32: return f(float{});
    case ScalarType::kF64: return f(double{});
    case ScalarType::kBool: break;
  }
  return f(BoolLane{});
}

template <class T, class R, class Op> void loop2(const TileCall& c) {
  const T* a = static_cast<const T*>(c.in[0]);
  const T* b = static_cast<const T*>(c.in[1]);
  R* out = static_cast<R*>(c.out);
  for (int64_t i = 0; i < c.n; ++i) out[i] = Op()(a[i * c.step[0]], b[i * c.step[1]]);
}

template <class T> void select_loop(const TileCall& c) {
  const BoolLane* m = static_cast<const BoolLane*>(c.in[0]);
  const T* a = static_cast<const T*>(c.in[1]);
  const T* b = static_cast<const T*>(c.in[2]);
  T* out = static_cast<T*>(c.out);
  for (int64_t i = 0; i < c.n; ++i) out[i] = m[i * c.step[0]] ? a[i * c.step[1]] : b[i * c.step[2]];
}

template <class From, class To> void convert_loop(const TileCall& c) {
  const From* a = static_cast<const From*>(c.in[0]);
  To* out = static_cast<To*>(c.out);
  for (int64_t i = 0; i < c.n; ++i) {
    const From v = a[i * c.step[0]];
    if constexpr (std::is_same_v<To, BoolLane>) out[i] = bool_lane(v != 0);
    else if constexpr (std::is_same_v<From, BoolLane>) out[i] = static_cast<To>(v ? 1 : 0);
    else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>)
      out[i] = static_cast<To>(v >= From(-0x1p63) && v < From(0x1p63) ? static_cast<int64_t>(v) : int_from_double(v));
    else out[i] = static_cast<To>(v);
  }
}

// Two's complement arithmetic for signed lanes.
template <class T> auto wrap(T v) {
  if constexpr (std::is_integral_v<T>) return static_cast<std::make_unsigned_t<T>>(v);
  else return v;
}
struct Add {
  template <class T> T operator()(T a, T b) const { return static_cast<T>(wrap(a) + wrap(b)); }
};
struct Sub {
  template <class T> T operator()(T a, T b) const { return static_cast<T>(wrap(a) - wrap(b)); }
};
struct Mul {
  template <class T> T operator()(T a, T b) const { return static_cast<T>(wrap(a) * wrap(b)); }
};
struct Div {
  double operator()(double a, double b) const { return a / b; }
};
struct Min {
  template <class T> T operator()(T a, T b) const { return a != a ? a : (a < b ? a : b); }
};
struct Max {
  template <class T> T operator()(T a, T b) const { return a != a ? a : (a > b ? a : b); }
};
struct Equal {
  template <class T> BoolLane operator()(T a, T b) const { return bool_lane(a == b); }
};
struct Less {
  template <class T> BoolLane operator()(T a, T b) const { return bool_lane(a < b); }
};
struct LessEqual {
  template <class T> BoolLane operator()(T a, T b) const { return bool_lane(a <= b); }
};

ScalarValue lane_value(ScalarType type, const void* lanes, int64_t i) {
  ScalarValue v{};
  switch (type) {
    case ScalarType::kBool: v.b = static_cast<const BoolLane*>(lanes)[i] != 0; break;
    case ScalarType::kI64: v.i = static_cast<const int64_t*>(lanes)[i]; break;
    case ScalarType::kU64: v.u = static_cast<const uint64_t*>(lanes)[i]; break;
    case ScalarType::kF32: v.f = static_cast<const float*>(lanes)[i]; break;
    case ScalarType::kF64: v.d = static_cast<const double*>(lanes)[i]; break;
  }
  return v;
}

void set_lane(ScalarType type, void* lanes, int64_t i, ScalarValue v) {
  switch (type) {
    case ScalarType::kBool: static_cast<BoolLane*>(lanes)[i] = bool_lane(v.b); break;
    case ScalarType::kI64: static_cast<int64_t*>(lanes)[i] = v.i; break;
    case ScalarType::kU64: static_cast<uint64_t*>(lanes)[i] = v.u; break;
    case ScalarType::kF32: static_cast<float*>(lanes)[i] = v.f; break;
    case ScalarType::kF64: static_cast<double*>(lanes)[i] = v.d; break;
  }
}

void interpret_loop(const TileCall& c) {
  const auto& code = c.single->code;
  const size_t operands = code.size() - 1;
  for (int64_t i = 0; i < c.n; ++i) {
    ScalarValue in[3] = {}, values[4] = {};
    for (size_t k = 0; k < operands; ++k) in[k] = lane_value(code[k].type, c.in[k], i * c.step[k]);
    interpret(*c.single, {in, operands}, {values, code.size()});
    set_lane(code.back().type, c.out, i, values[operands]);
  }
}

// Through elements of the type, as many at once as stay in a small buffer.
void narrow_loop(const TileCall& c) {
  const auto& code = c.single->code;
  const auto type = static_cast<DType>(code.back().integer);
  const ScalarType from = code[0].type;
  constexpr int64_t kAtOnce = 256;
  alignas(64) uint64_t elements[kAtOnce];
  for (int64_t i = 0; i < c.n; i += kAtOnce) {
    const int64_t n = std::min(kAtOnce, c.n - i);
    store_run(type, elements, 0, 1, from, static_cast<const std::byte*>(c.in[0]) + i * lane_bytes(from), n);
    load_run(type, elements, 0, 1, static_cast<std::byte*>(c.out) + i * lane_bytes(code.back().type), n);
  }
}

template <class T> TileFunction typed_loop(ScalarOp op) {
  switch (op) {
    case ScalarOp::kAdd: return loop2<T, T, Add>;
    case ScalarOp::kSub: return loop2<T, T, Sub>;
    case ScalarOp::kMul: return loop2<T, T, Mul>;
    case ScalarOp::kMin: return loop2<T, T, Min>;
    case ScalarOp::kMax: return loop2<T, T, Max>;
    case ScalarOp::kEqual: return loop2<T, BoolLane, Equal>;
    case ScalarOp::kLess: return loop2<T, BoolLane, Less>;
    case ScalarOp::kLessEqual: return loop2<T, BoolLane, LessEqual>;
    case ScalarOp::kDiv:
      if constexpr (std::is_same_v<T, double>) return loop2<T, T, Div>;
      break;
    default: break;
  }
  return nullptr;
}

// Calls f with the C++ type of elements that are whole bytes and need no special conversion.
template <class F> bool with_plain_type(DType dtype, const F& f) {
  switch (dtype) {
    case DType::kU8: f(uint8_t{}); return true;
    case DType::kI8: f(int8_t{}); return true;
    case DType::kU16: f(uint16_t{}); return true;
    case DType::kI16: f(int16_t{}); return true;
    case DType::kU32: f(uint32_t{}); return true;
    case DType::kI32: f(int32_t{}); return true;
    case DType::kU64: f(uint64_t{}); return true;
    case DType::kI64: f(int64_t{}); return true;
    case DType::kF32: f(float{}); return true;
    case DType::kF64: f(double{}); return true;
    default: return false;
  }
}

}  // namespace

TileKernel any_tile(ScalarOp op, ScalarType type, ScalarType from) {
  if (op == ScalarOp::kConvert) {
    return with_lane_type(from, [&](auto a) {
      return with_lane_type(type, [](auto b) { return TileKernel{convert_loop<decltype(a), decltype(b)>, 1.0f}; });
    });
  }
  if (op == ScalarOp::kNarrow) return {narrow_loop, 0.5f};
  if (op == ScalarOp::kSelect) {
    return with_lane_type(type, [](auto t) { return TileKernel{select_loop<decltype(t)>, 1.0f}; });
  }
  if (from != ScalarType::kBool) {
    TileFunction f = with_lane_type(from, [&](auto t) { return typed_loop<decltype(t)>(op); });
    if (f) return {f, 1.0f};
  }
  return {interpret_loop, 20.0f};
}

void load_run(DType dtype, const void* base, int64_t offset, int64_t stride, void* lanes, int64_t n) {
  const ScalarType type = scalar_type_of(dtype);
  if (stride == 1 && dtype == DType::kF16)
    return f16_to_f32(static_cast<const uint16_t*>(base) + offset, static_cast<float*>(lanes), n);
  if (stride == 1 && dtype == DType::kBF16)
    return bf16_to_f32(static_cast<const uint16_t*>(base) + offset, static_cast<float*>(lanes), n);
  if (dtype == DType::kBool) {
    const auto* in = static_cast<const uint8_t*>(base) + offset;
    for (int64_t i = 0; i < n; ++i) static_cast<BoolLane*>(lanes)[i] = bool_lane(in[i * stride]);
    return;
  }
  const bool plain = with_plain_type(dtype, [&](auto element) {
    using T = decltype(element);
    using L =
        std::conditional_t<std::is_floating_point_v<T>, T, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
    const T* in = static_cast<const T*>(base) + offset;
    L* out = static_cast<L*>(lanes);
    if constexpr (std::is_same_v<T, L>) {
      if (stride == 1) {
        if (n) std::memcpy(out, in, static_cast<size_t>(n) * sizeof(T));
        return;
      }
    }
    if (stride == 0 && n) {
      const L v = static_cast<L>(*in);
      for (int64_t i = 0; i < n; ++i) out[i] = v;
      return;
    }
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<L>(in[i * stride]);
  });
  if (plain) return;
  for (int64_t i = 0; i < n; ++i) set_lane(type, lanes, i, load_scalar(dtype, base, offset + i * stride));
}

void store_run(DType dtype, void* base, int64_t offset, int64_t stride, ScalarType from, const void* lanes, int64_t n) {
  const ScalarType natural = scalar_type_of(dtype);
  if (from == natural) {
    if (stride == 1 && dtype == DType::kF16)
      return f32_to_f16(static_cast<const float*>(lanes), static_cast<uint16_t*>(base) + offset, n);
    if (stride == 1 && dtype == DType::kBF16)
      return f32_to_bf16(static_cast<const float*>(lanes), static_cast<uint16_t*>(base) + offset, n);
    if (dtype == DType::kBool) {
      auto* out = static_cast<uint8_t*>(base) + offset;
      for (int64_t i = 0; i < n; ++i) out[i * stride] = static_cast<const BoolLane*>(lanes)[i] ? 1 : 0;
      return;
    }
    const bool plain = with_plain_type(dtype, [&](auto element) {
      using T = decltype(element);
      using L = std::conditional_t<std::is_floating_point_v<T>, T,
                                   std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
      const L* in = static_cast<const L*>(lanes);
      T* out = static_cast<T*>(base) + offset;
      if constexpr (std::is_same_v<T, L>) {
        if (stride == 1) {
          if (n) std::memcpy(out, in, static_cast<size_t>(n) * sizeof(T));
          return;
        }
      }
      for (int64_t i = 0; i < n; ++i) out[i * stride] = static_cast<T>(in[i]);
    });
    if (plain) return;
  }
  for (int64_t i = 0; i < n; ++i) store_scalar(dtype, base, offset + i * stride, from, lane_value(from, lanes, i));
}

}  // namespace kiln::cpu
