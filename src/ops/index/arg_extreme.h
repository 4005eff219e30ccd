// What ArgMax and ArgMin share.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

OpDef arg_extreme(std::string name, bool largest);

}  // namespace kiln::ops
