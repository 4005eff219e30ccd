// The post-operations of a product of bytes as the steps of its kernel.
#include "target/sum_steps.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/checked.h"
#include "base/index.h"
#include "target/activation_facts.h"
#include "target/epilogue.h"

namespace kiln {
namespace {

constexpr TypeSet kBytes{DType::kI8, DType::kU8}, kWords{DType::kI16, DType::kU16};
constexpr TypeSet kReals{DType::kF32, DType::kBF16};  // of products of real numbers
constexpr int kLargeExponent = 100;                   // far from where float32 ends
constexpr double kFarBelow = 0x1p30;                  // of what rounds to int32, and stays there plus a zero point

// Reads the post-operations in order. The running result is the sums, then real numbers, then (after Quantize) real numbers that are
// whole and less than the quantized ones by their zero point.
class StepReader {
 public:
  enum State { kSums, kReal, kWhole };
  StepReader(const Problem& p, int column_axis, State first, ByteProblem& to)
      : p_(p), axis_(column_axis), to_(to), state_(first), real_sums_(first == kReal) {}

  // Constants of one per column, in a list.
  Refusal add_first(int input) {
    const Argument& a = p_.input(input);
    if (!a.present) return accept();
    if (!a.constant || !kReals.has(a.dtype) || a.constant->size() != columns())
      return refuse("the bias has no constants per column");
    push(SumStep::kAdd);
    to_.operands.push_back({-1, padded(a.constant->cast(DType::kF32))});
    return accept();
  }

  Refusal run() {
    for (const ir::PostOp& post : p_.post()) {
      const Refusal r = read(post);
      if (r.refused()) return refuse("post-operation " + post.op->name() + " " + r.reason);
    }
    const DType type = p_.outputs[0].dtype;
    const bool fits = state_ == kSums ? type == DType::kI32 : state_ == kReal ? reals().has(type) : type == integers_;
    if (!fits) return refuse("the result is " + std::string(name(type)));
    if (state_ == kWhole) {
      if (to_.form.tables) end_in_a_table();
      to_.parameters.zero = static_cast<int32_t>(zero_);
      if (steps().back().kind == SumStep::kRound) steps().pop_back();  // storing rounds
      drop_limits();
    }
    return accept();
  }

 private:
  std::vector<SumStep>& steps() { return to_.parameters.steps; }
  // What a real number may be, as an operand and as the result: those of integers are the same on every device.
  TypeSet reals() const { return real_sums_ ? kReals : TypeSet(DType::kF32); }

  // Where the numbers are bytes once, and no tensor and no column has a say any more, a table holds what becomes of them.
  void end_in_a_table() {
    for (const Whole& at : wholes_) {
      if (at.steps == steps().size()) return;
      const bool numbers = std::all_of(to_.operands.begin() + static_cast<long>(at.operands), to_.operands.end(),
                                       [](const auto& o) { return o.constant.valid() && o.constant.size() == 1; });
      if (!numbers) continue;
      for (int bits = 0; bits < 256; ++bits) to_.parameters.table.push_back(byte_after(at, static_cast<uint8_t>(bits)));
      to_.parameters.is_signed = at.integers == DType::kI8;
      steps().resize(at.steps);
      to_.operands.resize(at.operands);
      integers_ = at.integers;
      zero_ = at.zero;
      return;
    }
  }

  // What the steps behind make of a byte.
  struct Whole;
  uint8_t byte_after(const Whole& at, uint8_t bits) const {
    float v = static_cast<float>((at.integers == DType::kI8 ? static_cast<int8_t>(bits) : bits) - at.zero);
    auto operand = to_.operands.begin() + static_cast<long>(at.operands);
    const auto next = [&] { return (operand++)->constant.as<float>()[0]; };
    const auto& list = to_.parameters.steps;
    for (auto s = list.begin() + static_cast<long>(at.steps); s != list.end(); ++s) switch (s->kind) {
        case SumStep::kMultiply: v *= next(); break;
        case SumStep::kAdd: v += next(); break;
        case SumStep::kDivide: v /= s->low; break;
        case SumStep::kClamp: v = std::min(v > s->low ? v : s->low, s->high); break;       // NaN becomes the least
        case SumStep::kLimit: v = v < s->low ? s->low : v > s->high ? s->high : v; break;  // NaN stays
        case SumStep::kRound: v = std::nearbyint(v); break;
        case SumStep::kAtLeast: v = v > s->low ? v : s->low; break;
        case SumStep::kAddFloats:
        case SumStep::kAddBytes: break;  // their operands are tensors
        case SumStep::kActivate: break;  // does not follow bytes
      }
    return static_cast<uint8_t>(static_cast<int>(v) + static_cast<int>(zero_));
  }

