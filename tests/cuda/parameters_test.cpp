// Parameters of steps on NVIDIA GPUs: what a tactic emits, the kernel reads back, and it names what is missing, too much, of another type or
// out of bounds. Nothing is launched.
#include <gtest/gtest.h>

#include <map>

#include "backends/cuda/device/device.h"
#include "backends/cuda/device/kernels/conv_parameters.h"
#include "backends/cuda/device/kernels/cudnn_parameters.h"
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/device/kernels/registry.h"
#include "cuda/cases.h"
#include "device/cell_activation.h"
#include "tensor/trees.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kHalf = DType::kF16, kFloat = DType::kF32;

Operand holding(Tensor t) { return {.dims = t.dims(), .type = t.dtype(), .constant = true, .value = t}; }
Operand whole(Dims dims, std::vector<int64_t> values) {
  return holding(Tensor::of<int64_t>(std::move(dims), std::move(values)));
}
Operand absent() { return {.dims = {}, .present = false}; }
std::string word(const char* text) { return text; }

std::vector<NodeCase> convolutions() {
  NodeCase bytes{.op = "ConvInteger",
                 .inputs = {last({1, 64, 6, 6}, DType::kU8), constant({16, 64, 3, 3}, DType::kI8)},
                 .output_layout = kLast};
  bytes.post = {post("Cast", {-1}, {{"to", word("float32")}}), post("Mul", {-1, 0})};
  bytes.extra = {constant({16, 1, 1}, kFloat)};
  return {
      conv({1, 3, 20, 17}, {64, 3, 3, 3}, kHalf, kSame3x3),
      conv({8, 256, 40, 40}, {256, 256, 3, 3}, kHalf, kSame3x3),
      conv({1, 64, 1, 1}, {32, 64, 1, 1}, kHalf, {}),
      conv({2, 64, 9, 9}, {64, 1, 3, 3}, kHalf, {{"group", int64_t{64}}, {"pads", Ints{1, 1, 1, 1}}}),
      bytes,
      {.op = "DeformConv",
       .inputs = {plain({2, 5, 9, 11}, kHalf), plain({7, 5, 3, 3}, kHalf), plain({2, 18, 7, 9}, kHalf)}},
      {.op = "ConvExcite",
       .attributes = {{"group", int64_t{32}}, {"pads", Ints{1, 1, 1, 1}}},
       .inputs = {last({2, 32, 7, 7}, kHalf), constant({32, 1, 3, 3}, kHalf), constant({32}, kHalf),
                  constant({8, 32, 1, 1}, kHalf), constant({8}, kHalf), constant({32, 8, 1, 1}, kHalf),
                  constant({32}, kHalf)},
       .output_layout = kLast,
       .outputs = 2},
      {.op = "ScaledConv",
       .inputs = {last({2, 32, 7, 7}, kHalf), constant({24, 32, 1, 1}, kHalf), constant({24}, kHalf),
                  last({2, 32, 1, 1}, kHalf)},
       .output_layout = kLast},
      {.op = "SqueezeExcite",
       .inputs = {last({2, 32, 7, 7}, kHalf), constant({8, 32, 1, 1}, kHalf), constant({8}, kHalf),
                  constant({32, 8, 1, 1}, kHalf), constant({32}, kHalf)},
       .output_layout = kLast},
  };
}

