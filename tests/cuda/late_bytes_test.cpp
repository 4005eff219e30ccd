// Products, convolutions, means and resizes of bytes on NVIDIA GPUs that give the bytes of the reference, whatever only running tells.
#include <gtest/gtest.h>

#include <random>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kByteTypes[] = {DType::kI8, DType::kU8};
constexpr double kExact = 1e-12;  // one byte that differs is more

// Bytes of all values.
Operand bytes(Dims dims, DType type, unsigned seed, bool constant = false) {
  Tensor t = Tensor::allocate(type, dims);
  std::minstd_rand random(seed + 1);
  auto* to = static_cast<uint8_t*>(t.mutable_data());
  for (int64_t i = 0; i < t.size(); ++i) to[i] = static_cast<uint8_t>(random() >> 8);
  return {.dims = std::move(dims), .type = type, .constant = constant, .value = t};
}
Operand scales(Dims dims, double first, unsigned seed, bool constant = false) {
  Tensor t = Tensor::allocate(DType::kF32, dims);
  std::minstd_rand random(seed + 1);
  std::uniform_real_distribution<double> uniform(0.5, 1.5);
  for (int64_t i = 0; i < t.size(); ++i) t.set(i, first * uniform(random));
  return {.dims = std::move(dims), .type = DType::kF32, .constant = constant, .value = t};
}
Operand absent() { return {.dims = {}, .present = false}; }

struct Late {
  Dims a, b;
  bool by_row, by_column;
};
const Late kLate[] = {{{3, 5}, {5, 7}, false, false},        {{33, 130}, {130, 41}, true, true},
                      {{2, 3, 9, 17}, {17, 5}, true, false}, {{4, 1, 9, 6}, {3, 6, 11}, false, true},
                      {{0, 5}, {5, 7}, false, false},        {{3, 0}, {0, 7}, true, true},
                      {{300, 64}, {64, 1}, true, false}};

TEST(CudaLateBytes, ProductsOfWhatOnlyRunningTells) {
  unsigned seed = 0;
  for (DType left : kByteTypes)
    for (DType right : kByteTypes)
      for (DType result : kByteTypes)
        for (const Late& late : kLate) {
          const Dims rows = late.by_row ? Dims{late.a[late.a.size() - 2]} : Dims{},
                     columns = late.by_column ? Dims{late.b.back()} : Dims{1};
          seed += 10;
          const NodeCase c{
              .op = "QLinearMatMul",
              .inputs = {bytes(late.a, left, seed), scales(rows, 0.02, seed + 1), bytes(rows, left, seed + 2),
                         bytes(late.b, right, seed + 3), scales(columns, 0.03, seed + 4),
                         bytes(columns, right, seed + 5), scales(rows, 0.9, seed + 6), bytes(rows, result, seed + 7)},
              .tolerance = kExact};
          EXPECT_EQ(check(c), std::set<std::string>{"integer_product"});
          NodeCase sums{.op = "MatMulInteger",
                        .inputs = {c.inputs[0], c.inputs[3], c.inputs[2], c.inputs[5]},
                        .tolerance = kExact};
          EXPECT_EQ(check(sums).size(), 1U);  // by tensor cores where they take it
          sums.inputs.resize(2);
          EXPECT_EQ(check(sums).size(), 1U);
        }
}

// Scales that are zero, not a number or infinite.
TEST(CudaLateBytes, ProductsByOddScales) {
  for (float odd : {0.0f, kNan, kInf, 1e-42f, -0.5f}) {
    const auto number = [](float v) {
      const Tensor t = Tensor::of<float>({}, {v});
      return Operand{.dims = {}, .type = DType::kF32, .value = t};
    };
    for (int place : {1, 4, 6}) {
      NodeCase c{
          .op = "QLinearMatMul",
          .inputs = {bytes({4, 9}, DType::kU8, 1), number(0.5f), bytes({}, DType::kU8, 2), bytes({9, 6}, DType::kI8, 3),
                     number(0.25f), bytes({}, DType::kI8, 4), number(0.75f), bytes({}, DType::kI8, 5)},
          .tolerance = kExact};
      c.inputs[static_cast<size_t>(place)] = number(odd);
      EXPECT_EQ(check(c), std::set<std::string>{"integer_product"});
    }
  }
}

struct LateConv {
  Dims x, w;
  Attributes attributes;
};

