// Decision trees as the parameters of a step.
#include "device/tree_parameters.h"

#include "device/parameter_fields.h"

namespace kiln {

Trees read_trees(const Attributes& parameters) {
  const auto lists = read_parameters<TreeLists>(parameters);
  try {
    return trees_of(lists);
  } catch (const Error& e) {
    throw Error(Code::kMalformedPlan, "the parameters of decision trees do not fit each other")
        .cause(e.message())
        .remedy("build the engine again");
  }
}

}  // namespace kiln
