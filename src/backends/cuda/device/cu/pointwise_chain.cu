// Short programs on floats that go from one running value to the next: all operands are fetched at once, and values stay in registers.
#include "backends/cuda/device/cu/pointwise.cuh"

namespace kiln::cuda {
namespace {

__device__ float chained(const ChainStep& s, float x, float y) {
  const float a = s.is_left ? y : x, b = s.is_left ? x : y;
  switch (s.op) {
    case ScalarOp::kNarrow: return narrowed(s.type, x);
    case ScalarOp::kAdd: return a + b;
    case ScalarOp::kSub: return a - b;
    case ScalarOp::kMul: return a * b;
    case ScalarOp::kDiv: return a / b;
    case ScalarOp::kMax: return a != a ? a : b != b ? b : fmaxf(a, b);
    default: return a != a ? a : b != b ? b : fminf(a, b);
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kPointwiseThreads) pointwise_chain(const __grid_constant__ ChainArguments p) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kPointwiseThreads + threadIdx.x;
  if (index >= p.walk.count) return;
  int64_t at[kChainInputs + 1];
  p.walk.offsets(index, at);
  uint32_t begin = 0;
  if (p.walk.axes > 0) {
    const FastDivisor& groups = p.walk.dims[p.walk.axes - 1];
    begin = (index - groups.quotient(index) * groups.divisor) * kLanes;
  }
  const int lanes = min(static_cast<uint32_t>(kLanes), p.inner - begin);
  float4 in[kChainInputs];
#pragma unroll
  for (int k = 0; k < kChainInputs; ++k)
    if (k < p.inputs) in[k] = load_lanes(p.types[k], p.data[k], at[k], p.inner_strides[k], lanes);
  const auto input = [&](int which) {
    float4 v = in[0];
#pragma unroll
    for (int k = 1; k < kChainInputs; ++k)
      if (which == k) v = in[k];
    return v;
  };
  float4 v = input(p.first);
  for (int i = 0; i < p.steps; ++i) {
    const ChainStep& s = p.code[i];
    const float4 y = s.operand < kChainInputs ? input(s.operand) : make_float4(s.constant, s.constant, s.constant, s.constant);
    v = make_float4(chained(s, v.x, y.x), chained(s, v.y, y.y), chained(s, v.z, y.z), chained(s, v.w, y.w));
  }
  store_lanes(p.types[kChainInputs], p.data[kChainInputs], at[kChainInputs], p.inner_strides[kChainInputs], lanes, v);
}

}  // namespace kiln::cuda
