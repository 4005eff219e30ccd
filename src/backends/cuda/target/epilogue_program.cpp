// Post-operations as programs: each operator's formula becomes steps that go from one running value to the next.
#include "backends/cuda/target/epilogue_program.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "backends/cuda/device/kernels/epilogue_program.h"
#include "backends/cuda/target/chip.h"
#include "base/error.h"
#include "base/index.h"
#include "ops/defaults.h"
#include "ops/expr.h"
#include "target/activation_facts.h"

namespace kiln::cuda {
namespace {

// What a value of a formula is: a number, a row of numbers or a tensor, or the result of an instruction.
struct Leaf {
  uint8_t operand = kNumber;
  float number = 0;
};

// An instruction of a formula as a step, from the running value on the left or on the right.
struct StepForms {
  EpilogueOp left, right;
};
const std::map<ScalarOp, StepForms>& binary_steps() {
  static const std::map<ScalarOp, StepForms> kSteps = {
      {ScalarOp::kAdd, {EpilogueOp::kAdd, EpilogueOp::kAdd}},
      {ScalarOp::kSub, {EpilogueOp::kSub, EpilogueOp::kSubFrom}},
      {ScalarOp::kMul, {EpilogueOp::kMul, EpilogueOp::kMul}},
      {ScalarOp::kDiv, {EpilogueOp::kDiv, EpilogueOp::kDivInto}},
      {ScalarOp::kMin, {EpilogueOp::kMin, EpilogueOp::kMin}},
      {ScalarOp::kMax, {EpilogueOp::kMax, EpilogueOp::kMax}},
      {ScalarOp::kLess, {EpilogueOp::kLess, EpilogueOp::kMore}},
      {ScalarOp::kLessEqual, {EpilogueOp::kLessEqual, EpilogueOp::kMoreEqual}},
      {ScalarOp::kEqual, {EpilogueOp::kEqual, EpilogueOp::kEqual}},
      {ScalarOp::kAnd, {EpilogueOp::kMin, EpilogueOp::kMin}},
      {ScalarOp::kOr, {EpilogueOp::kMax, EpilogueOp::kMax}},
  };
  return kSteps;
}

const std::map<ScalarOp, EpilogueOp>& unary_steps() {
  static const std::map<ScalarOp, EpilogueOp> kSteps = {
      {ScalarOp::kAbs, EpilogueOp::kAbs},     {ScalarOp::kSign, EpilogueOp::kSign},
      {ScalarOp::kFloor, EpilogueOp::kFloor}, {ScalarOp::kCeil, EpilogueOp::kCeil},
      {ScalarOp::kRound, EpilogueOp::kRound}, {ScalarOp::kTrunc, EpilogueOp::kTrunc},
      {ScalarOp::kIsNan, EpilogueOp::kIsNan}, {ScalarOp::kSqrt, EpilogueOp::kSqrt},
      {ScalarOp::kExp, EpilogueOp::kExp},     {ScalarOp::kLog, EpilogueOp::kLog},
      {ScalarOp::kErf, EpilogueOp::kErf},     {ScalarOp::kLog1p, EpilogueOp::kLog1p},
      {ScalarOp::kExpm1, EpilogueOp::kExpm1},
  };
  return kSteps;
}

EpilogueStep plain_step(EpilogueOp op, Leaf operand = {}) {
  return {op, operand.operand, kNumber, 0, Activation::kNone, operand.number, 0};
}
EpilogueStep activation_step(const ActivationFacts& facts) {
  return {EpilogueOp::kActivate,         kNumber, kNumber, 0, facts.kind, static_cast<float>(facts.alpha),
          static_cast<float>(facts.beta)};
}

// The steps of a formula whose input 0 is the running value. `inputs` are the others, from input 1 on.
class FormulaSteps {
 public:
  FormulaSteps(const ScalarProgram& formula, const std::vector<Leaf>& inputs) : formula_(formula), inputs_(inputs) {}

