// Parameters that kernels of several devices share: what is written is read again, and what no kernel could use is refused.
#include "device/region_parameters.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"

namespace kiln {
namespace {

template <class F> void expect_malformed(F&& read, Attributes parameters, const char* name, Attribute value) {
  EXPECT_NO_THROW(read(parameters)) << name;
  parameters.set(name, std::move(value));
  try {
    read(parameters);
    ADD_FAILURE() << name << " is taken as " << to_string(parameters);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kMalformedPlan) << e.what();
    EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
  }
}

TEST(RegionParameters, GridSample) {
  using Mode = GridSampler::Mode;
  using Padding = GridSampler::Padding;
  for (const Mode mode : {Mode::kNearest, Mode::kLinear, Mode::kCubic})
    for (const Padding padding : {Padding::kZeros, Padding::kBorder, Padding::kReflection})
      for (const bool corners : {false, true}) {
        Attributes parameters;
        put_grid_sample(parameters, {mode, padding, corners});
        const GridSampleParameters read = read_grid_sample(parameters);
        EXPECT_EQ(read.mode, mode);
        EXPECT_EQ(read.padding, padding);
        EXPECT_EQ(read.corners, corners);
      }
  Attributes good;
  put_grid_sample(good, {});
  expect_malformed(read_grid_sample, good, "mode", std::string("bilinear"));
  expect_malformed(read_grid_sample, good, "padding", std::string());
}

TEST(RegionParameters, RoiAlign) {
  Attributes parameters;
  put_roi_align(parameters, {.shifted = false, .maximum = true, .ratio = 3, .scale = 0.25});
  const RoiAlignParameters read = read_roi_align(parameters);
  EXPECT_FALSE(read.shifted);
  EXPECT_TRUE(read.maximum);
  EXPECT_EQ(read.ratio, 3);
  EXPECT_EQ(read.scale, 0.25);
  for (const int64_t ratio : {int64_t{-1}, int64_t{1} << 21, INT64_MAX})
    expect_malformed(read_roi_align, parameters, "ratio", ratio);
}

TEST(RegionParameters, Lrn) {
  Attributes parameters;
  put_lrn(parameters, {.alpha = 2e-4, .beta = 0.5, .bias = 2, .size = 5});
  const LrnParameters read = read_lrn(parameters);
  EXPECT_EQ(read.alpha, 2e-4);
  EXPECT_EQ(read.beta, 0.5);
  EXPECT_EQ(read.bias, 2);
  EXPECT_EQ(read.size, 5);
  for (const int64_t size : {int64_t{0}, int64_t{-1}, INT64_MAX}) expect_malformed(read_lrn, parameters, "size", size);
}

TEST(RegionParameters, MissingOnesAreErrors) {
  EXPECT_THROW(read_grid_sample({}), Error);
  EXPECT_THROW(read_roi_align({}), Error);
  EXPECT_THROW(read_lrn({}), Error);
}

}  // namespace
}  // namespace kiln
