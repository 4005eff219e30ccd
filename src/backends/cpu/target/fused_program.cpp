// The scalar program of a node whose base operator and post-operations are all pointwise.
#include "backends/cpu/target/fused_program.h"

#include "base/error.h"

namespace kiln::cpu {
namespace {

bool loadable(const Argument& a) { return kRealTypes.has(a.dtype); }

// A result rounds to its element type before the next operator sees it only where that changes more than precision.
Expr stored_as(Expr e, DType type) { return e.convert(scalar_type_of(type)); }

}  // namespace

std::optional<ScalarProgram> fused_program(const Problem& problem, std::vector<int>& used) {
  if (!problem.node->op().is_pointwise() || problem.node->op().scalar_rule() == nullptr) return std::nullopt;
  ExprBuilder builder;
  std::vector<std::optional<Expr>> loaded(problem.inputs.size());
  used.clear();
  for (size_t i = 0; i < problem.inputs.size(); ++i) {
    const Argument& a = problem.inputs[i];
    if (!a.present) continue;
    if (!loadable(a)) return std::nullopt;
    loaded[i] = builder.input(static_cast<int>(used.size()), scalar_type_of(a.dtype));
    used.push_back(static_cast<int>(i));
  }
  if (problem.outputs.size() != 1 || !kRealTypes.has(problem.outputs[0].dtype)) return std::nullopt;
  std::vector<Expr> arguments;
  for (int i = 0; i < problem.node->base_input_count(); ++i)
    if (loaded[static_cast<size_t>(i)]) arguments.push_back(*loaded[static_cast<size_t>(i)]);
  Expr result = problem.node->op().scalar_rule()(arguments, problem.attributes());
  for (const ir::PostOp& post : problem.post()) {
    if (!post.op->is_pointwise()) return std::nullopt;
    std::vector<Expr> operands;
    for (int operand : post.operands) {
      if (operand >= 0 && !loaded[static_cast<size_t>(operand)]) return std::nullopt;
      operands.push_back(operand < 0 ? result : *loaded[static_cast<size_t>(operand)]);
    }
    for (const Expr& e : operands)
      if (e.type() != operands[0].type() && e.type() != ScalarType::kBool && operands[0].type() != ScalarType::kBool) return std::nullopt;
    result = post.op->scalar_rule()(operands, post.attributes);
  }
  const Expr outputs[] = {stored_as(result, problem.outputs[0].dtype)};
  return builder.finish(outputs);
}

}  // namespace kiln::cpu