  // Storing saturates: the last limits may go where they are those of the bytes, and the numbers before them are far below 2^31.
  void drop_limits() {
    if (steps().empty() || steps().back().kind != SumStep::kClamp || !(bound_before_last() < kFarBelow)) return;
    SumStep& last = steps().back();
    const double least = (integers_ == DType::kI8 ? -128 : 0) - zero_;
    if (static_cast<double>(last.high) < least + 255) return;
    if (static_cast<double>(last.low) > least) last.kind = SumStep::kAtLeast;
    else steps().pop_back();
  }

  // What the numbers stay below before the last step, in absolute value.
  double bound_before_last() const {
    double bound = 0x1p31;
    auto operand = to_.operands.begin();
    const auto& list = to_.parameters.steps;
    for (auto s = list.begin(); s + 1 != list.end(); ++s) {
      const double low = std::abs(static_cast<double>(s->low)), high = std::abs(static_cast<double>(s->high));
      switch (s->kind) {
        case SumStep::kMultiply: bound *= largest(*operand++); break;
        case SumStep::kAdd: bound += largest(*operand++); break;
        case SumStep::kDivide: bound /= low; break;
        case SumStep::kClamp:
        case SumStep::kLimit: bound = std::min(bound, std::max(low, high)); break;
        case SumStep::kRound: bound += 1; break;
        case SumStep::kAddFloats:
        case SumStep::kActivate: return HUGE_VAL;
        case SumStep::kAddBytes: bound += (255 + low) * high, ++operand; break;
        case SumStep::kAtLeast: bound = std::max(bound, low); break;
      }
    }
    return bound;
  }
  double largest(const ByteProblem::Operand& operand) const {
    if (!operand.constant.valid()) return HUGE_VAL;
    double most = 0;
    for (int64_t i = 0; i < std::min(operand.constant.size(), columns()); ++i) {
      const double v = std::abs(operand.constant.at(i));
      most = v <= most ? most : v;  // NaN stays
    }
    return most;
  }

  Refusal read(const ir::PostOp& post) {
    const std::string& op = post.op->name();
    if (state_ == kSums) {
      if (op == "Add") return add_bias(post);
      if (op != "Cast" || post.attributes.dtype("to") != DType::kF32) return refuse("acts on int32");
      state_ = kReal;
      return accept();
    }
    if (state_ == kWhole) return op == "Dequantize" ? dequantize(post) : refuse("acts on quantized numbers");
    if (op == "Cast") return reals().has(post.attributes.dtype("to")) ? accept() : refuse("gives another type");
    if (op == "Mul") return per_column(post, SumStep::kMultiply);
    if (op == "Add") return add(post);
    if (op == "AddDequantized") return add_dequantized(post);
    if (op == "Relu") return clamp(SumStep::kLimit, 0, std::numeric_limits<float>::infinity());
    if (op == "Clip") return clip(post);
    if (op == "Quantize") return quantize(post);
    return activate(post);
  }

  // The operand beside the running result; -1 unless the latter stands once.
  static int other(const ir::PostOp& post) {
    if (post.operands.size() != 2 || (post.operands[0] < 0) == (post.operands[1] < 0)) return -1;
    return std::max(post.operands[0], post.operands[1]);
  }
  // A constant number; `fallback` when absent.
  std::optional<double> number(const ir::PostOp& post, size_t i, double fallback) const {
    if (i >= post.operands.size()) return fallback;
    const Argument& a = p_.input(post.operands[i]);
    if (post.operands[i] < 0 || !a.constant || a.constant->size() != 1) return std::nullopt;
    return a.constant->at(0);
  }
  int64_t columns() const { return nth(p_.outputs[0].opt, axis_); }

  // Constant numbers per column, or one for all; nothing when there is another way they vary.
  std::optional<Tensor> vector_of(int input) const {
    const Argument& a = p_.input(input);
    if (input < 0 || !a.constant || !runs_along(a, p_.outputs[0], axis_)) return std::nullopt;
    const Tensor v = reals().has(a.dtype) ? a.constant->cast(DType::kF32) : *a.constant;
    return v.size() == 1 ? v.reshaped({}) : padded(v);
  }
  Tensor padded(const Tensor& per_column) const {
    Tensor v = Tensor::allocate(per_column.dtype(), {to_.form.vector_size(columns())});
    copy_elements(per_column, 0, v, 0, per_column.size());
    return v;
  }

