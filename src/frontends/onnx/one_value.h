// Scales and zero points of com.microsoft operators.
#pragma once
#include "frontends/onnx/node_import.h"

namespace kiln::onnx {

// Input i, which is to be one value: throws kInvalidGraph when its shape says otherwise; where running tells its shape, that refuses others.
ir::Value* one_value(NodeImport& n, int i);
ir::Value* optional_value(NodeImport& n, int i);  // null when absent
// Input i, one value or one for each column of `matrices`; throws kInvalidGraph when its shape says otherwise.
ir::Value* one_or_each_column(NodeImport& n, int i, const ir::Value& matrices);

}  // namespace kiln::onnx
