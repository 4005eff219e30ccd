// Convolutions with moved taps on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

struct Moved {
  Dims x, w;
  int64_t groups = 1, offset_groups = 1, stride = 1, dilation = 1, pad = 0;
  bool bias = true, mask = true;
};

NodeCase moved_conv(const Moved& m, DType type) {
  const int64_t taps = m.w[2] * m.w[3];
  const auto out = [&](size_t i) { return (m.x[i] + 2 * m.pad - m.dilation * (m.w[i] - 1) - 1) / m.stride + 1; };
  NodeCase c{.op = "DeformConv",
             .attributes = {{"group", m.groups},
                            {"offset_group", m.offset_groups},
                            {"strides", Ints{m.stride, m.stride}},
                            {"dilations", Ints{m.dilation, m.dilation}},
                            {"pads", Ints(4, m.pad)}},
             .inputs = {plain(m.x, type), plain(m.w, type),
                        plain({m.x[0], 2 * taps * m.offset_groups, out(2), out(3)}, type)}};
  Tensor offsets = random_tensor(type, c.inputs[2].dims, 17);
  for (int64_t i = 0; i < offsets.size(); ++i) offsets.set(i, offsets.at(i) * 4);  // beyond the edges, too
  c.inputs[2].value = offsets;
  c.inputs.push_back(m.bias ? plain({m.w[0]}, type) : Operand{.dims = {}, .present = false});
  if (m.mask) c.inputs.push_back(plain({m.x[0], taps * m.offset_groups, out(2), out(3)}, type));
  if (type == DType::kF32) c.tolerance = 2e-5;
  return c;
}

bool takes(const NodeCase& c) { return check(c) == std::set<std::string>{"deform_conv"}; }

TEST(CudaDeformConv, WindowsAndGroups) {
  for (DType type : kFloats) {
    EXPECT_TRUE(takes(moved_conv({.x = {2, 5, 9, 11}, .w = {7, 5, 3, 3}, .pad = 1}, type)));
    EXPECT_TRUE(takes(moved_conv({.x = {1, 12, 13, 8}, .w = {70, 6, 3, 2}, .groups = 2, .offset_groups = 3}, type)));
    EXPECT_TRUE(takes(moved_conv(
        {.x = {3, 4, 16, 15}, .w = {4, 1, 5, 5}, .groups = 4, .stride = 2, .dilation = 2, .pad = 3, .bias = false},
        type)));
    EXPECT_TRUE(takes(moved_conv({.x = {1, 40, 20, 20}, .w = {130, 40, 1, 1}, .mask = false}, type)));
    EXPECT_TRUE(takes(moved_conv({.x = {1, 3, 6, 6}, .w = {2, 3, 3, 3}, .bias = false, .mask = false}, type)));
  }
}

TEST(CudaDeformConv, NothingAndWhatIsNoNumber) {
  EXPECT_TRUE(takes(moved_conv({.x = {0, 3, 6, 6}, .w = {2, 3, 3, 3}}, DType::kF32)));
  NodeCase c = moved_conv({.x = {1, 2, 6, 6}, .w = {2, 2, 3, 3}}, DType::kF32);
  c.inputs[2].value->set(3, static_cast<double>(kNan));
  c.inputs[2].value->set(50, static_cast<double>(kInf));
  EXPECT_TRUE(takes(c));
}

TEST(CudaDeformConv, RefusesWithAReason) {
  EXPECT_NE(refusal(moved_conv({.x = {1, 2, 6, 6}, .w = {2, 2, 3, 3}}, DType::kF64), "deform_conv").find("float64"),
            std::string::npos);
}

}  // namespace
}  // namespace kiln::cuda::testing
