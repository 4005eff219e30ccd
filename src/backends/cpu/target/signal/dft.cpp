// Tactic: Fourier transforms along a known axis.
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

Refusal accepts_dft(const Problem& p) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  const DType type = p.input(0).dtype;
  if (type != DType::kF32 && type != DType::kF64) return refuse("it computes in " + std::string(name(type)));
  if (p.input(2).present && !known_ints(p, 2)) return refuse("the axis is known only at run time");
  if (p.input(1).present && !known_ints(p, 1)) return refuse("the length is known only at run time");
  if (p.input(1).present && known_ints(p, 1)->at(0) < 1) return refuse("the length is not above 0");
  return accept();
}

}  // namespace

const Tactic dft{
    .name = "dft",
    .version = 1,
    .ops = {"DFT"},
    .accepts = accepts_dft,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const int64_t axis = p.input(2).present ? known_ints(p, 2)->at(0) : -2;
          return emit_kernel("dft",
                             kernels::DftParameters{.axis = normalize_axis(axis, rank(p.input(0))),
                                                    .length = p.input(1).present ? known_ints(p, 1)->at(0) : int64_t{0},
                                                    .inverse = p.attributes().integer("inverse", 0) != 0,
                                                    .onesided = p.attributes().integer("onesided", 0) != 0},
                             {0});
        },
};

}  // namespace kiln::cpu::tactics