  Refusal add_bias(const ir::PostOp& post) {
    const auto v = vector_of(other(post));
    if (!v || v->dtype() != DType::kI32) return refuse("has no constants per column");
    for (int64_t c = 0; c < columns(); ++c)
      wrapping_add(nth(to_.bias, c), v->as<int32_t>()[static_cast<size_t>(v->size() == 1 ? 0 : c)]);
    return accept();
  }

  // Kernels read whole vectors of it.
  bool is_vector_or_number(const Argument& a) const {
    const int64_t count = element_count(a.opt);
    return count == 1 || (count == columns() && count % to_.form.panel == 0);
  }

  Refusal per_column(const ir::PostOp& post, SumStep::Kind kind) {
    const int input = other(post);
    if (input < 0 || !reals().has(p_.input(input).dtype)) return refuse("has no float32 operand");
    ByteProblem::Operand operand;
    const Argument& a = p_.input(input);
    if (const auto v = vector_of(input)) operand.constant = *v;
    else if (a.dtype == DType::kF32 && a.is_static && runs_along(a, p_.outputs[0], axis_) && is_vector_or_number(a))
      operand.input = input;
    else return refuse("has an operand " + to_string(a.opt) + ", neither constant per column nor one number");
    push(kind);
    to_.operands.push_back(std::move(operand));
    return accept();
  }

  Refusal add(const ir::PostOp& post) {
    const int input = other(post);
    if (input < 0) return refuse("adds the result to itself");
    const Argument& a = p_.input(input);
    const bool one_number = element_count(a.opt) == 1 && a.dtype == DType::kF32;
    if (a.constant || !lies_like(p_, input) || one_number) return per_column(post, SumStep::kAdd);
    if (!reals().has(a.dtype)) return refuse("adds " + std::string(name(a.dtype)));
    push(SumStep::kAddFloats);
    to_.operands.push_back({input, {}});
    return accept();
  }

  Refusal add_dequantized(const ir::PostOp& post) {
    const auto scale = number(post, 2, 1), zero = number(post, 3, 0);
    if (post.operands[0] >= 0 || post.operands[1] < 0 || !scale || !zero) return refuse("has no constant parameters");
    const Argument& a = p_.input(post.operands[1]);
    if (!kBytes.has(a.dtype) || !lies_like(p_, post.operands[1]))
      return refuse("adds " + std::string(name(a.dtype)) + to_string(a.opt) + " of layout " + to_string(a.layout));
    push(SumStep::kAddBytes, *zero, *scale);
    to_.operands.push_back({post.operands[1], {}});
    return accept();
  }

  Refusal clip(const ir::PostOp& post) {
    const auto low = number(post, 1, -HUGE_VAL), high = number(post, 2, HUGE_VAL);
    if (post.operands[0] >= 0 || !low || !high || !(*low <= *high)) return refuse("has no constant limits in order");
    return clamp(SumStep::kLimit, *low, *high);
  }

  // Of real sums alone: what integers become is the same on every device.
  Refusal activate(const ir::PostOp& post) {
    const auto facts = activation_of(p_, post);
    if (!facts || !real_sums_ || !wholes_.empty()) return refuse("is unknown to the kernels");
    if (post.operands.empty() || post.operands[0] >= 0) return refuse("does not act on the result");
    push(SumStep::kActivate, facts->alpha, facts->beta);
    steps().back().activation = facts->kind;
    return accept();
  }

  Refusal quantize(const ir::PostOp& post) {
    const auto scale = number(post, 1, 1), zero = number(post, 2, 0);
    integers_ = post.attributes.dtype("to");
    if (post.operands[0] >= 0 || !scale || !zero || !kBytes.has(integers_))
      return refuse("does not give bytes by constants");
    int exponent = 0;
    const bool power = std::frexp(*scale, &exponent) == 0.5 && std::abs(exponent) < kLargeExponent;
    if (power && *scale != 1) push_number(SumStep::kMultiply, 1 / *scale);  // the same, and faster
    else if (*scale != 1) push(SumStep::kDivide, *scale);
    const bool is_signed = integers_ == DType::kI8;
    (void)clamp(SumStep::kClamp, (is_signed ? -128 : 0) - *zero, (is_signed ? 127 : 255) - *zero);
    push(SumStep::kRound);
    zero_ = *zero;
    wholes_.push_back({steps().size(), to_.operands.size(), integers_, zero_});
    state_ = kWhole;
    return accept();
  }

