// The kernels of NVIDIA GPUs by their tactics: each is prepared everywhere, and compared with the reference where there is a GPU.
#include <gtest/gtest.h>

#include <cmath>

#include "backends/cuda/device/nvrtc.h"
#include "backends/cuda/target/chip.h"
#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kReals[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kF64};

Operand special(DType type) {  // values at the edges
  Tensor t = Tensor::of<float>({2, 3, 7}, std::vector<float>(42, 0.5f)).cast(type);
  const float values[] = {kNan, kInf, -kInf, 0.0f, -0.0f, 60000.0f, -3.0f};
  for (int64_t i = 0; i < 7; ++i) t.set(i * 5, static_cast<double>(values[i]));
  return {.dims = {2, 3, 7}, .type = type, .value = t};
}

TEST(CudaConv, ThreeByThree) {
  for (DType type : kFloats)
    for (int64_t size : {1, 5, 14}) {
      const auto names = check(conv({2, 64, size, size + 2}, {96, 64, 3, 3}, type, kSame3x3));
      EXPECT_TRUE(names.count("conv_any"));
      EXPECT_TRUE(names.count("conv_mma"));
      EXPECT_EQ(names.count("conv_wgmma"), type == DType::kF32 ? 0u : 1u);
    }
}

TEST(CudaConv, KernelsStridesDilationsPadding) {
  for (DType type : kFloats) {
    check(conv({1, 128, 7, 9}, {72, 128, 1, 1}, type, {}));
    check(conv({2, 64, 14, 14}, {128, 64, 1, 1}, type, {{"strides", Ints{2, 2}}}, false));
    check(conv({2, 40, 11, 8}, {33, 40, 5, 3}, type,
               {{"strides", Ints{2, 1}}, {"dilations", Ints{1, 2}}, {"pads", Ints{2, 1, 0, 3}}}));
    for (const char* padding : {"SAME_UPPER", "SAME_LOWER", "VALID"})
      check(conv({1, 24, 10, 11}, {16, 24, 4, 3}, type, {{"strides", Ints{2, 3}}, {"auto_pad", std::string(padding)}}));
  }
}

// Tiles of eight pixels in a row: images that are no multiple of them, of which a tile holds several, windows that reach far.
TEST(CudaConv, WindowsInOneBox) {
  for (DType type : {DType::kF16, DType::kBF16})
    for (const auto& [dims, taps, pad, dilation] : {std::tuple{Dims{5, 192, 7, 7}, 3, 1, 1},
                                                    {Dims{1, 130, 17, 9}, 3, 1, 1},
                                                    {Dims{2, 64, 8, 24}, 5, 2, 1},
                                                    {Dims{3, 64, 20, 1}, 3, 1, 1},
                                                    {Dims{2, 128, 19, 21}, 3, 4, 4},
                                                    {Dims{1, 8, 30, 30}, 9, 4, 1}}) {
      const Attributes attributes{{"pads", Ints(4, pad)}, {"dilations", Ints(2, dilation)}};
      EXPECT_TRUE(check(conv(dims, {136, dims[1], taps, taps}, type, attributes)).count("conv_window"));
    }
  for (const Attributes& attributes :
       {Attributes{{"strides", Ints{2, 2}}}, Attributes{{"dilations", Ints{200, 200}}, {"pads", Ints(4, 200)}}})
    EXPECT_FALSE(check(conv({1, 64, 12, 12}, {64, 64, 3, 3}, DType::kF16, attributes)).count("conv_window"));
  EXPECT_FALSE(check(conv({1, 64, 12, 12}, {64, 64, 1, 1}, DType::kF16, {})).count("conv_window"));
}

TEST(CudaConv, OddChannelsAndTheFirstLayer) {
  for (DType type : kFloats) {
    check(conv({1, 3, 23, 19}, {64, 3, 7, 7}, type, {{"strides", Ints{2, 2}}, {"pads", Ints{3, 3, 3, 3}}}));
    check(conv({2, 13, 6, 5}, {7, 13, 3, 3}, type, kSame3x3));
    NodeCase rows = conv({1, 3, 12, 12}, {16, 3, 3, 3}, type, kSame3x3);
    rows.inputs[0].layout = {};  // channels first
    check(rows);
  }
}

