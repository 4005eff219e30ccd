// The lists of rules, from the families' lists, and the passes made of them.
#include "passes/rule_lists.h"

#include <algorithm>

#include "passes/narrow/narrow_weights.h"
#include "passes/narrow/overflow.h"
#include "passes/pass.h"
#include "passes/quantize/by_range.h"
#include "passes/quantize/few_bits.h"
#include "passes/quantize/wide_products.h"

namespace kiln::passes {
namespace {

// 16-bit floats, bytes to pool, or quantized constants.
bool has_narrow_numbers(const Graph& graph) {
  for (const auto& n : graph.nodes()) {
    if (n->is("DequantizeLinear") || n->is("Dequantize") || (n->is("MaxPool") && bits(n->output()->dtype()) == 8))
      return true;
    for (const Value* v : n->outputs())
      if (v->dtype() == DType::kF16 || v->dtype() == DType::kBF16) return true;
    for (const auto& region : n->regions)
      if (has_narrow_numbers(*region)) return true;
  }
  return false;
}

// What these find would be hidden by the casts.
void fuse_patterns(Graph& graph, PassContext& context) {
  std::vector<const Rule*> patterns = fusion_rules();
  std::erase_if(patterns, [](const Rule* rule) { return rule->stage != 0; });
  apply_rules(graph, patterns, context);
}

}  // namespace

#define KILN_RULE(word) &word,
std::vector<const Rule*> canonical_rules() {
  return {
#include "passes/canonicalize/list.inc"
  };
}

std::vector<const Rule*> fusion_rules() {
  return {
#include "passes/fuse/list.inc"
  };
}

std::vector<const Rule*> precision_rules() {
  return {
#include "passes/precision/list.inc"
  };
}

std::vector<const Rule*> narrow_rules() {
  return {
#include "passes/narrow/list.inc"
  };
}

std::vector<const Rule*> quantize_rules() {
  return {
#include "passes/quantize/list.inc"
  };
}

#undef KILN_RULE

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (const auto& list : {canonical_rules(), fusion_rules(), precision_rules(), narrow_rules(), quantize_rules()})
    for (const Rule* rule : list) names.push_back(rule->name);
  for (std::string_view made : {kQuantizedByRange, kSumsOfBytes, kWeightsInFewBits, kNarrowWeights})
    names.emplace_back(made);
  return names;
}

namespace {

void apply_in_stages(Graph& graph, const std::vector<const Rule*>& rules, PassContext& context) {
  std::map<int, std::vector<const Rule*>> stages;
  for (const Rule* rule : rules) stages[rule->stage].push_back(rule);
  for (const auto& [stage, list] : stages) apply_rules(graph, list, context);
}

// Attention's products are of two activations, and nothing else is made of them.
bool may_multiply_in_narrow(const Node& n) {
  const bool by_constants = (n.is("Conv") || n.is("MatMul")) && n.input(1)->constant();
  return (by_constants || n.is("Attention")) && n.output()->dtype() == DType::kF32;
}

// Products of float32 that are free to compute in any type may do so in this one: their tactics are compared by time.
void mark_products(Graph& graph, DType type) {
  for (const auto& n : graph.nodes()) {
    for (const auto& region : n->regions) mark_products(*region, type);
    if (may_multiply_in_narrow(*n) && n->precision == DType::kInvalid) n->precision = type;
  }
}

}  // namespace

Pass canonicalize() {
  return {"canonicalize", [](Graph& graph, PassContext& context) { apply_rules(graph, canonical_rules(), context); }};
}

Pass fuse() {
  return {"fuse", [](Graph& graph, PassContext& context) { apply_in_stages(graph, fusion_rules(), context); }};
}

Pass chain_pointwise() {
  return {"fuse", [](Graph& graph, PassContext& context) { apply_rules(graph, {&pointwise_chain}, context); }};
}

Pass quantize() {
  return {"quantize", [](Graph& graph, PassContext& context) {
            for (const std::string& line : unsound_scales(graph)) context.warn(line);
            apply_in_stages(graph, quantize_rules(), context);
            note_wide_products(graph, context);
            apply_rules(graph, canonical_rules(), context);
          }};
}

Pass dequantize_constants() {
  return {"dequantize", [](Graph& graph, PassContext& context) {
            apply_rules(graph, {&fold_dequantized}, context);
            apply_rules(graph, canonical_rules(), context);
          }};
}

Pass compute_in(DType type, DType second) {
  return {"precision", [type, second](Graph& graph, PassContext& context) {
            fuse_patterns(graph, context);
            const OverflowingWeights found = find_overflowing_weights(graph, type);
            for (const std::string& line : settle_overflowing_weights(found, type, second)) context.warn(line);
            for (const std::string& line : keep_large_values_wide(graph, found, type, second)) context.warn(line);
            apply_rules(graph, {type == DType::kF16 ? &single_to_float16 : &single_to_bfloat16}, context);
            if (second == DType::kBF16) apply_rules(graph, {&asked_to_bfloat16}, context);
            apply_rules(graph, canonical_rules(), context);
          }};
}

Pass multiply_in_bfloat16() {
  return {"precision", [](Graph& graph, PassContext&) { mark_products(graph, DType::kBF16); }};
}

Pass keep_narrow_weights(DType compute) {
  return {"weights", [compute](Graph& graph, PassContext& context) { mark_narrow_weights(graph, compute, context); }};
}

Pass compute_in_float32() {
  return {"precision", [](Graph& graph, PassContext& context) {
            if (!has_narrow_numbers(graph)) return;
            fuse_patterns(graph, context);
            apply_rules(graph, precision_rules(), context);
            apply_rules(graph, canonical_rules(), context);
          }};
}

}  // namespace kiln::passes
