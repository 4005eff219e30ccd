// Pointwise plans against the interpreter, element by element.
#include "backends/cpu/device/compute/pointwise.h"

#include <cmath>
#include <numeric>

#include "backends/cpu/device/compute/float_lanes.h"
#include "backends_cpu_compute/testing.h"
#include "base/error.h"
#include "tensor/tensor.h"

namespace kiln::cpu {
namespace {
using namespace testing;
using enum ScalarOp;

// Builds programs by hand.
struct Builder {
  ScalarProgram p;
  uint16_t push(ScalarOp op, ScalarType type, uint16_t a = 0, uint16_t b = 0, uint16_t c = 0, double real = 0,
                int64_t integer = 0) {
    ScalarInstruction i;
    i.op = op, i.type = type, i.a = a, i.b = b, i.c = c, i.real = real, i.integer = integer;
    p.code.push_back(i);
    return static_cast<uint16_t>(p.code.size() - 1);
  }
  uint16_t input(ScalarType type) { return push(kInput, type, 0, 0, 0, 0, p.input_count++); }
  uint16_t constant(double v, ScalarType type = ScalarType::kF32) {
    return push(kConstant, type, 0, 0, 0, v, static_cast<int64_t>(v));
  }
  ScalarProgram finish(std::vector<uint16_t> outputs) {
    p.outputs = std::move(outputs);
    return p;
  }
};

// An operand with its memory. `broadcast` marks dimensions that the operand does not have; `order` is its memory order.
struct Operand {
  Tensor tensor;
  PointwiseOperand view;
};

Operand make_operand(DType type, const Dims& dims, uint32_t broadcast, bool reversed, uint32_t seed) {
  Operand o;
  o.view.dtype = type;
  o.view.strides.assign(dims.size(), 0);
  int64_t count = 1;
  for (size_t k = 0; k < dims.size(); ++k) {
    const size_t d = reversed ? k : dims.size() - 1 - k;
    if (broadcast >> d & 1) continue;
    o.view.strides[d] = count;
    count *= dims[d];
  }
  o.tensor = Tensor::allocate(type, {count});
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> real(-3, 3);
  for (int64_t i = 0; i < count; ++i) {
    if (type == DType::kBool) o.tensor.set_int(i, generator() & 1);
    else if (is_integer(type))
      o.tensor.set_int(i, static_cast<int64_t>(generator() % 7) - (is_signed_integer(type) ? 3 : 0));
    else o.tensor.set(i, real(generator));
  }
  return o;
}

void check_program(const ScalarProgram& program, const Dims& dims, std::vector<Operand>& in, std::vector<Operand>& out,
                   double relative, double absolute, int threads = 1) {
  std::vector<PointwiseOperand> in_views, out_views;
  std::vector<const void*> in_data;
  std::vector<void*> out_data;
  for (auto& o : in) in_views.push_back(o.view), in_data.push_back(o.tensor.data());
  for (auto& o : out) out_views.push_back(o.view), out_data.push_back(o.tensor.mutable_data());
  PointwisePlan plan(program, dims, in_views, out_views, threads);
  plan.run(in_data.data(), out_data.data());
  const int64_t total = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
  std::vector<ScalarValue> values(program.code.size()), inputs(in.size());
  int wrong = 0;
  for (int64_t e = 0; e < total && wrong < 3; ++e) {
    auto offset = [&](const Operand& o) {
      int64_t at = 0, rest = e;
      for (size_t d = dims.size(); d-- > 0; rest /= dims[d]) at += rest % dims[d] * o.view.strides[d];
      return at;
    };
    for (size_t k = 0; k < in.size(); ++k) inputs[k] = load_scalar(in[k].view.dtype, in_data[k], offset(in[k]));
    interpret(program, inputs, values);
    for (size_t k = 0; k < out.size(); ++k) {
      const uint16_t v = program.outputs[k];
      Tensor expected = Tensor::allocate(out[k].view.dtype, {1});
      store_scalar(out[k].view.dtype, expected.mutable_data(), 0, program.code[v].type, values[v]);
      const double actual = out[k].tensor.at(offset(out[k]));
      if (close(actual, expected.at(0), relative, absolute)) continue;
      ++wrong;
      ADD_FAILURE() << "output " << k << " element " << e << ": " << actual << ", expected " << expected.at(0);
    }
  }
}

void check_types(const ScalarProgram& program, const Dims& dims, const std::vector<DType>& in_types,
                 const std::vector<DType>& out_types, const std::vector<uint32_t>& broadcast, double relative,
                 double absolute, int threads = 1, bool reversed = false) {
  SCOPED_TRACE(to_string(program) + " on " + to_string(dims));
  std::vector<Operand> in, out;
  for (size_t k = 0; k < in_types.size(); ++k) {
    in.push_back(make_operand(in_types[k], dims, k < broadcast.size() ? broadcast[k] : 0, reversed && k == 0,
                              static_cast<uint32_t>(k + 1)));
  }
  for (DType t : out_types) out.push_back(make_operand(t, dims, 0, false, 9));
  check_program(program, dims, in, out, relative, absolute, threads);
}

bool exists_for(ScalarOp op, ScalarType type) {
  Builder b;
  const int n = operand_count(op);
  if (n == 0 || op == kConvert || op == kSelect) return false;
  for (int k = 0; k < n; ++k) b.input(type);
  b.push(op, op >= kEqual || (op >= kIsNan && op <= kIsNegativeInf) ? ScalarType::kBool : type, 0, 1);
  return find_defect(b.finish({static_cast<uint16_t>(n)})).empty();
}

DType dtype_for(ScalarType t) {
  switch (t) {
    case ScalarType::kBool: return DType::kBool;
    case ScalarType::kI64: return DType::kI64;
    case ScalarType::kU64: return DType::kU64;
    case ScalarType::kF32: return DType::kF32;
    case ScalarType::kF64: break;
  }
  return DType::kF64;
}

TEST(Pointwise, EveryInstructionOfEveryType) {
  for_each_isa([] {
    int checked = 0;
    for (int o = 0; o < kScalarOpCount; ++o) {
      for (auto type : {ScalarType::kBool, ScalarType::kI64, ScalarType::kU64, ScalarType::kF32, ScalarType::kF64}) {
        const auto op = static_cast<ScalarOp>(o);
        if (!exists_for(op, type)) continue;
        ++checked;
        Builder b;
        const int n = operand_count(op);
        for (int k = 0; k < n; ++k) b.input(type);
        const auto result = op >= kEqual || (op >= kIsNan && op <= kIsNegativeInf) ? ScalarType::kBool : type;
        const uint16_t v = b.push(op, result, 0, 1);
        const std::vector<DType> in(static_cast<size_t>(n), dtype_for(type));
        check_types(b.finish({v}), {3, 23}, in, {dtype_for(result)}, {}, 2e-6, 1e-7);
        if (n == 2) check_types(b.finish({v}), {2, 37}, in, {dtype_for(result)}, {3, 0}, 2e-6, 1e-7);
      }
    }
    EXPECT_EQ(checked, 129);
  });
}

TEST(Pointwise, SelectAndConvert) {
  for_each_isa([] {
    for (auto from : {ScalarType::kBool, ScalarType::kI64, ScalarType::kU64, ScalarType::kF32, ScalarType::kF64}) {
      Builder s;
      s.input(ScalarType::kBool), s.input(from), s.input(from);
      const uint16_t v = s.push(kSelect, from, 0, 1, 2);
      check_types(s.finish({v}), {5, 21}, {DType::kBool, dtype_for(from), dtype_for(from)}, {dtype_for(from)},
                  {0, 2, 0}, 0, 0);
      for (auto to : {ScalarType::kBool, ScalarType::kI64, ScalarType::kU64, ScalarType::kF32, ScalarType::kF64}) {
        if (from >= ScalarType::kF32 && to == ScalarType::kU64) continue;  // negative values: undefined in C++
        Builder b;
        b.input(from);
        const uint16_t c = b.push(kConvert, to, 0);
        check_types(b.finish({c}), {5, 21}, {dtype_for(from)}, {dtype_for(to)}, {}, 0, 0);
      }
    }
  });
}

TEST(Pointwise, Narrowing) {
  for_each_isa([] {
    for (int t = 1; t < kDTypeCount; ++t) {
      const auto type = static_cast<DType>(t);
      if (is_complex(type) || type == DType::kString || type == DType::kF8E8M0) continue;
      Builder b;
      const ScalarType s = scalar_type_of(type);
      const uint16_t x = b.input(s);
      const uint16_t sum = s == ScalarType::kBool ? x : b.push(kAdd, s, x, x);
      const uint16_t v = b.push(kNarrow, s, sum, 0, 0, 0, t);
      check_types(b.finish({v}), {3, 401}, {dtype_for(s)}, {dtype_for(s)}, {}, 0, 0);
      check_types(b.finish({v}), {3, 41}, {dtype_for(s)}, {dtype_for(s)}, {3}, 0, 0);
    }
  });
}

// Rounding to the type in which a value is stored, alone or before Relu, is left to the store; rounding to another type is not, nor where
// somebody else reads the value.
TEST(Pointwise, RoundingBeforeStores) {
  for_each_isa([] {
    for (const DType type : {DType::kF16, DType::kBF16})
      for (const DType rounded : {DType::kF16, DType::kBF16})
        for (const bool limited : {false, true})
          for (const bool zero_first : {false, true}) {
            Builder b;
            const uint16_t x = b.input(ScalarType::kF32), y = b.input(ScalarType::kF32), zero = b.constant(0);
            const uint16_t sum = b.push(kAdd, ScalarType::kF32, x, y);
            const uint16_t narrow = b.push(kNarrow, ScalarType::kF32, sum, 0, 0, 0, static_cast<int64_t>(rounded));
            const uint16_t low = zero_first ? zero : narrow, high = zero_first ? narrow : zero;
            const uint16_t v = limited ? b.push(kMax, ScalarType::kF32, low, high) : narrow;
            check_types(b.finish({v}), {3, 41}, {DType::kF32, DType::kF32}, {type}, {}, 0, 0);
            check_types(b.finish({v, v}), {3, 41}, {DType::kF32, DType::kF32}, {type, DType::kF32}, {}, 0, 0);
            check_types(b.finish({v, narrow}), {3, 41}, {type, type}, {type, DType::kF32}, {0, 1}, 0, 0);
          }
  });
}

TEST(Pointwise, StorageTypes) {
  for_each_isa([] {
    for (int t = 1; t < kDTypeCount; ++t) {
      const auto type = static_cast<DType>(t);
      if (is_complex(type) || type == DType::kString || type == DType::kF8E8M0) continue;
      Builder b;
      const ScalarType s = scalar_type_of(type);
      b.input(s);
      // A plain copy, then a sum where there is one.
      check_types(b.finish({0}), {3, 41}, {type}, {type}, {}, 0, 0);
      if (s == ScalarType::kBool) continue;
      b.input(s);
      const uint16_t sum = b.push(kAdd, s, 0, 1);
      check_types(b.finish({sum}), {3, 41}, {type, type}, {type}, {0, 1}, 0, 0);
      check_types(b.finish({sum}), {6, 5, 7}, {type, type}, {type}, {0, 2}, 0, 0, 1, true);
    }
  });
}

// The register of the result served a value of another type before.
// round(x * factor), limited to the type: what Quantize after Dequantize is. Without limits it has no form on floats.
ScalarProgram quantized(DType in, DType out, bool limited) {
  Builder b;
  const uint16_t x = b.push(kConvert, ScalarType::kF32, b.input(scalar_type_of(in)));
  uint16_t r = b.push(kRound, ScalarType::kF32, b.push(kMul, ScalarType::kF32, x, b.constant(37.3)));
  if (limited) {
    const int width = bits(out) - is_signed_integer(out);
    const uint16_t least = b.constant(is_signed_integer(out) ? -std::ldexp(1.0, width) : 0);
    r = b.push(kSelect, ScalarType::kF32, b.push(kLess, ScalarType::kBool, least, r), r, least);
    r = b.push(kMin, ScalarType::kF32, r, b.constant(std::ldexp(1.0, width) - 1));
  }
  const uint16_t whole = b.push(kConvert, scalar_type_of(out), r);
  return b.finish({b.push(kNarrow, scalar_type_of(out), whole, 0, 0, 0, static_cast<int64_t>(out))});
}

TEST(Pointwise, SmallIntegersAsFloats) {
  const DType types[] = {DType::kI8, DType::kU8, DType::kI16, DType::kU16};
  for (DType in : types)
    for (DType out : types) {
      const ScalarProgram program = quantized(in, out, true);
      EXPECT_TRUE(in_float_lanes(program, {{in}}, {{out}}));
      for (const Dims& dims : {Dims{1000}, Dims{3, 5, 7}, Dims{}}) {
        check_types(program, dims, {in}, {out}, {}, 0, 0);
        check_types(program, dims, {in}, {out}, {1}, 0, 0);
        check_types(program, dims, {in}, {out}, {}, 0, 0, 1, true);
      }
    }
  EXPECT_FALSE(in_float_lanes(quantized(DType::kI8, DType::kI8, false), {{DType::kI8}}, {{DType::kI8}}));
  check_types(quantized(DType::kI8, DType::kI8, false), {100}, {DType::kI8}, {DType::kI8}, {}, 0, 0);
  Builder sum;
  const uint16_t a = sum.input(ScalarType::kI64), twice = sum.push(kAdd, ScalarType::kI64, a, a);
  EXPECT_FALSE(in_float_lanes(sum.finish({twice}), {{DType::kI8}}, {{DType::kI8}}));
  EXPECT_FALSE(in_float_lanes(quantized(DType::kI32, DType::kI32, true), {{DType::kI32}}, {{DType::kI32}}));
}

TEST(Pointwise, RegistersServeSeveralTypes) {
  Builder b;
  b.input(ScalarType::kI64);
  const uint16_t wide = b.push(kConvert, ScalarType::kF64, 0);
  const uint16_t negative = b.push(kNeg, ScalarType::kF64, wide);
  const uint16_t back = b.push(kConvert, ScalarType::kI64, negative);
  check_types(b.finish({back}), {3, 41}, {DType::kI32}, {DType::kI32}, {}, 0, 0);
}

TEST(Pointwise, Broadcasts) {
  Builder b;
  b.input(ScalarType::kF32), b.input(ScalarType::kF32), b.input(ScalarType::kF32);
  const uint16_t product = b.push(kMul, ScalarType::kF32, 0, 1);
  const uint16_t sum = b.push(kAdd, ScalarType::kF32, product, 2);
  const auto program = b.finish({sum});
  const std::vector<DType> in(3, DType::kF32);
  for (const Dims& dims : {Dims{2, 3, 5, 7}, Dims{2, 8, 8, 24}, Dims{1, 64, 7, 7}, Dims{3, 1, 33, 130},
                           Dims{2, 3, 1, 9000}, Dims{0, 4, 4, 4}, Dims{4, 4, 4, 0}}) {
    for (uint32_t x = 0; x < 16; ++x) {
      for (uint32_t y : {0u, 7u, 13u, 15u, 5u}) check_types(program, dims, in, {DType::kF32}, {0, x, y}, 1e-6, 1e-6, 2);
    }
    check_types(program, dims, in, {DType::kF32}, {0, 7, 13}, 1e-6, 1e-6, 1, true);
  }
  check_types(program, {}, in, {DType::kF32}, {}, 1e-6, 1e-6);
}

TEST(Pointwise, ResultWithoutInputs) {
  Builder b;
  b.input(ScalarType::kF32);
  const uint16_t c = b.constant(2.5);
  const uint16_t e = b.push(kExp, ScalarType::kF32, c);
  check_types(b.finish({e}), {3, 1000}, {DType::kF32}, {DType::kF32}, {}, 1e-6, 0);
  check_types(b.finish({c, 0}), {3, 1000}, {DType::kF32}, {DType::kF32, DType::kF16}, {}, 1e-6, 0);
}

TEST(Pointwise, SeveralOutputsInPlace) {
  for_each_isa([] {
    Builder b;
    b.input(ScalarType::kF32), b.input(ScalarType::kF32);
    const uint16_t sum = b.push(kAdd, ScalarType::kF32, 0, 1), difference = b.push(kSub, ScalarType::kF32, 0, 1);
    const auto program = b.finish({sum, difference});
    const auto x = random_floats(5001, 1), y = random_floats(5001, 2);
    auto a = x, c = y;
    const std::vector<PointwiseOperand> views(2, {DType::kF32, {1}});
    PointwisePlan plan(program, {5001}, views, views, 2);
    const void* in[] = {a.data(), c.data()};
    void* out[] = {a.data(), c.data()};
    plan.run(in, out);
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(a[i], x[i] + y[i]);
      ASSERT_EQ(c[i], x[i] - y[i]);
    }
  });
}

// Each fused pattern, and programs that are almost one.
TEST(Pointwise, Patterns) {
  for_each_isa([] {
    const auto f = ScalarType::kF32;
    for (int variant = 0; variant < 12; ++variant) {
      Builder b;
      const uint16_t x = b.input(f), y = b.input(f), one = b.constant(1), zero = b.constant(0), six = b.constant(6);
      auto denominator = [&] {
        return b.push(kAdd, f, variant & 1 ? one : b.push(kExp, f, b.push(kNeg, f, x)),
                      variant & 1 ? b.push(kExp, f, b.push(kNeg, f, x)) : one);
      };
      uint16_t r = 0;
      switch (variant) {
        case 0:
        case 1: r = b.push(kDiv, f, one, denominator()); break;
        case 2:
        case 3: r = b.push(kDiv, f, x, denominator()); break;
        case 4: r = b.push(kMul, f, x, b.push(kDiv, f, one, denominator())); break;
        case 5: r = b.push(kMul, f, y, b.push(kDiv, f, one, denominator())); break;
        case 6: r = b.push(kMax, f, b.push(kAdd, f, x, y), zero); break;
        case 7: r = b.push(kMax, f, zero, x); break;
        case 8: r = b.push(kMin, f, b.push(kMax, f, x, zero), six); break;
        case 9: r = b.push(kMin, f, b.push(kMax, f, x, six), zero); break;
        case 10: r = b.push(kMin, f, b.push(kMax, f, x, y), six); break;
        case 11: r = b.push(kDiv, f, y, denominator()); break;
      }
      check_types(b.finish({r}), {4, 1003}, {DType::kF32, DType::kF32}, {DType::kF32}, {0, 1}, 1e-6, 1e-7);
      // The parts are results too.
      check_types(b.finish({r, static_cast<uint16_t>(r - 1)}), {4, 1003}, {DType::kF32, DType::kF32},
                  {DType::kF32, DType::kF32}, {}, 1e-6, 1e-7);
    }
  });
}

TEST(Pointwise, SpecialValues) {
  for_each_isa([] {
    const std::vector<float> special = {kNan,   kInf,   -kInf,     0.0f,    -0.0f, 1e-40f, -1e-40f, 3e38f,
                                        -3e38f, 88.5f,  -88.5f,    -103.5f, 1,     -1,     0.5f,    2,
                                        -2,     1e-20f, 100000.0f, -7.5f,   1e-7f, 89,     3.5f};
    const auto n = static_cast<int64_t>(special.size());
    for (int o = 0; o < kScalarOpCount; ++o) {
      const auto op = static_cast<ScalarOp>(o);
      if (!exists_for(op, ScalarType::kF32)) continue;
      Builder b;
      const int operands = operand_count(op);
      for (int k = 0; k < operands; ++k) b.input(ScalarType::kF32);
      const auto result = op >= kEqual || (op >= kIsNan && op <= kIsNegativeInf) ? ScalarType::kBool : ScalarType::kF32;
      const auto program = b.finish({b.push(op, result, 0, 1)});
      SCOPED_TRACE(to_string(program));
      std::vector<Operand> in, out;
      const Dims dims{operands == 2 ? n : 1, n};
      for (int k = 0; k < operands; ++k) {
        in.push_back({Tensor::of<float>({n}, special), {DType::kF32, k == 0 ? Dims{0, 1} : Dims{1, 0}}});
      }
      out.push_back(make_operand(dtype_for(result), dims, 0, false, 1));
      check_program(program, dims, in, out, 2e-6, 1e-37);
    }
  });
}

TEST(Pointwise, Accuracy) {
  for_each_isa([] {
    for (auto op : {kExp, kLog, kTanh, kErf, kLog1p, kExpm1, kSin, kCos, kPow}) {
      Builder b;
      b.input(ScalarType::kF32);
      if (op == kPow) b.input(ScalarType::kF32);
      const auto program = b.finish({b.push(op, ScalarType::kF32, 0, op == kPow ? 1 : 0)});
      SCOPED_TRACE(to_string(program));
      for (float range : {1e-3f, 1.0f, 12.0f, 85.0f}) {
        std::vector<Operand> in, out;
        auto values = random_floats(20000, 5,
                                    op == kLog || op == kPow ? 1e-6f
                                    : op == kLog1p           ? -0.999f * std::min(range, 1.0f)
                                                             : -range,
                                    range);
        in.push_back({Tensor::of<float>({20000}, values), {DType::kF32, {1}}});
        if (op == kPow) in.push_back(make_operand(DType::kF32, {20000}, 0, false, 3));
        out.push_back(make_operand(DType::kF32, {20000}, 0, false, 1));
        check_program(program, {20000}, in, out, op == kSin || op == kCos ? 1e-6 : 4e-7,
                      op == kSin || op == kCos ? 2e-7 : 0);
      }
    }
  });
}

TEST(Pointwise, SpecialValuesOfFloat64) {
  for_each_isa([] {
    const std::vector<double> special = {
        NAN,     INFINITY, -INFINITY, 0.0, -0.0, 5e-324, -1e-310, 1.7e308, -1.7e308, 709.7, 709.79, -708.4, -720.5,
        -745.13, -745.2,   1,         -1,  0.5,  1e-20,  -2.5,    3.5,     1e17,     -1e17, 800,    -800};
    const auto n = static_cast<int64_t>(special.size());
    for (int o = 0; o < kScalarOpCount; ++o) {
      const auto op = static_cast<ScalarOp>(o);
      if (!exists_for(op, ScalarType::kF64)) continue;
      Builder b;
      const int operands = operand_count(op);
      for (int k = 0; k < operands; ++k) b.input(ScalarType::kF64);
      const auto result = op >= kEqual || (op >= kIsNan && op <= kIsNegativeInf) ? ScalarType::kBool : ScalarType::kF64;
      const auto program = b.finish({b.push(op, result, 0, 1)});
      SCOPED_TRACE(to_string(program));
      std::vector<Operand> in, out;
      const Dims dims{operands == 2 ? n : 1, n};
      for (int k = 0; k < operands; ++k)
        in.push_back({Tensor::of<double>({n}, special), {DType::kF64, k == 0 ? Dims{0, 1} : Dims{1, 0}}});
      out.push_back(make_operand(dtype_for(result), dims, 0, false, 1));
      check_program(program, dims, in, out, 4.5e-16, 1e-323);
    }
  });
}

// Two units in the last place.
TEST(Pointwise, AccuracyOfFloat64) {
  for_each_isa([] {
    for (auto op : {kExp, kLog})
      for (double range : {1e-9, 1.0, 40.0, 700.0}) {
        std::mt19937 generator(7);
        std::uniform_real_distribution<double> real(op == kLog ? 1e-300 : -range, range);
        std::vector<double> values(20001);
        for (double& v : values) v = real(generator);
        Builder b;
        b.input(ScalarType::kF64);
        const auto program = b.finish({b.push(op, ScalarType::kF64, 0)});
        SCOPED_TRACE(to_string(program));
        const auto n = static_cast<int64_t>(values.size());
        std::vector<Operand> in, out;
        in.push_back({Tensor::of<double>({n}, values), {DType::kF64, {1}}});
        out.push_back(make_operand(DType::kF64, {n}, 0, false, 1));
        check_program(program, {n}, in, out, 4.5e-16, 0, 2);
      }
  });
}

TEST(Pointwise, ManyInstructionsAndThreads) {
  Builder b;
  const auto f = ScalarType::kF32;
  std::vector<uint16_t> values;
  for (int i = 0; i < 20; ++i) values.push_back(b.input(f));
  for (int i = 0; i < 300; ++i) {
    values.push_back(b.push(i % 3 ? kAdd : kMul, f, values[static_cast<size_t>(i)],
                            b.push(kTanh, f, values[values.size() - static_cast<size_t>(i % 17) - 1])));
  }
  check_types(b.finish({values.back(), values[250]}), {3, 5, 1000}, std::vector<DType>(20, DType::kF32),
              {DType::kF32, DType::kF32}, {0, 3, 7, 4, 0, 1}, 1e-4, 1e-4, 2);
}

TEST(Pointwise, RefusesWhatDoesNotFit) {
  Builder b;
  b.input(ScalarType::kF32);
  const auto program = b.finish({0});
  const std::vector<PointwiseOperand> good(1, {DType::kF32, {1}}), wrong_type(1, {DType::kI32, {1}}),
      wrong_rank(1, {DType::kF32, {1, 1}});
  EXPECT_THROW(PointwisePlan(program, {4}, wrong_type, good, 1), Error);
  EXPECT_THROW(PointwisePlan(program, {4}, wrong_rank, good, 1), Error);
  EXPECT_THROW(PointwisePlan(program, {4}, {}, good, 1), Error);
  EXPECT_THROW(PointwisePlan(b.finish({9}), {4}, good, good, 1), Error);
}

}  // namespace
}  // namespace kiln::cpu
