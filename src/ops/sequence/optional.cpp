// Optional: an optional that holds the input, or, without an input, an empty one of type `type`: the name of an element
// type, or "seq(NAME)".
#include "base/error.h"
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

std::vector<EdgeType> optional_edges(ShapeCall& c) {
  EdgeType edge;
  edge.kind = Datum::kOptional;
  if (c.present(0)) {
    edge.optional_of_sequence = c.info(0).type.kind == Datum::kSequence;
    edge.tensor = c.info(0).type.tensor;
    return {edge};
  }
  std::string text = c.text("type");
  edge.optional_of_sequence = text.starts_with("seq(") && text.ends_with(")");
  if (edge.optional_of_sequence) text = text.substr(4, text.size() - 5);
  auto type = dtype_from_name(text);
  if (!type) throw Error(Code::kInvalidArgument, "Optional of type '" + text + "'").remedy("give an input or a type");
  edge.tensor = {*type, {}, false};
  return {edge};
}

void optional_reference(RefCall& c) {
  ShapeCall shapes = c.shapes();
  Datum result;
  result.kind = Datum::kOptional;
  result.element_dtype = optional_edges(shapes).front().tensor.dtype;
  if (c.present(0)) result.items.push_back(c.datum(0));
  c.set_output(0, std::move(result));
}

}  // namespace

const OpDef optional = op("Optional")
                           .optional_input("input", kAnyType)
                           .attr("type", std::string(""))
                           .output("output", same_type("input"))
                           .edges(optional_edges)
                           .reference(optional_reference);

}  // namespace kiln::ops
