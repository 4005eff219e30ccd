// Tactics: copies between strides, Concat and Split as copies of parts, Gather.
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "target/axis_parameters.h"
#include "target/copy_parameters.h"

namespace kiln::cuda::tactics {

const Tactic copy{
    .name = "copy",
    .version = 1,
    .ops = copy_ops(),
    .turns_layouts = true,
    .accepts = [](const Problem& p) -> Refusal {
      CopyParameters parameters;
      if (Refusal r = copy_parameters(p, parameters); r.refused()) return r;
      if (parameters.late_starts()) return refuse("the starts of the slice are known only at run time");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          CopyParameters parameters;
          (void)copy_parameters(p, parameters);
          Emitted e = emit_kernel("copy", parameters, {0});
          // These find every element by the strides of both sides.
          const std::string& op = p.op();
          e.strided_output = op == "Slice" || op == "Transpose" || op == "Expand";
          e.strided_inputs = e.strided_output;
          add_filler(p, e);
          return e;
        },
};

const Tactic concat_split{
    .name = "concat_split",
    .version = 1,
    .ops = {"Concat", "Split"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      for (const auto* list : {&p.inputs, &p.outputs})
        for (const Argument& a : *list)
          if (!a.present && list == (p.op() == "Concat" ? &p.inputs : &p.outputs)) return refuse("a part is absent");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const bool join = p.op() == "Concat";
          Emitted e =
              emit_kernel(join ? "concat" : "split", axis_parameters(p, 0), join ? all_inputs(p) : std::vector<int>{0});
          e.strided_inputs = ~0u;
          return e;
        },
};

const Tactic gather{
    .name = "gather",
    .version = 1,
    .ops = {"Gather"},
    .accepts = [](const Problem& p) -> Refusal { return needs_plain(p); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("gather", axis_parameters(p, 0), {0, 1}); },
};

}  // namespace kiln::cuda::tactics
