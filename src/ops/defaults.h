// Attributes with the defaults of the schema filled in.
#pragma once
#include "ops/op.h"

namespace kiln {

Attributes with_defaults(const OpDef& op, const Attributes& attributes);

}  // namespace kiln
