// Attention.
#include <gtest/gtest.h>

#include "backends/cpu/device/compute/product_tiles.h"
#include "backends/harness.h"

namespace kiln::testing {
namespace {

void check(Case c) {
  c.tolerance = 2e-5;
  expect_case(c, "attention");
}

TEST(Attention, HeadsMasksAndCausality) {
  std::mt19937 rng(1);
  const auto x = [&](Dims d) { return random_tensor(rng, DType::kF32, std::move(d)); };
  check({"Attention", {x({2, 3, 17, 16}), x({2, 3, 29, 16}), x({2, 3, 29, 24})}});
  check({"Attention", {x({1, 4, 33, 8}), x({1, 2, 33, 8}), x({1, 2, 33, 8})}, {{"is_causal", int64_t{1}}}});
  check({"Attention",
         {x({1, 1, 70, 64}), x({1, 1, 45, 64}), x({1, 1, 45, 64})},
         {{"is_causal", int64_t{1}}, {"scale", 0.3}}});
  check({"Attention", {x({2, 3, 5, 16}), x({2, 3, 19, 16}), x({2, 3, 19, 16}), x({2, 1, 1, 19})}});
  check({"Attention",
         {x({2, 3, 5, 16}), x({2, 3, 19, 16}), x({2, 3, 19, 16}), x({3, 5, 19})},
         {{"is_causal", int64_t{1}}}});
  Tensor mask = random_tensor(rng, DType::kBool, {2, 1, 5, 19});
  for (int64_t i = 0; i < mask.size(); i += 19) mask.set_int(i, 1);
  check({"Attention", {x({2, 3, 5, 16}), x({2, 3, 19, 16}), x({2, 3, 19, 16}), mask}});
  check({"Attention",
         {x({6, 2, 5, 16}), x({6, 2, 9, 16}), x({6, 2, 9, 16}), x({3, 2, 5, 9})},
         {{"mask_period", int64_t{3}}}});
  check({"Attention",
         {x({3, 2, 5, 16}), x({3, 2, 9, 16}), x({3, 2, 9, 16}), x({3, 1, 5, 9})},
         {{"mask_period", int64_t{3}}}});
}

TEST(Attention, ThreeAxesAndStrides) {
  std::mt19937 rng(2);
  const auto x = [&](Dims d) { return random_tensor(rng, DType::kF32, std::move(d)); };
  const Attributes heads{{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}};
  check({"Attention", {x({2, 9, 32}), x({2, 11, 16}), x({2, 11, 16})}, heads});
  Case g{"Attention", {gapped(x({2, 9, 32})), gapped(x({2, 11, 16})), gapped(x({2, 11, 16}))}, heads};
  g.gapped_outputs = true;
  check(g);
  const Dim s = Dim::symbol("seq");
  check({"Attention",
         {dynamic(x({2, 3, 7, 16}), {2, 3, s, 16}), dynamic(x({2, 3, 7, 16}), {2, 3, s, 16}),
          dynamic(x({2, 3, 7, 16}), {2, 3, s, 16})}});
}

// By products of bfloat16 in tiles, whose numbers and weights are rounded.
void check_narrow(Case c) {
  c.precision = DType::kBF16;
  c.tolerance = 2e-2;
  if (cpu::multiplies_tiles()) expect_case(c, "attention_bfloat16_amx");
  else expect_no_case(c, "attention_bfloat16_amx");
}

TEST(NarrowAttention, SizesHeadsMasksAndCausality) {
  std::mt19937 rng(3);
  const auto x = [&](Dims d) { return random_tensor(rng, DType::kF32, std::move(d)); };
  const Attributes causal{{"is_causal", int64_t{1}}};
  check_narrow({"Attention", {x({2, 3, 17, 16}), x({2, 3, 29, 16}), x({2, 3, 29, 24})}});
  check_narrow({"Attention", {x({1, 3, 197, 64}), x({1, 3, 197, 64}), x({1, 3, 197, 64})}});
  check_narrow({"Attention", {x({1, 2, 40, 7}), x({1, 2, 131, 7}), x({1, 2, 131, 5})}});
  check_narrow({"Attention", {x({1, 1, 1, 80}), x({1, 1, 65, 80}), x({1, 1, 65, 130})}});
  check_narrow({"Attention", {x({1, 4, 33, 8}), x({1, 2, 33, 8}), x({1, 2, 33, 8})}, causal});
  check_narrow({"Attention", {x({1, 1, 150, 64}), x({1, 1, 130, 64}), x({1, 1, 130, 64})}, causal});
  check_narrow({"Attention", {x({2, 3, 5, 16}), x({2, 3, 19, 16}), x({2, 3, 19, 16}), x({2, 1, 1, 19})}});
  Tensor mask = random_tensor(rng, DType::kBool, {2, 1, 5, 19});
  for (int64_t i = 0; i < mask.size(); i += 19) mask.set_int(i, 1);
  check_narrow({"Attention", {x({2, 3, 5, 16}), x({2, 3, 19, 16}), x({2, 3, 19, 16}), mask}});
  check_narrow({"Attention",
                {x({6, 2, 5, 16}), x({6, 2, 9, 16}), x({6, 2, 9, 16}), x({3, 2, 5, 9})},
                {{"mask_period", int64_t{3}}}});
}

TEST(NarrowAttention, ReadsAndWritesItInStrides) {
  std::mt19937 rng(4);
  const auto x = [&](Dims d, bool narrow) {
    Tensor t = random_tensor(rng, DType::kF32, std::move(d));
    return gapped(narrow ? t.cast(DType::kBF16) : t);
  };
  const Attributes heads{{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}};
  for (const bool narrow : {false, true})
    for (const int64_t size : {8, 7}) {
      Case c{"Attention",
             {x({2, 9, 4 * size}, narrow), x({2, 11, 2 * size}, narrow), x({2, 11, 2 * size}, narrow)},
             heads};
      c.gapped_outputs = true;
      check_narrow(c);
    }
}

}  // namespace
}  // namespace kiln::testing
