// Products with weights of few bits in blocks, and tables of few bits.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/harness.h"
#include "base/error.h"

namespace kiln::testing {
namespace {

Tensor random_codes(std::mt19937& rng, DType type, Dims dims) {
  Tensor t = Tensor::allocate(type, std::move(dims));
  for (int64_t i = 0; i < t.size(); ++i) {
    const auto code = static_cast<int64_t>(rng() % (1u << bits(type)));
    t.set_int(i, is_signed_integer(type) ? code - (int64_t{1} << (bits(type) - 1)) : code);
  }
  return t;
}

bool is_sound_code(const Tensor& t, int64_t i) { return std::isfinite(t.at(i)); }

// Any finite numbers of a small float.
Tensor random_floats(std::mt19937& rng, DType type, Dims dims) {
  Tensor t = Tensor::allocate(type, std::move(dims));
  auto* bytes = static_cast<uint8_t*>(t.mutable_data());
  for (int64_t i = 0; i < t.bytes(); ++i) bytes[i] = static_cast<uint8_t>(rng());
  for (int64_t i = 0; i < t.size(); ++i)
    if (!is_sound_code(t, i)) t.set(i, 1);
  return t;
}

Tensor block_scales(std::mt19937& rng, Dims dims) {
  Tensor t = Tensor::allocate(DType::kF32, std::move(dims));
  std::uniform_real_distribution<float> uniform(0.01f, 0.2f);
  for (float& v : t.as_mutable<float>()) v = uniform(rng);
  return t;
}

Case block_case(std::mt19937& rng, DType type, Dims a, int64_t n, int64_t block, bool zeros) {
  const int64_t k = a.back();
  const Dims parameters{(k + block - 1) / block, n};
  Case c{"MatMulDequantized",
         {random_tensor(rng, DType::kF32, std::move(a)),
          constant(is_integer(type) ? random_codes(rng, type, {k, n}) : random_floats(rng, type, {k, n})),
          constant(block_scales(rng, parameters))},
         {{"block_size", block}}};
  if (zeros) c.inputs.push_back(constant(random_codes(rng, type, parameters)));
  c.tolerance = 1e-4;  // of sums of larger numbers
  return c;
}

TEST(Blocks, Products) {
  std::mt19937 rng(1);
  for (DType type : {DType::kI4, DType::kU4, DType::kI8, DType::kU8})
    for (bool zeros : {false, true})
      for (int64_t m : {1, 2, 5, 8, 70})
        for (const auto& [k, n, block] : std::vector<std::array<int64_t, 3>>{
                 {1, 1, 1}, {32, 64, 16}, {70, 100, 32}, {130, 17, 128}, {33, 150, 5}, {64, 48, 100}})
          expect_case(block_case(rng, type, {m, k}, n, block, zeros), "gemm_blocks");
}

constexpr DType kRealCodes[] = {DType::kF4E2M1, DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2};

TEST(Blocks, ProductsOfSmallFloats) {
  std::mt19937 rng(6);
  for (DType type : kRealCodes)
    for (int64_t m : {0, 1, 2, 5, 8, 70})
      for (const auto& [k, n, block] : std::vector<std::array<int64_t, 3>>{
               {1, 1, 1}, {32, 64, 16}, {70, 100, 32}, {130, 17, 128}, {33, 150, 5}, {64, 48, 100}}) {
        Case c = block_case(rng, type, {m, k}, n, block, false);
        if (type == DType::kF8E5M2)  // whose sums are of numbers of 2^15
          for (float& v : c.inputs[2].tensor.as_mutable<float>()) v *= 0x1p-12f;
        expect_case(c, "gemm_blocks");
      }
}

// One row of the identity gives every number of the type, times its scale, as it is.
TEST(Blocks, EverySmallFloatIsExact) {
  for (DType type : kRealCodes) {
    const int64_t count = int64_t{1} << bits(type);
    Tensor codes = Tensor::allocate(type, {1, count});
    auto* bytes = static_cast<uint8_t*>(codes.mutable_data());
    for (int64_t i = 0; i < count; ++i) {
      if (bits(type) == 8) bytes[i] = static_cast<uint8_t>(i);
      else if (i % 2 == 0) bytes[i / 2] = static_cast<uint8_t>((i + 1) << 4 | i);
    }
    for (int64_t i = 0; i < count; ++i)
      if (!is_sound_code(codes, i)) codes.set(i, 1);
    for (const float scale : {1.0f, 0.3f, 1e-20f, 0.0f})
      for (int64_t m : {1, 3}) {
        Tensor scales = Tensor::allocate(DType::kF32, {1, count});
        for (float& v : scales.as_mutable<float>()) v = scale;
        Case c{"MatMulDequantized",
               {Tensor::of<float>({m, 1}, std::vector<float>(static_cast<size_t>(m), 1)), constant(codes),
                constant(scales)},
               {{"block_size", int64_t{1}}}};
        expect_case(c, "gemm_blocks");
      }
  }
}

TEST(Blocks, SmallFloatsKeepWhatIsNoNumber) {
  std::mt19937 rng(7);
  for (DType type : kRealCodes)
    for (int64_t m : {1, 9})
      for (const double x : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        Case c = block_case(rng, type, {m, 48}, 20, 16, false);
        for (float& v : c.inputs[2].tensor.as_mutable<float>()) v *= 0x1p-12f;
        c.inputs[0].tensor.set(3, x);
        expect_case(c, "gemm_blocks");
      }
}

TEST(Blocks, SmallFloatsHaveNoZeroPoints) {
  std::mt19937 rng(8);
  for (DType type : kRealCodes) {
    Case c = block_case(rng, type, {3, 48}, 20, 16, false);
    c.inputs.push_back(constant(Tensor::allocate(type, {3, 20})));
    expect_no_case(c, "gemm_blocks");
  }
}

// Small weights around the middle of their type under large numbers that cancel: nothing larger is summed on the way.
TEST(Blocks, SmallWeightsOfLargeNumbers) {
  std::mt19937 rng(4);
  for (DType type : {DType::kI4, DType::kU4, DType::kI8, DType::kU8})
    for (int64_t m : {1, 3, 9}) {
      Case c = block_case(rng, type, {m, 256}, 40, 64, true);
      const int64_t middle = is_signed_integer(type) ? 0 : int64_t{1} << (bits(type) - 1);
      for (int64_t i = 0; i < c.inputs[0].tensor.size(); ++i)
        c.inputs[0].tensor.set(i, 1000 + static_cast<double>(i % 7) / 8);
      for (int64_t i = 0; i < c.inputs[1].tensor.size(); ++i)
        c.inputs[1].tensor.set_int(i, middle + (i / 40 % 2 ? 1 : -1));
      for (int64_t i = 0; i < c.inputs[3].tensor.size(); ++i) c.inputs[3].tensor.set_int(i, middle);
      for (int64_t i = 0; i < c.inputs[2].tensor.size(); ++i) c.inputs[2].tensor.set(i, 0.125);
      c.tolerance = 1e-5;
      expect_case(c, "gemm_blocks");
    }
}

TEST(Blocks, OtherShapes) {
  std::mt19937 rng(2);
  expect_case(block_case(rng, DType::kU4, {2, 3, 40}, 24, 16, true), "gemm_blocks");
  expect_case(block_case(rng, DType::kU4, {0, 40}, 24, 16, true), "gemm_blocks");
  Case gaps = block_case(rng, DType::kI4, {3, 40}, 24, 16, false);
  gaps.inputs[0].gaps = true;
  gaps.gapped_outputs = true;
  expect_case(gaps, "gemm_blocks");
  Case late = block_case(rng, DType::kI8, {3, 40}, 24, 16, false);
  late.inputs[1].constant = false;
  expect_no_case(late, "gemm_blocks");
  Case followed = block_case(rng, DType::kI8, {3, 40}, 24, 16, false);
  followed.posts = {{"Relu"}};
  expect_no_case(followed, "gemm_blocks");
}

TEST(Blocks, NotANumberStaysInItsRow) {
  std::mt19937 rng(3);
  for (int64_t m : {1, 9}) {
    Case c = block_case(rng, DType::kU4, {m, 48}, 20, 16, true);
    c.inputs[0].tensor.set(3, std::numeric_limits<double>::quiet_NaN());
    expect_case(c, "gemm_blocks");
  }
}

TEST(Blocks, KernelRefusesWhatDoesNotFit) {
  const Attributes parameters{{"k", int64_t{8}}, {"n", int64_t{3}}, {"block", int64_t{4}}, {"bits", int64_t{4}}};
  const Tensor a = Tensor::allocate(DType::kF32, {2, 8}), codes = Tensor::allocate(DType::kI32, {2 * 16}),
               numbers = Tensor::allocate(DType::kF32, {2 * 16});
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {2, 3})};
  EXPECT_TRUE(launch_kernel("gemm_blocks", parameters, {a, codes, numbers, numbers}, out).ok());
  EXPECT_FALSE(launch_kernel("gemm_blocks", parameters, {a, numbers, numbers, numbers}, out).ok());
  EXPECT_FALSE(launch_kernel("gemm_blocks", parameters, {a, codes, codes, numbers}, out).ok());
  EXPECT_FALSE(
      launch_kernel("gemm_blocks", parameters, {Tensor::allocate(DType::kF32, {2, 9}), codes, numbers, numbers}, out)
          .ok());
  EXPECT_FALSE(
      launch_kernel("gemm_blocks", parameters, {a, Tensor::allocate(DType::kI32, {3}), numbers, numbers}, out).ok());
  Attributes floats = parameters;
  for (const auto& [code, bits, fits] : std::vector<std::tuple<int64_t, int64_t, bool>>{
           {0, 4, true}, {1, 4, true}, {1, 8, false}, {2, 4, false}, {3, 2, false}, {4, 8, false}, {-1, 4, false}}) {
    floats.set("code", code);
    floats.set("bits", bits);
    if (fits) EXPECT_TRUE(launch_kernel("gemm_blocks", floats, {a, codes, numbers}, out).ok()) << code;
    else EXPECT_THROW((void)launch_kernel("gemm_blocks", floats, {a, codes, numbers}, out), Error) << code;
  }
  floats.set("code", int64_t{1});
  floats.set("bits", int64_t{4});
  EXPECT_FALSE(launch_kernel("gemm_blocks", floats, {a, codes, numbers, numbers}, out).ok());
  Attributes other = parameters;
  other.set("bits", int64_t{3});
  EXPECT_THROW((void)launch_kernel("gemm_blocks", other, {a, codes, numbers, numbers}, out), Error);
}

