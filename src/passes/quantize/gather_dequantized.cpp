// Slices of a dequantized constant are dequantized when they are taken: the table stays in integers.
#include "base/index.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

constexpr TypeSet kTableCodes{DType::kI2, DType::kU2, DType::kI4, DType::kU4, DType::kI8, DType::kU8};

// Scale and zero point as DequantizeLinear has them.
struct Granularity {
  Tensor scale, zero_point;  // the latter invalid: none
  int64_t axis = 0, block_size = 0;
};

// A parameter that broadcasts to a tensor of that rank as one number, or as one for each index of `axis`, which is found where it is
// negative; nothing when it varies along other axes.
std::optional<Tensor> along_one_axis(const Tensor& t, int64_t rank, int64_t& axis) {
  if (t.size() == 1) return t.reshaped({});
  int64_t found = -1;
  for (int64_t i = 0; i < t.rank(); ++i) {
    if (nth(t.dims(), i) == 1) continue;
    if (found >= 0) return std::nullopt;
    found = rank - t.rank() + i;
  }
  if (found < 0 || (axis >= 0 && axis != found)) return std::nullopt;
  axis = found;
  return t.reshaped({t.size()});
}

std::optional<Granularity> granularity_of(const Node& n) {
  const Tensor *scale = n.input(1)->constant(), *zero = n.input(2) ? n.input(2)->constant() : nullptr;
  if (n.is("DequantizeLinear"))
    return Granularity{*scale, zero ? *zero : Tensor(), integer(n, "axis"), integer(n, "block_size")};
  Granularity g;
  int64_t axis = -1;
  const int64_t rank = n.input(0)->rank();
  const auto scales = along_one_axis(*scale, rank, axis);
  const auto zeros = zero ? along_one_axis(*zero, rank, axis) : Tensor();
  if (!scales || !zeros) return std::nullopt;
  g.scale = *scales;
  g.zero_point = *zeros;
  g.axis = std::max<int64_t>(axis, 0);
  return g;
}

}  // namespace

const Rule gather_dequantized{
    .name = "gather_dequantized",
    .pattern = node("Gather"),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const Node* table = n.input(0)->producer();
      if (!table || !(table->is("Dequantize") || table->is("DequantizeLinear")) || !table->post.empty())
        return std::nullopt;
      const Value *codes = table->input(0), *scale = table->input(1), *zero = table->input(2);
      if (!codes->constant() || !kTableCodes.has(codes->dtype()))
        return decline("the table is no constant of integers of 2, 4 or 8 bits");
      if (!scale->constant() || (zero && !zero->constant())) return decline("scale or zero point are not constant");
      if (!(kFloatTypes | DType::kF8E8M0).has(scale->dtype()) || scale->dtype() == DType::kF64)
        return decline("the scale is " + std::string(name(scale->dtype())));
      const auto g = granularity_of(*table);
      if (!g) return decline("scale or zero point vary along several axes");
      Patch p(m);
      std::vector<PatchValue> inputs{table->input(0), n.input(1),
                                     p.constant(g->scale.cast(DType::kF32), table->input(1)->name())};
      if (g->zero_point.valid()) inputs.push_back(p.constant(g->zero_point, table->input(2)->name()));
      PatchValue rows = p.add("GatherDequantized", std::move(inputs),
                              {{"gather_axis", integer(n, "axis")}, {"axis", g->axis}, {"block_size", g->block_size}});
      if (n.output()->dtype() != DType::kF32)
        rows = p.add("Cast", {rows}, {{"to", std::string(name(n.output()->dtype()))}});
      p.replace(n.output(), rows);
      return p;
    },
    .makes = "GatherDequantized",
};

}  // namespace kiln::passes
