// Checks and text of scalar programs.
#include "tensor/scalar_program.h"

#include <array>

#include "base/error.h"
#include "base/index.h"
#include "tensor/number_text.h"

namespace kiln {
namespace {

// Which types an operation has, as a set of bits of ScalarType.
constexpr int kOnBool = 1, kOnSigned = 2, kOnUnsigned = 4, kOnFloat = 8 + 16;
constexpr int kOnInteger = kOnSigned + kOnUnsigned, kOnNumber = kOnInteger + kOnFloat, kOnAny = kOnNumber + kOnBool;

struct OpInfo {
  std::string_view name;
  int operands;
  int types;  // of the operands; of the result where there are none
};

constexpr std::array<OpInfo, kScalarOpCount> kOps = {{
    {"input", 0, kOnAny},
    {"constant", 0, kOnAny},
    {"convert", 1, kOnAny},
    {"neg", 1, kOnNumber},
    {"abs", 1, kOnNumber},
    {"sign", 1, kOnNumber},
    {"floor", 1, kOnFloat},
    {"ceil", 1, kOnFloat},
    {"round", 1, kOnFloat},
    {"trunc", 1, kOnFloat},
    {"sqrt", 1, kOnFloat},
    {"exp", 1, kOnFloat},
    {"log", 1, kOnFloat},
    {"sin", 1, kOnFloat},
    {"cos", 1, kOnFloat},
    {"tan", 1, kOnFloat},
    {"asin", 1, kOnFloat},
    {"acos", 1, kOnFloat},
    {"atan", 1, kOnFloat},
    {"sinh", 1, kOnFloat},
    {"cosh", 1, kOnFloat},
    {"tanh", 1, kOnFloat},
    {"asinh", 1, kOnFloat},
    {"acosh", 1, kOnFloat},
    {"atanh", 1, kOnFloat},
    {"erf", 1, kOnFloat},
    {"log1p", 1, kOnFloat},
    {"expm1", 1, kOnFloat},
    {"not", 1, kOnBool},
    {"bit_not", 1, kOnInteger},
    {"is_nan", 1, kOnFloat},
    {"is_positive_inf", 1, kOnFloat},
    {"is_negative_inf", 1, kOnFloat},
    {"add", 2, kOnNumber},
    {"sub", 2, kOnNumber},
    {"mul", 2, kOnNumber},
    {"div", 2, kOnNumber},
    {"pow", 2, kOnNumber},
    {"min", 2, kOnNumber},
    {"max", 2, kOnNumber},
    {"fmod", 2, kOnNumber},
    {"mod", 2, kOnNumber},
    {"bit_and", 2, kOnInteger},
    {"bit_or", 2, kOnInteger},
    {"bit_xor", 2, kOnInteger},
    {"shift_left", 2, kOnInteger},
    {"shift_right", 2, kOnInteger},
    {"and", 2, kOnBool},
    {"or", 2, kOnBool},
    {"xor", 2, kOnBool},
    {"equal", 2, kOnAny},
    {"less", 2, kOnAny},
    {"less_equal", 2, kOnAny},
    {"select", 3, kOnAny},
    {"narrow", 1, kOnAny},
}};

bool is_known(ScalarOp op) { return static_cast<int>(op) < kScalarOpCount; }
bool is_known(ScalarType type) { return type <= ScalarType::kF64; }

const OpInfo& info(ScalarOp op) {
  if (!is_known(op))
    throw Error(Code::kInvalidArgument, "unknown scalar operation " + std::to_string(static_cast<int>(op)));
  return nth(kOps, op);
}

bool allows(const OpInfo& op, ScalarType type) { return op.types >> static_cast<int>(type) & 1; }

bool gives_bool(ScalarOp op) {
  return (op >= ScalarOp::kIsNan && op <= ScalarOp::kIsNegativeInf) ||
         (op >= ScalarOp::kEqual && op <= ScalarOp::kLessEqual);
}

// What is wrong with one instruction whose operands are known to be earlier values.
std::string type_defect(const ScalarProgram& program, const ScalarInstruction& v) {
  const OpInfo& op = info(v.op);
  if (op.operands == 0) {
    const bool wrong_bool =
        v.op == ScalarOp::kConstant && v.type == ScalarType::kBool && v.integer != 0 && v.integer != 1;
    return wrong_bool ? "a bool constant is neither 0 nor 1" : "";
  }
  const ScalarType a = program.code[v.a].type;
  if (v.op == ScalarOp::kConvert) return "";
  if (v.op == ScalarOp::kNarrow) {
    if (v.integer <= 0 || v.integer >= kDTypeCount) return "there is no element type " + std::to_string(v.integer);
    const auto to = static_cast<DType>(v.integer);
    if (to == DType::kString || is_complex(to) || scalar_type_of(to) != v.type)
      return "the result cannot be narrowed so";
    const bool rounds_once = a == ScalarType::kF64 && v.type == ScalarType::kF32;
    return a == v.type || rounds_once ? "" : "the operand cannot be narrowed so";
  }
  if (v.op == ScalarOp::kSelect) {
    if (a != ScalarType::kBool) return "the condition is not bool";
    if (program.code[v.b].type != v.type || program.code[v.c].type != v.type)
      return "a branch does not have the type of the result";
    return "";
  }
  if (!allows(op, a)) return "the operation does not exist for " + std::string(name(a));
  if (op.operands == 2 && program.code[v.b].type != a) return "the operands' types differ";
  const ScalarType result = gives_bool(v.op) ? ScalarType::kBool : a;
  return v.type == result ? "" : "the result cannot be " + std::string(name(v.type));
}

// `input_types`: the type as which each input was read, -1 before.
std::string instruction_defect(const ScalarProgram& program, size_t index, std::vector<int>& input_types) {
  const ScalarInstruction& v = program.code[index];
  if (!is_known(v.op)) return "unknown operation";
  if (!is_known(v.type)) return "unknown type";
  const int operands = operand_count(v.op);
  for (int k = 0; k < operands; ++k)
    if ((k == 0 ? v.a : k == 1 ? v.b : v.c) >= index) return "an operand is not an earlier value";
  if (v.op == ScalarOp::kInput) {
    if (v.integer < 0 || v.integer >= program.input_count) return "there is no input " + std::to_string(v.integer);
    int& known = nth(input_types, v.integer);
    if (known >= 0 && known != static_cast<int>(v.type)) return "an input is read as two types";
    known = static_cast<int>(v.type);
  }
  return type_defect(program, v);
}

std::string instruction_text(const ScalarInstruction& v) {
  std::string text = std::string(name(v.op));
  if (v.op == ScalarOp::kInput) text += " " + std::to_string(v.integer);
  if (v.op == ScalarOp::kConstant) {
    switch (v.type) {
      case ScalarType::kF32: text += " " + real_text(static_cast<float>(v.real)); break;
      case ScalarType::kF64: text += " " + real_text(v.real); break;
      case ScalarType::kU64: text += " " + std::to_string(static_cast<uint64_t>(v.integer)); break;
      default: text += " " + std::to_string(v.integer); break;
    }
  }
  if (v.op == ScalarOp::kNarrow) text += " " + std::string(name(static_cast<DType>(v.integer)));
  const uint16_t operands[] = {v.a, v.b, v.c};
  for (int k = 0; k < operand_count(v.op); ++k) text += " v" + std::to_string(operands[k]);
  return text + " " + std::string(name(v.type));
}

}  // namespace

ScalarType scalar_type_of(DType type) {
  if (type == DType::kBool) return ScalarType::kBool;
  if (type == DType::kF64) return ScalarType::kF64;
  if (is_float(type)) return ScalarType::kF32;
  if (is_signed_integer(type)) return ScalarType::kI64;
  if (is_unsigned_integer(type)) return ScalarType::kU64;
  throw Error(Code::kTypeMismatch, "there is no scalar arithmetic on " + std::string(name(type)));
}

int operand_count(ScalarOp op) { return info(op).operands; }

std::string_view name(ScalarOp op) { return info(op).name; }

std::string_view name(ScalarType type) {
  static constexpr std::string_view kNames[] = {"bool", "i64", "u64", "f32", "f64"};
  return is_known(type) ? nth(kNames, type) : "unknown";
}

std::string find_defect(const ScalarProgram& program) {
  if (program.code.size() > kMaxScalarInstructions)
    return "the program has more than " + std::to_string(kMaxScalarInstructions) + " instructions";
  std::vector<int> input_types(program.input_count, -1);
  for (size_t i = 0; i < program.code.size(); ++i)
    if (std::string defect = instruction_defect(program, i, input_types); !defect.empty())
      return "v" + std::to_string(i) + ": " + defect;
  if (program.outputs.empty()) return "the program has no result";
  if (program.outputs.size() > kMaxScalarInstructions) return "the program has too many results";
  for (uint16_t output : program.outputs)
    if (output >= program.code.size()) return "result v" + std::to_string(output) + " does not exist";
  return "";
}

std::string to_string(const ScalarProgram& program) {
  std::string text;
  for (size_t i = 0; i < program.code.size(); ++i)
    text += "v" + std::to_string(i) + " = " + instruction_text(program.code[i]) + "; ";
  text += "return";
  for (uint16_t output : program.outputs) text += " v" + std::to_string(output);
  return text;
}

}  // namespace kiln