  // Nothing when a value has no form of the steps, or too many live at once.
  std::optional<std::vector<EpilogueStep>> run() {
    values_.resize(formula_.code.size());
    for (; taken_ < formula_.code.size(); ++taken_)
      if (!take(static_cast<uint16_t>(taken_))) return std::nullopt;
    const uint16_t result = root_of(formula_.outputs.at(0));
    if (!make_running(result)) return std::nullopt;
    return steps_;
  }

 private:
  struct Value {
    uint16_t root = 0;         // the value that it is another name of
    std::optional<Leaf> leaf;  // where it need not be computed
    int place = -1;            // where it is kept
  };

  uint16_t root_of(uint16_t value) const { return values_[value].root; }
  const ScalarInstruction& at(uint16_t value) const { return formula_.code[value]; }

  bool take(uint16_t i) {
    const ScalarInstruction& v = at(i);
    Value& value = values_[i];
    value.root = i;
    if (v.type != ScalarType::kF32 && v.type != ScalarType::kBool) return false;
    switch (v.op) {
      case ScalarOp::kInput:
        if (v.integer == 0) running_ = i;
        else value.leaf = inputs_.at(static_cast<size_t>(v.integer) - 1);
        return true;
      case ScalarOp::kConstant:
        value.leaf =
            Leaf{kNumber, static_cast<float>(v.type == ScalarType::kBool ? static_cast<double>(v.integer) : v.real)};
        return true;
      case ScalarOp::kConvert:  // true is 1 either way; a number is no truth
        value.root = root_of(v.a);
        return v.type == at(v.a).type || (v.type == ScalarType::kF32 && at(v.a).type == ScalarType::kBool);
      case ScalarOp::kSelect: return take_select(i, root_of(v.a), root_of(v.b), root_of(v.c));
      case ScalarOp::kPow: return take_power(i, root_of(v.a), root_of(v.b));
      case ScalarOp::kNeg: return take_unary(i, root_of(v.a), plain_step(EpilogueOp::kMul, {kNumber, -1}));
      case ScalarOp::kNot: return take_unary(i, root_of(v.a), plain_step(EpilogueOp::kSubFrom, {kNumber, 1}));
      case ScalarOp::kTanh: return take_unary(i, root_of(v.a), activation_step({Activation::kTanh}));
      case ScalarOp::kIsPositiveInf:
        return take_unary(i, root_of(v.a), plain_step(EpilogueOp::kEqual, {kNumber, HUGE_VALF}));
      case ScalarOp::kIsNegativeInf:
        return take_unary(i, root_of(v.a), plain_step(EpilogueOp::kEqual, {kNumber, -HUGE_VALF}));
      default: break;
    }
    if (const auto unary = unary_steps().find(v.op); unary != unary_steps().end())
      return take_unary(i, root_of(v.a), plain_step(unary->second));
    const auto binary = binary_steps().find(v.op);
    return binary != binary_steps().end() && take_binary(i, root_of(v.a), root_of(v.b), binary->second);
  }

  bool take_unary(uint16_t i, uint16_t a, const EpilogueStep& step) {
    if (!make_running(a) || !keep_running_if_needed()) return false;
    return emit(i, step);
  }

  bool take_binary(uint16_t i, uint16_t a, uint16_t b, const StepForms& forms) {
    const bool right = b == running_ && a != running_;
    if (!right && !make_running(a)) return false;
    if (!keep_running_if_needed(a == b)) return false;
    const auto other = leaf_of(right ? a : b);
    return other && emit(i, plain_step(right ? forms.right : forms.left, *other));
  }

  // Squares are exact; other powers are left to kernels that compute them.
  bool take_power(uint16_t i, uint16_t a, uint16_t b) {
    const auto& exponent = values_[b].leaf;
    if (!exponent || exponent->operand != kNumber || exponent->number != 2) return false;
    return take_binary(i, a, a, {EpilogueOp::kMul, EpilogueOp::kMul});
  }

