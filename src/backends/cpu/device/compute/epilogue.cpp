// Activations and epilogues as passes over rows that are in the first-level cache.
#include "backends/cpu/device/compute/epilogue.h"

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/epilogue.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

void activation_row(Activation kind, float alpha, float beta, const float* in, float* out, int64_t n) {
  with_activation(kind, [&](auto constant) HWY_ATTR {
    const VF a = hn::Set(F32(), alpha), b = hn::Set(F32(), beta);
    transform(in, out, n, [&](F32 d, VF x) HWY_ATTR { return activate<decltype(constant)::value>(d, x, a, b); });
  });
}

// One pass: activation(x + bias + before) + after; the sums that are absent cost a predictable branch.
void epilogue_row(const Epilogue& e, float* x, int64_t n, int64_t row, int64_t column) {
  const float* bias = e.bias ? e.bias + column : nullptr;
  const float* residual = e.residual ? e.residual + row * e.residual_stride + column : nullptr;
  const float* before = e.residual_after ? nullptr : residual;
  const float* after = e.residual_after ? residual : nullptr;
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  with_activation(e.activation, [&](auto constant) HWY_ATTR {
    const VF alpha = hn::Set(d, e.alpha), beta = hn::Set(d, e.beta);
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      VF v = hn::LoadU(d, x + i);
      if (bias) v = hn::Add(v, hn::LoadU(d, bias + i));
      if (before) v = hn::Add(v, hn::LoadU(d, before + i));
      v = activate<decltype(constant)::value>(d, v, alpha, beta);
      if (after) v = hn::Add(v, hn::LoadU(d, after + i));
      hn::StoreU(v, d, x + i);
    }
    if (i < n) {
      const int64_t rest = n - i;
      VF v = load_part(d, x + i, rest);
      if (bias) v = hn::Add(v, load_part(d, bias + i, rest));
      if (before) v = hn::Add(v, load_part(d, before + i, rest));
      v = activate<decltype(constant)::value>(d, v, alpha, beta);
      if (after) v = hn::Add(v, load_part(d, after + i, rest));
      store_part(d, v, x + i, rest);
    }
  });
  if (e.hook) e.hook(e.hook_context, x, n, row, column);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(activation_row);
HWY_EXPORT(epilogue_row);

void apply_activation(Activation kind, float alpha, float beta, const float* in, float* out, int64_t n) noexcept {
  HWY_DYNAMIC_DISPATCH(activation_row)(kind, alpha, beta, in, out, n);
}

void apply_epilogue(const Epilogue& epilogue, float* values, int64_t n, int64_t row, int64_t column) noexcept {
  HWY_DYNAMIC_DISPATCH(epilogue_row)(epilogue, values, n, row, column);
}

}  // namespace kiln::cpu
#endif
