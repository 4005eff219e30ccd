// Products of bfloat16 with sums in float32.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/cpu/device/compute/product_int8.h"
#include "backends/harness.h"

namespace kiln::testing {
namespace {

Case bfloat_case(std::mt19937& rng, Dims a, int64_t n, std::vector<Post> posts = {}) {
  const int64_t k = a.back();
  Case c{"MatMul", {exact_tensor(rng, std::move(a)), constant(exact_tensor(rng, {k, n}))}};
  c.posts = std::move(posts);
  c.tolerance = 1e-4;
  c.precision = DType::kBF16;
  return c;
}

TEST(Bfloat16, Products) {
  std::mt19937 rng(1);
  for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 1}, {7, 13, 21}, {1, 64, 130}, {64, 33, 64}, {50, 100, 79}, {0, 4, 5}, {5, 0, 3}}) {
    const Operand bias = constant(random_tensor(rng, DType::kF32, {n}));
    const Operand like(random_tensor(rng, DType::kF32, {m, n}));
    const Post sum{"Add", {}, {0, -1}, {like}}, biased{"Add", {}, {-1, 0}, {bias}};
    expect_in_tiles_too(bfloat_case(rng, {m, k}, n), "gemm_bfloat16");
    expect_in_tiles_too(bfloat_case(rng, {m, k}, n, {biased, {"Relu"}}), "gemm_bfloat16");
    expect_in_tiles_too(bfloat_case(rng, {m, k}, n, {biased, sum}), "gemm_bfloat16");
  }
}

TEST(Bfloat16, OtherShapes) {
  std::mt19937 rng(2);
  expect_in_tiles_too(bfloat_case(rng, {2, 3, 40}, 24), "gemm_bfloat16");
  Case gaps = bfloat_case(rng, {3, 41}, 24);
  gaps.inputs[0].gaps = true;
  gaps.gapped_outputs = true;
  expect_in_tiles_too(gaps, "gemm_bfloat16");
  Case late = bfloat_case(rng, {3, 40}, 24);
  late.inputs[1].constant = false;
  expect_no_case(late, "gemm_bfloat16");
  for (DType type : {DType::kInvalid, DType::kF32}) {
    Case wide = bfloat_case(rng, {3, 40}, 24);
    wide.precision = type;
    expect_no_case(wide, "gemm_bfloat16");
    expect_case(wide, "gemm_packed");
  }
  expect_no_case(bfloat_case(rng, {40}, 24), "gemm_bfloat16");
  expect_no_case(bfloat_case(rng, {3, 40}, 24, {{"Mish"}}), "gemm_bfloat16");
}

const std::vector<Post>& finishes() {
  static const std::vector<Post> kPosts{{"Sigmoid"},
                                        {"Tanh"},
                                        {"HardSwish"},
                                        {"Swish"},
                                        {"HardSigmoid", {{"alpha", 0.3}, {"beta", 0.4}}},
                                        {"LeakyRelu", {{"alpha", 0.25}}},
                                        {"Elu", {{"alpha", 0.5}}},
                                        {"Gelu"},
                                        {"Gelu", {{"approximate", std::string("tanh")}}}};
  return kPosts;
}

// What a kernel in float32 may do to its results one in bfloat16 does, too, so that the clock alone decides.
TEST(Bfloat16, Activations) {
  std::mt19937 rng(5);
  const Operand like(random_tensor(rng, DType::kF32, {9, 70}));
  const Operand bias = constant(random_tensor(rng, DType::kF32, {70}));
  const Post before{"Add", {}, {0, -1}, {like}}, biased{"Add", {}, {-1, 0}, {bias}};
  for (const Post& post : finishes())
    for (const std::vector<Post>& posts :
         std::vector<std::vector<Post>>{{post}, {biased, post}, {biased, before, post}, {post, before}}) {
      const Case c = bfloat_case(rng, {9, 40}, 70, posts);
      expect_in_tiles_too(c, "gemm_bfloat16");
      expect_case(c, "gemm_packed");
    }
}

Case conv_case(std::mt19937& rng, Dims x, Dims w, Attributes attributes, std::vector<Post> posts = {}) {
  const Dims columns{w[0]};
  Case c{"Conv",
         {channels_last(exact_tensor(rng, std::move(x))), constant(exact_tensor(rng, std::move(w))),
          constant(random_tensor(rng, DType::kF32, columns))},
         std::move(attributes)};
  c.posts = std::move(posts);
  c.output_layouts = {Layout::channels_last(4)};
  c.tolerance = 1e-4;
  c.precision = DType::kBF16;
  return c;
}