  Refusal dequantize(const ir::PostOp& post) {
    const auto scale = number(post, 1, 1), zero = number(post, 2, 0);
    if (post.operands[0] >= 0 || !scale || !zero) return refuse("has no constant parameters");
    if (*zero != zero_) push_number(SumStep::kAdd, zero_ - *zero);
    push_number(SumStep::kMultiply, *scale);
    state_ = kReal;
    return accept();
  }

  // Limits of limits are limits.
  Refusal clamp(SumStep::Kind kind, double low, double high) {
    if (!steps().empty() && steps().back().kind == SumStep::kLimit) {
      SumStep& last = steps().back();
      last.kind = kind;
      const auto limited = [&](float v) {
        return std::min(std::max(v, static_cast<float>(low)), static_cast<float>(high));
      };
      last.low = limited(last.low);
      last.high = limited(last.high);
    } else {
      push(kind, low, high);
    }
    return accept();
  }

  void push(SumStep::Kind kind, double low = 0, double high = 0) {
    SumStep s;
    s.kind = kind;
    s.low = static_cast<float>(low);
    s.high = static_cast<float>(high);
    steps().push_back(s);
  }
  void push_number(SumStep::Kind kind, double value) {
    push(kind);
    to_.operands.push_back({-1, Tensor::scalar(static_cast<float>(value))});
  }
  static void wrapping_add(int32_t& to, int32_t value) {
    to = static_cast<int32_t>(static_cast<uint32_t>(to) + static_cast<uint32_t>(value));
  }

  const Problem& p_;
  int axis_;
  ByteProblem& to_;
  State state_;
  bool real_sums_;
  DType integers_ = DType::kInvalid;
  double zero_ = 0;
  // Where the numbers are bytes: so many steps and operands are done.
  struct Whole {
    size_t steps, operands;
    DType integers;
    double zero;
  };
  std::vector<Whole> wholes_;
};

void emit_operands(const ByteProblem& steps, Emitted& emitted) {
  for (const ByteProblem::Operand& operand : steps.operands)
    emitted.inputs.push_back(operand.input >= 0 ? operand.input : add_constant(emitted, operand.constant));
}

// One number or one per column, as int16.
std::optional<std::vector<int16_t>> zero_points(const Argument& a, int64_t columns) {
  std::vector<int16_t> zeros(static_cast<size_t>(columns), 0);
  if (!a.present) return zeros;
  if (!a.constant || (a.constant->size() != 1 && a.constant->size() != columns)) return std::nullopt;
  for (int64_t c = 0; c < columns; ++c)
    nth(zeros, c) = static_cast<int16_t>(a.constant->int_at(a.constant->size() == 1 ? 0 : c));
  return zeros;
}

// Signed bytes, or unsigned ones less by 128, are the weights.
Refusal accept_centred(const Problem& p) {
  const Argument& b = p.input(1);
  const Argument& zero = p.node->base_input_count() > 3 ? p.input(3) : Argument();
  if (zero.present && (!zero.constant || zero.constant->size() != 1)) return refuse("b has no constant zero point");
  const int64_t known = zero.present ? zero.constant->int_at(0) : 0;
  if (known != (b.dtype == DType::kU8 ? 128 : 0)) return refuse("the zero point of b is " + std::to_string(known));
  return accept();
}

}  // namespace

int64_t SumForm::vector_size(int64_t columns) const { return align_up(columns, panel) + behind; }

Refusal read_byte_steps(const Problem& p, int column_axis, ByteProblem& to) {
  const Argument &x = p.input(0), &y = p.outputs[0];
  if (!(to.form.words ? kWords : kBytes).has(x.dtype)) return refuse("x is " + std::string(name(x.dtype)));
  if (!y.is_fixed(static_cast<size_t>(column_axis))) return refuse("the number of columns is not constant");
  const Argument& x_zero = p.node->base_input_count() > 2 ? p.input(2) : Argument();
  if (x_zero.present && (!x_zero.is_static || element_count(x_zero.opt) != 1))
    return refuse("x has zero points " + to_string(x_zero.opt));
  if (x_zero.present && !x_zero.constant) to.x_zero_input = 2;
  else to.x_zero = x_zero.present ? static_cast<int32_t>(x_zero.constant->int_at(0)) : 0;
  to.bias.assign(static_cast<size_t>(nth(y.opt, column_axis)), 0);
  return StepReader(p, column_axis, StepReader::kSums, to).run();
}

Refusal read_real_steps(const Problem& p, int column_axis, ByteProblem& to, int bias) {
  if (!p.outputs[0].is_fixed(static_cast<size_t>(column_axis))) return refuse("the number of columns is not constant");
  StepReader reader(p, column_axis, StepReader::kReal, to);
  if (const Refusal r = bias < 0 ? accept() : reader.add_first(bias); r.refused()) return r;
  return reader.run();
}

Refusal read_byte_problem(const Problem& p, int column_axis, int weight_axis, ByteProblem& to) {
  const Argument& w = p.input(1);
  if (!w.constant || !kBytes.has(w.dtype)) return refuse("the weights are not constant bytes");
  const Dims& dims = w.constant->dims();
  const int64_t columns = nth(dims, weight_axis);
  const auto zeros = zero_points(p.node->base_input_count() > 3 ? p.input(3) : Argument(), columns);
  if (!zeros) return refuse("the zero points of the weights are not constants per column");
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(weight_axis) + 1; i < dims.size(); ++i) inner *= dims[i];
  to.weights.resize(static_cast<size_t>(w.constant->size()));
  for (int64_t i = 0; i < w.constant->size(); ++i)
    nth(to.weights, i) = static_cast<int16_t>(w.constant->int_at(i) - nth(*zeros, i / inner % columns));
  return read_byte_steps(p, column_axis, to);
}

