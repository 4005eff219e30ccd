// Numbers of 8 bits and fewer on NVIDIA GPUs: casts, pointwise operators, and quantization with scales of a tensor, an axis or blocks.
#include <gtest/gtest.h>

#include <cmath>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

using Types = std::vector<DType>;

Types joined(Types all, const Types& more) {
  for (DType type : more) all.push_back(type);
  return all;
}
Types small_types() {
  return {DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ, DType::kF8E8M0,
          DType::kF4E2M1,   DType::kU2,         DType::kI2,     DType::kU4,         DType::kI4};
}
Types all_types() {
  return joined(small_types(),
                {DType::kBool, DType::kI8, DType::kU8, DType::kI16, DType::kU16, DType::kI32, DType::kU32, DType::kI64,
                 DType::kU64, DType::kF16, DType::kBF16, DType::kF32, DType::kF64});
}

// Every code of a type of 8 bits and fewer; of others numbers of all sizes and the ends of floats.
Operand every_value(DType type, Dims dims) {
  Tensor t = Tensor::allocate(type, dims);
  if (bits(type) <= 8 && type != DType::kBool) {
    auto* bytes = static_cast<uint8_t*>(t.mutable_data());
    for (int64_t i = 0; i < t.bytes(); ++i) bytes[i] = static_cast<uint8_t>(i * 37 + i / 256);
    return {.dims = std::move(dims), .type = type, .value = t};
  }
  const double ends[] = {0.0,      -0.0, 1e30, -1e30, HUGE_VAL, -HUGE_VAL, std::nan(""),
                         0x1p-127, 448,  449,  464,   57344,    61440,     6.5};
  for (int64_t i = 0; i < t.size(); ++i) {
    const double size = std::ldexp(1 + static_cast<double>(i % 17) / 16, static_cast<int>(i * 7 % 40) - 20);
    if (!is_float(type))
      t.set_int(i, type == DType::kBool ? i % 3 == 0 : is_unsigned_integer(type) ? i * 5 : i * 5 % 513 - 256);
    else t.set(i, i % 5 == 0 ? ends[i / 5 % 14] : i % 2 ? -size : size);
  }
  return {.dims = std::move(dims), .type = type, .value = t};
}

// NaN is the same wherever it is; results are otherwise the same numbers.
constexpr double kExact = 1e-12;

TEST(CudaSmallTypes, CastsBetweenAllTypes) {
  for (DType from : all_types())
    for (DType to : all_types()) {
      if (from == to || (bits(from) > 8 && bits(to) > 8)) continue;
      for (const Dims& dims : {Dims{1031}, Dims{7, 3, 5}, Dims{0, 3}, Dims{}}) {
        const auto names = check({.op = "Cast",
                                  .attributes = {{"to", std::string(name(to))}},
                                  .inputs = {every_value(from, dims)},
                                  .only = "pointwise",
                                  .tolerance = kExact});
        EXPECT_TRUE(names.count("pointwise")) << name(from) << " to " << name(to);
      }
    }
  EXPECT_NE(refusal({.op = "Cast",
                     .attributes = {{"to", std::string("float8e5m2")}, {"saturate", int64_t{0}}},
                     .inputs = {plain({4}, DType::kF32)}},
                    "pointwise"),
            "");
}

TEST(CudaSmallTypes, CastsWithoutSaturation) {
  for (DType from : all_types())
    for (DType to : {DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ, DType::kF8E8M0})
      for (const Dims& dims : {Dims{1031}, Dims{7, 3, 5}, Dims{0, 3}, Dims{}})
        EXPECT_EQ(check({.op = "Cast",
                         .attributes = {{"to", std::string(name(to))}, {"saturate", int64_t{0}}},
                         .inputs = {every_value(from, dims)},
                         .tolerance = kExact}),
                  std::set<std::string>{"cast_float8"})
            << name(from) << " to " << name(to);
}

TEST(CudaSmallTypes, CastsToPowersOfTwoByEveryRounding) {
  NodeCase c{.op = "Cast", .attributes = {{"to", std::string("float8e8m0")}}, .tolerance = kExact};
  for (DType from : all_types())
    for (int64_t saturate : {0, 1})
      for (const char* mode : {"up", "down", "nearest"}) {
        c.inputs = {every_value(from, {1031})};
        c.attributes.set("saturate", saturate);
        c.attributes.set("round_mode", std::string(mode));
        EXPECT_EQ(check(c).count("cast_float8"), saturate == 0 || std::string(mode) != "up" ? 1u : 0u) << name(from);
      }
  c.attributes.set("saturate", int64_t{1});
  c.attributes.set("round_mode", std::string("up"));
  EXPECT_EQ(refusal(c, "cast_float8"), "a program makes it");
  c.attributes.set("to", std::string("float16"));
  EXPECT_EQ(refusal(c, "cast_float8"), "to float16");
}