TEST(CudaConv, Groups) {
  for (DType type : kFloats) {
    check(conv({2, 32, 6, 5}, {48, 8, 3, 3}, type, {{"group", int64_t{4}}, {"pads", Ints{1, 1, 1, 1}}}));
    check(conv({2, 21, 9, 7}, {21, 1, 3, 3}, type, {{"group", int64_t{21}}, {"pads", Ints{1, 1, 1, 1}}}));
  }
}

TEST(CudaConv, Epilogues) {
  for (DType type : kFloats) {
    NodeCase c = conv({2, 64, 7, 7}, {72, 64, 3, 3}, type, kSame3x3);
    c.post = {post("Add", {-1, 0}), post("Relu", {-1})};
    c.extra = {last({2, 72, 7, 7}, type)};
    EXPECT_TRUE(check(c).count("conv_any"));
    c.post = {post("HardSwish", {-1}), post("Add", {-1, 0})};
    EXPECT_TRUE(check(c).count("conv_any"));
    c.extra.clear();
    for (const char* op : {"Sigmoid", "Tanh", "LeakyRelu", "Elu", "HardSigmoid", "Gelu"}) {
      c.post = {post(op, {-1})};
      EXPECT_TRUE(check(c).count("conv_any")) << op;
    }
  }
}

TEST(CudaConv, Tf32) {
  NodeCase c = conv({2, 36, 9, 8}, {40, 36, 3, 3}, DType::kF32, kSame3x3);
  c.tf32 = true;
  c.tolerance = 1e-3;
  const auto names = check(c);
  EXPECT_TRUE(names.count("conv_mma") && names.count("conv_wgmma"));
}

TEST(CudaConv, NotANumberStaysWhereItsWindowsAre) {
  for (DType type : kFloats) {
    NodeCase c = conv({1, 16, 9, 9}, {24, 16, 3, 3}, type, kSame3x3);
    Tensor x = random_tensor(type, c.inputs[0].dims, 3);
    x.set(40, static_cast<double>(kNan));
    x.set(700, static_cast<double>(kInf));
    c.inputs[0].value = x;
    EXPECT_TRUE(check(c).count("conv_mma"));
  }
}

TEST(CudaConv, ManyTermsOfFloat32) {
  EXPECT_TRUE(check(conv({1, 512, 7, 7}, {32, 512, 3, 3}, DType::kF32, kSame3x3)).count("conv_mma"));
}

TEST(CudaConv, RunTimeWeightsAndNoPixels) {
  NodeCase c = conv({1, 8, 6, 6}, {12, 8, 3, 3}, DType::kF16, kSame3x3);
  c.inputs[1].constant = c.inputs[2].constant = false;
  EXPECT_EQ(check(c), std::set<std::string>{"conv_any"});
  check(conv({0, 64, 6, 6}, {64, 64, 3, 3}, DType::kF16, kSame3x3));
}

TEST(CudaProduct, ConstantRightOperand) {
  for (DType type : kFloats)
    for (const Dims& a : {Dims{1, 768}, Dims{2, 17, 256}, Dims{128, 40}, Dims{5, 13}}) {
      NodeCase c{.op = "MatMul", .inputs = {plain(a, type), constant({a.back(), 200}, type)}};
      c.post = {post("Add", {-1, 0})};
      c.extra = {constant({200}, type)};
      EXPECT_TRUE(check(c).count("product_any"));
      c.post.push_back(post("Gelu", {-1}));
      check(c);
    }
}

TEST(CudaProduct, Residual) {
  NodeCase c{.op = "MatMul", .inputs = {plain({130, 512}, DType::kF16), constant({512, 96}, DType::kF16)}};
  c.post = {post("Add", {-1, 0}), post("Add", {-1, 1})};
  c.extra = {constant({96}, DType::kF16), plain({130, 96}, DType::kF16)};
  const auto names = check(c);
  EXPECT_TRUE(names.count("conv_mma") && names.count("product_wgmma"));
}

TEST(CudaProduct, FewRowsAreLeftToProductWgmma) {
  for (const auto& [rows, expected] : {std::pair{130, 0u}, {3000, 1u}}) {
    NodeCase c{.op = "MatMul", .inputs = {plain({rows, 16}, DType::kF16), constant({16, 512}, DType::kF16)}};
    const auto names = check(c);
    EXPECT_EQ(names.count("conv_wgmma"), expected) << rows;
    EXPECT_EQ(names.count("product_wgmma"), 1 - expected) << rows;
  }
  // So many terms that its blocks do not run at once.
  const auto names =
      check({.op = "MatMul", .inputs = {plain({128, 4096}, DType::kF16), constant({4096, 1024}, DType::kF16)}});
  EXPECT_TRUE(names.count("conv_wgmma") && names.count("product_wgmma"));
}

