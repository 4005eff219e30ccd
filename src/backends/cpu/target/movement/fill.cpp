// Tactic: operators that make tensors of few different elements.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/fill_parameters.h"

namespace kiln::cpu::tactics {
namespace {

Refusal accepts_fill(const Problem& p) {
  const std::string& op = p.op();
  if (Refusal r = needs_plain(p); r.refused()) return r;
  const DType type = p.input(0).dtype;
  if (op == "OneHot" && !(kIndexTypes.has(type) && kIntegerTypes.has(p.input(1).dtype)))
    return refuse("indices of type " + std::string(name(type)));
  constexpr TypeSet kCounted{DType::kF32, DType::kF64, DType::kI16, DType::kI32, DType::kI64};
  if (op == "Range" && !kCounted.has(type)) return refuse("it does not count in " + std::string(name(type)));
  return accept();
}

Emitted emit_fill(const Problem& p, const Config&) {
  const std::string& op = p.op();
  if (op == "OneHot") return emit_kernel("one_hot", one_hot_parameters(p), {0, 1, 2});
  if (op == "Range") return emit_kernel("range", {}, {0, 1, 2});
  if (op == "Trilu") return emit_kernel("trilu", trilu_parameters(p), {0, p.input(1).present ? 1 : Emitted::kAbsent});
  Emitted e = op == "EyeLike" ? emit_kernel("eye", eye_parameters(p), {Emitted::from_constant(0)})
                              : emit_kernel("fill", {}, {0, Emitted::from_constant(0)});
  e.constants.push_back(filling_element(p));
  return e;
}

}  // namespace

const Tactic fill{
    .name = "fill",
    .version = 1,
    .ops = {"ConstantOfShape", "EyeLike", "OneHot", "Trilu", "Range"},
    .sizes_results = true,
    .accepts = accepts_fill,
    .configurations = nullptr,
    .emit = emit_fill,
};

}  // namespace kiln::cpu::tactics
