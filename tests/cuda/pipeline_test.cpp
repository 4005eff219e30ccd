// What the passes for NVIDIA GPUs make of the beginning of networks.
#include <gtest/gtest.h>

#include <set>

#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/target.h"
#include "cuda/graphs.h"
#include "passes/pass.h"

namespace kiln::cuda {
namespace {

std::string operators_after(const std::string& text, DType compute, std::set<std::string> disabled = {}) {
  const auto graph = ir::parse_graph(text);
  TargetOptions options;
  options.precisions.compute = compute;
  passes::run_passes(*graph, target().pipeline(options),
                     {.disabled = std::move(disabled), .limits = target().fusion()});
  return operator_names(*graph);
}

std::string network(const std::string& channels) {
  return "graph main(%x: float32[n," + channels + R"(,32,32]) {
  %w = random float32[16,)" +
         channels + R"(,3,3] seed 1
  %b = random float32[16] seed 2
  %s = random float32[4,16,1,1] seed 3
  %e = random float32[16,4,1,1] seed 4
  %v = random float32[24,16,1,1] seed 5
  %a = Conv "first"(%x, %w, %b) {pads=[1,1,1,1],strides=[2,2]}
  %h = HardSwish(%a)
  %m = GlobalAveragePool(%h)
  %q = Conv(%m, %s)
  %r = Relu(%q)
  %t = Conv(%r, %e)
  %g = HardSigmoid(%t)
  %z = Mul(%h, %g)
  %y = Conv(%z, %v)
  return %y
}
)";
}

TEST(CudaPipeline, PicturesAreReadInTheirType) {
  EXPECT_EQ(operators_after(network("3"), DType::kF16), "CastConv+HardSwish SqueezeExcite Conv Cast");
  EXPECT_EQ(operators_after(network("3"), DType::kBF16), "CastConv+HardSwish SqueezeExcite Conv Cast");
  EXPECT_EQ(operators_after(network("3"), DType::kF32), "Conv+HardSwish SqueezeExcite Conv");
}

// Squeeze-and-excite behind a convolution of each channel alone, of one image that the cache holds so many times.
std::string squeezed(double caches, const std::string& results) {
  constexpr int64_t kRowBytes = 16 * 4096 * 2;
  const auto rows = static_cast<int64_t>(caches * static_cast<double>(target_chip().cache)) / kRowBytes;
  return "graph main(%x: float32[1,16," + std::to_string(rows) + R"(,4096]) {
  %w = random float32[16,1,3,3] seed 1
  %s = random float32[4,16,1,1] seed 3
  %e = random float32[16,4,1,1] seed 4
  %v = random float32[)" +
         results + R"(,16,1,1] seed 5
  %a = Conv "first"(%x, %w) {pads=[1,1,1,1],group=16}
  %h = HardSwish(%a)
  %m = GlobalAveragePool(%h)
  %q = Conv(%m, %s)
  %r = Relu(%q)
  %t = Conv(%r, %e)
  %g = HardSigmoid(%t)
  %z = Mul(%h, %g)
  %y = Conv(%z, %v)
  return %y
}
)";
}

TEST(CudaPipeline, ImagesLargerThanTheCacheAreAddedUpAndScaledOnTheirWay) {
  const std::string large = squeezed(1.1, "24"), small = squeezed(0.9, "24"), many = squeezed(1.1, "160");
  EXPECT_EQ(operators_after(large, DType::kF16), "Cast ConvExcite ScaledConv Cast");
  EXPECT_EQ(operators_after(large, DType::kBF16), "Cast ConvExcite ScaledConv Cast");
  EXPECT_EQ(operators_after(many, DType::kF16), "Cast ConvExcite Mul Conv Cast");
  EXPECT_EQ(operators_after(small, DType::kF16), "Cast Conv+HardSwish SqueezeExcite Conv Cast");
  EXPECT_EQ(operators_after(large, DType::kF32), "Conv+HardSwish SqueezeExcite Conv");
  EXPECT_EQ(operators_after(large, DType::kF16, {"scaled_conv"}), "Cast ConvExcite Mul Conv Cast");
  EXPECT_EQ(operators_after(large, DType::kF16, {"conv_excite"}), "Cast Conv+HardSwish SqueezeExcite Conv Cast");
}

