// What follows a product: as post-operations of oneDNN where those are exact, else as a pass over the result.
#include "backends/onednn/device/epilogue.h"

#include <omp.h>

#include "backends/cpu/device/compute/parallel.h"

namespace kiln::onednn {
namespace {

using cpu::Activation;
using dnnl::algorithm;

constexpr int64_t kPassFloats = 4096;         // of one piece of the pass
constexpr double kNanosecondsPerFloat = 0.2;  // of the pass

// Post-operations of oneDNN that carry NaN and infinities as our activations do. Its relu, clip and hardsigmoid turn NaN
// into a number, its gelu_erf turns infinity into NaN. elu with factor 0 is a relu that keeps NaN.
bool append_activation(dnnl::post_ops& to, const cpu::kernels::EpilogueParameters& e) {
  switch (e.activation) {
    case Activation::kNone: return true;
    case Activation::kRelu: to.append_eltwise(algorithm::eltwise_elu, 0, 0); return true;
    case Activation::kElu: to.append_eltwise(algorithm::eltwise_elu, e.alpha, 0); return true;
    case Activation::kSigmoid: to.append_eltwise(algorithm::eltwise_logistic, 0, 0); return true;
    case Activation::kTanh: to.append_eltwise(algorithm::eltwise_tanh, 0, 0); return true;
    case Activation::kSilu: to.append_eltwise(algorithm::eltwise_swish, 1, 0); return true;
    case Activation::kHardSwish: to.append_eltwise(algorithm::eltwise_hardswish, 1.0f / 6, 0.5f); return true;
    case Activation::kGeluTanh: to.append_eltwise(algorithm::eltwise_gelu_tanh, 0, 0); return true;
    case Activation::kLeakyRelu:
      if (e.alpha == 0) return false;  // oneDNN takes this for its relu
      to.append_eltwise(algorithm::eltwise_relu, e.alpha, 0);
      return true;
    default: return false;
  }
}

}  // namespace

SplitEpilogue split_epilogue(const cpu::kernels::EpilogueParameters& parameters, bool has_residual,
                             const dnnl::memory::desc& result, bool fuse, float scale) {
  SplitEpilogue split;
  dnnl::post_ops operations;
  if (scale != 1) operations.append_eltwise(algorithm::eltwise_linear, scale, 0);
  const auto append_residual = [&] {
    split.residual_argument = DNNL_ARG_ATTR_MULTIPLE_POST_OP(operations.len()) | DNNL_ARG_SRC_1;
    operations.append_binary(algorithm::binary_add, result);
  };
  const bool before = has_residual && !parameters.residual_after, after = has_residual && parameters.residual_after;
  if (fuse && before) append_residual();
  const bool activated = fuse && append_activation(operations, parameters);
  if (activated && after) append_residual();
  if (!activated) {
    split.pass = parameters;
    split.pass_residual = fuse ? after : has_residual;
  }
  split.attributes.set_post_ops(operations);
  split.attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return split;
}

void run_pass(const cpu::kernels::EpilogueParameters& pass, float* results, const float* residual,
              int64_t count) noexcept {
  cpu::Epilogue e;
  e.residual = residual;
  e.residual_after = pass.residual_after;
  e.activation = pass.activation;
  e.alpha = pass.alpha;
  e.beta = pass.beta;
  const int threads = cpu::useful_threads(omp_get_max_threads(), kNanosecondsPerFloat * static_cast<double>(count));
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t i = 0; i < count; i += kPassFloats)
    cpu::apply_epilogue(e, results + i, std::min(kPassFloats, count - i), 0, i);
}

}  // namespace kiln::onednn
