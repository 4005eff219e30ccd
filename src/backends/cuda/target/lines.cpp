// Tactics along one axis: CumSum and CumProd, ArgMax and ArgMin, Hardmax, TopK.
#include "backends/cuda/device/kernels/cumulative_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "base/index.h"
#include "target/axis_parameters.h"

namespace kiln::cuda::tactics {
namespace {

constexpr TypeSet kSummed{DType::kF16, DType::kBF16, DType::kF32, DType::kF64, DType::kI32, DType::kI64};
constexpr TypeSet kOrdered = kSummed | TypeSet{DType::kI8, DType::kU8, DType::kU64};

Refusal needs_type(const Problem& p, TypeSet types) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  return types.has(p.input(0).dtype) ? accept() : refuse("elements of type " + std::string(name(p.input(0).dtype)));
}

}  // namespace

const Tactic cumulative{
    .name = "cumulative",
    .version = 2,
    .ops = {"CumSum", "CumProd"},
    .accepts = [](const Problem& p) -> Refusal {
      const auto axis = known_ints(p, 1);
      if (!axis || axis->size() != 1) return refuse("the axis is known only at run time");
      return needs_type(p, kSummed);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const int64_t axis = normalize_axis((*known_ints(p, 1))[0], rank(p.input(0)));
          return emit_kernel("cumulative", kernels::AxisCumulativeParameters{{axis}, cumulative_parameters(p)}, {0});
        },
};

const Tactic arg_extreme{
    .name = "arg_extreme",
    .version = 2,
    .ops = {"ArgMax", "ArgMin"},
    .accepts = [](const Problem& p) -> Refusal { return needs_type(p, kOrdered); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("arg_extreme", arg_extreme_parameters(p), {0}); },
};

const Tactic hardmax{
    .name = "hardmax",
    .version = 2,
    .ops = {"Hardmax"},
    .accepts = [](const Problem& p) -> Refusal { return needs_type(p, kSummed); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("hardmax", axis_parameters(p, -1), {0}); },
};

const Tactic top_k{
    .name = "top_k",
    .version = 2,
    .ops = {"TopK"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_type(p, kOrdered); r.refused()) return r;
      const bool known = p.input(1).constant || p.node->input(1)->elements();
      return known ? accept() : refuse("the number of elements is known only at run time");
    },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("top_k", top_k_parameters(p), {0}); },
};

}  // namespace kiln::cuda::tactics
