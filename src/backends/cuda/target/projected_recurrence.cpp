// Recurrent layers multiply the inputs of all steps at once.
#include "backends/cuda/target/projected_recurrence.h"

#include <cstring>

#include "backends/cuda/target/checks.h"
#include "passes/value_queries.h"
#include "target/cell_functions.h"

namespace kiln::passes {
namespace {

// w [directions, rows, inputs] as the right operand of a product with the inputs: [inputs, directions * rows].
Tensor input_columns(const Tensor& w) {
  const int64_t columns = w.dims()[0] * w.dims()[1], inputs = w.dims()[2];
  Tensor result = Tensor::allocate(w.dtype(), {inputs, columns});
  const auto bytes = static_cast<size_t>(bits(w.dtype()) / 8);
  const auto* from = static_cast<const uint8_t*>(w.data());
  auto* to = static_cast<uint8_t*>(result.mutable_data());
  for (int64_t j = 0; j < columns; ++j)
    for (int64_t i = 0; i < inputs; ++i, from += bytes)
      std::memcpy(to + static_cast<size_t>(i * columns + j) * bytes, from, bytes);
  return result;
}

// What the two operators call alike.
Attributes layer_attributes(const Node& n) {
  Attributes attributes{{"cell", n.op_name()}};
  for (const auto& [name, value] : n.attributes) attributes.set(name, value);
  return attributes;
}

}  // namespace

const Rule projected_recurrence{
    .name = "projected_recurrence",
    .pattern = one_of({"GRU", "LSTM", "RNN"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const Value &x = *n.input(0), &w = *n.input(1), &r = *n.input(2);
      if (!cuda::is_kernel_float(x.dtype())) return decline("it computes in " + std::string(name(x.dtype())));
      if (!w.constant()) return decline("the weights of the inputs are not constant");
      if (w.constant()->size() == 0) return decline("there are no units or no inputs");
      if (!r.ranked() || !is_static(r.shape())) return decline("the number of units is not known");
      const Dim& steps = x.shape()[integer(n, "layout") != 0 ? 1 : 0];
      if (steps.is_constant() && steps.value() <= 1) return decline("there is one step or none");
      CellFunctions functions;
      if (const Refusal f = read_cell_functions(n.op_name(), n.attributes, w.constant()->dims()[0], functions);
          f.refused())
        return decline(f.reason);

      Patch p(m);
      const PatchValue products =
          p.add("MatMul", {n.input(0), p.constant(input_columns(*w.constant()), w.name() + ".columns")});
      std::vector<PatchValue> inputs{products};
      for (int i = 2; i < n.base_input_count(); ++i) inputs.emplace_back(n.input(i));
      const PatchValue made =
          p.add("RecurrentProjected", std::move(inputs), layer_attributes(n), static_cast<int>(n.outputs().size()));
      for (size_t i = 0; i < n.outputs().size(); ++i) p.replace(n.outputs()[i], made.result(static_cast<int>(i)));
      return p;
    },
    .makes = "RecurrentProjected",
};

}  // namespace kiln::passes
