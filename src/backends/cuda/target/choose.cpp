// Tactic: Where of elements whose bits no program keeps: the infinities of float8e5m2, complex numbers.
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
namespace {

constexpr TypeSet kKept{DType::kF8E5M2, DType::kC64, DType::kC128};

}  // namespace

const Tactic choose{
    .name = "choose",
    .version = 1,
    .ops = {"Where"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const DType type = p.outputs[0].dtype;
      return kKept.has(type) ? accept() : refuse("a program chooses among " + std::string(name(type)));
    },
    .configurations = nullptr,
    .emit = [](const Problem&, const Config&) { return emit_kernel("choose", {}, {0, 1, 2}); },
};

}  // namespace kiln::cuda::tactics
