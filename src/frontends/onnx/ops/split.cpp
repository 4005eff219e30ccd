// Split: sizes are an attribute before opset 13; without sizes the parts are equal.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void equal_parts(NodeImport& n, Attributes attributes) {
  attributes.set("num_outputs", int64_t{n.output_count()});
  n.emit("Split", {n.in(0)}, std::move(attributes));
}

void import_attribute(NodeImport& n) {
  Attributes attributes = n.attributes({"split"});
  if (!n.has_attr("split")) return equal_parts(n, std::move(attributes));
  n.emit("Split", {n.in(0), n.ints(n.ints("split"))}, std::move(attributes));
}

void import_input(NodeImport& n) {
  if (n.optional(1)) return import_as_is(n);
  equal_parts(n, n.attributes());
}

}  // namespace

const OnnxOp split{"Split", {{2, import_attribute}, {13, import_input}, {18, import_as_is}}};

}  // namespace kiln::onnx::ops
