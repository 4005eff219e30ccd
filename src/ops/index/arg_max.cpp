// ArgMax: the index of the largest element along an axis; the first one, or the last with select_last_index.
#include "ops/index/arg_extreme.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef arg_max = arg_extreme("ArgMax", true);

}  // namespace kiln::ops