TEST(CudaProduct, RunTimeOperands) {
  for (DType type : kFloats) {
    check({.op = "MatMul", .inputs = {plain({2, 3, 17, 33}, type), plain({3, 33, 9}, type)}});
    check({.op = "MatMul", .inputs = {plain({33}, type), plain({4, 33, 9}, type)}});
    check({.op = "MatMul", .inputs = {plain({4, 9, 33}, type), plain({33}, type)}});
    check({.op = "Gemm",
           .attributes = {{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 0.5}},
           .inputs = {plain({33, 20}, type), plain({11, 33}, type)}});
  }
}

TEST(CudaProduct, IntegersAndFloat64) {
  for (DType type : {DType::kI32, DType::kU32, DType::kI64, DType::kU64, DType::kF64}) {
    EXPECT_TRUE(check({.op = "MatMul", .inputs = {plain({2, 3, 17, 33}, type), plain({3, 33, 9}, type)}})
                    .count("product_plain"));
    check({.op = "MatMul", .inputs = {plain({40, 3}, type), constant({3, 70}, type)}});
    check({.op = "MatMul", .inputs = {plain({0, 3}, type), plain({3, 5}, type)}});
    check({.op = "Gemm",
           .attributes = {{"transA", int64_t{1}}, {"transB", int64_t{1}}},
           .inputs = {plain({33, 20}, type), plain({11, 33}, type)}});
  }
}

// Of ||difference|| / ||wanted||; float64 stays float64 throughout.
double row_tolerance(DType type, double of_float32, double of_half) {
  return type == DType::kF64 ? 1e-14 : type == DType::kF32 ? of_float32 : of_half;
}

TEST(CudaRows, SoftmaxOfAnyAxis) {
  for (DType type : kReals)
    for (int64_t axis : {0, 1, -1})
      for (const char* op : {"Softmax", "LogSoftmax"})
        for (const Dims& dims : {Dims{3, 5, 7}, Dims{2, 9, 128}, Dims{4, 3, 2000}, Dims{0, 4, 5}})
          check({.op = op,
                 .attributes = {{"axis", axis}},
                 .inputs = {plain(dims, type)},
                 .tolerance = row_tolerance(type, 0, 4e-3)});
  for (DType type : kReals)
    for (const char* op : {"Softmax", "LogSoftmax"})
      for (int64_t axis : {0, -1})
        EXPECT_TRUE(check({.op = op, .attributes = {{"axis", axis}}, .inputs = {special(type)}}).count("softmax"));
}

TEST(CudaRows, Norms) {
  for (DType type : kReals)
    for (int64_t n : {1, 7, 96, 768, 1000, 1024, 1032, 4096}) {
      for (const char* op : {"LayerNormalization", "RMSNormalization"}) {
        NodeCase c{.op = op,
                   .inputs = {plain({3, 5, n}, type), constant({n}, type)},
                   .tolerance = row_tolerance(type, 2e-5, 0)};
        if (std::string(op) == "LayerNormalization") c.inputs.push_back(constant({n}, type));
        EXPECT_TRUE(check(c).count("row_norm"));
      }
    }
}

