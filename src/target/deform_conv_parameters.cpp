// What DeformConv asks of its kernels.
#include "target/deform_conv_parameters.h"

#include <algorithm>

#include "target/checks.h"

namespace kiln {

DeformConvParameters deform_conv_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  DeformConvParameters to{.groups = a.integer("group", 1), .offset_groups = a.integer("offset_group", 1)};
  std::ranges::copy(integers_of(a, "strides", 2, 1), to.strides);
  std::ranges::copy(integers_of(a, "dilations", 2, 1), to.dilations);
  std::copy_n(integers_of(a, "pads", 4, 0).begin(), 2, to.pads);
  return to;
}

}  // namespace kiln