TEST(CudaLateBytes, ConvolutionsOfWhatOnlyRunningTells) {
  const LateConv convs[] = {
      {{2, 3, 9, 11}, {5, 3, 3, 3}, {{"pads", Ints{1, 0, 1, 2}}}},
      {{1, 8, 7, 7}, {8, 2, 3, 2}, {{"group", int64_t{4}}, {"strides", Ints{2, 1}}, {"dilations", Ints{1, 2}}}},
      {{2, 6, 13}, {6, 1, 5}, {{"group", int64_t{6}}, {"auto_pad", std::string("SAME_LOWER")}}},
      {{1, 2, 4, 5, 6}, {3, 2, 2, 3, 2}, {{"pads", Ints{1, 1, 0, 0, 1, 1}}}},
      {{0, 3, 5, 5}, {4, 3, 3, 3}, {}},
  };
  unsigned seed = 0;
  for (DType x : kByteTypes)
    for (DType w : kByteTypes)
      for (DType y : kByteTypes)
        for (const LateConv& conv : convs)
          for (bool by_channel : {false, true}) {
            seed += 10;
            const Dims channels = by_channel ? Dims{conv.w[0]} : Dims{};
            NodeCase c{.op = "QLinearConv",
                       .attributes = conv.attributes,
                       .inputs = {bytes(conv.x, x, seed), scales({}, 0.02, seed + 1), bytes({}, x, seed + 2),
                                  bytes(conv.w, w, seed + 3), scales(channels, 0.03, seed + 4),
                                  bytes(channels, w, seed + 5), scales({}, 0.7, seed + 6), bytes({}, y, seed + 7)},
                       .tolerance = kExact};
            EXPECT_EQ(check(c), std::set<std::string>{"integer_product"});
            Tensor bias = Tensor::allocate(DType::kI32, {conv.w[0]});
            for (int64_t i = 0; i < bias.size(); ++i) bias.set_int(i, i % 2 ? 90000 * i : -70000);
            c.inputs.push_back({.dims = bias.dims(), .type = DType::kI32, .value = bias});
            EXPECT_EQ(check(c), std::set<std::string>{"integer_product"});
            NodeCase sums{.op = "ConvInteger",
                          .attributes = conv.attributes,
                          .inputs = {c.inputs[0], c.inputs[3], c.inputs[2]},
                          .tolerance = kExact};
            EXPECT_TRUE(check(sums).count("integer_product"));
          }
}

TEST(CudaLateBytes, RefusesWithAReason) {
  EXPECT_EQ(refusal({.op = "MatMulInteger", .inputs = {plain({8, 32}, DType::kU8), constant({32, 16}, DType::kI8)}},
                    "integer_product"),
            "another tactic takes it");
  NodeCase c{.op = "MatMulInteger", .inputs = {plain({4}, DType::kU8), plain({4, 5}, DType::kU8)}};
  EXPECT_EQ(refusal(c, "integer_product"), "an operand is a vector");
  constexpr DType kSmall = DType::kF8E4M3FN;
  c = {.op = "QLinearMatMul",
       .inputs = {plain({3, 4}, kSmall), plain({}, DType::kF32), plain({}, kSmall), plain({4, 5}, kSmall),
                  plain({}, DType::kF32), plain({}, kSmall), plain({}, DType::kF32), plain({}, kSmall)}};
  EXPECT_EQ(refusal(c, "integer_product"), "products of float8e4m3fn and float8e4m3fn");
}

// x, scales, zero points and what follows them.
std::vector<Operand> mean_inputs(Dims x, DType from, DType to, unsigned seed, const Layout& layout) {
  std::vector<Operand> inputs{bytes(std::move(x), from, seed), scales({}, 0.021, seed + 1, true),
                              scales({}, 0.017, seed + 2, true), bytes({}, from, seed + 3, true),
                              bytes({}, to, seed + 4, true)};
  inputs[0].layout = layout;
  return inputs;
}

