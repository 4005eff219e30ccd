// Chains of pointwise operators from one tensor of bytes to bytes, as a table of all results.
#include "target/byte_table.h"

#include "device/byte_table.h"
#include "target/checks.h"
#include "target/epilogue.h"
#include "target/fused_program.h"

namespace kiln {
namespace {

constexpr TypeSet kByteNumbers{DType::kI8, DType::kU8};

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

Refusal accept_same_place(const Problem& p, int x) {
  const Argument &in = p.input(x), &out = p.outputs[0];
  if (!has_shape_of_result(p, x)) return refuse("x is broadcast");
  if (!(in.layout == out.layout)) return refuse("x and the result lie differently");
  if (!in.layout.is_row_major() && !(in.layout == Layout::channels_last(static_cast<int>(rank(in)))))
    return refuse("the layout is " + to_string(in.layout));
  return accept();
}

Refusal accept_byte_table(const Problem& p) {
  std::vector<int> used;
  if (!fused_program(p, used) || !kByteNumbers.has(p.outputs[0].dtype))
    return refuse("it is no chain of pointwise operators that gives bytes");
  const int x = byte_input(p);
  if (x < 0) return refuse("it depends on more than one tensor of bytes");
  return accept_same_place(p, x);
}

void emit_byte_table(const Problem& p, Emitted& emitted) {
  const int x = byte_input(p);
  emitted.inputs = {x, add_constant(emitted, table_of(p, x))};
}

}  // namespace kiln