Refusal read_byte_pair(const Problem& p, ByteProblem& bytes) {
  const Argument &a = p.input(0), &b = p.input(1), &y = p.outputs[0];
  if (b.constant) return refuse("b is constant");
  if (!a.ranked || !b.ranked || a.opt.size() < 2 || a.opt.size() != b.opt.size())
    return refuse("a and b have not as many axes");
  const ir::Node& n = *p.node;
  for (size_t i = 0; i + 2 < a.opt.size(); ++i)
    if (!(n.input(0)->shape()[i] == n.input(1)->shape()[i])) return refuse("leading axes broadcast");
  for (const Argument* v : {&a, &b, &y})
    if (!v->layout.is_row_major()) return refuse("an operand is not row-major");
  if (!kBytes.has(b.dtype)) return refuse("b is " + std::string(name(b.dtype)));
  if (const Refusal r = accept_centred(p); r.refused()) return r;
  if (const Refusal r = read_byte_steps(p, static_cast<int>(y.opt.size()) - 1, bytes); r.refused()) return r;
  return bytes.x_zero_input < 0 ? accept() : refuse("the zero point of a is not constant");
}

int64_t int8_parts(const ByteProblem& bytes) {
  int64_t parts = 1;
  for (int w : bytes.weights)
    for (int64_t needed = 1; w != 0; ++needed, w -= std::clamp(w, -128, 127)) parts = std::max(parts, needed);
  return parts;
}

int8_t int8_part(const ByteProblem& bytes, int64_t part, size_t i) {
  int rest = bytes.weights[i];
  for (; part > 0; --part) rest -= std::clamp(rest, -128, 127);
  return static_cast<int8_t>(std::clamp(rest, -128, 127));
}

void emit_sums(const ByteProblem& bytes, std::vector<int32_t> column_sums, int32_t shift, Emitted& emitted) {
  const bool dynamic = bytes.x_zero_input >= 0;
  const auto zero = static_cast<uint32_t>(bytes.x_zero + shift);
  const Dims vector{bytes.form.vector_size(static_cast<int64_t>(column_sums.size()))};
  Tensor start = Tensor::allocate(DType::kI32, vector), sums = Tensor::allocate(DType::kI32, vector);
  for (size_t c = 0; c < column_sums.size(); ++c) {
    sums.as_mutable<int32_t>()[c] = column_sums[c];
    const uint32_t known = dynamic ? 0 : zero * static_cast<uint32_t>(column_sums[c]);
    start.as_mutable<int32_t>()[c] = static_cast<int32_t>(static_cast<uint32_t>(bytes.bias[c]) - known);
  }
  emitted.inputs.push_back(add_constant(emitted, std::move(start)));
  emitted.inputs.push_back(dynamic ? add_constant(emitted, std::move(sums)) : Emitted::kAbsent);
  emitted.inputs.push_back(dynamic ? bytes.x_zero_input : Emitted::kAbsent);
  emit_operands(bytes, emitted);
}

void emit_steps(const ByteProblem& steps, Emitted& emitted) {
  emitted.inputs.insert(emitted.inputs.end(), 3, Emitted::kAbsent);
  emit_operands(steps, emitted);
}

}  // namespace kiln
