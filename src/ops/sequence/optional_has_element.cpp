// OptionalHasElement: whether there is a value: an optional that holds one, or anything that is no optional.
#include "ops/registry.h"
#include "ops/sequence/sequences.h"

namespace kiln::ops {
namespace {

bool has_element(const RefCall& c) {
  if (!c.present(0)) return false;
  return c.datum(0).kind != Datum::kOptional || !c.datum(0).items.empty();
}

}  // namespace

const OpDef optional_has_element =
    op("OptionalHasElement")
        .optional_input("input", kAnyType)
        .output("output", fixed_type(DType::kBool))
        .edges([](ShapeCall&) { return std::vector<EdgeType>{tensor_edge(DType::kBool, {})}; })
        .reference([](RefCall& c) { c.set_output(0, Tensor::scalar<bool>(has_element(c))); });

}  // namespace kiln::ops