std::vector<NodeCase> products() {
  return {
      {.op = "MatMul", .inputs = {plain({64, 768}, kHalf), constant({768, 192}, kHalf)}},
      {.op = "MatMul", .inputs = {plain({64, 768}, kHalf), plain({768, 192}, kHalf)}},
      {.op = "MatMul", .inputs = {plain({4, 5}, DType::kF64), plain({5, 6}, DType::kF64)}},
      {.op = "MatMulInteger", .inputs = {plain({2, 7, 13}, DType::kU8), plain({2, 13, 21}, DType::kI8)}},
      {.op = "QLinearMatMul",
       .inputs = {plain({3, 4}, DType::kU8), plain({}, kFloat), plain({}, DType::kU8), plain({4, 5}, DType::kI8),
                  plain({5}, kFloat), plain({5}, DType::kI8), plain({}, kFloat), plain({}, DType::kU8)}},
      {.op = "QLinearConv",
       .inputs = {plain({1, 3, 6, 6}, DType::kU8), plain({}, kFloat), plain({}, DType::kU8),
                  plain({4, 3, 3, 3}, DType::kI8), plain({4}, kFloat), plain({4}, DType::kI8), plain({}, kFloat),
                  plain({}, DType::kU8)}},
      {.op = "MatMulDequantized",
       .attributes = {{"block_size", int64_t{16}}},
       .inputs = {plain({3, 32}, kHalf), constant({32, 64}, DType::kI8), constant({2, 64}, kFloat)}},
      {.op = "Attention",
       .attributes = {{"scale", 0.25}},
       .inputs = {plain({2, 3, 128, 64}, kHalf), plain({2, 3, 128, 64}, kHalf), plain({2, 3, 128, 64}, kHalf)}},
      {.op = "RotaryEmbedding",
       .inputs = {plain({2, 3, 5, 8}, kHalf), plain({9, 4}, kHalf), plain({9, 4}, kHalf),
                  whole({2, 5}, {0, 8, 3, 3, 1, 7, 2, 5, 4, 6})}},
      {.op = "LSTM",
       .inputs = {plain({5, 3, 7}, kHalf), plain({1, 36, 7}, kHalf), plain({1, 36, 9}, kHalf), absent(), absent(),
                  absent(), absent()},
       .outputs = 3},
      {.op = "RecurrentProjected",
       .attributes = {{"cell", word("LSTM")}},
       .inputs = {plain({5, 3, 36}, kHalf), constant({1, 36, 9}, kHalf)},
       .outputs = 3},
      {.op = "RecurrentDequantized",
       .attributes = {{"cell", word("LSTM")}},
       .inputs = {plain({5, 3, 7}, kFloat), plain({1, 36, 7}, DType::kI8), plain({1, 36, 9}, DType::kI8),
                  plain({1, 36}, kFloat), plain({1, 36}, kFloat)},
       .outputs = 3},
  };
}

std::vector<NodeCase> rows_and_images() {
  const Attributes window{{"kernel_shape", Ints{3, 3}}};
  return {
      {.op = "Softmax", .inputs = {plain({3, 70}, kHalf)}},
      {.op = "LayerNormalization", .inputs = {plain({3, 70}, kHalf), constant({70}, kHalf)}},
      {.op = "EmbeddingNorm", .inputs = {plain({9, 16}, kHalf), whole({2, 2}, {1, 3, 0, 8}), constant({16}, kHalf)}},
      {.op = "InstanceNormalization", .inputs = {plain({2, 4, 5}, kHalf), constant({4}, kHalf), constant({4}, kHalf)}},
      {.op = "GlobalAveragePool", .inputs = {last({2, 40, 7, 5}, kHalf)}, .output_layout = kLast},
      {.op = "MaxPool", .attributes = window, .inputs = {last({2, 16, 9, 9}, kHalf)}, .output_layout = kLast},
      {.op = "LpPool", .attributes = window, .inputs = {plain({2, 3, 9, 9}, kHalf)}},
      {.op = "QuantizedAveragePool",
       .attributes = {{"kernel_shape", Ints{3, 3}}, {"to", word("uint8")}},
       .inputs = {plain({1, 2, 5, 5}, DType::kI8), constant({}, kFloat), holding(Tensor::of<float>({}, {0.5f}))}},
      {.op = "QuantizedResize",
       .attributes = {{"mode", word("cubic")}, {"to", word("uint8")}},
       .inputs = {plain({1, 2, 5, 5}, DType::kI8), absent(), holding(Tensor::of<float>({4}, {1, 1, 2, 2})), absent(),
                  constant({}, kFloat), holding(Tensor::of<float>({}, {0.5f}))}},
      {.op = "Mul", .inputs = {last({2, 40, 7, 5}, kHalf), plain({2, 40, 1, 1}, kHalf)}, .output_layout = kLast},
      {.op = "Resize", .inputs = {plain({1, 2, 4, 4}, kHalf), absent(), holding(Tensor::of<float>({4}, {1, 1, 2, 2}))}},
      {.op = "GridSample", .inputs = {plain({2, 3, 6, 7}, kHalf), plain({2, 5, 4, 2}, kHalf)}},
      {.op = "RoiAlign", .inputs = {plain({2, 5, 8, 9}, kHalf), plain({3, 4}, kHalf), whole({3}, {1, 0, 1})}},
      {.op = "LRN", .attributes = {{"size", int64_t{3}}}, .inputs = {plain({2, 6, 3}, kHalf)}},
      {.op = "DFT", .inputs = {plain({2, 7, 2}, kFloat), absent(), whole({}, {1})}},
      {.op = "SuppressBoxes",
       .attributes = {{"most", int64_t{7}}},
       .inputs = {plain({2, 40, 4}, kFloat), plain({2, 3, 40}, kFloat), absent(), absent()},
       .outputs = 2},
  };
}

