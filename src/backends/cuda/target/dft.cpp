// Tactic: Fourier transforms along a known axis.
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {

const Tactic dft{
    .name = "dft",
    .version = 1,
    .ops = {"DFT"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const DType type = p.input(0).dtype;
      if (type != DType::kF32 && type != DType::kF64) return refuse("elements of type " + std::string(name(type)));
      if (p.input(2).present && !known_ints(p, 2)) return refuse("the axis is known only at run time");
      const auto length = known_ints(p, 1);
      if (p.input(1).present && (!length || (*length)[0] < 1)) return refuse("the length is known only at run time");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const int64_t axis = p.input(2).present ? (*known_ints(p, 2))[0] : -2;
          return emit_kernel("dft",
                             kernels::DftParameters{.axis = normalize_axis(axis, rank(p.input(0))),
                                                    .length = p.input(1).present ? (*known_ints(p, 1))[0] : int64_t{0},
                                                    .inverse = p.attributes().integer("inverse", 0) != 0,
                                                    .onesided = p.attributes().integer("onesided", 0) != 0},
                             {0});
        },
};

}  // namespace kiln::cuda::tactics