  bool take_select(uint16_t i, uint16_t condition, uint16_t a, uint16_t b) {
    EpilogueOp op = EpilogueOp::kSelect;
    uint16_t operand = a, other = b;
    if (running_ == b && condition != b) op = EpilogueOp::kSelectLeft, other = condition;
    else if (running_ == a && condition != a) op = EpilogueOp::kSelectRight, operand = b, other = condition;
    else if (!make_running(condition)) return false;
    if (!keep_running_if_needed(operand == running_ || other == running_)) return false;
    const auto y = leaf_of(operand), z = leaf_of(other);
    if (!y || !z || z->operand >= kResidual) return false;
    EpilogueStep step = plain_step(op, *y);
    step.other = z->operand;
    step.beta = z->number;
    return emit(i, step);
  }

  // As an operand of a step.
  std::optional<Leaf> leaf_of(uint16_t value) const {
    const Value& v = values_[value];
    if (v.leaf) return v.leaf;
    if (v.place < 0) return std::nullopt;
    return Leaf{static_cast<uint8_t>(kFirstKept + v.place), 0};
  }

  bool make_running(uint16_t value) {
    if (running_ == value) return true;
    if (!keep_running_if_needed(false, true)) return false;
    const auto leaf = leaf_of(value);
    return leaf && emit(value, plain_step(EpilogueOp::kLoad, *leaf));
  }

  bool emit(uint16_t value, const EpilogueStep& step) {
    steps_.push_back(step);
    running_ = value;
    return steps_.size() <= kMostEpilogueSteps;
  }

  // Whether an instruction from `first` on reads the value, or the formula gives it.
  bool is_read_from(size_t first, uint16_t value) const {
    for (size_t i = first; i < formula_.code.size(); ++i) {
      const uint16_t operands[] = {at(static_cast<uint16_t>(i)).a, at(static_cast<uint16_t>(i)).b,
                                   at(static_cast<uint16_t>(i)).c};
      for (int k = 0; k < operand_count(at(static_cast<uint16_t>(i)).op); ++k)
        if (is_name_of(operands[k], value)) return true;
    }
    return is_name_of(formula_.outputs[0], value);
  }
  // Names that are still to come are those of values that are read there.
  bool is_name_of(uint16_t name, uint16_t value) const {
    while (name >= taken_ && at(name).op == ScalarOp::kConvert) name = at(name).a;
    return name == value || (name < taken_ && root_of(name) == value);
  }

  // Before the running value goes: it is kept where it is read later, or `now` as an operand; `this_too`: by this instruction.
  bool keep_running_if_needed(bool now = false, bool this_too = false) {
    if (!running_) return true;
    Value& v = values_[*running_];
    if (v.leaf || v.place >= 0) return true;
    if (!now && !is_read_from(taken_ + (this_too ? 0 : 1), *running_)) return true;
    for (int place = 0; place < kKeptValues; ++place) {
      const bool taken = std::any_of(values_.begin(), values_.end(), [&](const Value& other) {
        return other.place == place && is_read_from(taken_, static_cast<uint16_t>(&other - values_.data()));
      });
      if (taken) continue;
      for (Value& other : values_)
        if (other.place == place) other.place = -1;
      v.place = place;
      if (steps_.empty()) steps_.push_back(plain_step(EpilogueOp::kKeep));
      steps_.back().keeps = static_cast<uint8_t>(place + 1);
      return true;
    }
    return false;
  }

  const ScalarProgram& formula_;
  const std::vector<Leaf>& inputs_;
  std::vector<Value> values_;
  std::vector<EpilogueStep> steps_;
  std::optional<uint16_t> running_;
  size_t taken_ = 0;  // instructions
};

// Reads post-operations one after the other.
class ProgramReader {
 public:
  ProgramReader(const Problem& p, int column_axis, FusedEpilogue& e, FusedProgram& program)
      : p_(p), column_axis_(column_axis), e_(e), program_(program) {}