std::vector<NodeCase> movement() {
  const Operand data = plain({3, 5}, kFloat), places = whole({3, 5}, std::vector<int64_t>(15, 1));
  const Operand tuples = whole({2, 1}, {0, 2});
  return {
      {.op = "Transpose", .attributes = {{"perm", Ints{1, 0}}}, .inputs = {data}},
      {.op = "Concat", .attributes = {{"axis", int64_t{1}}}, .inputs = {data, data}},
      {.op = "Split",
       .attributes = {{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}},
       .inputs = {plain({3, 6}, kFloat)},
       .outputs = 2},
      {.op = "Gather", .inputs = {data, whole({2}, {2, 0})}},
      {.op = "GatherElements", .inputs = {data, places}},
      {.op = "GatherDequantized", .inputs = {constant({9, 5}, DType::kI8), whole({2}, {1, 0}), constant({}, kFloat)}},
      {.op = "GatherND", .inputs = {data, tuples}},
      {.op = "ScatterElements", .inputs = {data, places, data}},
      {.op = "ScatterND", .inputs = {data, tuples, plain({2, 5}, kFloat)}},
      {.op = "Pad", .inputs = {data, whole({4}, {1, 1, 1, 1})}},
      {.op = "CumSum", .inputs = {data, whole({}, {1})}},
      {.op = "CumSum", .inputs = {data, plain({}, DType::kI64)}},
      {.op = "ArgMax", .inputs = {data}},
      {.op = "Hardmax", .inputs = {data}},
      {.op = "ConstantOfShape", .inputs = {whole({2}, {3, 5})}},
      {.op = "EyeLike", .inputs = {data}},
      {.op = "Trilu", .inputs = {data}},
      {.op = "OneHot", .inputs = {places, whole({}, {4}), plain({2}, kFloat)}},
      {.op = "ReverseSequence", .inputs = {data, whole({5}, {0, 1, 2, 3, 1})}},
      {.op = "TopK", .inputs = {data, whole({1}, {2})}, .outputs = 2},
  };
}

std::vector<NodeCase> programs() {
  Trees trees;
  trees.targets = 1;
  trees.features = 1;
  trees.roots = {0};
  trees.nodes = {{.split = 0.5, .feature = 0, .if_true = -1, .if_false = -2, .missing_is_true = true}};
  trees.leaf_ends = {1, 2};
  trees.votes = {{0, 1.0}, {0, 2.0}};
  trees.base = {0.5};
  NodeCase table{.op = "Dequantize",
                 .inputs = {plain({5, 7}, DType::kU8), constant({}, kFloat), constant({}, DType::kU8)}};
  table.post = {post("Relu", {-1}), post("Quantize", {-1, 0, 1}, {{"to", word("int8")}})};
  table.extra = {constant({}, kFloat), constant({}, DType::kI8)};
  return {
      {.op = "Add", .inputs = {plain({2, 5, 40}, kHalf), plain({40}, kHalf)}},
      table,
      {.op = "BatchNormalization",
       .inputs = {plain({2, 21, 4}, kHalf), constant({21}, kHalf), constant({21}, kHalf), constant({21}, kHalf),
                  holding(Tensor::of<float>({21}, std::vector<float>(21, 1)).cast(kHalf))}},
      {.op = "Where", .inputs = {plain({3}, DType::kBool), plain({3}, DType::kC64), plain({3}, DType::kC64)}},
      {.op = "Cast",
       .attributes = {{"to", word("float8e5m2")}, {"saturate", int64_t{0}}},
       .inputs = {plain({3, 6}, kFloat)}},
      {.op = "QuantizeLinear", .inputs = {plain({3, 6}, kFloat), constant({}, kFloat), constant({}, DType::kU8)}},
      {.op = "DequantizeLinear",
       .attributes = {{"block_size", int64_t{2}}},
       .inputs = {plain({3, 6}, DType::kI4), plain({3, 3}, kFloat)}},
      {.op = "DynamicQuantizeLinear", .inputs = {plain({3, 6}, kFloat)}, .outputs = 3},
      {.op = "DecisionTrees", .attributes = to_attributes(trees), .inputs = {plain({4, 3}, kFloat)}},
  };
}

