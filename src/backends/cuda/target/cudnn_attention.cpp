// Tactic: attention by cuDNN, by kernels that the library compiles for one shape.
#include <algorithm>

#include "backends/cuda/device/cu/mask_rows.h"
#include "backends/cuda/device/generator.h"
#include "backends/cuda/device/kernels/cudnn_kernels.h"
#include "backends/cuda/target/attention_problem.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/cudnn_choices.h"
#include "backends/cuda/target/tactics.h"
#include "target/attention_parameters.h"
#include "target/step_call.h"

namespace kiln::cuda::tactics {
namespace {

constexpr int64_t kAlignedElements = 8;  // 16 bytes, which the library wants operands to begin at multiples of

struct CudnnAttentionProblem {
  CudnnAttention attention;
  bool mask_rows = false;
  Ints slices;  // strides of queries, keys and values where they may be read as parts of one tensor
  std::vector<kernels::CudnnChoice> choices;
};

Emitted attention_step(const Problem& p) {
  return emit_kernel("cudnn_attention", Attributes(), {0, 1, 2, p.input(3).present ? 3 : Emitted::kAbsent});
}

// Whether the library can have the mask as it is: numbers that are known, and leave each query a key that is not deep; the first where
// attention is causal. Else a kernel of ours makes the mask ready (cu/mask_rows.cu).
bool is_ready(const Argument& mask, bool causal) {
  if (!mask.constant || mask.dtype == DType::kBool) return false;
  const int64_t keys = mask.opt.back(), asked = causal ? 1 : keys;
  for (int64_t first = 0; first < mask.constant->size(); first += keys) {
    int64_t key = first;
    while (key < first + asked && !(mask.constant->at(key) > kDeepMask)) ++key;
    if (key == first + asked) return false;
  }
  return true;
}

// Queries of causal attention see different keys, so rows that only some of them find without a key must not be shared.
Refusal makes_mask_ready(CudnnAttentionProblem& t) {
  if (t.attention.parameters.causal && t.attention.shares_mask())
    return refuse("queries of causal attention share a mask that might leave one of them no key");
  t.attention = t.attention.with_mask_rows();
  t.mask_rows = true;
  if (const size_t bytes = t.attention.mask_bytes(); bytes > CudnnGraph::kMostWorkspace)
    return refuse("the mask, which is to be made ready, has " + std::to_string(bytes) + " bytes");
  return accept();
}

// The strides that they have when their Split is left out and they are read where they lie (src/compiler/cut_in_place.cpp). It cuts all of
// its parts or none.
Ints slices_of(const Problem& p, StepCall step) {
  const ir::Node* split = p.node->input(0)->producer();
  if (!split || !split->is("Split") || !is_static(split->input(0)->shape())) return {};
  const Dims whole = row_major_strides(static_dims(split->input(0)->shape()));
  const auto axis = static_cast<size_t>(normalize_axis(split->attributes.integer("axis", 0), split->input(0)->rank()));
  int64_t start = 0;
  for (const ir::Value* part : split->outputs()) {
    if (start % kAlignedElements != 0 || !is_static(part->shape())) return {};
    start += part->shape()[axis].value() * whole[axis];
  }
  for (int i = 0; i < 3; ++i) {
    if (p.node->input(i)->producer() != split) return {};
    step.inputs[static_cast<size_t>(i)].strides = whole.data();
  }
  CudnnAttention sliced;
  if (!read_attention(step.call(), attention_parameters(p), sliced).ok()) return {};
  return Ints(sliced.tensors.strides.begin(), sliced.tensors.strides.begin() + 3 * kernels::CudnnTensors::kAxes);
}

Refusal read_cudnn_attention(const Problem& p, CudnnAttentionProblem& t) {
  if (const Refusal r = accepts_attention(p); r.refused()) return r;
  if (p.input(0).dtype == DType::kF32) return refuse("elements of type float32, needs float16 or bfloat16");
  if (const Refusal r = needs_one_shape(p); r.refused()) return r;
  const StepCall step(p, attention_step(p), StepCall::Shapes::kOptimum);
  if (const Status s = read_attention(step.call(), attention_parameters(p), t.attention); !s.ok())
    return refuse(s.detail);
  if (t.attention.is_empty()) return refuse("there are no results or no keys");
  if (!(t.attention.scale() > 0)) return refuse("scores are scaled by " + std::to_string(t.attention.scale()));
  if (p.input(3).present && !is_ready(p.input(3), t.attention.parameters.causal))
    if (const Refusal r = makes_mask_ready(t); r.refused()) return r;
  t.slices = slices_of(p, step);
  return find_choices(t.attention, t.attention.needs(), t.choices);
}

CudnnAttentionProblem cudnn_attention_problem(const Problem& p) {
  CudnnAttentionProblem t;
  const Refusal r = read_cudnn_attention(p, t);
  if (r.refused()) throw Error(Code::kInternal, "attention was not accepted").cause(r.reason);
  return t;
}

}  // namespace

const Tactic cudnn_attention{
    .name = "cudnn_attention",
    .version = 2,
    .ops = {"Attention"},
    .library = "cudnn",
    .compiles = 2,
    .accepts = [](const Problem& p) -> Refusal {
      CudnnAttentionProblem t;
      return read_cudnn_attention(p, t);
    },
    .configurations = [](const Problem& p) { return to_configs(cudnn_attention_problem(p).choices); },
    .emit =
        [](const Problem& p, const Config& config) {
          const CudnnAttentionProblem t = cudnn_attention_problem(p);
          Emitted e = attention_step(p);
          e.code = generate(e.kernel,
                            to_parameters(kernels::CudnnCompiledAttention{
                                t.attention, t.slices, t.mask_rows, read_parameters<kernels::CudnnChoice>(config)}),
                            target_chip(), p.kept);
          if (!t.slices.empty()) e.strided_inputs = 0b111;
          return e;
        },
};

}  // namespace kiln::cuda::tactics
