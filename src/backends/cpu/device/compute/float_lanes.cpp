// Programs on small integers, rewritten to compute in float32.
#include "backends/cpu/device/compute/float_lanes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/index.h"

namespace kiln::cpu {
namespace {

// What is known of a value of the program.
struct Facts {
  uint16_t lane = 0;   // the value of the new program that holds it
  bool whole = false;  // it is an integer, held as a float
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  bool may_be_nan = true;
  bool within(double least, double most) const { return !may_be_nan && low >= least && high <= most; }
};

double least(DType type) { return is_signed_integer(type) ? -std::ldexp(1.0, bits(type) - 1) : 0; }
double most(DType type) { return std::ldexp(1.0, bits(type) - is_signed_integer(type)) - 1; }
bool is_integer_lane(ScalarType type) { return type == ScalarType::kI64 || type == ScalarType::kU64; }

class Rewriter {
 public:
  Rewriter(const ScalarProgram& from, std::span<const DType> inputs) : from_(from), inputs_(inputs) {
    to_.input_count = from.input_count;
  }

  std::optional<ScalarProgram> run(std::span<const DType> outputs) {
    for (const ScalarInstruction& c : from_.code)
      if (!rewrite(c)) return std::nullopt;
    for (size_t k = 0; k < outputs.size(); ++k) {
      const Facts& f = facts_[from_.outputs[k]];
      if (f.whole && !(is_small_integer(outputs[k]) && f.within(least(outputs[k]), most(outputs[k]))))
        return std::nullopt;
      to_.outputs.push_back(f.lane);
      changed_ = changed_ || f.whole;
    }
    return changed_ ? std::optional(std::move(to_)) : std::nullopt;
  }

 private:
  // Whether the instruction has a form on floats.
  bool rewrite(const ScalarInstruction& c) {
    if (c.op == ScalarOp::kInput) return input(c);
    if (c.op == ScalarOp::kConvert) return convert(c);
    if (c.op == ScalarOp::kNarrow && facts_[c.a].whole) {
      const auto type = static_cast<DType>(c.integer);
      Facts same = facts_[c.a];
      facts_.push_back(same);
      return is_integer(type) && same.within(least(type), most(type));
    }
    return copy(c);
  }

  bool input(const ScalarInstruction& c) {
    const DType type = nth(inputs_, c.integer);
    if (!is_small_integer(type)) return copy(c);
    ScalarInstruction floats = c;
    floats.type = ScalarType::kF32;
    facts_.push_back({push(floats), true, least(type), most(type), false});
    changed_ = true;
    return true;
  }

  bool convert(const ScalarInstruction& c) {
    const Facts& a = facts_[c.a];
    if (a.whole) {
      if (c.type != ScalarType::kF32) return false;
      Facts real = a;
      real.whole = false;
      facts_.push_back(real);
      return true;
    }
    if (!is_integer_lane(c.type)) return copy(c);
    if (from_.code[c.a].type != ScalarType::kF32 || !a.within(least(DType::kI16), most(DType::kU16))) return false;
    ScalarInstruction trunc = c;
    trunc.op = ScalarOp::kTrunc;
    trunc.type = ScalarType::kF32;
    trunc.a = a.lane;
    const Facts whole{push(trunc), true, std::trunc(a.low), std::trunc(a.high), false};
    facts_.push_back(whole);
    return true;
  }

  bool copy(const ScalarInstruction& c) {
    const int operands = operand_count(c.op);
    ScalarInstruction moved = c;
    const uint16_t old[3] = {c.a, c.b, c.c};
    uint16_t* now[3] = {&moved.a, &moved.b, &moved.c};
    for (int k = 0; k < operands; ++k) {
      if (facts_[old[k]].whole) return false;
      *now[k] = facts_[old[k]].lane;
    }
    if (is_integer_lane(c.type)) return false;
    Facts f = known(c);
    f.lane = push(moved);
    facts_.push_back(f);
    return true;
  }

  Facts known(const ScalarInstruction& c) const {
    Facts f;
    if (c.type != ScalarType::kF32) return f;
    if (c.op == ScalarOp::kConstant && !std::isnan(c.real)) {
      f.low = f.high = static_cast<float>(c.real);
      f.may_be_nan = false;
    }
    if (c.op == ScalarOp::kMin || c.op == ScalarOp::kMax) {
      const Facts &a = facts_[c.a], &b = facts_[c.b];
      const auto pick = [&](double x, double y) { return c.op == ScalarOp::kMin ? std::min(x, y) : std::max(x, y); };
      f.low = pick(a.low, b.low);
      f.high = pick(a.high, b.high);
      f.may_be_nan = a.may_be_nan || b.may_be_nan;
    }
    // least < x ? x : least, which NaN does not pass
    const ScalarInstruction& test = from_.code[c.op == ScalarOp::kSelect ? c.a : 0];
    if (c.op == ScalarOp::kSelect && test.op == ScalarOp::kLess && test.a == c.c && test.b == c.b &&
        !facts_[c.c].may_be_nan) {
      f.low = facts_[c.c].low;
      f.high = std::max(facts_[c.b].high, facts_[c.c].high);
      f.may_be_nan = false;
    }
    return f;
  }

  uint16_t push(const ScalarInstruction& c) {
    to_.code.push_back(c);
    return static_cast<uint16_t>(to_.code.size() - 1);
  }

  const ScalarProgram& from_;
  std::span<const DType> inputs_;
  ScalarProgram to_;
  std::vector<Facts> facts_;  // by value of the old program
  bool changed_ = false;
};

}  // namespace

bool is_small_integer(DType type) {
  return type == DType::kI8 || type == DType::kU8 || type == DType::kI16 || type == DType::kU16;
}

std::optional<ScalarProgram> in_float_lanes(const ScalarProgram& program, std::span<const DType> inputs,
                                            std::span<const DType> outputs) {
  return Rewriter(program, inputs).run(outputs);
}

}  // namespace kiln::cpu
