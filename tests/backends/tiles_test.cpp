// Products and convolutions in tiles (AMX): sizes at which tiles, steps, blocks and parts of the terms end, and machines that have none.
#include "backends/cpu/device/compute/product_tiles.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cmath>
#include <cstddef>

#include "backends/cpu/device/device.h"
#include "backends/harness.h"
#include "base/error.h"

namespace kiln::testing {
namespace {

// A scale for each column such that sums of so many terms become bytes of all sizes, and some saturate.
Tensor scales(std::mt19937& rng, int64_t columns, int64_t terms, bool images) {
  Tensor t = Tensor::allocate(DType::kF32, images ? Dims{columns, 1, 1} : Dims{columns});
  std::uniform_real_distribution<float> uniform(0.2f, 1.6f);
  for (float& v : t.as_mutable<float>()) v = uniform(rng) / (60 * std::sqrt(static_cast<float>(terms + 1)));
  return t;
}

Post quantize_by(float scale, DType type, int64_t zero) {
  return {"Quantize", {{"to", std::string(name(type))}}, {-1, 0, 1}, {one(scale), byte(type, zero)}};
}

// The chains that quantized networks have behind their sums: bytes, of biased numbers, by a table, and with another tensor of bytes.
std::vector<std::vector<Post>> network_chains(std::mt19937& rng, int64_t columns, int64_t terms, bool images,
                                              const Operand& like) {
  const Post scale{"Mul", {}, {-1, 0}, {constant(scales(rng, columns, terms, images))}};
  Tensor numbers = random_tensor(rng, DType::kF32, images ? Dims{columns, 1, 1} : Dims{columns});
  const Post bias{"Add", {}, {-1, 0}, {constant(std::move(numbers))}};
  const Post back{"Dequantize", {}, {-1, 0}, {one(0.021f)}};
  const Post sum{"AddDequantized", {}, {-1, 0, 1, 2}, {like, one(0.017f), byte(like.tensor.dtype(), 3)}};
  return {
      {kCast, scale, quantize_by(0.017f, DType::kI8, 0)},
      {kCast, scale, bias, quantize_by(0.033f, DType::kU8, 128)},
      {kCast, scale, quantize_by(0.021f, DType::kI8, 0), back, {"Relu"}, quantize_by(0.013f, DType::kI8, -128)},
      {kCast, scale, quantize_by(0.021f, DType::kI8, 0), back, sum, quantize_by(0.03f, DType::kI8, 5)},
      {kCast, scale, bias, quantize_by(0.021f, DType::kI8, 0), back, sum, {"Relu"}, quantize_by(0.03f, DType::kU8, 9)}};
}

// Rows, terms and columns.
const std::vector<std::array<int64_t, 3>>& products() {
  static const std::vector<std::array<int64_t, 3>> kSizes{
      {1, 64, 64},   {16, 64, 16},  {17, 60, 17},   {32, 65, 48},   {33, 68, 65},   {49, 96, 96},   {15, 148, 130},
      {65, 320, 31}, {3, 1536, 64}, {35, 1540, 20}, {98, 1600, 80}, {40, 4612, 33}, {200, 40, 129}, {70, 3, 5}};
  return kSizes;
}

TEST(Tiles, ProductsOfBytes) {
  std::mt19937 rng(1);
  for (const auto& [m, k, n] : products())
    for (DType type : {DType::kU8, DType::kI8}) {
      const Operand a(random_bytes(rng, type, {m, k})), b(constant(random_bytes(rng, DType::kI8, {k, n})));
      const Operand zero = byte(type, type == DType::kU8 ? 255 : -128);
      expect_in_tiles_too({"MatMulInteger", {a, b, zero}}, "gemm_int8");
      for (auto& posts : network_chains(rng, n, k, false, random_bytes(rng, DType::kI8, {m, n})))
        expect_in_tiles_too({"MatMulInteger", {a, b}, {}, 1, posts}, "gemm_int8");
    }
}

// All at the ends: what pairs of products would be in 16 bits leaves them.
TEST(Tiles, ProductsOfBytesAtTheEnds) {
  for (DType type : {DType::kU8, DType::kI8})
    for (int64_t weight : {-128, 127}) {
      const Operand a(whole(type, {18, 260}, type == DType::kU8 ? 255 : -128)),
          b(constant(whole(DType::kI8, {260, 34}, weight)));
      for (int64_t zero : {type == DType::kU8 ? 0 : -128, type == DType::kU8 ? 255 : 127})
        expect_in_tiles_too({"MatMulInteger", {a, b, byte(type, zero)}}, "gemm_int8");
    }
}

TEST(Tiles, ProductsOfPairsOfBytes) {
  std::mt19937 rng(2);
  for (DType type : {DType::kU8, DType::kI8})
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{{33, 64, 128}, {17, 100, 65}, {128, 128, 64}}) {
      const Operand a(random_bytes(rng, type, {2, 3, m, k})), b(random_bytes(rng, DType::kU8, {2, 3, k, n}));
      expect_in_tiles_too({"MatMulInteger", {a, b, byte(type, 7), byte(DType::kU8, 128)}, {}, 1, {kCast}},
                          "gemm_int8_batched");
    }
}

// What lies exactly between two bytes, and quotients beside it, are rounded as by a division.
TEST(Tiles, QuotientsThatLieHalfway) {
  std::mt19937 rng(3);
  const Operand a(random_bytes(rng, DType::kU8, {40, 5})), b(constant(random_bytes(rng, DType::kI8, {5, 70})));
  const Operand like(random_bytes(rng, DType::kI8, {40, 70}));
  const Post scale{"Mul", {}, {-1, 0}, {one(0.75f)}}, back{"Dequantize", {}, {-1, 0}, {one(1.5f)}};
  const Post sum{"AddDequantized", {}, {-1, 0, 1}, {like, one(0.75f)}};
  for (const float step : {1.5f, 6.0f, 12.0f, 64.0f, 1e-39f, 3e38f, 1e-30f}) {
    expect_in_tiles_too({"MatMulInteger", {a, b}, {}, 1, {kCast, scale, quantize_by(step, DType::kI8, 0)}},
                        "gemm_int8");
    expect_in_tiles_too({"MatMulInteger",
                         {a, b},
                         {},
                         1,
                         {kCast, scale, quantize_by(step, DType::kI8, 0), back, sum, quantize_by(3, DType::kI8, -1)}},
                        "gemm_int8");
  }
}

struct ConvSizes {
  Dims x, w;
  Attributes attributes;
  Dims y;
};

// Rows of windows that lie at equal distances and ones that cross the ends of lines, terms that end between steps, many of them, and groups.
const std::vector<ConvSizes>& convolutions() {
  const Attributes padded{{"pads", Ints{1, 1, 1, 1}}};
  static const std::vector<ConvSizes> kSizes{
      {{1, 64, 14, 14}, {64, 64, 3, 3}, padded, {1, 64, 14, 14}},
      {{2, 32, 9, 40}, {33, 32, 3, 3}, padded, {2, 33, 9, 40}},
      {{1, 20, 10, 35}, {48, 20, 3, 3}, {{"pads", Ints{0, 2, 1, 1}}}, {1, 48, 9, 36}},
      {{1, 192, 7, 7}, {70, 192, 3, 3}, padded, {1, 70, 7, 7}},
      {{1, 3, 30, 30}, {32, 3, 7, 7}, {{"pads", Ints{3, 3, 3, 3}}, {"strides", Ints{2, 2}}}, {1, 32, 15, 15}},
      {{2, 3, 20, 33}, {40, 3, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}}, {2, 40, 10, 17}},
      {{1, 27, 8, 17}, {20, 27, 3, 3}, {{"pads", Ints{2, 2, 2, 2}}, {"dilations", Ints{2, 2}}}, {1, 20, 8, 17}},
      {{1, 1, 9, 9}, {16, 1, 3, 3}, {}, {1, 16, 7, 7}},
      {{2, 96, 5, 7}, {40, 96, 1, 1}, {}, {2, 40, 5, 7}},
      {{3, 16, 5, 30}, {24, 16, 3, 3}, padded, {3, 24, 5, 30}},
      {{2, 64, 9, 18}, {72, 64, 3, 3}, {}, {2, 72, 7, 16}},
      {{1, 8, 6, 40}, {16, 8, 5, 5}, {{"pads", Ints{2, 2, 2, 2}}}, {1, 16, 6, 40}},
      {{1, 64, 9, 9}, {24, 64, 1, 1}, {{"strides", Ints{2, 2}}}, {1, 24, 5, 5}},
      {{1, 64, 12, 11}, {40, 32, 3, 3}, {{"group", int64_t{2}}, {"pads", Ints{1, 1, 1, 1}}}, {1, 40, 12, 11}},
      {{1, 36, 13, 13}, {20, 36, 3, 2}, {{"pads", Ints{2, 1, 1, 2}}, {"dilations", Ints{2, 3}}}, {1, 20, 12, 13}}};
  return kSizes;
}