  Refusal read(const ir::PostOp& post) {
    if (program_.steps.empty() && adds_bias(post)) return accept();
    if (const auto facts = activation_of(p_, post); facts && acts_on_result(post))
      return add({activation_step(*facts)}, post);
    const std::string_view op = post.op->name();
    if (acts_on_result(post) && post.operands.size() == 1 && (op == "Mish" || op == "Softplus"))
      return add({plain_step(op == "Mish" ? EpilogueOp::kMish : EpilogueOp::kSoftplus)}, post);
    if (acts_on_result(post) && op == "PRelu")
      if (const auto slope = leaf_of(post.operands.at(1))) return add({plain_step(EpilogueOp::kSlope, *slope)}, post);
    return read_formula(post);
  }

 private:
  bool acts_on_result(const ir::PostOp& post) const { return !post.operands.empty() && post.operands[0] < 0; }

  bool adds_bias(const ir::PostOp& post) {
    if (post.op->name() != "Add" || post.operands.size() != 2 || (post.operands[0] < 0) == (post.operands[1] < 0))
      return false;
    const int operand = std::max(post.operands[0], post.operands[1]);
    return runs_along(p_.input(operand), p_.outputs[0], column_axis_) && !is_tensor(operand) &&
           !add_bias(p_, operand, column_axis_, 1, e_).refused();
  }

  bool is_tensor(int i) const {
    return !p_.input(i).constant && p_.input(i).dtype == p_.outputs[0].dtype && lies_like(p_, i);
  }

  Refusal add(const std::vector<EpilogueStep>& steps, const ir::PostOp& post) {
    if (program_.steps.size() + steps.size() > kMostEpilogueSteps)
      return refuse("post-operation " + post.op->name() + " is more than " + std::to_string(kMostEpilogueSteps) +
                    " steps");
    program_.steps.insert(program_.steps.end(), steps.begin(), steps.end());
    return accept();
  }

  Refusal read_formula(const ir::PostOp& post) {
    const std::string what = "post-operation " + post.op->name() + to_string(post.attributes);
    if (!post.op->is_pointwise()) return refuse(what + " is not pointwise");
    ExprBuilder builder;
    const Expr running = builder.input(0, ScalarType::kF32);
    std::vector<Expr> operands;
    std::vector<Leaf> leaves;
    for (int operand : post.operands) {
      if (operand < 0) {
        operands.push_back(running);
        continue;
      }
      if (const auto number = number_of(operand)) {
        operands.push_back(builder.constant(*number, 0, ScalarType::kF32));
        continue;
      }
      const auto leaf = leaf_of(operand);
      if (!leaf)
        return refuse(what + " has an operand " + to_string(p_.input(operand).opt) + " that kernels do not read");
      leaves.push_back(*leaf);
      operands.push_back(builder.input(static_cast<int>(leaves.size()), ScalarType::kF32));
    }
    try {
      const Expr outputs[] = {post.op->scalar_rule()(operands, with_defaults(*post.op, post.attributes))};
      if (outputs[0].type() != ScalarType::kF32) return refuse(what + " gives no floating-point number");
      const auto steps = FormulaSteps(builder.finish(outputs), leaves).run();
      return steps ? add(*steps, post) : refuse(what + " is no program of the kernels");
    } catch (const Error& e) {
      return refuse(what + " has no formula: " + e.what());
    }
  }

  std::optional<double> number_of(int operand) const {
    const Argument& a = p_.input(operand);
    if (!a.present || !a.constant || a.constant->size() != 1) return std::nullopt;
    return a.constant->at(0);
  }

  std::optional<Leaf> leaf_of(int operand) {
    const Argument& a = p_.input(operand);
    if (!a.present || !is_float(a.dtype)) return std::nullopt;
    return a.constant ? vector_of(operand) : is_tensor(operand) ? tensor_of(operand) : std::nullopt;
  }

  std::optional<Leaf> tensor_of(int operand) {
    if (e_.residual_input < 0) e_.residual_input = operand;
    if (e_.residual_input == operand) return Leaf{kResidual, 0};
    if (program_.second_input < 0) program_.second_input = operand;
    return program_.second_input == operand ? std::optional(Leaf{kSecondResidual, 0}) : std::nullopt;
  }

