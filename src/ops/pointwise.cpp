// Pointwise operators: everything that follows from the formula.
#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/work.h"
#include "ops/broadcasting.h"
#include "ops/defaults.h"
#include "ops/op.h"
#include "ops/reference_math.h"

namespace kiln {
namespace {

OutputShape broadcast_inputs(ShapeCall& c) {
  Shape shape;
  bool first = true;
  for (int i = 0; i < c.input_count(); ++i) {
    if (!c.present(i)) continue;
    shape = first ? c.dims(i) : ops::broadcast_shapes(shape, c.dims(i));
    first = false;
  }
  return shape;
}

// A row of float32 by one instruction; steps are 0 or 1. Folded weights are mostly these.
using FloatRow = void (*)(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n);

template <class Function>
void float_row(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = Function()(a[i * a_step], b[i * b_step]);
}

// Nothing where the program is more than that.
FloatRow find_float_row(const ScalarProgram& program) {
  const auto& code = program.code;
  const auto is_input = [&](size_t v) {
    return code[v].op == ScalarOp::kInput && code[v].integer == static_cast<int64_t>(v);
  };
  if (code.size() != 3 || !is_input(0) || !is_input(1) || code[2].a != 0 || code[2].b != 1 || program.outputs[0] != 2)
    return nullptr;
  switch (code[2].op) {
    case ScalarOp::kAdd: return float_row<std::plus<float>>;
    case ScalarOp::kSub: return float_row<std::minus<float>>;
    case ScalarOp::kMul: return float_row<std::multiplies<float>>;
    case ScalarOp::kDiv: return float_row<std::divides<float>>;
    default: return nullptr;
  }
}

void run_pointwise(const OpDef& op, RefCall& c) {
  std::vector<const Tensor*> inputs;
  std::vector<DType> types;
  for (int i = 0; i < c.input_count(); ++i) {
    types.push_back(c.present(i) ? c.input(i).dtype() : DType::kInvalid);
    if (c.present(i)) inputs.push_back(&c.input(i));
  }
  Tensor& out = c.output();
  if (out.size() == 0) return;
  const ScalarProgram program = scalar_program(op, c.shapes().attributes(), types);
  const ScalarType result_type = program.code[program.outputs[0]].type;
  std::vector<Dims> strides;
  for (const Tensor* t : inputs) strides.push_back(ops::broadcast_strides(t->dims(), out.dims()));
  std::vector<ScalarValue> arguments(inputs.size()), values(program.code.size());
  // The last axes, as many as every operand walks in equal steps, are one row.
  Dims outer = out.dims(), index(outer.size(), 0), at(inputs.size()), step(inputs.size());
  int64_t length = 1;
  for (size_t d = outer.size(); d-- > 0; outer[d] = 1) {
    if (outer[d] == 1) continue;
    const auto goes_on = [&](size_t i) { return length == 1 || strides[i][d] == step[i] * length; };
    bool all = true;
    for (size_t i = 0; i < inputs.size(); ++i) all = all && goes_on(i);
    if (!all) break;
    for (size_t i = 0; i < inputs.size() && length == 1; ++i) step[i] = strides[i][d];
    length *= outer[d];
  }
  void* data = out.mutable_data();
  const auto is_float32 = [](const Tensor* t) { return t->dtype() == DType::kF32; };
  const FloatRow row =
      std::all_of(inputs.begin(), inputs.end(), is_float32) && is_float32(&out) ? find_float_row(program) : nullptr;
  int64_t position = 0;
  do {
    for (size_t i = 0; i < inputs.size(); ++i) at[i] = ops::dot(index, strides[i]);
    if (row) {
      const auto from = [&](size_t i) { return static_cast<const float*>(inputs[i]->data()) + at[i]; };
      row(from(0), step[0], from(1), step[1], static_cast<float*>(data) + position, length);
      position += length;
      continue;
    }
    for (int64_t k = 0; k < length; ++k) {
      for (size_t i = 0; i < inputs.size(); ++i)
        arguments[i] = load_scalar(inputs[i]->dtype(), inputs[i]->data(), at[i] + k * step[i]);
      interpret(program, arguments, values);
      store_scalar(out.dtype(), data, position++, result_type, values[program.outputs[0]]);
      poll_work();
    }
  } while (ops::advance(index, outer));
}

}  // namespace

OpDef pointwise(std::string name, std::initializer_list<InputDef> inputs) {
  OpDef def(name);
  for (const InputDef& in : inputs) {
    if (in.variadic) std::move(def).variadic_input(in.name, in.types, in.same_as, in.optional);
    else if (in.optional) std::move(def).optional_input(in.name, in.types, in.same_as);
    else std::move(def).input(in.name, in.types, in.same_as);
  }
  return std::move(def)
      .output("y", same_type(inputs.begin()->name))
      .shape(broadcast_inputs)
      .accuracy(Accuracy::kExact)
      .reference([name](RefCall& c) { run_pointwise(*find_op(name), c); });
}

Attributes with_defaults(const OpDef& op, const Attributes& attributes) {
  Attributes complete = attributes;
  for (const AttributeDef& def : op.attributes())
    if (!complete.has(def.name)) complete.set(def.name, def.fallback);
  return complete;
}

ScalarProgram scalar_program(const OpDef& op, const Attributes& attributes, std::span<const DType> inputs) {
  ExprBuilder builder;
  std::vector<Expr> arguments;
  int present = 0;
  for (DType type : inputs)
    arguments.push_back(type == DType::kInvalid ? Expr(nullptr, 0, ScalarType::kF32)
                                                : builder.input(present++, scalar_type_of(type)));
  const Expr result[] = {op.scalar_rule()(arguments, with_defaults(op, attributes))};
  return builder.finish(result);
}

}  // namespace kiln
