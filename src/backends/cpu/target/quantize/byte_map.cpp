// Tactics: bytes made of bytes by a table of all results, and of float32 by one constant scale.
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/byte_table.h"
#include "target/epilogue.h"

namespace kiln::cpu::tactics {

const Tactic byte_table{
    .name = "byte_table",
    .version = 1,
    .accepts = accept_byte_table,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_kernel("byte_table", {}, {});
          emit_byte_table(p, e);
          return e;
        },
};

const Tactic byte_quantize{
    .name = "byte_quantize",
    .version = 1,
    .ops = {"Quantize"},
    .accepts = [](const Problem& p) -> Refusal {
      if (!p.post().empty()) return refuse("it has post-operations");
      constexpr TypeSet kBytes{DType::kI8, DType::kU8};
      if (!kBytes.has(p.outputs[0].dtype)) return refuse("the result is not bytes");
      const Argument &scale = p.input(1), &zero = p.input(2);
      if (!scale.constant || scale.constant->size() != 1 || !(scale.constant->at(0) > 0))
        return refuse("the scale is not one positive constant");
      if (zero.present && (!zero.constant || zero.constant->size() != 1))
        return refuse("the zero point is not one constant");
      return accept_same_place(p, 0);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Argument& zero = p.input(2);
          return emit_kernel("byte_quantize",
                             kernels::ByteQuantizeParameters{
                                 .scale = p.input(1).constant->at(0),
                                 .zero_point = zero.present ? static_cast<int32_t>(zero.constant->int_at(0)) : 0},
                             {0});
        },
};

}  // namespace kiln::cpu::tactics
