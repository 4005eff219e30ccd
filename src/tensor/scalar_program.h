// Scalar programs: the arithmetic of pointwise operators as a short list of instructions. The reference interprets them one
// element at a time, a back end runs them on tiles or prints them as source text. Engines store them.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace kiln {

// The type in which an instruction computes. Element types map to it by scalar_type_of: float16, bfloat16, float8 and float4
// compute in kF32, all signed integers in kI64, unsigned ones in kU64; storing wraps or rounds back to the element type.
enum class ScalarType : uint8_t { kBool, kI64, kU64, kF32, kF64 };
ScalarType scalar_type_of(DType type);  // throws kTypeMismatch for strings and complex numbers

// Number and order are stored in engine files: append only.
enum class ScalarOp : uint8_t {
  kInput,     // element of input `integer`
  kConstant,  // `real` or `integer`, by type
  kConvert,   // a, of any type, to `type`: as C++ converts, float to integer truncating
  // of one operand; result has `type`
  kNeg,
  kAbs,
  kSign,
  kFloor,
  kCeil,
  kRound /* half to even */,
  kTrunc,
  kSqrt,
  kExp,
  kLog,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kTanh,
  kAsinh,
  kAcosh,
  kAtanh,
  kErf,
  kLog1p,
  kExpm1,
  kNot,
  kBitNot,
  // of one operand of a float type; result is kBool
  kIsNan,
  kIsPositiveInf,
  kIsNegativeInf,
  // of two operands of `type`
  kAdd,
  kSub,
  kMul,
  kDiv /* integers truncate; by zero gives zero */,
  kPow,
  kMin,
  kMax /* both propagate NaN */,
  kFmod /* sign of a */,
  kMod /* sign of b; by zero gives zero */,
  kBitAnd,
  kBitOr,
  kBitXor,
  kShiftLeft,
  kShiftRight,
  kAnd,
  kOr,
  kXor,  // kBool
  // of two operands of one type; result is kBool, `type` is kBool
  kEqual,
  kLess,
  kLessEqual,
  kSelect,  // a ? b : c, a is kBool
  kNarrow,  // a as the element type `integer` (a DType) holds it: rounded or wrapped
};
inline constexpr int kScalarOpCount = static_cast<int>(ScalarOp::kNarrow) + 1;
int operand_count(ScalarOp op);          // 0 to 3
std::string_view name(ScalarOp op);      // "add"
std::string_view name(ScalarType type);  // "f32"

// Instruction i defines value i; operands a, b, c are earlier values. `type` is the type of the result.
struct ScalarInstruction {
  ScalarOp op = ScalarOp::kConstant;
  ScalarType type = ScalarType::kF32;
  uint16_t a = 0, b = 0, c = 0;
  double real = 0;
  int64_t integer = 0;
  bool operator==(const ScalarInstruction&) const = default;
};

struct ScalarProgram {
  std::vector<ScalarInstruction> code;
  uint16_t input_count = 0;
  std::vector<uint16_t> outputs;  // values that are results
  bool operator==(const ScalarProgram&) const = default;
};
inline constexpr size_t kMaxScalarInstructions = 4096;

// Empty when the program is sound (operands earlier, types agree, inputs in range, not too long); else what is wrong.
std::string find_defect(const ScalarProgram& program);
// "v0 = input 0 f32; v1 = constant 0.0 f32; v2 = max v0 v1 f32; return v2"
std::string to_string(const ScalarProgram& program);

// A scalar of any ScalarType while interpreting.
union ScalarValue {
  bool b;
  int64_t i;
  uint64_t u;
  float f;
  double d;
};
// Runs the program on one element. `values` is scratch of code.size() entries; results are values[outputs[k]].
void interpret(const ScalarProgram& program, std::span<const ScalarValue> inputs, std::span<ScalarValue> values);
ScalarValue load_scalar(DType type, const void* data, int64_t index);
void store_scalar(DType type, void* data, int64_t index, ScalarType from, ScalarValue value);

}  // namespace kiln
