// Scalar programs whose results are stored in float16 or bfloat16.
#include "backends/cpu/device/compute/store_rounding.h"

namespace kiln::cpu {
namespace {

bool rounds_to(const ScalarInstruction& c, DType type) {
  return c.op == ScalarOp::kNarrow && c.type == ScalarType::kF32 && c.integer == static_cast<int64_t>(type);
}

}  // namespace

ScalarProgram rounded_by_stores(ScalarProgram program, const std::vector<DType>& types) {
  std::vector<int> uses(program.code.size(), 0);
  for (const ScalarInstruction& c : program.code) {
    const uint16_t operand[3] = {c.a, c.b, c.c};
    for (int k = 0; k < operand_count(c.op); ++k) ++uses[operand[k]];
  }
  for (uint16_t v : program.outputs) ++uses[v];
  const auto unrounded = [&](uint16_t v, DType type) {
    const ScalarInstruction& c = program.code[v];
    return rounds_to(c, type) && program.code[c.a].type == ScalarType::kF32 ? c.a : v;
  };
  const auto is_zero = [&](uint16_t v) {
    return program.code[v].op == ScalarOp::kConstant && program.code[v].real == 0;
  };
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    if (types[i] != DType::kF16 && types[i] != DType::kBF16) continue;
    uint16_t& v = program.outputs[i];
    v = unrounded(v, types[i]);
    ScalarInstruction& last = program.code[v];
    if (last.op != ScalarOp::kMax || last.type != ScalarType::kF32 || uses[v] != 1) continue;
    if (is_zero(last.b)) last.a = unrounded(last.a, types[i]);
    else if (is_zero(last.a)) last.b = unrounded(last.b, types[i]);
  }
  return program;
}

}  // namespace kiln::cpu