// A node, or several, for each tactic and kernel.
std::vector<NodeCase> all_cases() {
  std::vector<NodeCase> all;
  for (const auto& list : {convolutions(), products(), rows_and_images(), movement(), programs()})
    all.insert(all.end(), list.begin(), list.end());
  return all;
}

const Chip kChip{.compute = 90, .multiprocessors = 132, .shared_per_block = 227 << 10, .cache = 50 << 20};

// What comes of making the kernel; empty: it takes the parameters.
std::string refusal_of(const std::string& kernel, const Attributes& parameters) {
  static Gpu gpu(nullptr, nullptr, kChip);
  try {
    EXPECT_NE(make_kernel(gpu, kernel, parameters), nullptr) << kernel;
    return "";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kMalformedPlan) << kernel << ": " << e.what();
    return e.what();
  }
}

// "'steps'"; that of a program is named, not its parts.
std::string quoted(const std::string& name) { return "'" + name.substr(0, name.find('.')); }

void expect_named(const std::string& kernel, const Attributes& parameters, const std::string& name) {
  const std::string text = refusal_of(kernel, parameters);
  EXPECT_NE(text.find(quoted(name)), std::string::npos) << kernel << " " << name << ": " << text;
}

bool may_be_absent(const std::string& name) {
  const std::set<std::string> kOptional{"scale", "missing_is_true", "base_values", "starts"};
  return kOptional.count(name) > 0;
}

void expect_checked(const std::string& kernel, const Attributes& good) {
  Attributes more = good;
  more.set("stranger", int64_t{1});
  expect_named(kernel, more, "stranger");
  for (const auto& [name, value] : good) {
    Attributes less = good;
    less.erase(name);
    if (!may_be_absent(name)) expect_named(kernel, less, name);
    Attributes other = good;
    other.set(name, Strings{"other"});
    expect_named(kernel, other, name);
  }
}

// Calls `each` with what every tactic emits for every node that it takes, in every configuration.
template <class Each> void for_each_emitted(const Each& each) {
  for (const NodeCase& c : all_cases()) {
    const BuiltNode node(c);
    for (const Tactic* tactic : tactic_list().all()) {
      if (compiles_long(*tactic) || tactic->refusal(node.problem()).refused()) continue;
      const auto configs = tactic->configurations ? tactic->configurations(node.problem()) : std::vector<Config>(1);
      for (const Config& config : configs) each(*tactic, tactic->emit(node.problem(), config));
    }
  }
}

bool asks_for_library(std::string_view name) {
  return name == "cublaslt" || name == "pointwise_generated" || name.rfind("cudnn", 0) == 0;
}

TEST(CudaParameters, KernelsReadWhatTacticsEmit) {
  std::set<std::string> tactics, kernels;
  for_each_emitted([&](const Tactic& tactic, const Emitted& e) {
    tactics.insert(tactic.name);
    kernels.insert(e.kernel);
    if (e.code) return;  // generated: its parameters were read to make it
    EXPECT_EQ(refusal_of(e.kernel, e.parameters), "") << tactic.name;
  });
  for (const Tactic* tactic : tactic_list().all())
    if (!asks_for_library(tactic->name)) {
      EXPECT_TRUE(tactics.count(tactic->name)) << tactic->name;
    }
  for (const kernels::KernelEntry& entry : kernels::all_kernels())
    if (!asks_for_library(entry.name)) {
      EXPECT_TRUE(kernels.count(std::string(entry.name))) << entry.name;
    }
}

