// What a reduction asks of its kernel.
#include "target/reduce_problem.h"

#include <algorithm>

#include "target/checks.h"

namespace kiln {
namespace {

constexpr std::pair<std::string_view, ReduceKind> kKinds[] = {
    {"ReduceSum", ReduceKind::kSum},       {"ReduceMean", ReduceKind::kMean},
    {"ReduceMax", ReduceKind::kMax},       {"ReduceMin", ReduceKind::kMin},
    {"ReduceProd", ReduceKind::kProduct},  {"ReduceL1", ReduceKind::kL1},
    {"ReduceL2", ReduceKind::kL2},         {"ReduceSumSquare", ReduceKind::kSumSquares},
    {"ReduceLogSum", ReduceKind::kLogSum}, {"ReduceLogSumExp", ReduceKind::kLogSumExp}};

}  // namespace

std::vector<std::string_view> reduce_ops() {
  std::vector<std::string_view> ops;
  for (const auto& [op, kind] : kKinds) ops.push_back(op);
  return ops;
}

std::optional<ReduceKind> reduce_kind(std::string_view op) {
  const auto found = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& k) { return k.first == op; });
  if (found == std::end(kKinds)) return std::nullopt;
  return found->second;
}

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

}  // namespace kiln
