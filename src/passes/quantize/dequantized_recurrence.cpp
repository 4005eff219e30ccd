// LSTM and GRU of dequantized weights keep the bytes: RecurrentDequantized reads them at each step.
#include <algorithm>

#include "base/index.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

// Constant bytes [directions, rows, terms] with one scale and zero point for each row: [directions, rows].
struct ByteMatrices {
  Value* integers = nullptr;
  Tensor scale, zero_point;  // the latter invalid: none
};

// A parameter that broadcasts to matrices of these dims, by row; nothing when it varies along a row.
std::optional<Tensor> by_row(const Tensor& t, const Dims& dims) {
  if (t.rank() > 3 || (t.size() != 1 && t.rank() > 0 && t.dims().back() != 1)) return std::nullopt;
  Dims own(3, 1);
  std::copy(t.dims().begin(), t.dims().end(), own.end() - t.rank());
  for (int axis : {0, 1})
    if (nth(own, axis) != 1 && nth(own, axis) != nth(dims, axis)) return std::nullopt;
  Tensor rows = Tensor::allocate(t.dtype(), {dims[0], dims[1]});
  for (int64_t i = 0; i < rows.size(); ++i)
    copy_elements(t, (own[0] == 1 ? 0 : i / dims[1] * own[1]) + (own[1] == 1 ? 0 : i % dims[1]), rows, i, 1);
  return rows;
}

std::optional<ByteMatrices> byte_matrices(const Value* weights) {
  const Node* n = weights->producer();
  if (!n || !(n->is("Dequantize") || n->is("DequantizeLinear")) || !n->post.empty())
    return decline("the weights are not dequantized");
  const Value *integers = n->input(0), *scale = n->input(1), *zero = n->input(2);
  if (!integers->constant() || !kByteTypes.has(integers->dtype()) || integers->rank() != 3)
    return decline("the weights are no constant bytes");
  if (!scale->constant() || scale->dtype() != DType::kF32 || (zero && !zero->constant()))
    return decline("scale or zero point of the weights are no constants of float32 and bytes");
  if (n->is("DequantizeLinear") && scale->constant()->size() != 1 &&
      (integer(*n, "block_size") < integers->constant()->dims()[2] || normalize_axis(integer(*n, "axis"), 3) != 2))
    return decline("the weights have scales of blocks");
  const Dims& dims = integers->constant()->dims();
  const auto scales = by_row(*scale->constant(), dims);
  const auto zeros = zero ? by_row(*zero->constant(), dims) : Tensor();
  if (!scales || !zeros) return decline("scale or zero point vary along the rows of the weights");
  return ByteMatrices{n->input(0), *scales, *zeros};
}

bool has_usual_activations(const Node& n) {
  const Strings given = n.attributes.texts("activations", {});
  const Strings usual = n.is("LSTM") ? Strings{"Sigmoid", "Tanh", "Tanh"} : Strings{"Sigmoid", "Tanh"};
  for (size_t i = 0; i < given.size(); ++i)
    if (given[i] != usual[i % usual.size()]) return false;
  return true;
}

}  // namespace

const Rule dequantized_recurrence{
    .name = "dequantized_recurrence",
    .pattern = one_of({"GRU", "LSTM"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      if (n.input(0)->dtype() != DType::kF32) return decline("it does not compute in float32");
      const auto w = byte_matrices(n.input(1));
      if (!w) return std::nullopt;
      const auto r = byte_matrices(n.input(2));
      if (!r) return std::nullopt;
      if (w->integers->constant()->size() == 0 || r->integers->constant()->size() == 0)
        return decline("there are no units or no inputs");
      if (n.input(3) && !n.input(3)->constant()) return decline("the bias is not constant");
      if (n.input(4)) return decline("the sequences have lengths of their own");
      if (n.is("LSTM") && n.input(7)) return decline("the cell has peepholes");
      if (real(n, "clip") != 0) return decline("the cell clips");
      if (n.is("LSTM") && integer(n, "input_forget") != 0) return decline("input and forget gate are coupled");
      if (n.is("GRU") && integer(n, "linear_before_reset") == 0) return decline("the reset comes before the product");
      if (!has_usual_activations(n)) return decline("the cell has other activations");

      Patch p(m);
      const auto parameter = [&](const Tensor& t, const Value* of, const char* what) {
        return t.valid() ? p.constant(t, of->name() + what) : PatchValue();
      };
      std::vector<PatchValue> inputs{n.input(0),
                                     w->integers,
                                     r->integers,
                                     parameter(w->scale, w->integers, ".scale"),
                                     parameter(r->scale, r->integers, ".scale"),
                                     parameter(w->zero_point, w->integers, ".zero_point"),
                                     parameter(r->zero_point, r->integers, ".zero_point")};
      for (int i : {3, 4, 5, 6}) inputs.push_back(n.input(i) ? PatchValue(n.input(i)) : PatchValue());
      while (!inputs.back().value && inputs.back().made < 0) inputs.pop_back();
      Attributes attributes{
          {"cell", n.op_name()}, {"direction", text(n, "direction")}, {"layout", integer(n, "layout")}};
      if (n.is("GRU")) attributes.set("linear_before_reset", int64_t{1});
      const PatchValue made =
          p.add("RecurrentDequantized", std::move(inputs), std::move(attributes), static_cast<int>(n.outputs().size()));
      for (size_t i = 0; i < n.outputs().size(); ++i) p.replace(n.outputs()[i], made.result(static_cast<int>(i)));
      return p;
    },
    .makes = "RecurrentDequantized",
};

}  // namespace kiln::passes
