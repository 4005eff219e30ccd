// com.microsoft SkipLayerNormalization, SkipSimplifiedLayerNormalization and EmbedLayerNormalization, and ONNX Runtime's
// SimplifiedLayerNormalization: normalisations of the last axis, of a sum.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

Attributes norm_attributes(const NodeImport& n, double epsilon) {
  return {{"axis", n.integer("axis", -1)}, {"epsilon", n.real("epsilon", epsilon)}};
}

// 1 / sqrt(mean(x^2) + epsilon) over the last axis.
ir::Value* inverse_root_mean_square(NodeImport& n, int output, ir::Value* x, double epsilon) {
  ir::Value* mean = n.add("ReduceMean", {n.add("Mul", {x, x}), n.ints({-1})});
  ir::Value* root = n.add("Sqrt", {n.add("Add", {mean, n.scalar(x->dtype(), epsilon)})});
  return n.result(output, "Reciprocal", {root});
}

// Results 0 to 3 of a normalised sum: the result, mean, inverse standard deviation, the sum.
void yield_normalized_sum(NodeImport& n, ir::Value* bias, bool centred) {
  const double epsilon = n.real("epsilon", 1e-12);
  ir::Value* sum = n.add("Add", {n.in(0), n.in(1)});
  if (bias) sum = n.add("Add", {sum, bias});
  std::vector<ir::Value*> results;
  if (centred) {
    results = n.wants(1) || n.wants(2)
                  ? n.add_many("LayerNormalization", {sum, n.in(2), n.optional(3)}, norm_attributes(n, 1e-12), 3)
                  : std::vector<ir::Value*>{
                        n.result(0, "LayerNormalization", {sum, n.in(2), n.optional(3)}, norm_attributes(n, 1e-12))};
  } else {
    if (n.wants(1)) n.unsupported("the mean of SkipSimplifiedLayerNormalization is asked for; it has none");
    results = {n.result(0, "RMSNormalization", {sum, n.in(2)}, norm_attributes(n, 1e-12))};
    if (n.wants(2)) results.insert(results.end(), {nullptr, inverse_root_mean_square(n, 2, sum, epsilon)});
  }
  if (n.wants(3)) {
    results.resize(3);
    results.push_back(sum);
  }
  n.yield(std::move(results));
}

void import_simplified(NodeImport& n) {
  ir::Value* y = n.result(0, "RMSNormalization", {n.in(0), n.in(1)}, norm_attributes(n, 1e-5));
  std::vector<ir::Value*> results{y};
  if (n.wants(1)) {
    if (const int64_t axis = n.integer("axis", -1); axis != -1 && axis != n.rank() - 1)
      n.unsupported("its second result over another axis than the last");
    results.push_back(inverse_root_mean_square(n, 1, n.in(0), n.real("epsilon", 1e-5)));
  }
  n.yield(std::move(results));
}

// Word, position and segment embeddings, summed and normalised; how many elements of each row of the mask are not 0.
void import_embedding(NodeImport& n) {
  ir::Value* ids = n.in(0);
  ir::Value* sum = n.add("Gather", {n.in(2), ids});
  if (n.optional(8)) {
    sum = n.add("Add", {sum, n.add("Gather", {n.in(3), n.in(8)})});
  } else {
    ir::Value* length = n.add("Shape", {ids}, {{"start", int64_t{1}}, {"end", int64_t{2}}});
    sum = n.add("Add", {sum, n.add("Slice", {n.in(3), n.ints(Ints{0}), length, n.ints(Ints{0})})});
  }
  if (n.optional(1)) sum = n.add("Add", {sum, n.add("Gather", {n.in(4), n.in(1)})});
  std::vector<ir::Value*> results{
      n.result(0, "LayerNormalization", {sum, n.in(5), n.in(6)}, norm_attributes(n, 1e-12))};
  const Attributes to_int32{{"to", std::string("int32")}};
  if (n.wants(1)) {
    if (n.optional(7)) {
      ir::Value* counted =
          n.add("ReduceSum",
                {n.add("Cast", {n.add("Cast", {n.in(7)}, {{"to", std::string("bool")}})}, to_int32), n.ints({1})},
                {{"keepdims", int64_t{0}}});
      results.push_back(n.result(1, "Identity", {counted}));
    } else {
      ir::Value* batch = n.add("Shape", {ids}, {{"start", int64_t{0}}, {"end", int64_t{1}}});
      results.push_back(n.result(1, "ConstantOfShape", {batch}, {{"value", Tensor::of<int32_t>({1}, {0})}}));
    }
  }
  if (n.wants(2)) {
    results.resize(2);
    results.push_back(sum);
  }
  n.yield(std::move(results));
}

}  // namespace

const OnnxOp ms_embed_layer_normalization{"com.microsoft.EmbedLayerNormalization", {{1, import_embedding}}};
const OnnxOp ms_simplified_layer_normalization{"SimplifiedLayerNormalization", {{1, import_simplified}}};
const OnnxOp ms_skip_layer_normalization{"com.microsoft.SkipLayerNormalization",
                                         {{1, [](NodeImport& n) { yield_normalized_sum(n, n.optional(4), true); }}}};
const OnnxOp ms_skip_simplified_layer_normalization{
    "com.microsoft.SkipSimplifiedLayerNormalization",
    {{1, [](NodeImport& n) { yield_normalized_sum(n, n.optional(3), false); }}}};

}  // namespace kiln::onnx::ops
