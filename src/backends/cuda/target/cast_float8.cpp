// Tactic: casts to floats of 8 bits that no program makes: without saturation, and to powers of two by other roundings.
#include <algorithm>
#include <optional>

#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
namespace {

constexpr TypeSet kFloats8{DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ, DType::kF8E8M0};

// Nothing where float8e8m0 is rounded in a way that there is not; other types are rounded in one way.
std::optional<kernels::CastFloat8Parameters> cast_float8_parameters(const Problem& p) {
  kernels::CastFloat8Parameters to{.saturate = p.attributes().integer("saturate", 1) != 0};
  if (p.outputs[0].dtype != DType::kF8E8M0) return to;
  const auto& known = kernels::CastFloat8Parameters::kRoundings;
  const auto found = std::find(std::begin(known), std::end(known), p.attributes().text("round_mode", "up"));
  if (found == std::end(known)) return std::nullopt;
  to.rounding = static_cast<E8M0Rounding>(found - std::begin(known));
  return to;
}

}  // namespace

const Tactic cast_float8{
    .name = "cast_float8",
    .version = 1,
    .ops = {"Cast"},
    .accepts = [](const Problem& p) -> Refusal {
      if (!p.post().empty()) return refuse("it has post-operations");
      const DType from = p.input(0).dtype, to = p.outputs[0].dtype;
      if (!kFloats8.has(to)) return refuse("to " + std::string(name(to)));
      if (!kRealTypes.has(from)) return refuse("from " + std::string(name(from)));
      const auto how = cast_float8_parameters(p);
      if (!how) return refuse("its rounding is not known");
      if (how->saturate && how->rounding == E8M0Rounding::kUp) return refuse("a program makes it");
      return needs_row_major(p);
    },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("cast_float8", *cast_float8_parameters(p), {0}); },
};

}  // namespace kiln::cuda::tactics
