// Scalar programs over broadcast tensors, interpreted: every thread of a warp is at the same instruction, four elements each.
#include "backends/cuda/device/cu/pointwise.cuh"
#include "backends/cuda/device/cu/scalar_math.cuh"
#include "backends/cuda/device/cu/small_numbers.cuh"

namespace kiln::cuda {
namespace {

// A scalar of any type while interpreting.
union Value {
  bool b;
  int64_t i;
  uint64_t u;
  float f;
  double d;
};

__device__ Value load_any(DType type, const void* data, int64_t at) {
  Value v;
  v.u = 0;
  switch (type) {
    case DType::kBool: v.b = static_cast<const uint8_t*>(data)[at] != 0; break;
    case DType::kU8: v.u = static_cast<const uint8_t*>(data)[at]; break;
    case DType::kU16: v.u = static_cast<const uint16_t*>(data)[at]; break;
    case DType::kU32: v.u = static_cast<const uint32_t*>(data)[at]; break;
    case DType::kU64: v.u = static_cast<const uint64_t*>(data)[at]; break;
    case DType::kI8: v.i = static_cast<const int8_t*>(data)[at]; break;
    case DType::kI16: v.i = static_cast<const int16_t*>(data)[at]; break;
    case DType::kI32: v.i = static_cast<const int32_t*>(data)[at]; break;
    case DType::kI64: v.i = static_cast<const int64_t*>(data)[at]; break;
    case DType::kF64: v.d = static_cast<const double*>(data)[at]; break;
    default:
      if (is_packed_integer(type)) v.i = packed_integer(type, small_bits(type, data, at));
      else v.f = is_small_float(type) ? small_float_value(type, small_bits(type, data, at)) : load_float(type, data, at);
  }
  return v;
}

__device__ double real_of(ScalarType type, Value v) {
  switch (type) {
    case ScalarType::kBool: return v.b;
    case ScalarType::kI64: return static_cast<double>(v.i);
    case ScalarType::kU64: return static_cast<double>(v.u);
    case ScalarType::kF32: return v.f;
    default: return v.d;
  }
}
__device__ int64_t integer_of(ScalarType type, Value v) {
  switch (type) {
    case ScalarType::kBool: return v.b;
    case ScalarType::kF32: return int_from_real(v.f);
    case ScalarType::kF64: return int_from_real(v.d);
    default: return v.i;
  }
}

__device__ Value converted(ScalarType from, ScalarType to, Value v) {
  Value r;
  r.u = 0;
  switch (to) {
    case ScalarType::kBool: r.b = from == ScalarType::kF32 ? v.f != 0 : from == ScalarType::kF64 ? v.d != 0 : integer_of(from, v) != 0; break;
    case ScalarType::kF32:
      r.f = from == ScalarType::kI64   ? static_cast<float>(v.i)
            : from == ScalarType::kU64 ? static_cast<float>(v.u)
                                       : static_cast<float>(real_of(from, v));
      break;
    case ScalarType::kF64: r.d = real_of(from, v); break;
    default: r.i = integer_of(from, v);
  }
  return r;
}

// The bits of a value as an element of 8 bits or fewer that is no plain integer.
__device__ uint32_t small_code(DType type, ScalarType from, Value v) {
  if (is_packed_integer(type)) return static_cast<uint32_t>(integer_of(from, v)) & ((1u << bits_of_small(type)) - 1);
  return small_float_code(type, from == ScalarType::kF64 ? v.d : static_cast<double>(converted(from, ScalarType::kF32, v).f), true);
}

// An element that is a part of a byte gets all of it.
__device__ void store_any(DType type, void* data, int64_t at, ScalarType from, Value v) {
  switch (type) {
    case DType::kBool: static_cast<uint8_t*>(data)[at] = converted(from, ScalarType::kBool, v).b; break;
    case DType::kU8:
    case DType::kI8: static_cast<uint8_t*>(data)[at] = static_cast<uint8_t>(integer_of(from, v)); break;
    case DType::kU16:
    case DType::kI16: static_cast<uint16_t*>(data)[at] = static_cast<uint16_t>(integer_of(from, v)); break;
    case DType::kU32:
    case DType::kI32: static_cast<uint32_t*>(data)[at] = static_cast<uint32_t>(integer_of(from, v)); break;
    case DType::kU64:
    case DType::kI64: static_cast<int64_t*>(data)[at] = integer_of(from, v); break;
    case DType::kF64: static_cast<double*>(data)[at] = real_of(from, v); break;
    default:
      if (is_packed_integer(type) || is_small_float(type)) static_cast<uint8_t*>(data)[at] = static_cast<uint8_t>(small_code(type, from, v));
      else store_float(type, data, at, converted(from, ScalarType::kF32, v).f);
  }
}

__device__ Value stepped(const PointwiseStep& s, Value a, Value b, Value c) {
  Value r;
  r.u = 0;
  if (s.op == ScalarOp::kConstant) {
    if (s.type == ScalarType::kF32) r.f = static_cast<float>(s.real);
    else if (s.type == ScalarType::kBool) r.b = s.integer != 0;
    else r.i = s.integer;  // the bits of a double too
    return r;
  }
  if (s.op == ScalarOp::kSelect) return a.b ? b : c;
  if (s.op == ScalarOp::kConvert) return converted(s.operand, s.type, a);
  if (s.op == ScalarOp::kNarrow) {
    uint64_t element = 0;
    store_any(static_cast<DType>(s.integer), &element, 0, s.operand, a);
    return load_any(static_cast<DType>(s.integer), &element, 0);
  }
  if (s.op < ScalarOp::kIsNan) {
    switch (s.operand) {
      case ScalarType::kBool: r.b = !a.b; break;
      case ScalarType::kI64: r.i = integer_unary(s.op, a.i); break;
      case ScalarType::kU64: r.u = integer_unary(s.op, a.u); break;
      case ScalarType::kF32: r.f = real_unary(s.op, a.f); break;
      case ScalarType::kF64: r.d = real_unary(s.op, a.d); break;
    }
  } else if (s.op < ScalarOp::kAdd) {
    r.b = s.operand == ScalarType::kF32 ? classified(s.op, a.f) : s.operand == ScalarType::kF64 && classified(s.op, a.d);
  } else if (s.op < ScalarOp::kEqual) {
    switch (s.operand) {
      case ScalarType::kBool: r.b = bool_binary(s.op, a.b, b.b); break;
      case ScalarType::kI64: r.i = integer_binary(s.op, a.i, b.i); break;
      case ScalarType::kU64: r.u = integer_binary(s.op, a.u, b.u); break;
      case ScalarType::kF32: r.f = real_binary(s.op, a.f, b.f); break;
      case ScalarType::kF64: r.d = real_binary(s.op, a.d, b.d); break;
    }
  } else {
    switch (s.operand) {
      case ScalarType::kBool: r.b = compared(s.op, a.b, b.b); break;
      case ScalarType::kI64: r.b = compared(s.op, a.i, b.i); break;
      case ScalarType::kU64: r.b = compared(s.op, a.u, b.u); break;
      case ScalarType::kF32: r.b = compared(s.op, a.f, b.f); break;
      case ScalarType::kF64: r.b = compared(s.op, a.d, b.d); break;
    }
  }
  return r;
}

// Where a thread's elements lie.
struct Group {
  int64_t at[kMaxOperands];
  int lanes;  // 0: nothing to do
};

__device__ Group group_of(const PointwiseArguments& p) {
  Group g;
  const uint32_t index = blockIdx.x * kPointwiseThreads + threadIdx.x;
  g.lanes = 0;
  if (index >= p.walk.count) return g;
  p.walk.offsets(index, g.at, p.inputs + p.outputs);
  uint32_t begin = 0;
  if (p.walk.axes > 0) {
    const FastDivisor& groups = p.walk.dims[p.walk.axes - 1];
    begin = (index - groups.quotient(index) * groups.divisor) * kLanes;
  }
  g.lanes = min(static_cast<uint32_t>(kLanes), p.inner - begin);
  return g;
}

__device__ float4 load_four(const PointwiseArguments& p, const Group& g, int k) {
  return load_lanes(p.types[k], p.data[k], g.at[k], p.inner_strides[k], g.lanes);
}
__device__ void store_four(const PointwiseArguments& p, const Group& g, int k, float4 value) {
  store_lanes(p.types[k], p.data[k], g.at[k], p.inner_strides[k], g.lanes, value);
}

template <class F> __device__ float4 each(F f, float4 a, float4 b) {
  return make_float4(f(a.x, b.x), f(a.y, b.y), f(a.z, b.z), f(a.w, b.w));
}

// A step on floats; bools are 0 and 1.
__device__ float4 stepped(const PointwiseStep& s, float4 a, float4 b, float4 c) {
  switch (s.op) {
    case ScalarOp::kAdd: return each([](float x, float y) { return x + y; }, a, b);
    case ScalarOp::kSub: return each([](float x, float y) { return x - y; }, a, b);
    case ScalarOp::kMul: return each([](float x, float y) { return x * y; }, a, b);
    case ScalarOp::kMax: return each([](float x, float y) { return x != x ? x : y != y ? y : fmaxf(x, y); }, a, b);
    case ScalarOp::kConstant: {
      const float v = s.type == ScalarType::kF32 ? static_cast<float>(s.real) : s.integer != 0;
      return make_float4(v, v, v, v);
    }
    case ScalarOp::kConvert:
      if (s.type == ScalarType::kF32) return a;
      return each([](float x, float) { return static_cast<float>(x != 0); }, a, b);
    case ScalarOp::kNarrow: return each([&](float x, float) { return narrowed(static_cast<DType>(s.integer), x); }, a, b);
    case ScalarOp::kSelect:
      return make_float4(a.x != 0 ? b.x : c.x, a.y != 0 ? b.y : c.y, a.z != 0 ? b.z : c.z, a.w != 0 ? b.w : c.w);
    case ScalarOp::kNot: return each([](float x, float) { return static_cast<float>(x == 0); }, a, b);
    case ScalarOp::kAnd: return each([](float x, float y) { return static_cast<float>(x != 0 && y != 0); }, a, b);
    case ScalarOp::kOr: return each([](float x, float y) { return static_cast<float>(x != 0 || y != 0); }, a, b);
    case ScalarOp::kXor: return each([](float x, float y) { return static_cast<float>((x != 0) != (y != 0)); }, a, b);
    default: break;
  }
  if (s.op < ScalarOp::kIsNan) return each([&](float x, float) { return real_unary(s.op, x); }, a, b);
  if (s.op < ScalarOp::kAdd) return each([&](float x, float) { return static_cast<float>(classified(s.op, x)); }, a, b);
  if (s.op < ScalarOp::kEqual) return each([&](float x, float y) { return real_binary(s.op, x, y); }, a, b);
  return each([&](float x, float y) { return static_cast<float>(compared(s.op, x, y)); }, a, b);
}

}  // namespace

// Every value is float32 or bool.
extern "C" __global__ void __launch_bounds__(kPointwiseThreads)
    pointwise_f32(const __grid_constant__ PointwiseArguments p) {
  begin_kernel();
  __shared__ float4 slots[kFloatSlots][kPointwiseThreads];
  const Group g = group_of(p);
  if (g.lanes == 0) return;
  const int t = threadIdx.x;
  for (int i = 0; i < p.steps; ++i) {
    const PointwiseStep& s = p.code[i];
    slots[s.to][t] = s.op == ScalarOp::kInput ? load_four(p, g, static_cast<int>(s.integer))
                                              : stepped(s, slots[s.a][t], slots[s.b][t], slots[s.c][t]);
  }
  for (int k = 0; k < p.outputs; ++k) store_four(p, g, p.inputs + k, slots[p.results[k]][t]);
}

// The one result's elements are parts of bytes, one after the other as the walk goes.
extern "C" __global__ void __launch_bounds__(kPointwiseThreads)
    pointwise_packed(const __grid_constant__ PointwiseArguments p) {
  begin_kernel();
  const uint32_t first = (blockIdx.x * kPointwiseThreads + threadIdx.x) * kPackedLanes;
  if (first >= p.walk.count) return;
  const int count = min(static_cast<uint32_t>(kPackedLanes), p.walk.count - first);
  const DType type = p.types[p.inputs];
  uint32_t codes = 0;
  for (int lane = 0; lane < count; ++lane) {
    int64_t at[kMaxOperands];
    p.walk.offsets(first + lane, at, p.inputs);
    Value slots[kAnySlots];
    for (int i = 0; i < p.steps; ++i) {
      const PointwiseStep& s = p.code[i];
      const auto k = static_cast<int>(s.integer);
      slots[s.to] = s.op == ScalarOp::kInput ? load_any(p.types[k], p.data[k], at[k])
                                             : stepped(s, slots[s.a], slots[s.b], slots[s.c]);
    }
    codes |= small_code(type, p.result_types[0], slots[p.results[0]]) << (lane * bits_of_small(type));
  }
  store_packed(type, p.data[p.inputs], first, count, codes);
}

extern "C" __global__ void __launch_bounds__(kPointwiseThreads)
    pointwise_any(const __grid_constant__ PointwiseArguments p) {
  begin_kernel();
  const Group g = group_of(p);
  for (int lane = 0; lane < g.lanes; ++lane) {
    Value slots[kAnySlots];
    for (int i = 0; i < p.steps; ++i) {
      const PointwiseStep& s = p.code[i];
      const auto k = static_cast<int>(s.integer);
      slots[s.to] = s.op == ScalarOp::kInput ? load_any(p.types[k], p.data[k], g.at[k] + lane * p.inner_strides[k])
                                             : stepped(s, slots[s.a], slots[s.b], slots[s.c]);
    }
    for (int k = p.inputs; k < p.inputs + p.outputs; ++k)
      store_any(p.types[k], p.data[k], g.at[k] + lane * p.inner_strides[k], p.result_types[k - p.inputs],
                slots[p.results[k - p.inputs]]);
  }
}

}  // namespace kiln::cuda
