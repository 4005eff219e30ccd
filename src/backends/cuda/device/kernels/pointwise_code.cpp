// Scalar programs as the interpreter on the GPU takes them.
#include "backends/cuda/device/kernels/pointwise_code.h"

#include <algorithm>

namespace kiln::cuda::kernels {
namespace {

// For each value the last instruction that reads it; code.size() for results.
std::vector<size_t> last_uses(const ScalarProgram& program) {
  std::vector<size_t> last(program.code.size(), 0);
  for (size_t i = 0; i < program.code.size(); ++i) {
    const ScalarInstruction& v = program.code[i];
    const uint16_t operands[] = {v.a, v.b, v.c};
    for (int k = 0; k < operand_count(v.op); ++k) last[operands[k]] = i;
    last[i] = i;
  }
  for (uint16_t value : program.outputs) last[value] = program.code.size();
  return last;
}

PointwiseStep step_of(const ScalarProgram& program, const ScalarInstruction& v, const std::vector<uint8_t>& slot_of) {
  PointwiseStep s{v.op, v.type, v.type, 0, 0, 0, 0, 0, {}};
  const int operands = operand_count(v.op);
  if (operands > 0) {
    s.a = slot_of[v.a];
    s.operand = program.code[v.a].type;
  }
  if (operands > 1) s.b = slot_of[v.b];
  if (operands > 2) s.c = slot_of[v.c];
  const bool real = v.op == ScalarOp::kConstant && (v.type == ScalarType::kF32 || v.type == ScalarType::kF64);
  if (real) s.real = v.real;
  else s.integer = v.integer;
  return s;
}

bool is_leaf(const ScalarInstruction& v) { return v.op == ScalarOp::kInput || v.op == ScalarOp::kConstant; }

bool is_chained(ScalarOp op) {
  return op == ScalarOp::kAdd || op == ScalarOp::kSub || op == ScalarOp::kMul || op == ScalarOp::kDiv ||
         op == ScalarOp::kMin || op == ScalarOp::kMax;
}

// One step of a chain from value `running`; nothing when the instruction does not go on from it alone.
std::optional<ChainStep> chain_step(const ScalarProgram& program, const ScalarInstruction& v, uint16_t running) {
  ChainStep step{v.op, kChainInputs, false, DType::kInvalid, 0};
  if (v.op == ScalarOp::kNarrow) {
    step.type = static_cast<DType>(v.integer);
    const bool known = step.type == DType::kF16 || step.type == DType::kBF16;
    return known && v.a == running ? std::optional(step) : std::nullopt;
  }
  if (!is_chained(v.op) || (v.a == running) == (v.b == running)) return std::nullopt;
  step.is_left = v.b == running;
  const ScalarInstruction& other = program.code[step.is_left ? v.a : v.b];
  if (!is_leaf(other)) return std::nullopt;
  if (other.op == ScalarOp::kInput) step.operand = static_cast<uint8_t>(other.integer);
  else step.constant = static_cast<float>(other.real);
  return step;
}

bool is_float_or_bool(ScalarType type) { return type == ScalarType::kF32 || type == ScalarType::kBool; }

}  // namespace

std::optional<ChainCode> chain_code(const ScalarProgram& program) {
  if (program.input_count > kChainInputs || program.outputs.size() != 1) return std::nullopt;
  for (const ScalarInstruction& v : program.code)
    if (v.type != ScalarType::kF32) return std::nullopt;
  // The first instruction that is no leaf goes on from an input.
  const auto begin = std::find_if_not(program.code.begin(), program.code.end(), is_leaf);
  uint16_t running = begin == program.code.end() ? program.outputs[0] : begin->a;
  if (begin != program.code.end() && program.code[running].op != ScalarOp::kInput) running = begin->b;
  if (running >= program.code.size() || program.code[running].op != ScalarOp::kInput) return std::nullopt;
  ChainCode chain;
  chain.first = static_cast<uint8_t>(program.code[running].integer);
  for (size_t i = 0; i < program.code.size(); ++i) {
    const ScalarInstruction& v = program.code[i];
    if (is_leaf(v)) continue;
    const auto step = chain_step(program, v, running);
    if (!step || chain.steps.size() == kChainSteps) return std::nullopt;
    chain.steps.push_back(*step);
    running = static_cast<uint16_t>(i);
  }
  return running == program.outputs[0] ? std::optional(chain) : std::nullopt;
}

ScalarProgram with_float_inputs(const ScalarProgram& program) {
  const auto to_float = [&](const ScalarInstruction& v) {
    return v.op == ScalarOp::kConvert && v.type == ScalarType::kF32 && program.code[v.a].op == ScalarOp::kInput &&
           program.code[v.a].type != ScalarType::kF64;
  };
  std::vector<bool> only_converted(program.code.size(), true);
  for (const ScalarInstruction& v : program.code) {
    const uint16_t operands[] = {v.a, v.b, v.c};
    for (int k = 0; k < operand_count(v.op); ++k)
      if (!to_float(v)) only_converted[operands[k]] = false;
  }
  for (uint16_t value : program.outputs) only_converted[value] = false;
  ScalarProgram result;
  result.input_count = program.input_count;
  std::vector<uint16_t> place(program.code.size(), 0);
  for (size_t i = 0; i < program.code.size(); ++i) {
    ScalarInstruction v = program.code[i];
    if (to_float(v) && only_converted[v.a]) {
      place[i] = place[v.a];
      continue;
    }
    v.a = place[v.a], v.b = place[v.b], v.c = place[v.c];
    if (v.op == ScalarOp::kInput && only_converted[i] && v.type != ScalarType::kF64) v.type = ScalarType::kF32;
    place[i] = static_cast<uint16_t>(result.code.size());
    result.code.push_back(v);
  }
  for (uint16_t value : program.outputs) result.outputs.push_back(place[value]);
  return result;
}

bool is_generated_type(DType type) {
  switch (type) {
    case DType::kBool:
    case DType::kU8:
    case DType::kI8:
    case DType::kU16:
    case DType::kI16:
    case DType::kU32:
    case DType::kI32:
    case DType::kU64:
    case DType::kI64:
    case DType::kF16:
    case DType::kBF16:
    case DType::kF32:
    case DType::kF64: return true;
    default: return false;
  }
}

bool is_pointwise_type(DType type) { return bits(type) > 0 && !is_complex(type); }

std::optional<PointwiseCode> pointwise_code(const ScalarProgram& program, std::string& reason) {
  if (program.code.size() > kMaxSteps) {
    reason = "the program has " + std::to_string(program.code.size()) + " instructions, more than " +
             std::to_string(kMaxSteps);
    return std::nullopt;
  }
  if (program.input_count + program.outputs.size() > kMaxOperands) {
    reason = "the program has " + std::to_string(program.input_count + program.outputs.size()) +
             " operands, more than " + std::to_string(kMaxOperands);
    return std::nullopt;
  }
  PointwiseCode code;
  const std::vector<size_t> last = last_uses(program);
  std::vector<uint8_t> slot_of(program.code.size(), 0);
  std::vector<size_t> free_from;  // per slot, the first instruction that may overwrite it
  for (size_t i = 0; i < program.code.size(); ++i) {
    const ScalarInstruction& v = program.code[i];
    if (v.op == ScalarOp::kNarrow && !is_pointwise_type(static_cast<DType>(v.integer))) {
      reason = "the program rounds to " + std::string(name(static_cast<DType>(v.integer)));
      return std::nullopt;
    }
    code.floats = code.floats && is_float_or_bool(v.type) &&
                  (v.op != ScalarOp::kNarrow || v.integer == static_cast<int64_t>(DType::kF16) ||
                   v.integer == static_cast<int64_t>(DType::kBF16));
    code.steps.push_back(step_of(program, v, slot_of));
    // An instruction reads its operands before it writes: their slots may be its own.
    auto free = std::find_if(free_from.begin(), free_from.end(), [&](size_t from) { return from <= i; });
    if (free == free_from.end()) free = free_from.insert(free, 0);
    *free = last[i];
    if (last[i] == i) *free = i + 1;
    slot_of[i] = static_cast<uint8_t>(free - free_from.begin());
    code.steps.back().to = slot_of[i];
    if (free_from.size() > kAnySlots) {
      reason = "more than " + std::to_string(kAnySlots) + " values of the program live at once";
      return std::nullopt;
    }
  }
  code.slots = static_cast<int>(free_from.size());
  code.floats = code.floats && code.slots <= kFloatSlots;
  for (uint16_t value : program.outputs) {
    code.results.push_back(slot_of[value]);
    code.result_types.push_back(program.code[value].type);
  }
  return code;
}

}  // namespace kiln::cuda::kernels
