// Tactics: operators that make tensors of few different elements, and ReverseSequence.
#include "target/fill_parameters.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
namespace {

Emitted emit_fill(const Problem& p, const Config&) {
  const std::string& op = p.op();
  if (op == "OneHot") return emit_kernel("one_hot", one_hot_parameters(p), {0, 2});
  if (op == "Trilu") return emit_kernel("trilu", trilu_parameters(p), {0, p.input(1).present ? 1 : Emitted::kAbsent});
  Emitted e = op == "EyeLike" ? emit_kernel("eye", eye_parameters(p), {Emitted::from_constant(0)})
                              : emit_kernel("fill", {}, {Emitted::from_constant(0)});
  e.constants.push_back(filling_element(p));
  return e;
}

}  // namespace

const Tactic fill{
    .name = "fill",
    .version = 1,
    .ops = {"ConstantOfShape", "EyeLike", "OneHot", "Trilu"},
    .accepts = [](const Problem& p) -> Refusal {
      if (p.op() == "OneHot" && !kIndexTypes.has(p.input(0).dtype))
        return refuse("indices of type " + std::string(name(p.input(0).dtype)));
      return needs_plain(p);
    },
    .configurations = nullptr,
    .emit = emit_fill,
};

const Tactic reverse_sequence{
    .name = "reverse_sequence",
    .version = 1,
    .ops = {"ReverseSequence"},
    .accepts = needs_plain,
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("reverse_sequence", reverse_sequence_parameters(p), {0, 1}); },
};

}  // namespace kiln::cuda::tactics
