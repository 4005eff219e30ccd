// Tactic: BatchNormalization with constant statistics, as one multiplication and addition per element.
#include <algorithm>
#include <cmath>

#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "ops/expr.h"
#include "tensor/scalar_codec.h"

namespace kiln::cpu::tactics {
namespace {

ScalarProgram multiply_add() {
  ExprBuilder builder;
  const Expr x = builder.input(0, ScalarType::kF32), factor = builder.input(1, ScalarType::kF32),
             shift = builder.input(2, ScalarType::kF32);
  const Expr y[] = {x * factor + shift};
  return builder.finish(y);
}

}  // namespace

const Tactic channel_affine{
    .name = "channel_affine",
    .version = 1,
    .ops = {"BatchNormalization"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32(p); r.refused()) return r;
      if (p.outputs.size() > 1 || p.attributes().integer("training_mode", 0) != 0)
        return refuse("it is in training mode");
      for (int i = 1; i < 5; ++i)
        if (!p.input(i).constant) return refuse("its statistics are not constant");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const int64_t channels = p.input(1).constant->size(), axes = rank(p.input(0));
          Dims dims(static_cast<size_t>(std::max<int64_t>(axes - 1, 1)), 1);
          dims[0] = channels;
          Tensor factor = Tensor::allocate(DType::kF32, dims), shift = Tensor::allocate(DType::kF32, dims);
          const double epsilon = p.attributes().real("epsilon", 1e-5);
          for (int64_t c = 0; c < channels; ++c) {
            const double f = p.input(1).constant->at(c) / std::sqrt(p.input(4).constant->at(c) + epsilon);
            factor.set(c, f);
            shift.set(c, p.input(2).constant->at(c) - p.input(3).constant->at(c) * f);
          }
          Emitted e = emit_kernel("pointwise", {}, {0, Emitted::from_constant(0), Emitted::from_constant(1)});
          put_program(e.parameters, "program", multiply_add());
          e.constants = {std::move(factor), std::move(shift)};
          return e;
        },
};

}  // namespace kiln::cpu::tactics
