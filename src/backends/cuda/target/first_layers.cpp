// The convolutions at a network's entrance.
#include "backends/cuda/target/first_layers.h"

#include "backends/cuda/device/cu/conv_few.h"

namespace kiln::cuda {
namespace {

// The rows of pixels that a Reformat before the convolution turns; null: there are none that its kernels read as well.
ir::Value* rows_before(const ir::Node& conv) {
  if (!conv.is("Conv") || !conv.input(0) || !conv.input(1) || !conv.input(1)->constant()) return nullptr;
  const ir::Node* reformat = conv.input(0)->producer();
  if (!reformat || !reformat->is("Reformat") || !reformat->input(0)->layout.is_row_major()) return nullptr;
  const Shape& x = conv.input(0)->shape();
  const bool few =
      x.size() == 4 && x[1].is_constant() && x[1].value() <= kFewChannels && conv.attributes.integer("group", 1) == 1;
  return few ? reformat->input(0) : nullptr;
}

}  // namespace

passes::Pass read_rows_at_the_entrance() {
  return {"entrance", [](ir::Graph& graph, passes::PassContext&) {
            for (ir::Node* node : graph.node_list())
              if (ir::Value* rows = rows_before(*node)) node->set_input(0, rows);
          }};
}

}  // namespace kiln::cuda