TEST(CudaPipeline, RulesOfTheTargetAreSwitchedOffByName) {
  const std::string cast = operators_after(network("3"), DType::kF16, {"cast_conv"});
  EXPECT_EQ(cast.find("CastConv"), std::string::npos) << cast;
  const std::string deep =
      "graph main(%x: float32[n,3,5,6,7]) {\n  %w = random float32[4,3,3,3,3] seed 1\n"
      "  %y = Conv(%x, %w)\n  return %y\n}\n";
  EXPECT_NE(operators_after(deep, DType::kF32), "Conv");
  EXPECT_EQ(operators_after(deep, DType::kF32, {"deep_conv"}), "Conv");
  const std::string mish =
      "graph main(%x: float32[n,8,5,6]) {\n  %w = random float32[4,8,3,3] seed 1\n"
      "  %c = Conv(%x, %w)\n  %y = Mish(%c)\n  return %y\n}\n";
  EXPECT_EQ(operators_after(mish, DType::kF32), "Conv+Mish");
  EXPECT_EQ(operators_after(mish, DType::kF32, {"programs_on_results"}), "Conv Mish");
}

TEST(CudaPipeline, ManyChannelsAreCast) {
  const std::string operators = operators_after(network("5"), DType::kF16);
  EXPECT_EQ(operators.find("CastConv"), std::string::npos) << operators;
  EXPECT_NE(operators.find("Cast "), std::string::npos) << operators;
}

TEST(CudaPipeline, TransposedConvolutionsAreConvolutions) {
  const auto transposed = [](const std::string& kernel, const std::string& attributes) {
    return "graph main(%x: float32[n,8,h,w]) {\n  %w = random float32[8,16," + kernel +
           "] seed 1\n  %y = ConvTranspose(%x, %w) {" + attributes + "}\n  return %y\n}\n";
  };
  EXPECT_EQ(operators_after(transposed("2,2", "strides=[2,2]"), DType::kF32), "Conv DepthToSpace");
  const std::string parts = operators_after(transposed("4,4", "strides=[2,2],pads=[1,1,1,1]"), DType::kF32);
  EXPECT_NE(parts.find("Conv Conv Conv Conv"), std::string::npos) << parts;
  EXPECT_EQ(parts.find("ConvTranspose"), std::string::npos) << parts;
  EXPECT_EQ(operators_after(transposed("3,3", "dilations=[2,2]"), DType::kF32), "Conv");
  EXPECT_EQ(operators_after(transposed("3,3", "dilations=[9,9]"), DType::kF32), "ConvTranspose");
}

TEST(CudaPipeline, QuantizedNetworksAreProductsOfIntegers) {
  const std::string text = R"(graph main(%x: float32[n,16,8,8]) {
  %s = constant float32[]:{0.05}
  %z = constant uint8[]:{3}
  %w = random int8[8,16,1,1] seed 1
  %t = constant float32[]:{0.01}
  %o = constant int8[]:{0}
  %v = random int8[512,10] seed 2
  %a = QuantizeLinear(%x, %s, %z)
  %b = DequantizeLinear(%a, %s, %z)
  %k = DequantizeLinear(%w, %t, %o)
  %c = Conv(%b, %k)
  %d = Relu(%c)
  %e = QuantizeLinear(%d, %s, %z)
  %f = DequantizeLinear(%e, %s, %z)
  %g = Flatten(%f)
  %m = DequantizeLinear(%v, %t, %o)
  %h = MatMul(%g, %m)
  return %h
}
)";
  for (DType type : {DType::kF32, DType::kF16}) {
    const std::string operators = operators_after(text, type);
    EXPECT_EQ(operators, "Quantize ConvInteger+Cast+Mul+Relu+Quantize Reshape MatMulInteger+Cast+Mul");
  }
}

