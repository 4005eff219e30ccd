// The last resort: a step of the kernel "reference".
#include "base/index.h"
#include "ops/op.h"
#include "target/target.h"

namespace kiln {
namespace {

void put_operation(Attributes& to, const std::string& prefix, const OpDef& op, const Attributes& attributes) {
  to.set(prefix + ".op", op.name());
  for (const auto& [key, value] : attributes) to.set(prefix + ".attr." + key, value);
}

}  // namespace

Emitted emit_reference(const Problem& problem) {
  Emitted e{.device = "ref", .kernel = "reference", .parameters = {}, .inputs = {}, .constants = {}};
  put_operation(e.parameters, "base", problem.node->op(), problem.attributes());
  e.parameters.set("base.inputs", int64_t{problem.node->base_input_count()});
  e.parameters.set("posts", static_cast<int64_t>(problem.post().size()));
  for (size_t i = 0; i < problem.post().size(); ++i) {
    const ir::PostOp& post = problem.post()[i];
    put_operation(e.parameters, "post" + std::to_string(i), *post.op, post.attributes);
    e.parameters.set("post" + std::to_string(i) + ".operands", Ints(post.operands.begin(), post.operands.end()));
  }
  for (int i = 0; i < static_cast<int>(problem.inputs.size()); ++i)
    e.inputs.push_back(nth(problem.inputs, i).present ? i : Emitted::kAbsent);
  return e;
}

}  // namespace kiln
