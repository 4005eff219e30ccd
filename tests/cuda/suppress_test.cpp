// Box suppression on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

Operand holding(Tensor t) { return {.dims = t.dims(), .type = t.dtype(), .value = std::move(t)}; }
Operand number(float v) { return holding(Tensor::of<float>({}, {v})); }
Operand absent() { return {.dims = {}, .present = false}; }

// Corners in a unit square, so that many overlap.
Operand boxes(int64_t batch, int64_t count, unsigned seed) {
  Tensor t = random_tensor(DType::kF32, {batch, count, 4}, seed);
  for (float& v : t.as_mutable<float>()) v = (v + 1) / 2;
  return holding(std::move(t));
}

NodeCase suppression(Operand boxes, Operand scores, int64_t most, Operand overlap, Operand least, bool center = false) {
  return {.op = "SuppressBoxes",
          .attributes = {{"most", most}, {"center_point_box", int64_t{center}}},
          .inputs = {std::move(boxes), std::move(scores), std::move(overlap), std::move(least)},
          .outputs = 2};
}

bool takes(const NodeCase& c) { return check(c) == std::set<std::string>{"suppress_boxes"}; }

TEST(CudaSuppression, AnyNumberOfBoxes) {
  for (const auto& [batch, classes, count] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 1}, {2, 3, 40}, {1, 80, 700}, {3, 2, 1500}, {0, 2, 8}, {2, 0, 8}, {2, 2, 0}})
    for (int64_t most : {1, 7, 1000})
      for (bool center : {false, true}) {
        const Operand scores = holding(random_tensor(DType::kF32, {batch, classes, count}, 5));
        EXPECT_TRUE(takes(suppression(boxes(batch, count, 4), scores, most, number(0.3f), number(0.1f), center)));
        EXPECT_TRUE(takes(suppression(boxes(batch, count, 6), scores, most, number(0.6f), absent(), center)));
      }
}

TEST(CudaSuppression, AbsentThresholds) {
  const Operand scores = holding(random_tensor(DType::kF32, {2, 2, 50}, 7));
  EXPECT_TRUE(takes(suppression(boxes(2, 50, 8), scores, 9, absent(), absent())));
  EXPECT_TRUE(takes(suppression(boxes(2, 50, 8), scores, 9, absent(), number(0))));
  EXPECT_TRUE(takes(suppression(boxes(2, 50, 8), scores, 9, holding(Tensor::of<float>({0}, {})),
                                holding(Tensor::of<float>({0}, {})))));
}

// The lower index comes first.
TEST(CudaSuppression, EqualScores) {
  Tensor scores = random_tensor(DType::kF32, {1, 2, 600}, 9);
  for (float& v : scores.as_mutable<float>()) v = std::round(v * 2);
  EXPECT_TRUE(takes(suppression(boxes(1, 600, 10), holding(scores), 100, number(0.5f), number(-5))));
  EXPECT_TRUE(takes(suppression(boxes(1, 600, 10), holding(scores), 100, number(0.5f), absent())));
}

TEST(CudaSuppression, InfiniteScoresAndOverlaps) {
  Tensor scores = random_tensor(DType::kF32, {1, 1, 64}, 11);
  scores.set(5, static_cast<double>(kInf));
  scores.set(9, static_cast<double>(-kInf));
  scores.set(13, static_cast<double>(kNan));
  EXPECT_TRUE(takes(suppression(boxes(1, 64, 12), holding(scores), 64, number(0.5f), number(-2))));
  scores.set(13, 0);
  EXPECT_TRUE(takes(suppression(boxes(1, 64, 12), holding(scores), 64, number(0), absent())));
  EXPECT_TRUE(takes(suppression(boxes(1, 64, 12), holding(scores), 64, number(1), absent())));
  Tensor same = Tensor::allocate(DType::kF32, {1, 64, 4});  // of no area
  EXPECT_TRUE(takes(suppression(holding(same), holding(scores), 64, number(0), absent())));
}

TEST(CudaSuppression, RefusesWithAReason) {
  NodeCase c = suppression(boxes(1, 4, 1), holding(random_tensor(DType::kF32, {1, 1, 4}, 2)), 3, absent(), absent());
  c.post = {post("Relu", {-1})};
  EXPECT_EQ(refusal(c, "suppress_boxes"), "it has post-operations");
}

}  // namespace
}  // namespace kiln::cuda::testing