TEST(Tiles, ConvolutionsOfBytes) {
  std::mt19937 rng(4);
  const Layout last = Layout::channels_last(4);
  for (const ConvSizes& s : convolutions())
    for (DType type : {DType::kU8, DType::kI8}) {
      const Operand x = channels_last(random_bytes(rng, type, s.x)), w = constant(random_bytes(rng, DType::kI8, s.w)),
                    like = channels_last(random_bytes(rng, DType::kU8, s.y));
      const int64_t terms = s.w[1] * s.w[2] * s.w[3];
      auto all = network_chains(rng, s.w[0], terms, true, like);
      all.push_back({});
      for (auto& posts : all) {
        Case c{"ConvInteger", {x, w, byte(type, type == DType::kU8 ? 255 : -128)}, s.attributes, 1, posts};
        c.output_layouts = {last};
        expect_in_tiles_too(c, "conv_int8");
      }
    }
}

TEST(Tiles, ProductsOfBfloat16) {
  std::mt19937 rng(5);
  for (const auto& [m, k, n] : products()) {
    const Post bias{"Add", {}, {-1, 0}, {constant(random_tensor(rng, DType::kF32, {n}))}};
    const Post sum{"Add", {}, {0, -1}, {random_tensor(rng, DType::kF32, {m, n})}};
    for (const bool narrow : {false, true}) {
      Tensor a = exact_tensor(rng, {m, k}), b = exact_tensor(rng, {k, n});
      Case c{"MatMul", {narrow ? a.cast(DType::kBF16) : a, constant(narrow ? b.cast(DType::kBF16) : b)}};
      if (narrow) c.posts = {kCast};
      c.posts.insert(c.posts.end(), {bias, sum, {"Relu"}});
      c.tolerance = narrow ? 8e-3 : 1e-4;  // the reference rounds what it casts
      c.precision = DType::kBF16;
      expect_in_tiles_too(c, "gemm_bfloat16");
    }
  }
}

