// SequenceEmpty: a sequence without elements, of tensors of type `dtype`.
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {

const OpDef sequence_empty =
    op("SequenceEmpty")
        .attr("dtype", std::string("float32"))
        .output("output", type_from("dtype"))
        .edges([](ShapeCall& c) {
          return std::vector<EdgeType>{sequence_edge({c.attributes().dtype("dtype", DType::kF32), {}, false})};
        })
        .reference([](RefCall& c) {
          c.set_output(0, make_sequence({}, c.shapes().attributes().dtype("dtype", DType::kF32)));
        });

}  // namespace kiln::ops
