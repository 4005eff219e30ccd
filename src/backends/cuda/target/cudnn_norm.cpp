// Tactic: layer, RMS and instance normalisation by cuDNN, by kernels that the library compiles for one shape.
#include "backends/cuda/device/generator.h"
#include "backends/cuda/device/kernels/cudnn_kernels.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/cudnn_choices.h"
#include "backends/cuda/target/tactics.h"
#include "target/axis_parameters.h"
#include "target/step_call.h"

namespace kiln::cuda::tactics {
namespace {

struct CudnnNormProblem {
  CudnnNorm norm;
  int64_t axis = 0;
  std::vector<kernels::CudnnChoice> choices;
};

Emitted norm_step(const Problem& p) { return emit_kernel("cudnn_norm", Attributes(), all_inputs(p)); }

Refusal read_cudnn_norm(const Problem& p, CudnnNormProblem& t) {
  if (const Refusal r = needs_one_float(p); r.refused()) return r;
  for (size_t i = 1; i < p.outputs.size(); ++i)
    if (p.outputs[i].present) return refuse("it has more than one result");
  const bool image = p.op() == "InstanceNormalization";
  if (!image)
    if (const Refusal r = needs_row_vectors(p, {1, 2}); r.refused()) return r;
  if (const Refusal r = needs_one_shape(p); r.refused()) return r;
  const RowNormParameters rows = image ? RowNormParameters() : row_norm_parameters(p);
  const double epsilon = image ? group_norm_parameters(p).epsilon : rows.epsilon;
  const CudnnNorm::Over over = image                ? CudnnNorm::Over::kImage
                               : rows.subtract_mean ? CudnnNorm::Over::kRow
                                                    : CudnnNorm::Over::kRowAboutZero;
  const StepCall step(p, norm_step(p), StepCall::Shapes::kOptimum);
  t.axis = rows.axis;
  if (const Status s = read_norm(step.call(), over, t.axis, epsilon, t.norm); !s.ok()) return refuse(s.detail);
  if (t.norm.is_empty()) return refuse("there are no results");
  return find_choices(t.norm, t.norm.needs(), t.choices);
}

CudnnNormProblem cudnn_norm_problem(const Problem& p) {
  CudnnNormProblem t;
  const Refusal r = read_cudnn_norm(p, t);
  if (r.refused()) throw Error(Code::kInternal, "a normalisation was not accepted").cause(r.reason);
  return t;
}

}  // namespace

const Tactic cudnn_norm{
    .name = "cudnn_norm",
    .version = 1,
    .ops = {"LayerNormalization", "RMSNormalization", "InstanceNormalization"},
    .library = "cudnn",
    .compiles = 2,
    .accepts = [](const Problem& p) -> Refusal {
      CudnnNormProblem t;
      return read_cudnn_norm(p, t);
    },
    .configurations = [](const Problem& p) { return to_configs(cudnn_norm_problem(p).choices); },
    .emit =
        [](const Problem& p, const Config& config) {
          const CudnnNormProblem t = cudnn_norm_problem(p);
          Emitted e = norm_step(p);
          e.code = generate(
              e.kernel,
              to_parameters(kernels::CudnnCompiledNorm{t.norm, t.axis, read_parameters<kernels::CudnnChoice>(config)}),
              target_chip(), p.kept);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