TEST(CudaByteImages, Means) {
  unsigned seed = 0;
  const Attributes windows[] = {
      {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}},
      {{"kernel_shape", Ints{2, 5}}, {"strides", Ints{2, 3}}, {"ceil_mode", int64_t{1}}},
      {{"kernel_shape", Ints{3, 2}},
       {"dilations", Ints{2, 3}},
       {"pads", Ints{2, 0, 1, 1}},
       {"count_include_pad", int64_t{1}}},
      {{"kernel_shape", Ints{9, 9}}, {"auto_pad", std::string("SAME_UPPER")}},
      {{"global", int64_t{1}}},
  };
  for (DType from : kByteTypes)
    for (DType to : kByteTypes)
      for (const Layout& layout : {Layout(), kLast})
        for (Attributes window : windows)
          for (bool factor : {false, true})
            for (const Dims& x : {Dims{2, 5, 11, 13}, Dims{1, 40, 9, 9}, Dims{1, 3, 40, 41}}) {
              seed += 10;
              window.set("to", std::string(name(to)));
              NodeCase c{.op = "QuantizedAveragePool",
                         .attributes = window,
                         .inputs = mean_inputs(x, from, to, seed, layout),
                         .output_layout = layout,
                         .tolerance = kExact};
              if (factor) c.inputs.push_back(scales({}, 1.1, seed + 5, true));
              EXPECT_EQ(check(c), std::set<std::string>{"mean_bytes"});
            }
  check({.op = "QuantizedAveragePool",
         .attributes = {{"kernel_shape", Ints{4}}, {"to", std::string("int8")}},
         .inputs = mean_inputs({2, 3, 17}, DType::kU8, DType::kI8, 3, Layout()),
         .tolerance = kExact});
  check({.op = "QuantizedAveragePool",
         .attributes = {{"global", int64_t{1}}, {"to", std::string("int8")}},
         .inputs = mean_inputs({0, 3, 5, 5}, DType::kU8, DType::kI8, 3, Layout()),
         .tolerance = kExact});
}

TEST(CudaByteImages, MeansOfWholeLargeImages) {
  for (const Layout& layout : {Layout(), kLast})
    EXPECT_EQ(check({.op = "QuantizedAveragePool",
                     .attributes = {{"global", int64_t{1}}, {"to", std::string("uint8")}},
                     .inputs = mean_inputs({2, 33, 112, 113}, DType::kI8, DType::kU8, 5, layout),
                     .output_layout = layout,
                     .tolerance = kExact}),
              std::set<std::string>{"mean_bytes"});
}

NodeCase byte_resize(Dims x, std::vector<float> factors, const char* mode, const char* coordinates, DType from,
                     DType to, unsigned seed, const Layout& layout) {
  const Tensor scale = Tensor::of<float>({static_cast<int64_t>(factors.size())}, factors);
  NodeCase c{.op = "QuantizedResize",
             .attributes = {{"mode", std::string(mode)},
                            {"coordinate_transformation_mode", std::string(coordinates)},
                            {"to", std::string(name(to))}},
             .inputs = {bytes(std::move(x), from, seed),
                        absent(),
                        {.dims = scale.dims(), .type = DType::kF32, .constant = true, .value = scale},
                        absent()},
             .output_layout = layout,
             .tolerance = kExact};
  c.inputs[0].layout = layout;
  for (const Operand& o : {scales({}, 0.021, seed + 1, true), scales({}, 0.02, seed + 2, true),
                           bytes({}, from, seed + 3, true), bytes({}, to, seed + 4, true)})
    c.inputs.push_back(o);
  return c;
}

TEST(CudaByteImages, Resizes) {
  unsigned seed = 0;
  for (const char* mode : {"linear", "cubic"})
    for (const char* coordinates : {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel",
                                    "tf_half_pixel_for_nn", "half_pixel_symmetric"})
      for (const Layout& layout : {Layout(), kLast})
        for (const std::vector<float>& factors :
             {std::vector<float>{1, 1, 2, 2}, std::vector<float>{1, 1, 1.7f, 0.6f}, std::vector<float>{1, 1, 1, 3}})
          for (int64_t exclude : {0, 1}) {
            seed += 10;
            NodeCase c = byte_resize({2, 5, 9, 11}, factors, mode, coordinates, seed % 20 ? DType::kI8 : DType::kU8,
                                     seed % 30 ? DType::kU8 : DType::kI8, seed, layout);
            c.attributes.set("exclude_outside", exclude);
            c.attributes.set("cubic_coeff_a", exclude ? -0.5 : -0.75);
            EXPECT_EQ(check(c), std::set<std::string>{"resize_bytes"});
          }
  check(byte_resize({2, 5, 9}, {1, 1, 2.5f}, "linear", "half_pixel", DType::kU8, DType::kU8, 3, Layout()));
  check(byte_resize({0, 5, 9, 4}, {1, 1, 2, 2}, "linear", "half_pixel", DType::kU8, DType::kU8, 3, Layout()));
  NodeCase filtered =
      byte_resize({1, 2, 9, 9}, {1, 1, 0.5f, 0.5f}, "linear", "half_pixel", DType::kU8, DType::kU8, 3, kLast);
  filtered.attributes.set("antialias", int64_t{1});
  EXPECT_EQ(refusal(filtered, "resize_bytes"), "its filter grows with the scale");
}

}  // namespace
}  // namespace kiln::cuda::testing