TEST(CudaParameters, WhatIsMissingTooMuchOrOfAnotherTypeIsNamed) {
  std::set<std::string> seen;
  for_each_emitted([&](const Tactic&, const Emitted& e) {
    if (!e.code && seen.insert(e.kernel + to_string(e.parameters)).second) expect_checked(e.kernel, e.parameters);
  });
}

struct Wild {
  const char *kernel, *name;
  std::vector<Attribute> values;
};

std::vector<Wild> wild_convolutions() {
  const Attribute zeros = Ints{0, 1}, many = Ints{1 << 15, 1 << 15}, three = Ints{3, 3}, seven = Ints{7, 7};
  return {
      {"conv_any", "groups", {int64_t{0}, INT64_MAX}},
      {"conv_any", "kernel", {zeros, Ints{1}}},
      {"conv_any", "strides", {zeros}},
      {"conv_any", "pads_begin", {Ints{-1, 0}}},
      {"conv_any", "activation", {int64_t{-1}, int64_t{kActivationCount}}},
      {"conv_mma", "tile", {int64_t{-1}, int64_t{kMmaTileCount}}},
      {"conv_mma", "tf32", {int64_t{2}}},
      {"conv_mma", "matrix", {int64_t{-1}}},
      {"conv_mma", "kernel", {many}},
      {"conv_wgmma", "tile", {int64_t{kGroupTileCount}}},
      {"conv_wgmma", "splits", {int64_t{0}, int64_t{3}, int64_t{16}}},
      {"conv_wgmma", "stages", {int64_t{0}, int64_t{13}}},
      {"conv_wgmma", "groups", {int64_t{2}}},
      {"conv_window", "tile", {int64_t{-1}}},
      {"conv_window", "splits", {int64_t{3}}},
      {"conv_window", "stages", {int64_t{1}}},
      {"conv_window", "boxes", {int64_t{0}, int64_t{kMaxBoxes + 1}}},
      {"conv_stream", "tile", {int64_t{kStreamTileCount}}},
      {"conv_stream", "stages", {int64_t{1}}},
      {"conv_stream", "buffers", {int64_t{kMaxBuffers + 1}}},
      {"conv_stream", "apart", {int64_t{1}}},
      {"conv_few", "columns", {int64_t{48}}},
      {"conv_few", "lines", {int64_t{12}}},
      {"conv_few", "groups", {int64_t{2}}},
      {"skinny", "kernel", {three}},
      {"skinny", "groups", {int64_t{2}}},
      {"product_wgmma", "splits", {int64_t{3}, int64_t{16}}},
      {"product_wgmma", "shares", {int64_t{0}, int64_t{6}}},
      {"depthwise_boxes", "patch", {int64_t{2}}},
      {"depthwise_boxes", "pairs", {int64_t{24}}},
      {"depthwise_boxes", "kernel", {seven}},
      {"conv_depthwise", "tile", {int64_t{3}}},
      {"conv_excite", "pairs", {int64_t{24}}},
      {"conv_excite", "hidden", {int64_t{0}}},
      {"conv_excite", "kernel", {seven}},
      {"scaled_conv", "squares", {int64_t{3}}},
      {"scaled_conv", "groups", {int64_t{2}}},
      {"scaled_conv", "kernel", {three}},
      {"quantize_any", "axis", {int64_t{-1}, INT64_MAX}},
      {"quantize_any", "block", {int64_t{-1}, INT64_MAX}},
      {"quantize_any", "precision", {int64_t{-1}, int64_t{kDTypeCount}, int64_t{static_cast<int>(DType::kI8)}}},
      {"conv_int8", "tile", {int64_t{kMmaTileCount}}},
      {"conv_int8", "splits", {int64_t{5}}},
      {"conv_int8", "parts", {int64_t{0}, int64_t{4}}},
      {"conv_int8", "x_zero", {int64_t{-129}, int64_t{256}}},
      {"conv_int8_any", "x_zero", {int64_t{256}}},
      {"conv_int8_any", "steps", {Ints{99}}},
      {"deform_conv", "groups", {int64_t{0}}},
      {"deform_conv", "offset_groups", {INT64_MAX}},
      {"deform_conv", "strides", {zeros, Ints{1, 40000}}},
      {"deform_conv", "dilations", {zeros, Ints{40000, 1}}},
      {"deform_conv", "pads", {Ints{-40000, 0}}},
      {"squeeze_excite", "blocks", {int64_t{3}, int64_t{16}}},
      {"squeeze_excite", "keep", {int64_t{3}}},
      {"squeeze_excite", "threads", {int64_t{300}}},
      {"squeeze_excite", "hidden", {int64_t{0}, int64_t{1} << 17}},
      {"squeeze_excite", "squeeze", {int64_t{kActivationCount}}},
      {"squeeze_excite", "excite", {int64_t{-1}}},
  };
}

