// Tactic: GatherElements, GatherND, ScatterElements, ScatterND.
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cuda::tactics {
namespace {

constexpr int64_t kMostTuples = 65536;  // that a thread can combine one after the other
constexpr TypeSet kCombined{DType::kF16, DType::kBF16, DType::kF32, DType::kF64, DType::kI32, DType::kI64};

bool scatters(const Problem& p) { return p.op().starts_with("Scatter"); }
bool by_tuples(const Problem& p) { return p.op().ends_with("ND"); }

Refusal accepts_indexed(const Problem& p) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  const DType type = p.input(0).dtype;
  if (rank(p.input(0)) > 8) return refuse("there are more than eight axes");
  if (by_tuples(p) && p.input(1).dtype != DType::kI64)
    return refuse("indices of type " + std::string(name(p.input(1).dtype)));
  if (!scatters(p) || p.attributes().text("reduction", "none") == "none") return accept();
  if (!kCombined.has(type)) return refuse("it does not combine " + std::string(name(type)));
  const Dims& indices = p.input(1).max;
  if (by_tuples(p) && element_count(Dims(indices.begin(), indices.end() - 1)) > kMostTuples)
    return refuse("too many tuples are combined one after the other");
  return accept();
}

}  // namespace

const Tactic indexed{
    .name = "indexed",
    .version = 1,
    .ops = {"GatherElements", "GatherND", "ScatterElements", "ScatterND"},
    .accepts = accepts_indexed,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const std::vector<int> inputs = all_inputs(p);
          if (p.op() == "GatherND") return emit_kernel("gather_nd", gather_nd_parameters(p), inputs);
          if (p.op() == "GatherElements") return emit_kernel("gather_elements", axis_parameters(p, 0), inputs);
          if (p.op() == "ScatterND") return emit_kernel("scatter_nd", scatter_nd_parameters(p), inputs);
          return emit_kernel("scatter_elements", scatter_elements_parameters(p), inputs);
        },
};

}  // namespace kiln::cuda::tactics
