// Operators whose versions before these had other inputs or kinds of attributes.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {

const OnnxOp cast{"Cast", {{6, import_as_is}}};
const OnnxOp reshape{"Reshape", {{5, import_as_is}}};
const OnnxOp tile{"Tile", {{6, import_as_is}}};

}  // namespace kiln::onnx::ops