// Constants that neither a product of integers nor one by weights of few bits reads are no work of a run.
TEST(CudaPipeline, DequantizedConstantsAreConstants) {
  const auto network = [](const std::string& x, const std::string& w, const std::string& op) {
    return "graph main(%x: float32" + x + ") {\n  %w = random int8" + w + " seed 3\n  %s = constant float32[]:{0.5}\n" +
           "  %d = DequantizeLinear(%w, %s)\n  %y = " + op + "(%x, %d)\n  return %y\n}\n";
  };
  EXPECT_EQ(operators_after(network("[n,16,4,4]", "[8,16,1,1]", "Conv"), DType::kF32), "Conv");
  EXPECT_EQ(operators_after(network("[n,16]", "[16,8]", "MatMul"), DType::kF32), "MatMulDequantized");
}

// Any pointwise operators follow a convolution or product with constant weights, as far as the kernels' programs read their operands.
TEST(CudaPipeline, ProgramsFollowConvolutionsAndProducts) {
  const auto conv = [](const std::string& rest, const std::string& type = "float32[n,16,8,8]") {
    return operators_after("graph main(%x: float32[n,16,8,8], %t: " + type + R"() {
  %w = random float32[24,16,3,3] seed 1
  %r = random float32[24,1,1] seed 2
  %c = Conv(%x, %w) {pads=[1,1,1,1]}
)" + rest + "\n  return %y\n}\n",
                           DType::kF32);
  };
  const std::string tensor = "float32[n,24,8,8]";
  EXPECT_EQ(conv("  %y = Mish(%c)"), "Conv+Mish");
  EXPECT_EQ(conv("  %y = PRelu(%c, %r)"), "Conv+PRelu");
  EXPECT_EQ(conv("  %a = Relu(%c)\n  %b = Mul(%a, %r)\n  %y = Add(%b, %r)"), "Conv+Relu Mul+Add");
  EXPECT_EQ(conv("  %y = Mul(%t, %c)", tensor), "Conv+Mul");
  EXPECT_EQ(conv("  %a = Mul(%c, %t)\n  %y = Sub(%x2, %a)", tensor + ", %x2: " + tensor), "Conv+Mul+Sub");
  EXPECT_EQ(conv("  %a = Add(%c, %t)\n  %b = Relu(%a)\n  %y = Mul(%b, %x2)", tensor + ", %x2: " + tensor),
            "Conv+Add+Relu+Mul");
  // What joins no tensors, one that is repeated, and a result that others read, too.
  EXPECT_EQ(conv("  %a = Mul(%c, %t)\n  %y = Div(%a, %t)", tensor), "Conv+Mul Div");
  EXPECT_EQ(conv("  %y = Mul(%c, %t)", "float32[n,24,1,1]"), "Conv Mul");
  EXPECT_EQ(conv("  %a = Softplus(%c)\n  %y = Mul(%a, %c)"), "Conv Softplus+Mul");
  EXPECT_EQ(operators_after(R"(graph main(%x: float32[n,16], %v: float32[16,24]) {
  %p = MatMul(%x, %v)
  %y = Mish(%p)
  return %y
})",
                            DType::kF32),
            "MatMul Mish");
  EXPECT_EQ(operators_after(R"(graph main(%x: float32[n,16], %t: float32[n,24]) {
  %w = random float32[16,24] seed 1
  %b = random float32[24] seed 2
  %p = MatMul(%x, %w)
  %a = Add(%p, %b)
  %c = Clip(%a)
  %d = Add(%c, %t)
  %y = Relu(%d)
  return %y
})",
                            DType::kF32),
            "MatMul+Add+Clip+Add Relu");
}

}  // namespace
}  // namespace kiln::cuda