TEST(Bfloat16, Convolutions) {
  std::mt19937 rng(3);
  const Attributes padded{{"pads", Ints{1, 1, 1, 1}}}, strided{{"strides", Ints{2, 2}}};
  const Attributes late{{"dilations", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}};
  const Operand like = channels_last(random_tensor(rng, DType::kF32, {2, 24, 5, 7}));
  const Post sum{"Add", {}, {0, -1}, {like}};
  expect_in_tiles_too(conv_case(rng, {2, 16, 5, 7}, {24, 16, 1, 1}, {}, {sum, {"Relu"}}), "conv_bfloat16");
  expect_in_tiles_too(conv_case(rng, {2, 15, 5, 7}, {24, 15, 3, 3}, padded, {{"Relu"}, sum}), "conv_bfloat16");
  expect_in_tiles_too(conv_case(rng, {1, 7, 9, 7}, {70, 7, 1, 1}, strided), "conv_bfloat16");
  expect_in_tiles_too(conv_case(rng, {1, 5, 8, 8}, {4, 5, 3, 3}, late), "conv_bfloat16");
  expect_in_tiles_too(conv_case(rng, {1, 12, 6, 6}, {20, 3, 3, 3}, {{"group", int64_t{4}}, {"pads", Ints{0, 1, 2, 1}}}),
                      "conv_bfloat16");
  expect_in_tiles_too(conv_case(rng, {1, 12, 6, 6}, {20, 3, 1, 1}, {{"group", int64_t{4}}}), "conv_bfloat16");
  expect_in_tiles_too(conv_case(rng, {0, 8, 6, 6}, {4, 8, 1, 1}, {}), "conv_bfloat16");
  Case unbiased = conv_case(rng, {1, 64, 14, 14}, {130, 64, 3, 3}, padded);
  unbiased.inputs.pop_back();
  expect_in_tiles_too(unbiased, "conv_bfloat16");
}

