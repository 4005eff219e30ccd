// The scalar program of a node whose base operator and post-operations are all pointwise.
#include "backends/cpu/target/fused_program.h"

#include "base/error.h"
#include "ops/defaults.h"

namespace kiln::cpu {
namespace {

bool loadable(const Argument& a) { return kRealTypes.has(a.dtype); }

// A Cast inside a chain must round to its type; a program holds only these exactly.
bool exact_inside_chain(const OpDef& op, const Attributes& attributes) {
  if (op.name() != "Cast" && op.name() != "CastLike") return true;
  constexpr TypeSet kHeld{DType::kF32, DType::kF64, DType::kI64, DType::kU64, DType::kBool};
  const auto type = dtype_from_name(attributes.text("to", ""));
  return type && kHeld.has(*type);
}

Expr apply(const OpDef& op, const Attributes& attributes, std::span<const Expr> operands) {
  return op.scalar_rule()(operands, with_defaults(op, attributes));
}

bool one_type(std::span<const Expr> operands) {
  for (const Expr& e : operands)
    if (e.present() && e.type() != operands[0].type() && e.type() != ScalarType::kBool &&
        operands[0].type() != ScalarType::kBool)
      return false;
  return true;
}

}  // namespace

std::optional<ScalarProgram> fused_program(const Problem& problem, std::vector<int>& used) {
  const OpDef& base = problem.node->op();
  if (!base.is_pointwise() || problem.outputs.size() != 1 || !kRealTypes.has(problem.outputs[0].dtype))
    return std::nullopt;
  if (!problem.post().empty() && !exact_inside_chain(base, problem.attributes())) return std::nullopt;
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
  try {
    Expr result = apply(base, problem.attributes(),
                        std::span(loaded).first(static_cast<size_t>(problem.node->base_input_count())));
    for (size_t k = 0; k < problem.post().size(); ++k) {
      const ir::PostOp& post = problem.post()[k];
      if (!post.op->is_pointwise() || (k + 1 < problem.post().size() && !exact_inside_chain(*post.op, post.attributes)))
        return std::nullopt;
      std::vector<Expr> operands;
      for (int operand : post.operands) operands.push_back(operand < 0 ? result : loaded[static_cast<size_t>(operand)]);
      if (!one_type(operands)) return std::nullopt;
      result = apply(*post.op, post.attributes, operands);
    }
    const Expr outputs[] = {result.convert(scalar_type_of(problem.outputs[0].dtype))};
    return builder.finish(outputs);
  } catch (const Error&) {
    return std::nullopt;  // the operator has no formula for these types or attributes
  }
}

}  // namespace kiln::cpu
