// Fourier transforms on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

Operand whole(int64_t v) {
  return {.dims = {}, .type = DType::kI64, .constant = true, .value = Tensor::of<int64_t>({}, {v})};
}

NodeCase transform(Operand x, int64_t axis, Attributes attributes, int64_t length = 0) {
  NodeCase c{.op = "DFT", .attributes = std::move(attributes), .inputs = {std::move(x)}};
  c.inputs.push_back(length > 0 ? whole(length) : Operand{.dims = {}, .present = false});
  c.inputs.push_back(whole(axis));
  c.tolerance = 2e-6;
  return c;
}

bool takes(const NodeCase& c) { return check(c) == std::set<std::string>{"dft"}; }

TEST(CudaSignal, LinesOfAnyLength) {
  for (DType type : {DType::kF32, DType::kF64})
    for (int64_t n : {1, 2, 7, 128, 129, 400})
      for (int64_t parts : {1, 2})
        for (int64_t inverse : {0, 1})
          EXPECT_TRUE(takes(transform(plain({2, n, 3, parts}, type), 1, {{"inverse", inverse}})));
}

TEST(CudaSignal, Halves) {
  for (int64_t n : {2, 9, 64, 301}) {
    EXPECT_TRUE(takes(transform(plain({3, n, 1}, DType::kF32), 1, {{"onesided", int64_t{1}}})));
    EXPECT_TRUE(
        takes(transform(plain({3, n, 2}, DType::kF32), 1, {{"onesided", int64_t{1}}, {"inverse", int64_t{1}}})));
  }
}

TEST(CudaSignal, LengthsThatCutAndPad) {
  for (int64_t length : {5, 40, 150}) {
    EXPECT_TRUE(takes(transform(plain({4, 40, 2}, DType::kF32), 0, {}, length)));
    EXPECT_TRUE(takes(transform(plain({4, 40, 1}, DType::kF32), 1, {{"onesided", int64_t{1}}}, length)));
    EXPECT_TRUE(takes(
        transform(plain({4, 40, 2}, DType::kF32), 1, {{"onesided", int64_t{1}}, {"inverse", int64_t{1}}}, length)));
  }
  EXPECT_TRUE(takes(transform(plain({0, 8, 2}, DType::kF32), 1, {})));
}

TEST(CudaSignal, RefusesWithAReason) {
  EXPECT_EQ(refusal(transform(plain({2, 8, 1}, DType::kF16), 1, {}), "dft"), "elements of type float16");
}

}  // namespace
}  // namespace kiln::cuda::testing
