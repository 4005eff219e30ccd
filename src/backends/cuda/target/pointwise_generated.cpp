// Tactic: pointwise programs as kernels that are generated and compiled for the problem. It takes what a tactic of interpreted programs takes.
#include "backends/cuda/device/generated/pointwise_parts.h"
#include "backends/cuda/device/generator.h"
#include "backends/cuda/device/kernels/pointwise_code.h"
#include "backends/cuda/device/nvrtc.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/tactics.h"
#include "device/pointwise_parameters.h"
#include "target/fused_program.h"
#include "target/step_call.h"

namespace kiln::cuda::tactics {
namespace {

struct WordChoice {
  static constexpr int kWords[] = {8, 16};
  int word = 16;           // bytes of the widest operand that a thread reads at once
  std::string nvrtc = {};  // the compiler's version: times are of its code
  template <class V> void fields(V& v) {
    v("word", word, kWords);
    v("nvrtc", nvrtc);
  }
};

constexpr const Tactic* kInterpreted[] = {&pointwise, &channel_affine, &quantize};

// The tactic whose interpreted program it is.
const Tactic* interpreted(const Problem& p, Refusal& refusal) {
  for (const Tactic* tactic : kInterpreted) {
    const Refusal r = tactic->refusal(p);
    if (!r.refused()) return tactic;
    if (tactic == &pointwise) refusal = r;
  }
  return nullptr;
}

Refusal needs_generated_types(const Problem& p) {
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const Argument& a : *list)
      if (a.present && !kernels::is_generated_type(a.dtype))
        return refuse("elements of type " + std::string(name(a.dtype)));
  std::vector<int> used;
  const auto program = fused_program(p, used);
  for (size_t i = 0; program && i < program->code.size(); ++i)
    if (const ScalarInstruction& v = program->code[i];
        v.op == ScalarOp::kNarrow && !kernels::is_generated_type(static_cast<DType>(v.integer)))
      return refuse("the program rounds to " + std::string(name(static_cast<DType>(v.integer))));
  return accept();
}

}  // namespace

const Tactic pointwise_generated{
    .name = "pointwise_generated",
    .version = 1,
    .compiles = 0.2,
    .accepts = [](const Problem& p) -> Refusal {
      Refusal refusal;
      if (!interpreted(p, refusal)) return refusal;
      if (Refusal r = needs_generated_types(p); r.refused()) return r;
      const std::string lack = compiler_lack(target_chip().compute);
      return lack.empty() ? accept() : refuse(lack);
    },
    .configurations =
        [](const Problem&) {
          std::string reason;
          const Nvrtc* nvrtc = find_nvrtc(reason);
          const std::string compiler = nvrtc ? version_text(nvrtc->version) : "";
          return std::vector<Config>{to_parameters(WordChoice{16, compiler}), to_parameters(WordChoice{8, compiler})};
        },
    .emit =
        [](const Problem& p, const Config& config) {
          Refusal refusal;
          const Tactic* tactic = interpreted(p, refusal);
          if (!tactic) throw Error(Code::kInternal, "no interpreted program: " + refusal.reason);
          Emitted e = tactic->emit(p, {});
          kernels::GeneratedProgram generated{read_parameters<PointwiseParameters>(e.parameters).program};
          const StepCall step(p, e, StepCall::Shapes::kOptimum);
          for (const auto* list : {&step.inputs, &step.outputs})
            for (const TensorView& v : *list) generated.types.push_back(v.dtype);
          kernels::plan_words(generated, step.call(), read_parameters<WordChoice>(config).word);
          e.kernel = pointwise_generated.name;
          e.parameters = {};
          e.code = generate(e.kernel, to_parameters(generated), target_chip(), p.kept);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