// Rows of tables: where scales vary along each axis, by blocks or not.
TEST(Tables, RowsAlongEachAxis) {
  std::mt19937 rng(5);
  for (DType type : {DType::kI2, DType::kU2, DType::kI4, DType::kU4, DType::kI8, DType::kU8})
    for (int64_t gather_axis : {0, 1, 2})
      for (int64_t axis : {0, 1, 2})
        for (int64_t block : {0, 1, 3, 50}) {
          const Dims dims{7, 5, 45};
          const int64_t extent = dims[static_cast<size_t>(axis)];
          Dims parameters = block ? dims : Dims{extent};
          if (block) parameters[static_cast<size_t>(axis)] = (extent + block - 1) / block;
          Case c{"GatherDequantized",
                 {constant(random_codes(rng, type, dims)), Tensor::of<int64_t>({2, 2}, {0, -1, 3, -5}),
                  constant(block_scales(rng, parameters)), constant(random_codes(rng, type, parameters))},
                 {{"gather_axis", gather_axis}, {"axis", axis}, {"block_size", block}}};
          expect_case(c, "gather_dequantized");
        }
}

TEST(Tables, OtherForms) {
  std::mt19937 rng(6);
  const Attributes rows{{"axis", int64_t{0}}};
  const Operand table = constant(random_codes(rng, DType::kI4, {50, 33})), scales = constant(block_scales(rng, {50}));
  const Operand indices(Tensor::of<int32_t>({4}, {49, 0, 7, -50}));
  Case gaps{"GatherDequantized", {table, indices, scales}, rows};
  gaps.gapped_outputs = true;
  expect_case(gaps, "gather_dequantized");
  expect_case({"GatherDequantized", {table, Tensor::of<int32_t>({}, {2}), constant(Tensor::scalar(0.5f))}},
              "gather_dequantized");
  expect_case({"GatherDequantized", {table, Tensor::of<int32_t>({0}, {}), scales}, rows}, "gather_dequantized");
  const float odd[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 0, -1, 1e-40f};
  for (float scale : odd)
    expect_case({"GatherDequantized", {table, indices, constant(Tensor::scalar(scale))}}, "gather_dequantized");
  expect_no_case({"GatherDequantized", {table.tensor, indices, scales}, rows}, "gather_dequantized");
  expect_no_case({"GatherDequantized", {table, indices, scales.tensor}, rows}, "gather_dequantized");
}

