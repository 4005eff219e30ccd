// Kernels of bytes as a processor with AVX-VNNI and no AVX-512 runs them: bit for bit what the reference gives; and the emulator that lets them run here.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <tuple>

#include "backends/cpu/device/compute/processor.h"
#include "backends/harness.h"
#include "backends/vnni_emulator.h"

#if defined(__linux__) && defined(__x86_64__)

// Functions of one instruction each: registers, or an address in memory that is made of `base` and `index` in the registers that are named.
asm(R"code(
    .bss
    .balign 64
kiln_bytes_behind_code:
    .skip 64
    .text
    .macro kiln_dot name, operand, base=%rax, index=%r10, left=%ymm3, sums=%ymm11
\name:
    push %rbx
    push %r12
    push %r13
    push %r15
    mov %rcx, %rax
    mov %r8, %r11
    mov %rax, \base
    mov %r11, \index
    vmovdqu (%rsi), %ymm11
    vmovdqu (%rdx), %ymm3
    vmovdqu kiln_bytes_behind_code(%rip), %ymm9
    {vex} vpdpbusd \operand, \left, \sums
    vmovdqu %ymm11, (%rdi)
    vzeroupper
    pop %r15
    pop %r13
    pop %r12
    pop %rbx
    ret
    .endm
    kiln_dot kiln_dot_registers, %ymm9
    kiln_dot kiln_dot_halves, %xmm9, left=%xmm3, sums=%xmm11
    kiln_dot kiln_dot_base, "(%rax)"
    kiln_dot kiln_dot_r12, "(%r12)", %r12
    kiln_dot kiln_dot_r13, "(%r13)", %r13
    kiln_dot kiln_dot_near, "-128(%r9)", %r9
    kiln_dot kiln_dot_far, "0x12340(%rbx)", %rbx
    kiln_dot kiln_dot_far_from_r12, "-0x12340(%r12)", %r12
    kiln_dot kiln_dot_scaled, "(%r13,%r12,4)", %r13, %r12
    kiln_dot kiln_dot_scaled_near, "64(%rax,%r15,8)", %rax, %r15
    kiln_dot kiln_dot_scaled_far, "0x1000(%r8,%rcx,2)", %r8, %rcx
    kiln_dot kiln_dot_scaled_alone, "-64(,%r10,8)"
    kiln_dot kiln_dot_behind_code, "kiln_bytes_behind_code(%rip)"
    .purgem kiln_dot
)code");

extern "C" {
extern uint8_t kiln_bytes_behind_code[64];
using Dot = void(void* result, const void* sums, const void* left, const void* base, int64_t index);
Dot kiln_dot_registers, kiln_dot_halves, kiln_dot_base, kiln_dot_r12, kiln_dot_r13, kiln_dot_near, kiln_dot_far,
    kiln_dot_far_from_r12, kiln_dot_scaled, kiln_dot_scaled_near, kiln_dot_scaled_far, kiln_dot_scaled_alone,
    kiln_dot_behind_code;
}

#endif

