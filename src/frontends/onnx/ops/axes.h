// The attribute `axes` of old versions as the input of new ones.
#pragma once
#include "frontends/onnx/node_import.h"

namespace kiln::onnx::ops {

inline void import_axes_attribute(NodeImport& n) {
  n.emit(n.op(), {n.in(0), n.has_attr("axes") ? n.ints(n.ints("axes")) : nullptr}, n.attributes({"axes"}));
}

}  // namespace kiln::onnx::ops
