// ArgMin: the index of the smallest element along an axis; the first one, or the last with select_last_index.
#include "ops/index/arg_extreme.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef arg_min = arg_extreme("ArgMin", false);

}  // namespace kiln::ops