// Statistics of float64 are float64 or float32, as the node says.
TEST(CudaRows, NormsOfFloat64) {
  for (const char* statistics : {"float32", "float64"})
    for (const Dims& dims : {Dims{5, 7}, Dims{2, 3, 66}, Dims{4, 2050}, Dims{0, 8}, Dims{3, 1}})
      for (int64_t axis : {int64_t{-1}, int64_t{0}}) {
        const Dims row(axis == 0 ? dims.begin() : dims.end() - 1, dims.end());
        const NodeCase c{.op = "LayerNormalization",
                         .attributes = {{"axis", axis}, {"epsilon", 1e-3}, {"stash_type", std::string(statistics)}},
                         .inputs = {plain(dims, DType::kF64), plain(row, DType::kF64), plain(row, DType::kF64)},
                         .outputs = 3,
                         .tolerance = std::string(statistics) == "float64" ? 1e-14 : 1e-7};
        EXPECT_EQ(check(c), std::set<std::string>{"row_norm"});
      }
  // Numbers that float32 does not tell apart.
  Tensor x = Tensor::allocate(DType::kF64, {3, 70});
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, 1 + 1e-9 * static_cast<double>(i * 7 % 31));
  const Operand close{.dims = x.dims(), .type = DType::kF64, .value = x};
  for (const char* op : {"Softmax", "LogSoftmax"}) check({.op = op, .inputs = {close}, .tolerance = 1e-14});
  check({.op = "LayerNormalization",
         .attributes = {{"epsilon", 1e-18}},
         .inputs = {close, plain({70}, DType::kF64)},
         .tolerance = 1e-6});
  for (double value : {HUGE_VAL, -HUGE_VAL, std::nan("")}) {
    Tensor other = x.clone();
    other.set(71, value);
    const Operand odd{.dims = x.dims(), .type = DType::kF64, .value = other};
    check({.op = "LayerNormalization", .inputs = {odd, plain({70}, DType::kF64)}, .tolerance = 1e-6});
    check({.op = "RMSNormalization", .inputs = {odd, plain({70}, DType::kF64)}, .tolerance = 1e-6});
  }
}

TEST(CudaRows, Reductions) {
  for (DType type : kFloats)
    for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                           "ReduceSumSquare", "ReduceLogSumExp"})
      for (const Ints& axes : {Ints{-1}, Ints{0}, Ints{1, 2}, Ints{0, 1, 2, 3}})
        for (int64_t keep : {0, 1}) {
          const Tensor list = Tensor::of<int64_t>({static_cast<int64_t>(axes.size())}, axes);
          NodeCase c{.op = op,
                     .attributes = {{"keepdims", keep}},
                     .inputs = {last({2, 40, 5, 7}, type),
                                {.dims = list.dims(), .type = DType::kI64, .constant = true, .value = list}},
                     .tolerance = type == DType::kF32 ? 3e-5 : 0};
          EXPECT_EQ(check(c), std::set<std::string>{"reduce"}) << op;
        }
}

TEST(CudaRows, ReductionsOfIntegersAndFloat64) {
  const auto reduction = [](const char* op, DType type, const Dims& dims, const Ints& axes) {
    const Tensor list = Tensor::of<int64_t>({static_cast<int64_t>(axes.size())}, axes);
    NodeCase c{
        .op = op,
        .inputs = {plain(dims, type), {.dims = list.dims(), .type = DType::kI64, .constant = true, .value = list}}};
    return c;
  };
  for (DType type : {DType::kI32, DType::kI64, DType::kU32, DType::kU64, DType::kF64})
    for (const char* op : {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceSumSquare"}) {
      for (const Ints& axes : {Ints{-1}, Ints{0}, Ints{0, 2}})
        EXPECT_EQ(check(reduction(op, type, {3, 40, 70}, axes)), std::set<std::string>{"reduce"}) << op;
      check(reduction(op, type, {2, 3000}, {1}));
      check(reduction(op, type, {3, 0, 4}, {1}));
    }
  for (const char* op : {"ReduceMean", "ReduceL2", "ReduceLogSumExp"}) {
    EXPECT_EQ(check(reduction(op, DType::kF64, {3, 40, 70}, {1})), std::set<std::string>{"reduce"}) << op;
    EXPECT_NE(refusal(reduction(op, DType::kI64, {3, 4}, {1}), "reduce").find("fraction"), std::string::npos) << op;
  }
  EXPECT_NE(refusal(reduction("ReduceMax", DType::kI8, {3, 4}, {1}), "reduce").find("int8"), std::string::npos);
}

// Few results of many terms, which blocks share: of rows, of columns side by side, of axes that do not follow each other.
TEST(CudaRows, LongReductions) {
  struct Shape {
    Dims dims;
    Ints axes;
  };
  const Shape shapes[] = {{{70001}, {0}},       {{3, 40000}, {1}},       {{20000, 3}, {0}},
                          {{9000, 40}, {0}},    {{2, 3, 9001}, {0, 2}},  {{300, 5, 70}, {0, 2}},
                          {{5, 9000, 33}, {1}}, {{4, 90, 7, 90}, {1, 3}}};
  for (DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI32, DType::kI64, DType::kU32, DType::kU64})
    for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                           "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"})
      for (const Shape& shape : shapes) {
        const std::string name = op;
        const bool fraction = name == "ReduceMean" || name == "ReduceL2" || name.find("Log") != std::string::npos;
        if (fraction && !is_float(type)) continue;
        const Tensor list = Tensor::of<int64_t>({static_cast<int64_t>(shape.axes.size())}, shape.axes);
        NodeCase c{.op = op,
                   .attributes = {{"keepdims", int64_t{0}}},
                   .inputs = {plain(shape.dims, type),
                              {.dims = list.dims(), .type = DType::kI64, .constant = true, .value = list}},
                   .tolerance = type == DType::kF32   ? 2e-4
                                : type == DType::kF64 ? 1e-9
                                                      : 0};
        if (is_float(type)) {
          // Products stay numbers and sums do not cancel.
          Tensor x = random_tensor(type, shape.dims, 7);
          const bool product = name == "ReduceProd";
          for (int64_t i = 0; i < x.size(); ++i)
            x.set(i, product ? (i % 3 == 0 ? -1.0 : 1.0) : std::fabs(x.at(i)) + 0.01);
          c.inputs[0].value = x;
        }
        EXPECT_EQ(check(c), std::set<std::string>{"reduce"}) << op;
      }
}