TEST(Tiles, ConvolutionsOfBfloat16) {
  std::mt19937 rng(6);
  for (const ConvSizes& s : convolutions()) {
    Case c{"Conv",
           {channels_last(exact_tensor(rng, s.x)), constant(exact_tensor(rng, s.w)),
            constant(random_tensor(rng, DType::kF32, {s.w[0]}))},
           s.attributes};
    c.posts = {{"Add", {}, {0, -1}, {channels_last(random_tensor(rng, DType::kF32, s.y))}}, {"Relu"}};
    c.output_layouts = {Layout::channels_last(4)};
    c.tolerance = 1e-4;
    c.precision = DType::kBF16;
    expect_in_tiles_too(c, "conv_bfloat16");
  }
}

// From now on the system refuses this process the state of tiles.
bool refuse_tiles() {
  constexpr uint32_t kAskForState = 0x1023;
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kAskForState, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// 0 when all of Kiln knows that there are none.
int live_without_tiles() {
  if (!refuse_tiles()) return 1;
  if (cpu::multiplies_tiles()) return 2;
  if (cpu::device().facts().fingerprint.find("amx") != std::string::npos) return 3;
  std::mt19937 rng(7);
  const Tensor a = random_bytes(rng, DType::kU8, {20, 64}), b = random_bytes(rng, DType::kI8, {64, 20});
  const Case c{"MatMulInteger", {a, constant(b)}};
  const std::vector<std::string> accepted = check_case(c);
  for (const std::string& tactic : accepted)
    if (tactic.find("_amx") != std::string::npos) return 4;
  if (accepted.empty() || ::testing::Test::HasFailure()) return 5;
  // A step of another machine's engine.
  std::vector<Tensor> out{Tensor::allocate(DType::kI32, {20, 20})};
  const Attributes parameters{{"n", int64_t{20}},         {"parts", int64_t{1}},   {"tiles", int64_t{1}},
                              {"steps", Ints{}},          {"step_lows", Floats{}}, {"step_highs", Floats{}},
                              {"result_zero", int64_t{0}}};
  const Tensor packed = whole(DType::kI8, {cpu::packed_int8_bytes(64, 20)}, 1);
  const Status status = launch_kernel("gemm_int8", parameters, {a, packed, Tensor(), Tensor(), Tensor()}, out);
  return status.code == Code::kPlanDevice ? 0 : 6;
}

TEST(TilesDeathTest, MachinesWithoutThem) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process that has not asked yet
  EXPECT_EXIT(std::exit(live_without_tiles()), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace kiln::testing