std::vector<Wild> wild_others() {
  return {
      {"product_any", "vector_a", {int64_t{2}}},
      {"product_any", "transpose_b", {int64_t{-1}}},
      {"product_plain", "transpose_a", {int64_t{2}}},
      {"product_int8", "x_zero", {int64_t{256}}},
      {"product_int8", "result_zero", {int64_t{-129}}},
      {"integer_conv", "groups", {int64_t{0}, INT64_MAX}},
      {"integer_conv", "kernel", {Ints{0, 1}}},
      {"integer_conv", "dilations", {Ints{1, 0}}},
      {"mean_bytes", "kind", {int64_t{-1}, int64_t{3}}},
      {"mean_bytes", "x_zero", {int64_t{-129}, int64_t{256}}},
      {"mean_bytes", "strides", {Ints{0, 1}}},
      {"resize_bytes", "mode", {std::string("nearest"), std::string("other")}},
      {"resize_bytes", "antialias", {int64_t{1}, int64_t{2}}},
      {"resize_bytes", "y_zero", {int64_t{256}}},
      {"cast_float8", "rounding", {std::string("sideways")}},
      {"product_blocks", "tile", {int64_t{3}}},
      {"product_blocks", "k", {int64_t{0}}},
      {"product_blocks", "n", {int64_t{1} << 31}},
      {"product_blocks", "block", {int64_t{0}, int64_t{33}}},
      {"product_blocks", "bits", {int64_t{5}}},
      {"attention", "queries", {int64_t{17}, int64_t{256}}},
      {"attention", "q_heads", {int64_t{-1}}},
      {"attention", "kv_heads", {INT64_MAX}},
      {"attention", "mask_period", {int64_t{-1}, INT64_MAX}},
      {"suppress_boxes", "most", {int64_t{0}}},
      {"suppress_boxes", "center", {int64_t{2}}},
      {"recurrent", "cell", {std::string("tanh")}},
      {"recurrent", "kinds", {Ints{-1, 0, 0}, Ints{0, 0}, Ints{0, 0, kCellActivations}, Ints(9, 0)}},
      {"recurrent", "alphas", {Floats{}, Floats{1, 2}}},
      {"recurrent", "betas", {Floats(6, 0.0)}},
      {"recurrent_chip", "hidden", {int64_t{0}, INT64_MAX}},
      {"recurrent_chip", "blocks", {int64_t{0}, int64_t{3}, int64_t{32}}},
      {"dft", "axis", {int64_t{-1}, int64_t{64}}},
      {"dft", "length", {int64_t{-1}, INT64_MAX}},
      {"dft", "inverse", {int64_t{2}}},
      {"pointwise", "program.inputs", {int64_t{-1}, int64_t{0}}},
      {"pointwise", "program.outputs", {Ints{99}}},
      {"decision_trees", "aggregate", {int64_t{4}}},
      {"decision_trees", "targets", {int64_t{0}, INT64_MAX}},
      {"decision_trees", "roots", {Ints{INT64_MAX}}},
      {"decision_trees", "modes", {Ints{TreeNode::kModeCount}}},
      {"decision_trees", "features", {Ints{-1}}},
      {"decision_trees", "missing_is_true", {Ints{2}}},
  };
}

TEST(CudaParameters, WhatIsOutOfBoundsIsNamed) {
  std::map<std::string, Attributes> emitted;  // by kernel
  for_each_emitted([&](const Tactic&, const Emitted& e) { emitted.try_emplace(e.kernel, e.parameters); });
  for (const auto& list : {wild_convolutions(), wild_others()})
    for (const Wild& wild : list)
      for (const Attribute& value : wild.values) {
        Attributes bad = emitted[wild.kernel];
        ASSERT_TRUE(bad.has(wild.name)) << wild.kernel << " " << wild.name;
        bad.set(wild.name, value);
        expect_named(wild.kernel, bad, wild.name);
      }
}