// What a program does not choose among: its infinities would be stored as the largest number, or it has no such numbers.
TEST(CudaSmallTypes, ChoicesThatKeepTheirBits) {
  for (DType type : {DType::kF8E5M2, DType::kC64, DType::kC128})
    for (const Dims& other : {Dims{9, 35}, Dims{35}, Dims{9, 1}, Dims{}})
      for (const Dims& condition : {Dims{9, 35}, Dims{1, 35}, Dims{9, 1}, Dims{}}) {
        const auto values = [&](const Dims& dims) {
          return type == DType::kF8E5M2 ? every_value(type, dims) : plain(dims, type);
        };
        NodeCase c{.op = "Where",
                   .inputs = {plain(condition, DType::kBool), values({9, 35}), values(other)},
                   .tolerance = kExact};
        EXPECT_EQ(check(c), std::set<std::string>{"choose"}) << name(type);
        std::swap(c.inputs[1], c.inputs[2]);
        EXPECT_EQ(check(c), std::set<std::string>{"choose"}) << name(type);
      }
  check(
      {.op = "Where", .inputs = {plain({0, 3}, DType::kBool), plain({3}, DType::kC128), plain({1, 3}, DType::kC128)}});
  EXPECT_EQ(
      refusal({.op = "Where", .inputs = {plain({3}, DType::kBool), plain({3}, DType::kF32), plain({3}, DType::kF32)}},
              "choose"),
      "a program chooses among float32");
}

TEST(CudaSmallTypes, ChainsAndBroadcasts) {
  for (DType type : {DType::kF8E4M3FN, DType::kF8E5M2, DType::kF4E2M1, DType::kI4, DType::kU2}) {
    for (const Dims& other : {Dims{9, 35}, Dims{35}, Dims{9, 1}, Dims{}}) {
      NodeCase c{.op = "Where",
                 .inputs = {plain({9, 35}, DType::kBool), every_value(type, {9, 35}), every_value(type, other)},
                 .tolerance = kExact};
      // Its infinities would be stored as the largest number.
      EXPECT_EQ(check(c).count("pointwise"), type == DType::kF8E5M2 ? 0u : 1u) << name(type);
    }
    NodeCase chain{.op = "Cast",
                   .attributes = {{"to", std::string(name(type))}},
                   .inputs = {plain({11, 13}, DType::kF32)},
                   .post = {post("Cast", {-1}, {{"to", std::string("float16")}}), post("Relu", {-1})},
                   .tolerance = kExact};
    EXPECT_TRUE(check(chain).count("pointwise")) << name(type);
    EXPECT_FALSE(check(chain).count("pointwise_generated"));
  }
}

struct Granularity {
  Dims x, scale;
  int64_t axis, block;
};
const Granularity kGranularities[] = {
    {{5, 40, 3}, {}, 1, 0},         {{5, 40, 3}, {40}, 1, 0}, {{5, 40, 3}, {5}, 0, 0},
    {{6, 33}, {33}, -1, 0},         {{6, 33}, {6, 3}, 1, 16}, {{7, 33}, {2, 33}, 0, 4},
    {{3, 70, 5}, {3, 3, 5}, 1, 32}, {{0, 33}, {33}, 1, 0},    {{1037}, {1}, 1, 0}};

Operand scales(DType type, const Dims& dims) {
  Tensor t = Tensor::allocate(type, dims);
  for (int64_t i = 0; i < t.size(); ++i)
    t.set(i, type == DType::kI32 ? static_cast<double>(1 + i % 3) : 0.125 * static_cast<double>(1 + i % 7));
  return {.dims = dims, .type = type, .value = t};
}
Operand zeros(DType type, const Dims& dims) {
  Tensor t = Tensor::allocate(type, dims);
  for (int64_t i = 0; i < t.size() && is_integer(type); ++i) t.set_int(i, i % 2);
  return {.dims = dims, .type = type, .value = t};
}

TEST(CudaSmallTypes, DequantizesEveryType) {
  for (DType code : joined(small_types(), {DType::kI8, DType::kU8, DType::kI16, DType::kU16, DType::kI32})) {
    if (code == DType::kF8E8M0) continue;
    for (DType scale : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kF8E8M0})
      for (const Granularity& g : kGranularities)
        for (bool zero : {false, true}) {
          NodeCase c{.op = "DequantizeLinear",
                     .attributes = {{"axis", g.axis}, {"block_size", g.block}},
                     .inputs = {every_value(code, g.x), scales(scale, g.scale)},
                     .only = "quantize_any",
                     .tolerance = kExact};
          if (scale == DType::kF8E8M0) c.attributes.set("output_dtype", std::string("float16"));
          if (zero) c.inputs.push_back(zeros(code, g.scale));
          EXPECT_EQ(check(c), std::set<std::string>{"quantize_any"}) << name(code);
        }
  }
}

TEST(CudaSmallTypes, QuantizesToEveryType) {
  for (DType code : joined(small_types(), {DType::kI8, DType::kU8, DType::kI16, DType::kU16})) {
    if (code == DType::kF8E8M0) continue;
    for (DType real : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI32})
      for (const Granularity& g : kGranularities)
        for (int64_t form = 0; form < 4; ++form) {
          NodeCase c{.op = "QuantizeLinear",
                     .attributes = {{"axis", g.axis}, {"block_size", g.block}, {"saturate", form % 2}},
                     .inputs = {every_value(real, g.x), scales(real, g.scale)},
                     .only = "quantize_any",
                     .tolerance = kExact};
          if (form / 2 == 1) c.inputs.push_back(zeros(code, g.scale));
          else c.attributes.set("output_dtype", std::string(name(code)));
          if (form == 3) c.attributes.set("precision", std::string("float16"));
          EXPECT_EQ(check(c), std::set<std::string>{"quantize_any"}) << name(real) << " to " << name(code);
        }
  }
}

}  // namespace
}  // namespace kiln::cuda::testing
