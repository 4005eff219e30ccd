// Tactics: bytes made of bytes by a table of all results, and of float32 by one constant scale.
#include "backends/cpu/device/compute/byte_maps.h"
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/epilogue.h"
#include "target/fused_program.h"

namespace kiln::cpu::tactics {
namespace {

constexpr TypeSet kByteNumbers{DType::kI8, DType::kU8};

// The result lies as `x` does, in an order that the kernels walk.
Refusal accept_same_place(const Problem& p, int x) {
  const Argument &in = p.input(x), &out = p.outputs[0];
  if (!has_shape_of_result(p, x)) return refuse("x is broadcast");
  if (!(in.layout == out.layout)) return refuse("x and the result lie differently");
  if (!in.layout.is_row_major() && !(in.layout == Layout::channels_last(static_cast<int>(rank(in)))))
    return refuse("the layout is " + to_string(in.layout));
  return accept();
}

// The input that is no constant number; -1 unless it is one tensor of bytes.
int byte_input(const Problem& p) {
  int found = -1;
  for (int i = 0; i < static_cast<int>(p.inputs.size()); ++i) {
    const Argument& a = p.input(i);
    if (!a.present || (a.constant && a.constant->size() == 1)) continue;
    if (found >= 0 || !kByteNumbers.has(a.dtype)) return -1;
    found = i;
  }
  return found;
}

// Results for the bytes 0 to 255 of `x`.
Tensor table_of(const Problem& p, int x) {
  std::vector<int> used;
  const ScalarProgram program = *fused_program(p, used);
  std::vector<ScalarValue> inputs(used.size()), values(program.code.size());
  Tensor table = Tensor::allocate(p.outputs[0].dtype, {kByteTable});
  for (int64_t i = 0; i < kByteTable; ++i) {
    const auto byte = static_cast<uint8_t>(i);
    for (size_t k = 0; k < used.size(); ++k) {
      const Argument& a = p.input(used[k]);
      inputs[k] = used[k] == x ? load_scalar(a.dtype, &byte, 0) : load_scalar(a.dtype, a.constant->data(), 0);
    }
    interpret(program, inputs, values);
    const uint16_t result = program.outputs[0];
    store_scalar(table.dtype(), table.mutable_data(), i, program.code[result].type, values[result]);
  }
  return table;
}

}  // namespace

const Tactic byte_table{
    .name = "byte_table",
    .version = 1,
    .accepts = [](const Problem& p) -> Refusal {
      std::vector<int> used;
      if (!fused_program(p, used) || !kByteNumbers.has(p.outputs[0].dtype))
        return refuse("it is no chain of pointwise operators that gives bytes");
      const int x = byte_input(p);
      if (x < 0) return refuse("it depends on more than one tensor of bytes");
      return accept_same_place(p, x);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const int x = byte_input(p);
          Emitted e = emit_kernel("byte_table", {}, {x});
          e.inputs.push_back(add_constant(e, table_of(p, x)));
          return e;
        },
};

const Tactic byte_quantize{
    .name = "byte_quantize",
    .version = 1,
    .ops = {"Quantize"},
    .accepts = [](const Problem& p) -> Refusal {
      if (!p.post().empty()) return refuse("it has post-operations");
      if (!kByteNumbers.has(p.outputs[0].dtype)) return refuse("the result is not bytes");
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
