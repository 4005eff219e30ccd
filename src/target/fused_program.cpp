// The scalar program of a node whose base operator and post-operations are all pointwise.
#include "target/fused_program.h"

#include "base/error.h"
#include "base/index.h"
#include "ops/defaults.h"

namespace kiln {
namespace {

bool loadable(const Argument& a) { return kRealTypes.has(a.dtype); }

// Lanes hold these as they are; others are rounded or wrapped between the operators of a chain.
constexpr TypeSet kHeld{DType::kF32, DType::kF64, DType::kI64, DType::kU64, DType::kBool};

// Element type of an operator's result for operands of these types.
DType result_type(const OpDef& op, const Attributes& attributes, const std::vector<DType>& operands) {
  std::vector<InputInfo> infos;
  for (DType type : operands) {
    InputInfo info;
    info.present = type != DType::kInvalid;
    info.type.tensor.dtype = type;
    infos.push_back(info);
  }
  ShapeCall call(op, attributes, std::move(infos), "", 1);
  return op.infer(call).at(0).tensor.dtype;
}

// Programs store infinities of float8e5m2 as its largest number, as Cast does and nothing else.
bool stores(const OpDef& op, DType type) { return type != DType::kF8E5M2 || op.name() == "Cast"; }

Expr apply(const OpDef& op, const Attributes& attributes, std::span<const Expr> operands) {
  return op.scalar_rule()(operands, with_defaults(op, attributes));
}

}  // namespace

std::optional<ScalarProgram> fused_program(const Problem& problem, std::vector<int>& used) {
  const OpDef& base = problem.node->op();
  if (!base.is_pointwise() || problem.outputs.size() != 1 || !kRealTypes.has(problem.outputs[0].dtype))
    return std::nullopt;
  ExprBuilder builder;
  std::vector<Expr> loaded;
  used.clear();
  for (size_t i = 0; i < problem.inputs.size(); ++i) {
    const Argument& a = problem.inputs[i];
    if (a.present && !loadable(a)) return std::nullopt;
    loaded.push_back(a.present ? builder.input(static_cast<int>(used.size()), scalar_type_of(a.dtype))
                               : Expr(nullptr, 0, ScalarType::kF32));
    if (a.present) used.push_back(static_cast<int>(i));
  }
  const auto held = [](Expr e, DType type) { return kHeld.has(type) ? e : e.narrow(type); };
  try {
    std::vector<DType> types;
    for (const Argument& a : problem.inputs) types.push_back(a.dtype);
    const auto own = static_cast<size_t>(problem.node->base_input_count());
    Expr result = apply(base, problem.attributes(), std::span(loaded).first(own));
    DType type = result_type(base, problem.attributes(), {types.begin(), types.begin() + static_cast<long>(own)});
    if (!stores(base, type)) return std::nullopt;
    for (const ir::PostOp& post : problem.post()) {
      if (!post.op->is_pointwise()) return std::nullopt;
      result = held(result, type);
      std::vector<Expr> operands;
      std::vector<DType> operand_types;
      for (int operand : post.operands) {
        operands.push_back(operand < 0 ? result : nth(loaded, operand));
        operand_types.push_back(operand < 0 ? type : nth(types, operand));
      }
      result = apply(*post.op, post.attributes, operands);
      type = result_type(*post.op, post.attributes, operand_types);
      if (!stores(*post.op, type)) return std::nullopt;
    }
    const Expr outputs[] = {result.convert(scalar_type_of(problem.outputs[0].dtype))};
    return builder.finish(outputs);
  } catch (const Error&) {
    return std::nullopt;  // an operator has no formula for these types or attributes, or one that mixes types
  }
}

}  // namespace kiln
