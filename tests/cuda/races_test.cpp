// Small problems of each family whose threads share memory: for compute-sanitizer's racecheck, under which kernels take a hundred times as long.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kHalf = DType::kF16;

// Those of libraries take most of the time, and their races are not ours.
void check_own(NodeCase c) {
  size_t accepting = 0;
  for (const Tactic* tactic : target().tactics().of(c.op)) {
    if (!tactic->library.empty() || tactic->name == "cublaslt") continue;
    c.only = tactic->name;
    accepting += check(c).size();
  }
  EXPECT_GT(accepting, 0U) << c.op;
}

TEST(CudaRaces, Products) {
  check_own({.op = "MatMul", .inputs = {plain({20, 64}, kHalf), constant({64, 72}, kHalf)}});
  check_own({.op = "MatMul", .inputs = {plain({1, 136}, kHalf), constant({136, 24}, kHalf)}});
  check_own({.op = "MatMul", .inputs = {plain({18, 40}, DType::kF32), constant({40, 36}, DType::kF32)}});
}

NodeCase small_convolution() { return conv({1, 16, 5, 5}, {16, 16, 3, 3}, kHalf, kSame3x3); }
NodeCase small_first_layer() { return conv({1, 3, 10, 10}, {16, 3, 3, 3}, kHalf, {{"strides", Ints{2, 2}}}); }

// A test for each tactic, several where it has dozens of tiles.
struct WatchedTactic {
  const char* name;
  NodeCase node_case;
  size_t shares = 1;
};
std::vector<WatchedTactic> watched_tactics() {
  // As many tiles as conv_stream wants.
  const NodeCase large = conv({1, 16, 100, 100}, {16, 16, 1, 1}, kHalf, {});
  return {{"conv_any", small_convolution()},
          {"conv_few", small_first_layer()},
          {"conv_mma", small_convolution()},
          {"conv_mma", small_first_layer()},
          {"conv_stream", large},
          {"conv_wgmma", small_convolution(), 8},
          {"conv_window", small_convolution()}};
}
struct WatchedShare {
  NodeCase node_case;
  std::string name;
};
std::vector<WatchedShare> watched_shares() {
  std::vector<WatchedShare> all;
  for (const WatchedTactic& tactic : watched_tactics())
    for (size_t share = 0; share < tactic.shares; ++share) {
      NodeCase c = tactic.node_case;
      c.only = tactic.name;
      c.share = share;
      c.shares = tactic.shares;
      all.push_back({std::move(c), std::string(tactic.name) + "_" + std::to_string(all.size())});
    }
  return all;
}
class CudaRacesOfConvolutions : public ::testing::TestWithParam<WatchedShare> {};
INSTANTIATE_TEST_SUITE_P(Tactics, CudaRacesOfConvolutions, ::testing::ValuesIn(watched_shares()),
                         [](const auto& share) { return share.param.name; });
TEST_P(CudaRacesOfConvolutions, EachTactic) { EXPECT_FALSE(check(GetParam().node_case).empty()); }

TEST(CudaRaces, TacticsOfConvolutionsAreListed) {
  const std::vector<WatchedTactic> watched = watched_tactics();
  for (const NodeCase& c : {small_convolution(), small_first_layer()})
    for (const Tactic* tactic : target().tactics().of(c.op)) {
      if (!tactic->library.empty() || tactic->name == "cublaslt" || !refusal(c, tactic->name).empty()) continue;
      const auto is_it = [&](const WatchedTactic& w) { return w.name == tactic->name; };
      EXPECT_TRUE(std::any_of(watched.begin(), watched.end(), is_it)) << tactic->name;
    }
}

TEST(CudaRaces, DepthwiseConvolutions) {
  NodeCase depthwise = conv({1, 16, 6, 6}, {16, 1, 3, 3}, kHalf, kSame3x3);
  depthwise.attributes.set("group", int64_t{16});
  check_own(depthwise);
}

TEST(CudaRaces, SqueezeAndExcite) {
  EXPECT_TRUE(check({.op = "SqueezeExcite",
                     .inputs = {last({1, 16, 3, 3}, kHalf), constant({4, 16, 1, 1}, kHalf), constant({4}, kHalf),
                                constant({16, 4, 1, 1}, kHalf), constant({16}, kHalf)},
                     .output_layout = kLast,
                     .tolerance = 2e-3})
                  .count("squeeze_excite"));
}

TEST(CudaRaces, RecurrentLayers) {
  EXPECT_FALSE(
      check({.op = "LSTM",
             .inputs = {plain({3, 2, 8}, DType::kF32), plain({1, 64, 8}, DType::kF32), plain({1, 64, 16}, DType::kF32)},
             .outputs = 3,
             .tolerance = 2e-5})
          .empty());
}

TEST(CudaRaces, ReductionsAndNorms) {
  for (const Ints& axes : {Ints{0}, Ints{1}}) {
    NodeCase sum{.op = "ReduceSum", .inputs = {plain({37, 70}, DType::kF32), constant({1}, DType::kI64)}};
    sum.inputs[1].value = Tensor::of<int64_t>({1}, axes);
    EXPECT_FALSE(check(sum).empty());
  }
  EXPECT_FALSE(check({.op = "Softmax", .inputs = {plain({5, 300}, kHalf)}}).empty());
  EXPECT_FALSE(check({.op = "LayerNormalization",
                      .inputs = {plain({5, 264}, kHalf), constant({264}, kHalf), constant({264}, kHalf)}})
                   .empty());
}

}  // namespace
}  // namespace kiln::cuda::testing
