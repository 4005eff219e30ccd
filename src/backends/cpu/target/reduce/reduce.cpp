// Tactics: reductions over known axes, ArgMax and ArgMin.
#include <algorithm>
#include <array>

#include "backends/cpu/device/compute/reduce.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

constexpr std::pair<std::string_view, ReduceKind> kKinds[] = {
    {"ReduceSum", ReduceKind::kSum},       {"ReduceMean", ReduceKind::kMean},
    {"ReduceMax", ReduceKind::kMax},       {"ReduceMin", ReduceKind::kMin},
    {"ReduceProd", ReduceKind::kProduct},  {"ReduceL1", ReduceKind::kL1},
    {"ReduceL2", ReduceKind::kL2},         {"ReduceSumSquare", ReduceKind::kSumSquares},
    {"ReduceLogSum", ReduceKind::kLogSum}, {"ReduceLogSumExp", ReduceKind::kLogSumExp}};

const std::pair<std::string_view, ReduceKind>* find_kind(const std::string& op) {
  const auto found = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& k) { return k.first == op; });
  return found == std::end(kKinds) ? nullptr : found;
}

// The axes to reduce; nothing when only running can tell.
std::optional<Ints> reduced_axes(const Problem& p) {
  Ints axes;
  if (p.input(1).present) {
    const auto given = known_ints(p, 1);
    if (!given) return std::nullopt;
    for (int64_t a : *given) axes.push_back(normalize_axis(a, rank(p.input(0))));
  }
  if (axes.empty() && p.attributes().integer("noop_with_empty_axes", 0) == 0)
    for (int64_t i = 0; i < rank(p.input(0)); ++i) axes.push_back(i);
  return axes;
}

}  // namespace

const Tactic reduce{
    .name = "reduce",
    .version = 1,
    .accepts = [](const Problem& p) -> Refusal {
      if (!find_kind(p.op())) return refuse(p.op() + " is not a reduction");
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
          return emit_kernel(
              "reduce", {{"kind", static_cast<int64_t>(find_kind(p.op())->second)}, {"axes", *reduced_axes(p)}}, {0});
        },
};

const Tactic arg_extreme{
    .name = "arg_extreme",
    .version = 1,
    .accepts = [](const Problem& p) -> Refusal {
      if (p.op() != "ArgMax" && p.op() != "ArgMin") return refuse(p.op() + " is neither ArgMax nor ArgMin");
      if (Refusal r = needs_plain(p); r.refused()) return r;
      if (p.input(0).dtype != DType::kF32)
        return refuse(std::string("it searches float32, not ") + std::string(name(p.input(0).dtype)));
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("arg_extreme",
                             {{"axis", axis_of(p, "axis", 0, rank(p.input(0)))},
                              {"largest", int64_t{p.op() == "ArgMax"}},
                              {"last", p.attributes().integer("select_last_index", 0)}},
                             {0});
        },
};

}  // namespace kiln::cpu::tactics