// What fits one by one and not together.
TEST(CudaParameters, WhatDoesNotFitTogether) {
  using namespace kernels;
  const auto expect = [](const char* kernel, const auto& parameters, const char* name) {
    expect_named(kernel, to_parameters(parameters), name);
  };
  expect("product_wgmma", ProductWgmmaParameters{.choice = {8, 2}}, "shares");
  expect("conv_int8", ConvInt8Parameters{.choice = {.tile = 0, .splits = 4}}, "splits");
  TiledParameters window;
  window.window.kernel[0] = window.window.kernel[1] = 3;
  expect("depthwise_boxes", DepthwiseBoxesParameters{{window, {.patch = 1, .pairs = 16}}}, "patch");
  ConvDepthwiseParameters depthwise{{{window.window}}, {}};
  depthwise.conv.window.stride[0] = depthwise.conv.window.stride[1] = 2;
  EXPECT_EQ(refusal_of("conv_depthwise", to_parameters(depthwise)), "");
  depthwise.choice.tile = 2;
  expect("conv_depthwise", depthwise, "tile");
  window.epilogue.activation = Activation::kSilu;
  ConvStreamParameters stream{{window, {.tile = 4, .apart = true}}};
  EXPECT_EQ(refusal_of("conv_stream", to_parameters(stream)), "");
  stream.choice.tile = 0;
  expect("conv_stream", stream, "apart");
  expect("product_blocks", ProductBlocksParameters{{.terms = 8, .columns = 8, .block = 9}}, "block");
  ByteSums sums;
  sums.sums.kinds = Ints(kMostSumSteps + 1, SumStep::kRound);
  sums.sums.lows = sums.sums.highs = Floats(kMostSumSteps + 1, 0);
  expect("product_int8", sums, "steps");
  sums.sums = {.table = std::vector<uint8_t>(256), .is_signed = false};
  expect("product_int8", sums, "table");
  const LtParameters library;
  EXPECT_EQ(refusal_of("cublaslt", to_parameters(library)), "");
  expect_checked("cublaslt", to_parameters(library));
  expect("cublaslt", LtParameters{.choice = {.proposal = LtChoices::kMostProposals}}, "proposal");
  expect("cublaslt", LtParameters{.choice = {.library = -1}}, "library");
}

TEST(CudaParameters, ConvolutionsOfCudnn) {
  using namespace kernels;
  const auto& all = all_kernels();
  if (std::none_of(all.begin(), all.end(), [](const KernelEntry& entry) { return entry.name == "cudnn"; }))
    GTEST_SKIP() << "Kiln was built without cuDNN's headers";
  const auto expect = [](const CudnnParameters& parameters, const char* name) {
    expect_named("cudnn", to_parameters(parameters), name);
  };
  const CudnnParameters good{.choice = {.engine = 3, .knobs = {1, 2}, .values = {0, -1}}};
  EXPECT_EQ(refusal_of("cudnn", to_parameters(good)), "");
  expect_checked("cudnn", to_parameters(good));
  expect({.choice = {.engine = -1}}, "engine");
  expect({.choice = {.engine = CudnnChoice::kMostEngine + 1}}, "engine");
  expect({.choice = {.knobs = {-1}, .values = {0}}}, "knobs");
  expect({.choice = {.knobs = {1, 2}, .values = {0}}}, "values");
  expect({.choice = {.library = -1}}, "library");
  expect({.window = {.strides = {1}}}, "strides");
  expect({.window = {.strides = {1, 0}}}, "strides");
  expect({.window = {.dilations = {1, 1, 1}}}, "dilations");
  expect({.window = {.begin = {-1, 0}}}, "pads_begin");
  expect({.window = {.end = {}}}, "pads_end");
  expect({.epilogue = {.activation = static_cast<Activation>(kActivationCount)}}, "activation");
}

}  // namespace
}  // namespace kiln::cuda::testing