  std::optional<Leaf> vector_of(int operand) {
    const Argument &a = p_.input(operand), &out = p_.outputs[0];
    const auto axis = static_cast<size_t>(column_axis_);
    if (axis >= out.opt.size() || !out.is_fixed(axis) || !runs_along(a, out, column_axis_) ||
        element_count(a.opt) != out.opt[axis] || program_.vectors.size() == kMostColumnVectors)
      return std::nullopt;
    program_.vectors.push_back(*a.constant);
    return Leaf{static_cast<uint8_t>(kFirstVector + static_cast<int>(program_.vectors.size()) - 1), 0};
  }

  const Problem& p_;
  int column_axis_;
  FusedEpilogue& e_;
  FusedProgram& program_;
};

// Steps of a program that results wait for are told in results of a short step. Where these are many, a kernel behind that is bound by memory takes
// less.
constexpr int64_t kMostStepsOfMultiprocessor = 2 << 10;

// Results that tensors are joined to in the short form, where those come while the products are under way. Libraries multiply matrices of many
// results faster than what has programs.
constexpr int64_t kMostJoinsOfConv = 6 << 10, kMostJoinsOfProduct = 3 << 10;  // of a multiprocessor

bool joins_early(const Problem& p, const FusedProgram& program) {
  EpilogueArguments form;
  return target_chip().has_wgmma() && p.outputs[0].dtype != DType::kF32 &&
         kernels::take_short_form(program.steps, form);
}

int64_t short_steps(const FusedProgram& program) {
  constexpr int64_t kLong = 8;
  int64_t steps = 0;
  for (const EpilogueStep& s : program.steps)
    steps += s.op >= EpilogueOp::kSqrt && s.op <= EpilogueOp::kSoftplus ? kLong : 1;
  return steps;
}

Refusal is_worth_while(const Problem& p, const FusedProgram& program) {
  const Tensor* weights = p.input(1).constant;
  if (!weights) return refuse("a program follows a product of two operands that only running tells");
  constexpr int64_t kFewChannels = 4;  // that a kernel of its own takes, as those of groups
  const bool conv = p.op() != "MatMul" && p.op() != "Gemm";
  if (conv && (p.attributes().integer("group", 1) != 1 || weights->dims()[1] <= kFewChannels))
    return refuse("a program follows a convolution of groups or few channels");
  const int64_t results = element_count(p.outputs[0].opt), steps = short_steps(program);
  const int64_t most_joins = conv ? kMostJoinsOfConv : kMostJoinsOfProduct;
  const int64_t most = joins_early(p, program) ? most_joins : kMostStepsOfMultiprocessor / steps;
  if (results > most * target_chip().multiprocessors)
    return refuse(std::to_string(steps) + " steps of " + std::to_string(results) +
                  " results take longer than a kernel of their own");
  return accept();
}

}  // namespace

Refusal read_results(const Problem& p, int column_axis, FusedEpilogue& e, FusedProgram& program) {
  const FusedEpilogue before = e;
  if (const Refusal r = read_epilogue(p, column_axis, e); !r.refused()) return r;
  e = before;
  ProgramReader reader(p, column_axis, e, program);
  for (const ir::PostOp& post : p.post())
    if (const Refusal r = reader.read(post); r.refused()) return r;
  const Dims& y = p.outputs[0].opt;
  const auto axis = static_cast<size_t>(column_axis);
  if (program.steps.empty() || axis >= y.size() || !p.outputs[0].is_fixed(axis))
    return refuse("the post-operations are no program for a known number of columns");
  program.columns = y[axis];
  return is_worth_while(p, program);
}

Refusal needs_no_program(const FusedProgram& program) {
  return program.steps.empty() ? accept() : refuse("the post-operations are a program, which the kernel does not have");
}

void emit_program(const FusedProgram& program, Emitted& emitted) {
  if (program.steps.empty()) return;
  emitted.inputs.push_back(
      add_constant(emitted, kernels::pack_program(program.steps, program.vectors, program.columns)));
  if (program.second_input >= 0) emitted.inputs.push_back(program.second_input);
}

}  // namespace kiln::cuda
