// Declares the importers of the list. An operator's file includes this and defines its word.
#pragma once
#include <cmath>

#include "frontends/onnx/node_import.h"

namespace kiln::onnx::ops {
#define KILN_ONNX_OP(word) extern const OnnxOp word;
#include "frontends/onnx/ops/list.inc"
#undef KILN_ONNX_OP
}  // namespace kiln::onnx::ops