TEST(Tables, KernelRefusesWhatDoesNotFit) {
  const Attributes sound{{"dims", Ints{4, 6}},          {"axis", int64_t{0}},        {"bits", int64_t{4}},
                         {"signed", int64_t{0}},        {"block_axis", int64_t{1}},  {"block", int64_t{3}},
                         {"scale_strides", Ints{2, 1}}, {"zero_strides", Ints{2, 1}}};
  const Tensor table = Tensor::allocate(DType::kU8, {12}), indices = Tensor::of<int64_t>({3}, {0, 3, -4}),
               scales = Tensor::allocate(DType::kF32, {8}), zeros = Tensor::allocate(DType::kU8, {4});
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {3, 6})};
  const auto run = [&](const Attributes& parameters, const std::vector<Tensor>& inputs) {
    return launch_kernel("gather_dequantized", parameters, inputs, out).ok();
  };
  EXPECT_TRUE(run(sound, {table, indices, scales, zeros}));
  EXPECT_TRUE(run(sound, {table, indices, scales}));
  EXPECT_FALSE(run(sound, {Tensor::allocate(DType::kU8, {11}), indices, scales, zeros}));
  EXPECT_FALSE(run(sound, {table, indices, Tensor::allocate(DType::kF32, {7}), zeros}));
  EXPECT_FALSE(run(sound, {table, indices, scales, Tensor::allocate(DType::kU8, {3})}));
  EXPECT_FALSE(run(sound, {table, Tensor::of<int64_t>({3}, {0, 4, 0}), scales, zeros}));
  EXPECT_FALSE(run(sound, {table, Tensor::of<int64_t>({2}, {0, 1}), scales, zeros}));
  EXPECT_FALSE(run(sound, {table, scales, scales, zeros}));
  for (const auto& [key, value] : std::vector<std::pair<std::string, Attribute>>{
           {"scale_strides", Ints{3, 1}}, {"zero_strides", Ints{INT64_MAX, 1}}, {"block", int64_t{1}}}) {
    Attributes other = sound;
    other.set(key, value);
    EXPECT_FALSE(run(other, {table, indices, scales, zeros})) << key;
  }
  for (const auto& [key, value] : std::vector<std::pair<std::string, Attribute>>{{"dims", Ints{4, INT64_MAX}},
                                                                                 {"dims", Ints{}},
                                                                                 {"dims", Ints{4, -6}},
                                                                                 {"axis", int64_t{2}},
                                                                                 {"bits", int64_t{3}},
                                                                                 {"block", int64_t{0}},
                                                                                 {"block_axis", int64_t{2}},
                                                                                 {"signed", int64_t{2}},
                                                                                 {"scale_strides", Ints{1}},
                                                                                 {"scale_strides", Ints{-2, 1}},
                                                                                 {"zero_strides", Ints{1}}}) {
    Attributes other = sound;
    other.set(key, value);
    EXPECT_THROW((void)run(other, {table, indices, scales, zeros}), Error) << key;
  }
}

}  // namespace
}  // namespace kiln::testing