// Blocks combine what is no number as one block does.
TEST(CudaRows, LongReductionsOfWhatIsNoNumber) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64})
    for (const char* op : {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceLogSumExp"})
      for (float value : {kNan, kInf, -kInf}) {
        Tensor x = random_tensor(type, {2, 50000}, 3);
        x.set(31234, static_cast<double>(value));
        const Tensor axes = Tensor::of<int64_t>({1}, {1});
        EXPECT_EQ(check({.op = op,
                         .inputs = {{.dims = x.dims(), .type = type, .value = x},
                                    {.dims = {1}, .type = DType::kI64, .constant = true, .value = axes}},
                         .tolerance = 3e-3}),
                  std::set<std::string>{"reduce"});
      }
}

TEST(CudaPool, WholeImages) {
  for (DType type : kFloats)
    for (const char* op : {"GlobalAveragePool", "GlobalMaxPool"})
      for (const Layout& layout : {kLast, Layout()})
        EXPECT_TRUE(
            check({.op = op, .inputs = {{.dims = {2, 40, 7, 5}, .type = type, .layout = layout}}}).count("reduce"));
}

TEST(CudaPool, WindowsInEitherLayout) {
  for (DType type : kFloats)
    for (const char* op : {"MaxPool", "AveragePool"})
      for (int64_t channels : {16, 5})
        for (const Layout& layout : {kLast, Layout()}) {
          NodeCase c{.op = op,
                     .attributes = {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
                     .inputs = {{.dims = {2, channels, 12, 9}, .type = type, .layout = layout}},
                     .output_layout = layout};
          EXPECT_EQ(check(c), std::set<std::string>{"pool"});
          if (std::string(op) == "AveragePool") {
            c.attributes.set("count_include_pad", int64_t{1});
            check(c);
          }
        }
}

TEST(CudaPool, WindowsOfAnySize) {
  for (DType type : kFloats)
    for (const char* op : {"MaxPool", "AveragePool"})
      for (const Ints& kernel : {Ints{2, 2}, Ints{5, 5}, Ints{3, 2}})
        for (const Ints& pads : {Ints{0, 0, 0, 0}, Ints{1, 1, 0, 1}}) {
          NodeCase c{.op = op,
                     .attributes = {{"kernel_shape", kernel}, {"strides", Ints{2, 1}}, {"pads", pads}},
                     .inputs = {last({2, 24, 11, 9}, type)},
                     .output_layout = kLast};
          EXPECT_EQ(check(c), std::set<std::string>{"pool"});
        }
  Tensor x = random_tensor(DType::kF16, {1, 8, 12, 12}, 3);
  x.set(40, static_cast<double>(kNan));
  check({.op = "MaxPool",
         .attributes = {{"kernel_shape", Ints{3, 3}}, {"dilations", Ints{2, 2}}},
         .inputs = {{.dims = {1, 8, 12, 12}, .type = DType::kF16, .layout = kLast, .value = x}},
         .output_layout = kLast});
}

TEST(CudaMovement, Copies) {
  for (DType type : {DType::kI8, DType::kF16, DType::kF32, DType::kI64}) {
    check({.op = "Transpose", .attributes = {{"perm", Ints{0, 2, 1, 3}}}, .inputs = {plain({2, 5, 7, 64}, type)}});
    check({.op = "Transpose", .attributes = {{"perm", Ints{0, 3, 1, 2}}}, .inputs = {plain({2, 33, 40, 70}, type)}});
    check({.op = "Reformat", .inputs = {plain({2, 33, 8, 9}, type)}, .output_layout = kLast});
    for (const char* blocks : {"row/1:4", "0231/1:8", "1230/0:32"})
      for (const int64_t channels : {3, 8, 33, 64}) {
        const Layout layout = parse_layout(blocks);
        const Dims dims{channels, channels, 5, 7};
        check({.op = "Reformat", .inputs = {plain(dims, type)}, .output_layout = layout});
        check({.op = "Reformat", .inputs = {last(dims, type)}, .output_layout = layout});
        check({.op = "Reformat", .inputs = {{.dims = dims, .type = type, .layout = layout}}});
        check({.op = "Reformat", .inputs = {{.dims = dims, .type = type, .layout = layout}}, .output_layout = kLast});
      }
    check({.op = "Flatten", .inputs = {last({2, 33, 8, 9}, type)}});
    check({.op = "Concat",
           .attributes = {{"axis", int64_t{1}}},
           .inputs = {plain({2, 3, 8}, type), plain({2, 4, 8}, type)}});
    const Tensor indices = Tensor::of<int64_t>({2, 3}, {0, 4, -1, 2, 2, 1});
    check({.op = "Gather",
           .attributes = {{"axis", int64_t{1}}},
           .inputs = {plain({3, 5, 24}, type), {.dims = {2, 3}, .type = DType::kI64, .value = indices}}});
    const Tensor known = Tensor::of<int32_t>({4}, {3, 0, -2, 3});
    const Operand rows{.dims = {4}, .type = DType::kI32, .constant = true, .value = known};
    check({.op = "Gather", .attributes = {{"axis", int64_t{1}}}, .inputs = {plain({3, 5, 24}, type), rows}});
  }
}

TEST(CudaPointwise, ChainsOfOneRunningValue) {
  for (DType type : kFloats) {
    NodeCase c{.op = "Add", .inputs = {plain({2, 5, 37}, type), plain({37}, type)}};
    check(c);
    c.post = {post("Add", {-1, 0}), post("Sub", {1, -1}), post("Mul", {-1, 2})};
    c.extra = {plain({5, 37}, type), constant({}, type), plain({2, 1, 1}, type)};
    c.extra[1].value = Tensor::of<float>({}, {0.5f}).cast(type);
    check(c);
    check({.op = "Mul", .inputs = {special(type), plain({7}, type)}, .post = {post("Relu", {-1})}});
    for (const char* op : {"Max", "Min", "Div"}) check({.op = op, .inputs = {special(type), plain({3, 1}, type)}});
    for (const char* to : {"float32", "float16", "bfloat16"})
      check({.op = "Cast", .attributes = {{"to", std::string(to)}}, .inputs = {special(type)}, .tolerance = 8e-3});
  }
  check({.op = "Add", .inputs = {plain({}, DType::kF32), plain({}, DType::kF32)}});
  for (DType type : {DType::kBool, DType::kU8, DType::kI8, DType::kI32, DType::kI64, DType::kU64, DType::kF64}) {
    NodeCase c{.op = "Cast", .attributes = {{"to", std::string("float32")}}, .inputs = {plain({3, 11}, type)}};
    check(c);
    c.post = {post("Sub", {0, -1}), post("Mul", {-1, 1})};
    c.extra = {constant({}, DType::kF32), constant({}, DType::kF32)};
    check(c);
    c.post.push_back(post("Sigmoid", {-1}));  // no chain
    check(c);
  }
}

TEST(CudaPointwise, TypesBroadcastsAndEdges) {
  for (DType type : kFloats) {
    check({.op = "Add", .inputs = {plain({2, 3, 37}, type), plain({3, 1}, type)}});
    check({.op = "Mul", .inputs = {last({2, 24, 5, 6}, type), constant({24, 1, 1}, type)}, .output_layout = kLast});
    for (const char* op : {"Relu", "Sigmoid", "Tanh", "Exp", "Sqrt", "Erf", "Floor", "Sign", "Neg"})
      check({.op = op, .inputs = {special(type)}});
    check({.op = "Cast", .attributes = {{"to", std::string("int64")}}, .inputs = {plain({5, 7}, type)}});
  }
  for (DType type : {DType::kI32, DType::kI64, DType::kU8, DType::kF64})
    for (const char* op : {"Add", "Sub", "Mul", "Div"})
      check({.op = op, .inputs = {plain({3, 9}, type), plain({9}, type)}});
  check({.op = "Where", .inputs = {plain({4, 1}, DType::kBool), plain({4, 5}, DType::kF16), plain({5}, DType::kF16)}});
  check({.op = "Equal", .inputs = {plain({4, 5}, DType::kI64), plain({5}, DType::kI64)}});
}

TEST(CudaPointwise, GeneratedKernelsTakeWhatIsInterpreted) {
  const std::string lack = compiler_lack(target_chip().compute);
  if (!lack.empty()) GTEST_SKIP() << lack;
  const NodeCase sum{.op = "Add", .inputs = {plain({2, 5, 40}, DType::kF16), plain({40}, DType::kF16)}};
  EXPECT_EQ(check(sum), (std::set<std::string>{"pointwise", "pointwise_generated"}));
  EXPECT_NE(refusal({.op = "MatMul", .inputs = {plain({2, 5}, DType::kF16), plain({5, 3}, DType::kF16)}},
                    "pointwise_generated"),
            "");
}

NodeCase attention(DType type, Dims q, Dims k, int64_t heads = 0, int64_t key_heads = 0) {
  NodeCase c{.op = "Attention",
             .inputs = {plain(q, type), plain(k, type), plain(k, type)},
             .tolerance = type == DType::kF32 ? 2e-5 : 0};
  if (heads > 0) c.attributes = {{"q_num_heads", heads}, {"kv_num_heads", key_heads}};
  return c;
}

TEST(CudaAttention, SizesMasksAndHeads) {
  for (DType type : kFloats) {
    check(attention(type, {2, 3, 128, 64}, {2, 3, 128, 64}));
    check(attention(type, {1, 4, 37, 128}, {1, 2, 70, 128}));
    check(attention(type, {1, 2, 5, 20}, {1, 2, 9, 20}));
    check(attention(type, {2, 65, 96}, {2, 130, 96}, 3, 3));
    NodeCase causal = attention(type, {1, 2, 100, 32}, {1, 2, 100, 32});
    causal.attributes.set("is_causal", int64_t{1});
    check(causal);
    for (DType mask : {DType::kBool, type}) {
      NodeCase masked = attention(type, {2, 3, 70, 64}, {2, 3, 66, 64});
      Tensor allowed = random_tensor(mask, {2, 1, 1, 66}, 9);
      for (int64_t b = 0; b < 2; ++b) allowed.set(b * 66, mask == DType::kBool ? 1 : 0.5);
      masked.inputs.push_back({.dims = {2, 1, 1, 66}, .type = mask, .value = allowed});
      EXPECT_EQ(check(masked), std::set<std::string>{"attention"});
    }
  }
}

TEST(CudaTactics, RefuseWithAReason) {
  EXPECT_NE(refusal(conv({1, 8, 4, 4}, {8, 8, 1, 1}, DType::kF32, {}), "conv_wgmma"), "");
  EXPECT_NE(refusal(conv({1, 8, 4, 4}, {8, 8, 1, 1}, DType::kF16, {}), "pool"), "");
  NodeCase late = conv({1, 8, 4, 4}, {8, 8, 1, 1}, DType::kF16, {});
  late.inputs[1].constant = false;
  EXPECT_EQ(refusal(late, "conv_wgmma"), "the weights are not constant");
}

TEST(CudaTactics, StagesAndSplitsHoldChunks) {
  const BuiltNode node(conv({1, 128, 4, 4}, {32, 128, 1, 1}, DType::kF16, {}));
  for (const Tactic* tactic : tactic_list().all()) {
    if (tactic->name != "conv_wgmma") continue;
    Config config{{"tile", int64_t{0}}, {"splits", int64_t{1}}, {"stages", int64_t{1}}};
    EXPECT_EQ(prepare_without_gpu(node, tactic->emit(node.problem(), config), 90).code, Code::kMalformedPlan);
    config.set("splits", int64_t{2});
    EXPECT_TRUE(prepare_without_gpu(node, tactic->emit(node.problem(), config), 90).ok());
    config.set("splits", int64_t{4});
    EXPECT_EQ(prepare_without_gpu(node, tactic->emit(node.problem(), config), 90).code, Code::kMalformedPlan);
  }
}

}  // namespace
}  // namespace kiln::cuda::testing