// Windows that are read where they lie in the padded image: taps of even numbers of channels, in lines or one by one.
TEST(Bfloat16, ConvolutionsOfPaddedImages) {
  std::mt19937 rng(6);
  const Attributes padded{{"pads", Ints{1, 2, 0, 3}}};
  for (const int64_t channels : {2, 6, 34}) {
    expect_in_tiles_too(conv_case(rng, {2, channels, 7, 9}, {18, channels, 3, 3}, padded), "conv_bfloat16");
    expect_in_tiles_too(conv_case(rng, {2, channels, 7, 9}, {18, channels, 1, 1}, padded), "conv_bfloat16");
    for (const Ints& dilations : {Ints{1, 2}, Ints{2, 1}})
      expect_in_tiles_too(conv_case(rng, {1, channels, 11, 12}, {5, channels, 3, 2},
                                    {{"pads", Ints{2, 1, 1, 2}}, {"dilations", dilations}, {"strides", Ints{2, 3}}}),
                          "conv_bfloat16");
  }
  expect_in_tiles_too(conv_case(rng, {2, 12, 7, 7}, {10, 6, 3, 3}, {{"group", int64_t{2}}, {"pads", Ints{1, 1, 1, 1}}}),
                      "conv_bfloat16");
  expect_in_tiles_too(conv_case(rng, {1, 3, 9, 9}, {10, 3, 3, 4}, {{"pads", Ints{1, 1, 1, 1}}}),
                      "conv_bfloat16");  // 12 a line
  expect_in_tiles_too(conv_case(rng, {3, 16, 6, 5}, {300, 16, 3, 3}, padded), "conv_bfloat16");
  expect_in_tiles_too(conv_case(rng, {3, 5, 6, 5}, {20, 5, 1, 1}, {{"strides", Ints{2, 3}}}), "conv_bfloat16");
  for (const Post& post : finishes())
    expect_in_tiles_too(conv_case(rng, {1, 8, 6, 6}, {20, 8, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, {post}),
                        "conv_bfloat16");
}

TEST(Bfloat16, ConvolutionsThatStayWide) {
  std::mt19937 rng(4);
  Case free = conv_case(rng, {1, 8, 6, 6}, {4, 8, 1, 1}, {});
  free.precision = DType::kInvalid;
  expect_no_case(free, "conv_bfloat16");
  free.precision = DType::kF32;
  expect_no_case(free, "conv_bfloat16");
  expect_no_case(conv_case(rng, {1, 8, 6, 6}, {4, 8, 1, 1}, {}, {{"Mish"}}), "conv_bfloat16");
  expect_no_case(conv_case(rng, {1, 8, 6, 6}, {8, 1, 3, 3}, {{"group", int64_t{8}}}), "conv_bfloat16");
  Case rows = conv_case(rng, {1, 8, 6, 6}, {4, 8, 1, 1}, {});
  rows.inputs[0].layout = Layout();
  expect_no_case(rows, "conv_bfloat16");
}

// -1, 0 or 1: their sums of products are numbers that bfloat16 holds.
Tensor tiny_numbers(std::mt19937& rng, DType type, Dims dims) {
  Tensor t = Tensor::allocate(DType::kF32, std::move(dims));
  for (float& v : t.as_mutable<float>()) v = static_cast<float>(std::uniform_int_distribution<int>(-1, 1)(rng));
  return t.cast(type);
}

// What a node reads and what it writes; they differ by a Cast before its post-operations.
struct Types {
  DType in, out;
};
const std::vector<Types>& mixed_types() {
  static const std::vector<Types> kTypes{
      {DType::kBF16, DType::kBF16}, {DType::kBF16, DType::kF32}, {DType::kF32, DType::kBF16}};
  return kTypes;
}

void set_types(Case& c, const Types& types) {
  c.precision = DType::kBF16;
  if (types.in == types.out) return;
  c.posts.insert(c.posts.begin(), {"Cast", {{"to", std::string(name(types.out))}}});
}

Case narrow_product(std::mt19937& rng, const Types& types, Dims a, int64_t n, std::vector<Post> posts) {
  const int64_t k = a.back();
  Case c{"MatMul", {tiny_numbers(rng, types.in, std::move(a)), constant(tiny_numbers(rng, types.in, {k, n}))}};
  c.posts = std::move(posts);
  set_types(c, types);
  return c;
}

TEST(Bfloat16, ProductsReadAndWriteIt) {
  std::mt19937 rng(11);
  for (const Types& types : mixed_types())
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
             {1, 1, 1}, {7, 13, 21}, {1, 64, 130}, {64, 34, 64}, {50, 99, 79}, {0, 4, 5}, {5, 0, 3}}) {
      const Post biased{"Add", {}, {-1, 0}, {constant(tiny_numbers(rng, types.out, {n}))}};
      const Post sum{"Add", {}, {0, -1}, {Operand(tiny_numbers(rng, types.out, {m, n}))}};
      expect_in_tiles_too(narrow_product(rng, types, {m, k}, n, {}), "gemm_bfloat16");
      expect_in_tiles_too(narrow_product(rng, types, {m, k}, n, {biased, {"Relu"}}), "gemm_bfloat16");
      expect_in_tiles_too(narrow_product(rng, types, {m, k}, n, {biased, sum, {"Relu"}}), "gemm_bfloat16");
      Case gaps = narrow_product(rng, types, {m, k}, n, {sum});
      gaps.inputs[0].gaps = true;
      gaps.gapped_outputs = true;
      expect_in_tiles_too(gaps, "gemm_bfloat16");
    }
}

Case narrow_conv(std::mt19937& rng, const Types& types, Dims x, Dims w, Attributes attributes,
                 std::vector<Post> posts = {}) {
  const Dims columns{w[0]};
  Case c{"Conv",
         {channels_last(tiny_numbers(rng, types.in, std::move(x))), constant(tiny_numbers(rng, types.in, std::move(w))),
          constant(tiny_numbers(rng, types.in, columns))},
         std::move(attributes)};
  c.posts = std::move(posts);
  c.output_layouts = {Layout::channels_last(4)};
  set_types(c, types);
  return c;
}

