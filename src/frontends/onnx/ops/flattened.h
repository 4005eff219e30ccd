// Softmax and its kin before opset 13: the tensor is a matrix, the rows of which end at `axis`.
#pragma once
#include "base/error.h"
#include "frontends/onnx/node_import.h"

namespace kiln::onnx::ops {

inline void import_flattened(NodeImport& n) {
  const int64_t axis = n.integer("axis", 1);
  ir::Value* x = n.in(0);
  if (x->ranked() && normalize_axis(axis, x->rank()) == x->rank() - 1)
    return n.emit(n.op(), {x}, {{"axis", int64_t{-1}}});
  ir::Value* shape = n.add("Shape", {x});
  ir::Value* matrix = n.add(n.op(), {n.add("Flatten", {x}, {{"axis", axis}})}, {{"axis", int64_t{-1}}});
  n.emit("Reshape", {matrix, shape}, {{"allowzero", int64_t{1}}});
}

}  // namespace kiln::onnx::ops
