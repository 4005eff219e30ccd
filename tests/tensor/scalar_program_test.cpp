// Scalar programs: the meaning of every operation, refusal of unsound programs, text.
#include "tensor/scalar_program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "base/error.h"
#include "tensor/tensor.h"

namespace kiln {
namespace {

using Op = ScalarOp;
using Type = ScalarType;

const double kInf = std::numeric_limits<double>::infinity(), kNan = std::nan("");

bool is_real(Type type) { return type == Type::kF32 || type == Type::kF64; }

ScalarInstruction constant(Type type, double value) {
  ScalarInstruction v{Op::kConstant, type};
  if (is_real(type)) {
    v.real = value;
  } else {
    v.integer = static_cast<int64_t>(value);
  }
  return v;
}

ScalarInstruction integer(Type type, int64_t value) {
  ScalarInstruction v{Op::kConstant, type};
  v.integer = value;
  return v;
}

ScalarInstruction apply(Op op, Type type, uint16_t a, uint16_t b = 0, uint16_t c = 0) { return {op, type, a, b, c}; }

// The value of a program's only result.
ScalarValue run(const ScalarProgram& program, std::vector<ScalarValue> inputs = {}) {
  EXPECT_EQ(find_defect(program), "") << to_string(program);
  std::vector<ScalarValue> values(program.code.size());
  interpret(program, inputs, values);
  return values[program.outputs[0]];
}

double as_double(Type type, ScalarValue v) {
  switch (type) {
    case Type::kBool: return v.b;
    case Type::kI64: return static_cast<double>(v.i);
    case Type::kU64: return static_cast<double>(v.u);
    case Type::kF32: return v.f;
    case Type::kF64: return v.d;
  }
  return 0;
}

ScalarValue run_unary(Op op, ScalarInstruction x, Type result) { return run({{x, apply(op, result, 0)}, 0, {1}}); }

double unary(Op op, Type type, double x) { return as_double(type, run_unary(op, constant(type, x), type)); }

double binary(Op op, Type type, double a, double b) {
  return as_double(type, run({{constant(type, a), constant(type, b), apply(op, type, 0, 1)}, 0, {2}}));
}

int64_t integers(Op op, int64_t a, int64_t b, Type type = Type::kI64) {
  return run({{integer(type, a), integer(type, b), apply(op, type, 0, 1)}, 0, {2}}).i;
}

void expect_same(double got, double want, const std::string& label) {
  if (std::isnan(want)) {
    EXPECT_TRUE(std::isnan(got)) << label << " gives " << got;
  } else {
    EXPECT_TRUE(got == want && std::signbit(got) == std::signbit(want))
        << label << " gives " << got << ", not " << want;
  }
}

TEST(ScalarProgram, RealFunctionsAreThoseOfTheLibrary) {
  const struct {
    Op op;
    double (*wide)(double);
    float (*narrow)(float);
  } functions[] = {
      {Op::kAbs, std::fabs, std::fabs},     {Op::kFloor, std::floor, std::floor}, {Op::kCeil, std::ceil, std::ceil},
      {Op::kTrunc, std::trunc, std::trunc}, {Op::kSqrt, std::sqrt, std::sqrt},    {Op::kExp, std::exp, std::exp},
      {Op::kLog, std::log, std::log},       {Op::kSin, std::sin, std::sin},       {Op::kCos, std::cos, std::cos},
      {Op::kTan, std::tan, std::tan},       {Op::kAsin, std::asin, std::asin},    {Op::kAcos, std::acos, std::acos},
      {Op::kAtan, std::atan, std::atan},    {Op::kSinh, std::sinh, std::sinh},    {Op::kCosh, std::cosh, std::cosh},
      {Op::kTanh, std::tanh, std::tanh},    {Op::kAsinh, std::asinh, std::asinh}, {Op::kAcosh, std::acosh, std::acosh},
      {Op::kAtanh, std::atanh, std::atanh}, {Op::kErf, std::erf, std::erf},       {Op::kLog1p, std::log1p, std::log1p},
      {Op::kExpm1, std::expm1, std::expm1},
  };
  for (const auto& f : functions) {
    for (double x : {0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.5, -2.5, 100.0, -100.0, kInf, -kInf, kNan}) {
      const std::string label = std::string(name(f.op)) + "(" + std::to_string(x) + ")";
      expect_same(unary(f.op, Type::kF64, x), f.wide(x), label);
      expect_same(unary(f.op, Type::kF32, x), f.narrow(static_cast<float>(x)), label + " f32");
    }
  }
}

TEST(ScalarProgram, RealOperations) {
  for (Type type : {Type::kF32, Type::kF64}) {
    const struct {
      Op op;
      double a, b, want;
    } cases[] = {
        {Op::kAdd, 1, 2, 3},       {Op::kSub, 1, 2, -1},      {Op::kMul, -3, 2, -6},     {Op::kDiv, 1, -0.0, -kInf},
        {Op::kDiv, 0, 0, kNan},    {Op::kPow, 2, -1, 0.5},    {Op::kPow, -8, 0.5, kNan}, {Op::kMin, 1, 2, 1},
        {Op::kMin, kNan, 1, kNan}, {Op::kMin, 1, kNan, kNan}, {Op::kMax, 1, kNan, kNan}, {Op::kMax, kNan, 1, kNan},
        {Op::kMax, -kInf, 2, 2},   {Op::kFmod, -7, 3, -1},    {Op::kFmod, 7, -3, 1},     {Op::kFmod, 1, 0, kNan},
        {Op::kMod, -7, 3, 2},      {Op::kMod, 7, -3, -2},     {Op::kMod, 6, -3, -0.0},   {Op::kMod, -6, 3, 0},
        {Op::kMod, 5.5, 2, 1.5},
    };
    for (const auto& c : cases) expect_same(binary(c.op, type, c.a, c.b), c.want, std::string(name(c.op)));
    for (double x : {0.5, 1.5, 2.5, -0.5, -1.5}) expect_same(unary(Op::kRound, type, x), std::nearbyint(x), "round");
    expect_same(unary(Op::kSign, type, -3), -1, "sign");
    expect_same(unary(Op::kSign, type, kNan), kNan, "sign");
    expect_same(unary(Op::kSign, type, -0.0), 0, "sign");
    expect_same(unary(Op::kNeg, type, 0), -0.0, "neg");
  }
}

TEST(ScalarProgram, FloatsAreNotWidened) {
  EXPECT_EQ(binary(Op::kAdd, Type::kF32, 16777216, 1), 16777216);
  EXPECT_EQ(binary(Op::kAdd, Type::kF64, 16777216, 1), 16777217);
}

TEST(ScalarProgram, Integers) {
  EXPECT_EQ(integers(Op::kAdd, INT64_MAX, 1), INT64_MIN);
  EXPECT_EQ(integers(Op::kSub, INT64_MIN, 1), INT64_MAX);
  EXPECT_EQ(integers(Op::kMul, INT64_MAX, 2), -2);
  EXPECT_EQ(integers(Op::kDiv, -7, 2), -3);
  EXPECT_EQ(integers(Op::kDiv, 7, 0), 0);
  EXPECT_EQ(integers(Op::kDiv, INT64_MIN, -1), INT64_MIN);
  EXPECT_EQ(integers(Op::kDiv, -1, 2, Type::kU64), INT64_MAX);
  EXPECT_EQ(integers(Op::kFmod, -7, 3), -1);
  EXPECT_EQ(integers(Op::kFmod, INT64_MIN, -1), 0);
  EXPECT_EQ(integers(Op::kFmod, 7, 0), 0);
  EXPECT_EQ(integers(Op::kMod, -7, 3), 2);
  EXPECT_EQ(integers(Op::kMod, 7, -3), -2);
  EXPECT_EQ(integers(Op::kMod, 6, -3), 0);
  EXPECT_EQ(integers(Op::kMod, 7, 0), 0);
  EXPECT_EQ(integers(Op::kMod, -1, 10, Type::kU64), 5);
  EXPECT_EQ(integers(Op::kPow, 3, 4), 81);
  EXPECT_EQ(integers(Op::kPow, -2, 3), -8);
  EXPECT_EQ(integers(Op::kPow, 2, -1), 0);
  EXPECT_EQ(integers(Op::kPow, -1, -3), -1);
  EXPECT_EQ(integers(Op::kPow, -1, INT64_MIN), 1);
  EXPECT_EQ(integers(Op::kPow, 0, 0), 1);
  EXPECT_EQ(integers(Op::kPow, 2, 64), 0);
  EXPECT_EQ(integers(Op::kMin, -1, 1), -1);
  EXPECT_EQ(integers(Op::kMin, -1, 1, Type::kU64), 1);
  EXPECT_EQ(integers(Op::kMax, -1, 1), 1);
  EXPECT_EQ(integers(Op::kBitAnd, 12, 10), 8);
  EXPECT_EQ(integers(Op::kBitOr, 12, 10), 14);
  EXPECT_EQ(integers(Op::kBitXor, 12, 10), 6);
  EXPECT_EQ(integers(Op::kShiftLeft, 1, 63), INT64_MIN);
  EXPECT_EQ(integers(Op::kShiftLeft, 1, 64), 0);
  EXPECT_EQ(integers(Op::kShiftLeft, 1, -1), 0);
  EXPECT_EQ(integers(Op::kShiftRight, -8, 1), -4);
  EXPECT_EQ(integers(Op::kShiftRight, -8, 64), -1);
  EXPECT_EQ(integers(Op::kShiftRight, -8, 1, Type::kU64), (INT64_MIN ^ -1) - 3);
  EXPECT_EQ(integers(Op::kShiftRight, -8, 64, Type::kU64), 0);
  EXPECT_EQ(integers(Op::kShiftRight, -1, 63, Type::kU64), 1);
  EXPECT_EQ(run_unary(Op::kNeg, integer(Type::kI64, INT64_MIN), Type::kI64).i, INT64_MIN);
  EXPECT_EQ(run_unary(Op::kAbs, integer(Type::kI64, -5), Type::kI64).i, 5);
  EXPECT_EQ(run_unary(Op::kAbs, integer(Type::kI64, INT64_MIN), Type::kI64).i, INT64_MIN);
  EXPECT_EQ(run_unary(Op::kSign, integer(Type::kI64, -5), Type::kI64).i, -1);
  EXPECT_EQ(run_unary(Op::kSign, integer(Type::kU64, -5), Type::kU64).u, 1u);
  EXPECT_EQ(run_unary(Op::kBitNot, integer(Type::kU64, 0), Type::kU64).u, ~uint64_t{0});
}

TEST(ScalarProgram, BoolsAndComparisons) {
  for (int a : {0, 1}) {
    for (int b : {0, 1}) {
      EXPECT_EQ(binary(Op::kAnd, Type::kBool, a, b), a & b);
      EXPECT_EQ(binary(Op::kOr, Type::kBool, a, b), a | b);
      EXPECT_EQ(binary(Op::kXor, Type::kBool, a, b), a ^ b);
    }
    EXPECT_EQ(unary(Op::kNot, Type::kBool, a), !a);
  }
  const auto compare = [](Op op, ScalarInstruction a, ScalarInstruction b) {
    return run({{a, b, apply(op, Type::kBool, 0, 1)}, 0, {2}}).b;
  };
  for (Type type : {Type::kF32, Type::kF64}) {
    EXPECT_FALSE(compare(Op::kEqual, constant(type, kNan), constant(type, kNan)));
    EXPECT_TRUE(compare(Op::kEqual, constant(type, 0), constant(type, -0.0)));
    EXPECT_TRUE(compare(Op::kLess, constant(type, -kInf), constant(type, 0)));
    EXPECT_FALSE(compare(Op::kLessEqual, constant(type, kNan), constant(type, 0)));
    const auto classify = [&](Op op, double x) { return run_unary(op, constant(type, x), Type::kBool).b; };
    EXPECT_TRUE(classify(Op::kIsNan, kNan));
    EXPECT_FALSE(classify(Op::kIsNan, kInf));
    EXPECT_TRUE(classify(Op::kIsPositiveInf, kInf));
    EXPECT_FALSE(classify(Op::kIsPositiveInf, -kInf));
    EXPECT_TRUE(classify(Op::kIsNegativeInf, -kInf));
    EXPECT_FALSE(classify(Op::kIsNegativeInf, kNan));
  }
  EXPECT_TRUE(compare(Op::kLess, integer(Type::kI64, -1), integer(Type::kI64, 0)));
  EXPECT_FALSE(compare(Op::kLess, integer(Type::kU64, -1), integer(Type::kU64, 0)));
  EXPECT_TRUE(compare(Op::kLessEqual, integer(Type::kI64, 3), integer(Type::kI64, 3)));
  for (double c : {0.0, 1.0}) {
    const ScalarProgram select{{constant(Type::kBool, c), constant(Type::kF32, 5), constant(Type::kF32, 6),
                                apply(Op::kSelect, Type::kF32, 0, 1, 2)},
                               0,
                               {3}};
    EXPECT_EQ(run(select).f, c == 1 ? 5 : 6);
  }
}

TEST(ScalarProgram, Conversions) {
  const auto convert = [](ScalarInstruction x, Type to) { return run({{x, apply(Op::kConvert, to, 0)}, 0, {1}}); };
  for (Type type : {Type::kF32, Type::kF64}) {
    EXPECT_EQ(convert(constant(type, -2.9), Type::kI64).i, -2);
    EXPECT_EQ(convert(constant(type, 0x1p63), Type::kU64).u, uint64_t{1} << 63);
    EXPECT_EQ(convert(constant(type, kNan), Type::kI64).i, INT64_MIN);
    EXPECT_TRUE(convert(constant(type, kNan), Type::kBool).b);
    EXPECT_FALSE(convert(constant(type, -0.0), Type::kBool).b);
    EXPECT_EQ(as_double(type, convert(integer(Type::kU64, -1), type)), 0x1p64);
    EXPECT_EQ(as_double(type, convert(integer(Type::kI64, -1), type)), -1);
  }
  EXPECT_EQ(convert(constant(Type::kBool, 1), Type::kF32).f, 1);
  EXPECT_EQ(convert(integer(Type::kI64, -1), Type::kU64).u, ~uint64_t{0});
  EXPECT_EQ(convert(constant(Type::kF64, 1 + 0x1p-30), Type::kF32).f, 1);
}

TEST(ScalarProgram, NarrowsToElementTypes) {
  const auto narrow = [](ScalarInstruction x, DType to) {
    ScalarInstruction n = apply(Op::kNarrow, scalar_type_of(to), 0);
    n.integer = static_cast<int64_t>(to);
    return ScalarProgram{{x, n}, 0, {1}};
  };
  EXPECT_EQ(run(narrow(constant(Type::kF32, 1.0001), DType::kF16)).f, 1);
  EXPECT_EQ(run(narrow(constant(Type::kF32, 1e6), DType::kF16)).f, static_cast<float>(kInf));
  EXPECT_EQ(run(narrow(constant(Type::kF64, 1.001), DType::kBF16)).f, 1);
  EXPECT_EQ(run(narrow(integer(Type::kI64, 300), DType::kI8)).i, 44);
  EXPECT_EQ(run(narrow(integer(Type::kI64, INT64_MAX), DType::kI32)).i, -1);
  EXPECT_EQ(run(narrow(integer(Type::kU64, 257), DType::kU8)).u, 1u);
  EXPECT_EQ(to_string(narrow(constant(Type::kF32, 1), DType::kF16)),
            "v0 = constant 1.0 f32; v1 = narrow float16 v0 f32; return v1");
  ScalarProgram unsound = narrow(constant(Type::kF32, 1), DType::kF16);
  unsound.code[0].type = Type::kI64;
  EXPECT_NE(find_defect(unsound), "");
  for (int64_t type : {int64_t{0}, int64_t{-1}, int64_t{kDTypeCount}, static_cast<int64_t>(DType::kString),
                       static_cast<int64_t>(DType::kC64), static_cast<int64_t>(DType::kI8)}) {
    ScalarProgram other = narrow(constant(Type::kF32, 1), DType::kF16);
    other.code[1].integer = type;
    EXPECT_NE(find_defect(other), "") << type;
  }
}

TEST(ScalarProgram, InputsAndSeveralResults) {
  const ScalarInstruction first{Op::kInput, Type::kF32}, second{Op::kInput, Type::kF32, 0, 0, 0, 0, 1};
  const ScalarProgram program{
      {first, second, apply(Op::kSub, Type::kF32, 0, 1), apply(Op::kMul, Type::kF32, 2, 2)}, 2, {3, 2}};
  EXPECT_EQ(find_defect(program), "");
  std::vector<ScalarValue> inputs(2), values(4);
  inputs[0].f = 5;
  inputs[1].f = 7;
  interpret(program, inputs, values);
  EXPECT_EQ(values[program.outputs[0]].f, 4);
  EXPECT_EQ(values[program.outputs[1]].f, -2);
  EXPECT_EQ(to_string(program),
            "v0 = input 0 f32; v1 = input 1 f32; v2 = sub v0 v1 f32; v3 = mul v2 v2 f32; return v3 v2");
  const ScalarProgram relu{{first, constant(Type::kF32, 0), apply(Op::kMax, Type::kF32, 0, 1)}, 1, {2}};
  EXPECT_EQ(to_string(relu), "v0 = input 0 f32; v1 = constant 0.0 f32; v2 = max v0 v1 f32; return v2");
}

TEST(ScalarProgram, FindsDefects) {
  const ScalarInstruction f = constant(Type::kF32, 1), d = constant(Type::kF64, 1), i = constant(Type::kI64, 1),
                          b = constant(Type::kBool, 1);
  const ScalarInstruction input{Op::kInput, Type::kF32};
  ScalarInstruction far_input = input, negative_input = input, other_input = input, odd_bool = b;
  far_input.integer = 1;
  negative_input.integer = -1;
  other_input.type = Type::kF64;
  odd_bool.integer = 2;
  const std::vector<ScalarProgram> unsound = {
      {{}, 0, {}},
      {{f}, 0, {}},
      {{f}, 0, {1}},
      {{apply(Op::kNeg, Type::kF32, 0)}, 0, {0}},
      {{f, apply(Op::kNeg, Type::kF32, 1)}, 0, {1}},
      {{f, apply(Op::kAdd, Type::kF32, 0, 7)}, 0, {1}},
      {{f, apply(Op::kSelect, Type::kF32, 0, 0, 0)}, 0, {1}},
      {{b, f, apply(Op::kSelect, Type::kF32, 0, 1, 2)}, 0, {2}},
      {{b, f, d, apply(Op::kSelect, Type::kF32, 0, 1, 2)}, 0, {3}},
      {{b, f, apply(Op::kSelect, Type::kF64, 0, 1, 1)}, 0, {2}},
      {{f, d, apply(Op::kAdd, Type::kF32, 0, 1)}, 0, {2}},
      {{f, apply(Op::kNeg, Type::kF64, 0)}, 0, {1}},
      {{b, apply(Op::kAdd, Type::kBool, 0, 0)}, 0, {1}},
      {{i, apply(Op::kSqrt, Type::kI64, 0)}, 0, {1}},
      {{i, apply(Op::kNot, Type::kI64, 0)}, 0, {1}},
      {{f, apply(Op::kBitAnd, Type::kF32, 0, 0)}, 0, {1}},
      {{i, apply(Op::kAnd, Type::kI64, 0, 0)}, 0, {1}},
      {{i, apply(Op::kIsNan, Type::kBool, 0)}, 0, {1}},
      {{f, apply(Op::kIsNan, Type::kF32, 0)}, 0, {1}},
      {{f, apply(Op::kLess, Type::kF32, 0, 0)}, 0, {1}},
      {{f, d, apply(Op::kEqual, Type::kBool, 0, 1)}, 0, {2}},
      {{input}, 0, {0}},
      {{far_input}, 1, {0}},
      {{negative_input}, 1, {0}},
      {{input, other_input}, 1, {0}},
      {{odd_bool}, 0, {0}},
      {{apply(static_cast<Op>(kScalarOpCount), Type::kF32, 0)}, 0, {0}},
      {{apply(static_cast<Op>(255), Type::kF32, 0)}, 0, {0}},
      {{constant(static_cast<Type>(5), 0)}, 0, {0}},
      {std::vector<ScalarInstruction>(kMaxScalarInstructions + 1, f), 0, {0}},
      {{f}, 0, std::vector<uint16_t>(kMaxScalarInstructions + 1, 0)},
  };
  for (size_t k = 0; k < unsound.size(); ++k) EXPECT_NE(find_defect(unsound[k]), "") << k;
  EXPECT_EQ(find_defect({std::vector<ScalarInstruction>(kMaxScalarInstructions, f), 0, {0}}), "");
}

// Whatever passes the check must run within its bounds; the sanitizers see to the rest.
TEST(ScalarProgram, RandomProgramsThatPassTheCheckRun) {
  std::mt19937 random(17);
  int sound = 0;
  for (int round = 0; round < 200000; ++round) {
    ScalarProgram program;
    program.input_count = static_cast<uint16_t>(random() % 3);
    const size_t length = 1 + random() % 4;
    for (size_t k = 0; k < length; ++k) {
      ScalarInstruction v{static_cast<Op>(random() % (kScalarOpCount + 1)), static_cast<Type>(random() % 6)};
      if (random() % 3 == 0) v.op = random() % 2 ? Op::kConstant : Op::kInput;
      v.a = static_cast<uint16_t>(random() % (length + 1));
      v.b = static_cast<uint16_t>(random() % length);
      v.c = static_cast<uint16_t>(random() % length);
      v.integer = static_cast<int64_t>(random() % 3) - (random() % 16 == 0 ? INT64_MAX : 0);
      v.real = random() % 4 == 0 ? 1e300 : static_cast<double>(random() % 5) - 2;
      program.code.push_back(v);
    }
    program.outputs = {static_cast<uint16_t>(random() % (length + 1))};
    if (!find_defect(program).empty()) continue;
    ++sound;
    std::vector<ScalarValue> inputs(program.input_count, ScalarValue{}), values(program.code.size());
    interpret(program, inputs, values);
    EXPECT_FALSE(to_string(program).empty());
  }
  EXPECT_GT(sound, 5000);
}

TEST(ScalarProgram, NamesAreDistinct) {
  std::vector<std::string_view> names;
  for (int k = 0; k < kScalarOpCount; ++k) {
    const auto n = name(static_cast<Op>(k));
    EXPECT_FALSE(n.empty());
    EXPECT_EQ(std::count(names.begin(), names.end(), n), 0) << n;
    names.push_back(n);
  }
  EXPECT_EQ(name(Op::kBitNot), "bit_not");
  EXPECT_EQ(name(Op::kIsNegativeInf), "is_negative_inf");
  EXPECT_EQ(name(Op::kShiftRight), "shift_right");
  EXPECT_EQ(name(Op::kSelect), "select");
  EXPECT_EQ(operand_count(Op::kSelect), 3);
  EXPECT_EQ(operand_count(Op::kLess), 2);
  EXPECT_EQ(operand_count(Op::kExpm1), 1);
  EXPECT_EQ(operand_count(Op::kConstant), 0);
}

TEST(ScalarProgram, LoadsAndStoresEveryElementType) {
  for (int k = 1; k < kDTypeCount; ++k) {
    const auto type = static_cast<DType>(k);
    if (type == DType::kString || is_complex(type)) {
      EXPECT_THROW(scalar_type_of(type), Error);
      continue;
    }
    Tensor from = Tensor::allocate(type, {5}), to = Tensor::allocate(type, {5});
    for (int64_t i = 0; i < 5; ++i) from.set(i, static_cast<double>(type == DType::kF8E8M0 ? 1 << i : i % 2));
    for (int64_t i = 0; i < 5; ++i)
      store_scalar(type, to.mutable_data(), i, scalar_type_of(type), load_scalar(type, from.data(), i));
    EXPECT_TRUE(to.identical(from)) << name(type);
  }
  int8_t byte = 0;
  ScalarValue v{};
  v.i = 300;
  store_scalar(DType::kI8, &byte, 0, Type::kI64, v);
  EXPECT_EQ(byte, 44);
  uint64_t large = 0;
  v.u = ~uint64_t{0};
  store_scalar(DType::kU64, &large, 0, Type::kU64, v);
  EXPECT_EQ(large, ~uint64_t{0});
  float real = 0;
  store_scalar(DType::kF32, &real, 0, Type::kU64, v);
  EXPECT_EQ(real, 0x1p64f);
}

}  // namespace
}  // namespace kiln