TEST(Bfloat16, ConvolutionsReadAndWriteIt) {
  std::mt19937 rng(12);
  const Attributes padded{{"pads", Ints{1, 2, 0, 3}}}, strided{{"strides", Ints{2, 3}}};
  for (const Types& types : mixed_types()) {
    const auto expect = [&](Dims x, Dims w, const Attributes& attributes, std::vector<Post> posts = {}) {
      expect_in_tiles_too(narrow_conv(rng, types, std::move(x), std::move(w), attributes, std::move(posts)),
                          "conv_bfloat16");
    };
    for (const int64_t channels : {1, 2, 5, 34}) {
      expect({2, channels, 7, 9}, {18, channels, 1, 1}, {});
      expect({2, channels, 7, 9}, {18, channels, 1, 1}, strided);
      expect({2, channels, 7, 9}, {18, channels, 1, 1}, padded);
      expect({2, channels, 7, 9}, {18, channels, 3, 3}, {});
      expect({2, channels, 7, 9}, {18, channels, 3, 3}, padded);
      expect({1, channels, 11, 12}, {5, channels, 3, 2}, {{"dilations", Ints{2, 1}}, {"pads", Ints{2, 1, 1, 2}}});
    }
    expect({1, 12, 6, 6}, {20, 3, 3, 3}, {{"group", int64_t{4}}, {"pads", Ints{0, 1, 2, 1}}});
    expect({1, 12, 6, 6}, {20, 6, 1, 1}, {{"group", int64_t{2}}});
    expect({0, 8, 6, 6}, {4, 8, 1, 1}, {});
    const Post sum{"Add", {}, {0, -1}, {channels_last(tiny_numbers(rng, types.out, {2, 70, 5, 7}))}};
    expect({2, 16, 5, 7}, {70, 16, 1, 1}, {}, {sum, {"Relu"}});
    expect({2, 16, 5, 7}, {70, 16, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}, {{"Relu"}, sum});
  }
}

// A pixel times one, plus what lies between two neighbours.
TEST(Bfloat16, ResultsAreRoundedToNearest) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> summands{0,        0x1p-8f, 0x1.8p-8f, 0x1p-7f, 0x1.8p-7f,    0x1.1p-8f,
                              -0x1p-9f, 3e38f,   inf,       -inf,    std::nanf("")};
  while (summands.size() % 16 != 5) summands.push_back(static_cast<float>(summands.size()) * 0x1p-10f);
  const auto count = static_cast<int64_t>(summands.size());
  Case c{"Conv",
         {channels_last(Tensor::of<float>({1, 1, 1, 7}, {1, 1, 1, 1, 1, 1, 1})),
          constant(Tensor::of<float>({count, 1, 1, 1}, std::vector<float>(summands.size(), 1))),
          constant(Tensor::of<float>({count}, summands))}};
  c.output_layouts = {Layout::channels_last(4)};
  set_types(c, {DType::kF32, DType::kBF16});
  expect_in_tiles_too(c, "conv_bfloat16");
}

TEST(Bfloat16, ConvolutionsKeepWhatIsNoNumber) {
  const float inf = std::numeric_limits<float>::infinity();
  for (float x : {inf, -inf, std::nanf("")}) {
    Case c{"Conv",
           {channels_last(Tensor::of<float>({1, 1, 1, 2}, {x, 1})), constant(Tensor::of<float>({1, 1, 1, 1}, {1}))}};
    c.output_layouts = {Layout::channels_last(4)};
    c.precision = DType::kBF16;
    expect_in_tiles_too(c, "conv_bfloat16");
  }
}

// What lies halfway goes to the even neighbour; what is no number stays so. In whole vectors and behind them.
TEST(Bfloat16, RoundsToNearest) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> numbers{1.00390625f, 1.01171875f, 1.00390637f, 3.3e38f, 1e-30f,
                             -0.0f,       3.4e38f,     inf,         -inf,    std::nanf("")};
  for (int i = 0; i < 29; ++i) numbers.push_back(std::ldexp(1.0f + static_cast<float>(i) * 0x1p-9f, i % 7));
  const auto count = static_cast<int64_t>(numbers.size());
  const Tensor wanted = Tensor::of<float>({count}, numbers).cast(DType::kBF16);
  std::vector<uint16_t> got(numbers.size());
  cpu::round_to_bfloat16(numbers.data(), got.data(), count);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto* want = static_cast<const uint16_t*>(wanted.data());
    if (std::isnan(numbers[i])) EXPECT_GT(got[i] & 0x7FFF, 0x7F80) << i;
    else EXPECT_EQ(got[i], want[i]) << numbers[i];
  }
}

}  // namespace
}  // namespace kiln::testing
