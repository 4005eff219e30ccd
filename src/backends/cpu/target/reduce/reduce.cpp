// Tactics: reductions over known axes, ArgMax and ArgMin.
#include <algorithm>

#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/axis_parameters.h"
#include "target/reduce_problem.h"

namespace kiln::cpu::tactics {

const Tactic reduce{
    .name = "reduce",
    .version = 1,
    .ops = reduce_ops(),
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32(p); r.refused()) return r;
      if (p.input(0).dtype != DType::kF32)
        return refuse(std::string("it reduces float32, not ") + std::string(name(p.input(0).dtype)));
      if (rank(p.input(0)) > 16) return refuse("more than 16 axes");
      const auto axes = reduced_axes(p);
      if (!axes) return refuse("the axes are known only at run time");
      if (axes->empty() && rank(p.input(0)) > 0) return refuse("there is nothing to reduce");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("reduce", ReduceParameters{*reduce_kind(p.op()), *reduced_axes(p)}, {0});
        },
};

const Tactic reduce_any{
    .name = "reduce_any",
    .version = 1,
    .ops = reduce_ops(),
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const DType type = p.input(0).dtype;
      const ReduceKind kind = *reduce_kind(p.op());
      const bool exact = kind == ReduceKind::kSum || kind == ReduceKind::kMax || kind == ReduceKind::kMin ||
                         kind == ReduceKind::kProduct;
      if (type != DType::kF64 && !(exact && (type == DType::kI32 || type == DType::kI64)))
        return refuse(std::string("it does not reduce ") + std::string(name(type)) + " so");
      if (kind == ReduceKind::kLogSumExp) return refuse("it has no sums of exponentials");
      const auto axes = reduced_axes(p);
      if (!axes) return refuse("the axes are known only at run time");
      if (axes->empty()) return refuse("there is nothing to reduce");
      const auto [low, high] = std::ranges::minmax(*axes);
      if (high - low + 1 != static_cast<int64_t>(axes->size())) return refuse("the axes do not follow each other");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Ints axes = *reduced_axes(p);
          return emit_kernel("reduce_any",
                             kernels::ReduceAnyParameters{.kind = *reduce_kind(p.op()),
                                                          .first = std::ranges::min(axes),
                                                          .count = static_cast<int64_t>(axes.size())},
                             {0});
        },
};

const Tactic arg_extreme{
    .name = "arg_extreme",
    .version = 1,
    .ops = {"ArgMax", "ArgMin"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (p.input(0).dtype != DType::kF32)
        return refuse(std::string("it searches float32, not ") + std::string(name(p.input(0).dtype)));
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("arg_extreme", arg_extreme_parameters(p), {0}); },
};

}  // namespace kiln::cpu::tactics
