// What the model has in float16 or bfloat16 remembers that where it comes to compute in float32: a kernel that takes the type may stand for
// it and the casts around it.
#include "passes/precision/half_numbers.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

// That all its inputs of float16 and bfloat16 have.
DType half_type(const Node& n) {
  DType type = DType::kInvalid;
  for (const Value* v : n.inputs()) {
    if (!v || !v->is_tensor() || !is_half(v->dtype())) continue;
    if (type != DType::kInvalid && type != v->dtype()) return DType::kInvalid;
    type = v->dtype();
  }
  return type;
}

}  // namespace

const Rule declared_types{
    .name = "declared_types",
    .pattern = one_of({}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const DType type = half_type(n);
      if (type == DType::kInvalid || n.declared != DType::kInvalid || !computes(n) || !n.post.empty())
        return std::nullopt;
      Patch p(m);
      const PatchValue made = p.add(n.op_name(), {n.inputs().begin(), n.inputs().end()}, n.attributes,
                                    static_cast<int>(n.outputs().size()));
      p.declare(made, type);
      for (size_t i = 0; i < n.outputs().size(); ++i)
        if (Value* v = n.outputs()[i]; !v->uses().empty() || v->is_graph_output())
          p.replace(v, made.result(static_cast<int>(i)));
      return p;
    },
};

}  // namespace kiln::passes
