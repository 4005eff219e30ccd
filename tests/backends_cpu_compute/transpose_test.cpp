// Copies between strides: planes of images become pixels, and back.
#include "backends/cpu/device/compute/transpose.h"

#include <gtest/gtest.h>

#include <numeric>

namespace kiln::cpu {
namespace {

// From [images, channels, pixels] to [images, pixels, channels] whose pixels are `stride` floats apart.
void check_transpose(int64_t images, int64_t channels, int64_t pixels, int64_t stride, int threads) {
  SCOPED_TRACE(std::to_string(images) + " images of " + std::to_string(channels) + " channels, " +
               std::to_string(pixels) + " pixels, stride " + std::to_string(stride));
  std::vector<float> from(static_cast<size_t>(images * channels * pixels)),
      to(static_cast<size_t>(images * pixels * stride), -1), expected = to;
  std::iota(from.begin(), from.end(), 1.0f);
  for (int64_t n = 0; n < images; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t p = 0; p < pixels; ++p)
        expected[static_cast<size_t>((n * pixels + p) * stride + c)] =
            from[static_cast<size_t>((n * channels + c) * pixels + p)];
  const int64_t dims[] = {images, channels, pixels}, from_strides[] = {channels * pixels, pixels, 1},
                to_strides[] = {pixels * stride, 1, stride};
  StridedCopy(dims, from_strides, to_strides, 4, threads).run(from.data(), to.data());
  EXPECT_EQ(to, expected);
}

TEST(StridedCopy, PlanesToPixels) {
  for (int64_t channels : {1, 2, 3, 4, 5, 8, 19})
    for (int64_t pixels : {1, 3, 15, 16, 17, 64, 65, 131, 1000})
      for (int64_t stride : {channels, channels + 1, int64_t{24}}) check_transpose(2, channels, pixels, stride, 2);
  check_transpose(1, 3, 224 * 224, 3, 2);
  check_transpose(3, 3, 0, 3, 2);
}

}  // namespace
}  // namespace kiln::cpu