namespace kiln::testing {
namespace {

Operand one_byte(DType type, int64_t value) {
  Tensor t = Tensor::allocate(type, {});
  t.set_int(0, value);
  return constant(std::move(t));
}

#if defined(__linux__) && defined(__x86_64__)

constexpr int kBytes = 32;
struct alignas(64) Bytes {
  uint8_t at[kBytes];
};

Bytes random_vector(std::mt19937& rng) {
  Bytes b;
  for (uint8_t& byte : b.at) byte = rng() % 4 == 0 ? (rng() % 2 == 0 ? 0 : 0x80) : static_cast<uint8_t>(rng() | 0x7F);
  return b;
}

// sums + four products in each of the lanes; lanes behind them become 0.
Bytes dot(const Bytes& sums, const Bytes& left, const Bytes& right, int lanes) {
  Bytes result{};
  for (int lane = 0; lane < lanes; ++lane) {
    uint32_t sum;
    std::memcpy(&sum, sums.at + 4 * lane, sizeof sum);
    for (int k = 4 * lane; k < 4 * lane + 4; ++k)
      sum += static_cast<uint32_t>(static_cast<int>(left.at[k]) * static_cast<int8_t>(right.at[k]));
    std::memcpy(result.at + 4 * lane, &sum, sizeof sum);
  }
  return result;
}

constexpr int kLanes = 8;

TEST(AvxVnni, EmulatorDoesWhatTheInstructionDoes) {
  if (!AvxVnni::possible()) GTEST_SKIP() << "this processor has no AVX2";
  const AvxVnni processor;
  std::mt19937 rng(1);
  struct Form {
    Dot* run;
    int64_t offset = 0, index = 0;  // of the bytes from the base
    int lanes = kLanes;
  };
  const auto place = reinterpret_cast<int64_t>(kiln_bytes_behind_code);
  const Form forms[] = {{kiln_dot_registers},
                        {kiln_dot_halves, 0, 0, kLanes / 2},
                        {kiln_dot_base},
                        {kiln_dot_r12},
                        {kiln_dot_r13},
                        {kiln_dot_near, -128},
                        {kiln_dot_far, 0x12340},
                        {kiln_dot_far_from_r12, -0x12340},
                        {kiln_dot_scaled, -400, -100},
                        {kiln_dot_scaled_near, 64 + 8 * 7, 7},
                        {kiln_dot_scaled_far, 0x1000 - 2 * 33, -33},
                        {kiln_dot_scaled_alone, 0, (place + 64) / 8},
                        {kiln_dot_behind_code}};
  int64_t runs = 0;
  for (int round = 0; round < 20; ++round) {
    const Bytes sums = random_vector(rng), left = random_vector(rng);
    const Bytes right = random_vector(rng);
    std::memcpy(kiln_bytes_behind_code, right.at, kBytes);
    for (const Form& form : forms) {
      Bytes got;
      form.run(&got, &sums, &left, reinterpret_cast<const void*>(place - form.offset), form.index);
      const Bytes wanted = dot(sums, left, right, form.lanes);
      EXPECT_EQ(std::memcmp(got.at, wanted.at, kBytes), 0) << "form " << &form - forms << " of round " << round;
      ++runs;
    }
  }
  EXPECT_EQ(processor.count().value_or(runs), runs);
}

TEST(AvxVnni, EmulatorKnowsOneInstruction) {
  const auto decoded = [](std::initializer_list<uint8_t> code) { return decode_dot(std::vector<uint8_t>(code)); };
  const auto i = decoded({0xC4, 0x42, 0x0D, 0x50, 0xF9});  // ymm15 += ymm14, ymm9
  ASSERT_TRUE(i);
  EXPECT_EQ(i->length, 5);
  EXPECT_TRUE(i->wide);
  EXPECT_FALSE(i->memory);
  EXPECT_EQ(std::tuple(i->sums, i->unsigned_bytes, i->signed_bytes), std::tuple(15, 14, 9));
  EXPECT_FALSE(decoded({0xC4, 0xE2, 0x6D, 0x51, 0xC1}));        // vpdpbusds, which saturates
  EXPECT_FALSE(decoded({0xC4, 0xE2, 0xED, 0x50, 0xC1}));        // W1
  EXPECT_FALSE(decoded({0xC4, 0xE2, 0x6C, 0x50, 0xC1}));        // without 66: another sign
  EXPECT_FALSE(decoded({0xC4, 0xE1, 0x6D, 0x50, 0xC1}));        // another map
  EXPECT_FALSE(decoded({0x62, 0xF2, 0x6D, 0x28, 0x50, 0xC1}));  // AVX-512's
  EXPECT_FALSE(decoded({0x0F, 0x0B}));                          // ud2
  EXPECT_FALSE(decoded({0xC4, 0xE2, 0x6D, 0x50}));              // cut off
  EXPECT_FALSE(decoded({0xC4, 0xE2, 0x6D, 0x50, 0x80, 1, 2, 3}));
  EXPECT_FALSE(decoded({}));
}

TEST(AvxVnni, OtherInstructionsStillTrap) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const VnniEmulator emulator;
        asm volatile("ud2");
      },
      "");
}

#endif

// That kernels are others then, and how many instructions one of them is.
TEST(AvxVnni, KernelsTakeIt) {
  if (!AvxVnni::possible()) GTEST_SKIP() << "this processor has no AVX2";
  std::mt19937 rng(2);
  const auto count = [&](const Case& c, const char* tactic) {
    const AvxVnni processor;
    EXPECT_TRUE(cpu::adds_four_products());
    expect_case(c, tactic);
    return processor.count();
  };
  const auto expect_count = [](std::optional<int64_t> got, int64_t least) { EXPECT_GE(got.value_or(least), least); };
  const Operand a(random_bytes(rng, DType::kU8, {24, 256})), b(constant(random_bytes(rng, DType::kI8, {256, 16})));
  // Launched twice: 24 rows, 16 columns in two vectors.
  expect_count(count({"MatMulInteger", {a, b}}, "gemm_int8"), 2 * 24 * 2 * 256 / 4);
  Case conv{"ConvInteger",
            {channels_last(random_bytes(rng, DType::kI8, {1, 64, 9, 7})),
             constant(random_bytes(rng, DType::kI8, {32, 64, 3, 3}))}};
  conv.output_layouts = {Layout::channels_last(4)};
  expect_count(count(conv, "conv_int8"), 2 * 35 * 4 * 64 * 9 / 4);
  Case depthwise{"ConvInteger",
                 {channels_last(random_bytes(rng, DType::kI8, {1, 64, 9, 7})),
                  constant(random_bytes(rng, DType::kI8, {64, 1, 3, 3}))},
                 {{"group", int64_t{64}}}};
  depthwise.output_layouts = {Layout::channels_last(4)};
  expect_count(count(depthwise, "depthwise_int8"), 2 * 35 * 8 * 3);
  const Operand left(random_bytes(rng, DType::kU8, {2, 50, 64})), right(random_bytes(rng, DType::kI8, {2, 64, 70}));
  expect_count(count({"MatMulInteger", {left, right}}, "gemm_int8_batched"), 2 * 2 * 50 * 9 * 16);
  if (cpu::adds_four_products()) {
    EXPECT_FALSE(count({"MatMulInteger", {a, b}}, "gemm_int8").has_value());
  }
}

