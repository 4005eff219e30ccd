// Products of a quantized network that stay in wide types, and why; and scales that are none.
#include "passes/quantize/wide_products.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"
#include "tensor/number_text.h"

namespace kiln::passes {
namespace {

bool is_wide_product(const Node& n) {
  return n.is("Conv") || n.is("ConvTranspose") || n.is("MatMulDequantized") || n.is("Gemm") || n.is("MatMul") ||
         n.is("QLinearConv") || n.is("QLinearMatMul");
}

bool is_quantized(const Node& n) {
  return n.is("Quantize") || n.is("Dequantize") || n.is("QuantizeLinear") || n.is("DequantizeLinear") ||
         n.is("ConvInteger") || n.is("MatMulInteger") || n.is("QLinearConv") || n.is("QLinearMatMul");
}

// What the rule that would make it a product of integers says.
std::string reason(Node& n, const PassOptions& options) {
  if (n.is("MatMulDequantized")) {
    const auto x = dequantized(n.input(0));
    if (x && kWordTypes.has(x->integers->dtype())) return "x has 16 bits";
    return x && !kByteTypes.has(x->integers->dtype()) ? "x is not of bytes" : "x is not dequantized";
  }
  if (n.is("ConvTranspose")) return refusal(dequantized_transposed, n, options);
  if (n.is("QLinearConv") || n.is("QLinearMatMul")) return refusal(qlinear_to_integer, n, options);
  const bool x = dequantized(n.input(0)).has_value(), w = dequantized(n.input(1)).has_value();
  if (!x) return w ? "x is not dequantized" : "no operand is dequantized";
  if (!w) return "the weights are not dequantized";
  return refusal(n.is("MatMul") && !dequantized(n.input(1))->integers->constant() ? quantized_pair : quantized_product,
                 n, options);
}

// Where operators have their scales.
std::vector<int> scale_inputs(const Node& n) {
  if (n.is("QuantizeLinear") || n.is("DequantizeLinear")) return {1};
  if (n.is("QLinearConv") || n.is("QLinearMatMul")) return {1, 4, 6};
  return {};
}

// The first element that is no scale.
std::optional<float> unsound_element(const Value* scale) {
  const Tensor* t = scale ? scale->constant() : nullptr;
  for (int64_t i = 0; t && i < t->size(); ++i)
    if (const auto v = static_cast<float>(t->at(i)); !(v > 0) || !std::isnormal(v)) return v;
  return std::nullopt;
}

}  // namespace

std::vector<std::string> unsound_scales(const Graph& graph) {
  std::vector<std::string> lines;
  std::set<const Value*> seen;
  for (const auto& n : graph.nodes())
    for (int input : scale_inputs(*n)) {
      const Value* scale = n->input(input);
      const auto element = unsound_element(scale);
      if (element && seen.insert(scale).second)
        lines.push_back("the scale '" + scale->name() + "' of '" + n->name() + "' (" + n->op_name() + ") has " +
                        real_text(*element) + ": it is computed with as it stands, in float32");
    }
  return lines;
}

void note_wide_products(const Graph& graph, PassContext& context) {
  if (std::none_of(graph.nodes().begin(), graph.nodes().end(), [](const auto& n) { return is_quantized(*n); })) return;
  for (const auto& n : graph.nodes())
    if (is_wide_product(*n)) context.stays(*n, reason(*n, context.options()));
}

}  // namespace kiln::passes