// All the terms that sums of bytes may have, numbers at both ends, and zero points there.
TEST(AvxVnni, ManyTermsAtBothEnds) {
  if (!AvxVnni::possible()) GTEST_SKIP() << "this processor has no AVX2";
  const AvxVnni processor;
  std::mt19937 rng(3);
  constexpr int64_t kTerms = 1 << 16;
  const auto filled = [](Tensor t, auto&& value) {
    for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, value(i));
    return t;
  };
  const Tensor b = filled(Tensor::allocate(DType::kI8, {kTerms, 9}), [](int64_t i) { return i % 9 < 5 ? -128 : 127; });
  for (const DType type : {DType::kU8, DType::kI8}) {
    const int64_t least = type == DType::kU8 ? 0 : -128;
    const Tensor any = random_bytes(rng, type, {1, kTerms});
    const Tensor most = filled(any.clone(), [&](int64_t) { return least + 255; });
    for (const Tensor& a : {any, most})
      for (const int64_t zero : {least, least + 255})
        expect_case({"MatMulInteger", {a, constant(b), one_byte(type, zero)}}, "gemm_int8");
  }
  const Tensor rows = random_bytes(rng, DType::kI8, {2, kTerms});
  expect_case({"MatMulInteger", {rows, constant(b), one_byte(DType::kI8, 127)}}, "gemm_int8");
}

// What follows the sums in the next two tests: they saturate as bytes.
std::vector<Post> saturating(std::mt19937& rng) {
  const auto to = rng() % 2 == 0 ? DType::kI8 : DType::kU8;
  return {{"Cast", {{"to", std::string("float32")}}},
          {"Quantize",
           {{"to", std::string(name(to))}},
           {-1, 0, 1},
           {constant(Tensor::scalar(9.5f)), one_byte(to, to == DType::kI8 ? -128 : 255)}}};
}

// By a row of panels, by tiles, and by panels that are copied.
TEST(AvxVnni, SaturatedProducts) {
  if (!AvxVnni::possible()) GTEST_SKIP() << "this processor has no AVX2";
  const AvxVnni processor;
  std::mt19937 rng(4);
  for (const DType type : {DType::kU8, DType::kI8})
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
             {1, 30, 64}, {1, 31, 65}, {1, 4, 150}, {2, 33, 16}, {6, 64, 48}, {13, 100, 79}, {97, 33, 50}}) {
      const Operand a(random_bytes(rng, type, {m, k})), b(constant(random_bytes(rng, DType::kI8, {k, n})));
      const Operand zero = one_byte(type, type == DType::kU8 ? 255 : 127);
      expect_case({"MatMulInteger", {a, b, zero}, {}, 1, saturating(rng)}, "gemm_int8");
    }
}

TEST(AvxVnni, SaturatedConvolutions) {
  if (!AvxVnni::possible()) GTEST_SKIP() << "this processor has no AVX2";
  const AvxVnni processor;
  std::mt19937 rng(5);
  struct Shape {
    Dims x, w;
    int64_t group = 1, stride = 1;
  };
  for (const Shape& s : {Shape{{1, 8, 6, 9}, {17, 8, 3, 3}}, Shape{{2, 16, 5, 4}, {24, 16, 1, 1}},
                         Shape{{1, 12, 6, 6}, {20, 6, 3, 3}, 2}, Shape{{1, 3, 15, 13}, {32, 3, 3, 3}, 1, 2},
                         Shape{{1, 37, 6, 7}, {37, 1, 3, 3}, 37}, Shape{{1, 96, 7, 6}, {96, 1, 3, 3}, 96, 2}})
    for (const DType type : {DType::kU8, DType::kI8}) {
      const int64_t pad = s.w.back() / 2;
      Case c{"ConvInteger",
             {channels_last(random_bytes(rng, type, s.x)), constant(random_bytes(rng, DType::kI8, s.w)),
              one_byte(type, type == DType::kU8 ? 255 : -128)},
             {{"group", s.group}, {"strides", Ints{s.stride, s.stride}}, {"pads", Ints(4, pad)}},
             1,
             saturating(rng)};
      c.output_layouts = {Layout::channels_last(4)};
      expect_case(c, s.group > 2 ? "depthwise_int8" : "conv_int8");
    }
}

}  // namespace
}  // namespace kiln::testing
