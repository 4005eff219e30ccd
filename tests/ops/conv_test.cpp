// Conv, ConvTranspose, DeformConv.
#include "ops/nn_testing.h"

namespace kiln::nn_testing {
namespace {

struct ConvCase {
  Dims x, w;
  int64_t group;
  Ints pads, strides, dilations;
};

// y[n,m,i,j], from the definition.
std::vector<double> naive(const ConvCase& k, const Tensor& x, const Tensor& w, const Tensor& b, const Dims& y) {
  std::vector<double> out;
  for (int64_t n = 0; n < y[0]; ++n)
    for (int64_t m = 0; m < y[1]; ++m)
      for (int64_t i = 0; i < y[2]; ++i)
        for (int64_t j = 0; j < y[3]; ++j) {
          double sum = b.at(m);
          for (int64_t c = 0; c < k.w[1]; ++c)
            for (int64_t p = 0; p < k.w[2]; ++p)
              for (int64_t q = 0; q < k.w[3]; ++q) {
                const int64_t r = i * k.strides[0] + p * k.dilations[0] - k.pads[0],
                              s = j * k.strides[1] + q * k.dilations[1] - k.pads[1];
                if (r < 0 || s < 0 || r >= k.x[2] || s >= k.x[3]) continue;
                const int64_t channel = m / (k.w[0] / k.group) * k.w[1] + c;
                sum += x.at(((n * k.x[1] + channel) * k.x[2] + r) * k.x[3] + s) *
                       w.at(((m * k.w[1] + c) * k.w[2] + p) * k.w[3] + q);
              }
          out.push_back(sum);
        }
  return out;
}

TEST(Conv, MatchesTheDefinition) {
  const ConvCase cases[] = {{{1, 1, 5, 5}, {1, 1, 3, 3}, 1, {0, 0, 0, 0}, {1, 1}, {1, 1}},
                            {{2, 4, 7, 6}, {6, 2, 3, 2}, 2, {1, 0, 2, 1}, {2, 1}, {1, 2}},
                            {{1, 3, 4, 9}, {3, 1, 3, 3}, 3, {2, 2, 2, 2}, {1, 3}, {2, 1}},
                            {{1, 5, 3, 3}, {2, 5, 1, 1}, 1, {0, 0, 0, 0}, {1, 1}, {1, 1}},
                            {{1, 2, 2, 2}, {2, 2, 3, 3}, 1, {4, 4, 4, 4}, {1, 1}, {1, 1}}};
  for (const ConvCase& k : cases)
    for (DType type : {DType::kF32, DType::kF64, DType::kBF16, DType::kF16}) {
      const Tensor x = counting(k.x, 0.125f, type), w = counting(k.w, 0.25f, type), b = counting({k.w[0]}, 1, type);
      const Tensor y =
          run("Conv", {{"group", k.group}, {"pads", k.pads}, {"strides", k.strides}, {"dilations", k.dilations}},
              {x, w, b})[0];
      expect_values(y, y.dims(), naive(k, x, w, b, y.dims()),
                    type == DType::kBF16  ? 1e-2
                    : type == DType::kF16 ? 1e-3
                                          : 1e-6);
    }
}

TEST(Conv, EverySpatialRankAndEmptyBatch) {
  expect_values(run("Conv", {}, {f32({1, 1, 4}, {1, 2, 3, 4}), f32({1, 1, 2}, {1, 10})})[0], {1, 1, 3}, {21, 32, 43});
  expect_values(
      run("Conv", {},
          {f32({1, 1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), f32({1, 1, 2, 2, 2}, {1, 1, 1, 1, 1, 1, 1, 1})})[0],
      {1, 1, 1, 1, 1}, {36});
  EXPECT_EQ(run("Conv", {}, {f32({0, 1, 4}, {}), f32({1, 1, 2}, {1, 10})})[0].dims(), (Dims{0, 1, 3}));
}

TEST(Conv, AutoPad) {
  const Tensor x = f32({1, 1, 4}, {1, 2, 3, 4}), w = f32({1, 1, 2}, {1, 10});
  expect_values(run("Conv", {{"auto_pad", std::string("SAME_UPPER")}}, {x, w})[0], {1, 1, 4}, {21, 32, 43, 4});
  expect_values(run("Conv", {{"auto_pad", std::string("SAME_LOWER")}}, {x, w})[0], {1, 1, 4}, {10, 21, 32, 43});
  expect_values(run("Conv", {{"auto_pad", std::string("VALID")}}, {x, w})[0], {1, 1, 3}, {21, 32, 43});
}

TEST(Conv, SymbolicShapes) {
  EXPECT_EQ(shapes("Conv", {{"pads", Ints{1, 1, 1, 1}}}, {{{"n", "3", "h", "w"}}, {{"8", "3", "3", "3"}}}),
            Strs{"float32[n,8,h,w]"});
  EXPECT_EQ(shapes("Conv", {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2}}},
                   {{{"n", "3", "8"}}, {{"8", "3", "3"}}}),
            Strs{"float32[n,8,4]"});
}

TEST(Conv, Errors) {
  EXPECT_THROW(shapes("Conv", {}, {{{"1", "3", "8"}}, {{"8", "4", "3"}}}), Error);
  EXPECT_THROW(shapes("Conv", {}, {{{"1", "3", "8"}}, {{"8", "3", "3", "3"}}}), Error);
  EXPECT_THROW(shapes("Conv", {{"strides", Ints{0}}}, {{{"1", "3", "8"}}, {{"8", "3", "3"}}}), Error);
  EXPECT_THROW(shapes("Conv", {{"group", int64_t{2}}}, {{{"1", "4", "8"}}, {{"3", "2", "3"}}}), Error);
  EXPECT_THROW(shapes("Conv", {{"auto_pad", std::string("SOME")}}, {{{"1", "3", "8"}}, {{"8", "3", "3"}}}), Error);
  EXPECT_THROW(shapes("Conv", {}, {{{"1", "3", "1"}}, {{"8", "3", "3"}}}), Error);
}

TEST(ConvTranspose, UnknownPaddingIsRefused) {
  EXPECT_THROW(shapes("ConvTranspose", {{"auto_pad", std::string("ZZZ")}}, {{{"1", "3", "8"}}, {{"3", "4", "3"}}}),
               Error);
}

// The transpose of a convolution: <conv(x), y> is <x, conv_transpose(y)>.
TEST(ConvTranspose, IsTheTransposeOfConv) {
  const ConvCase cases[] = {{{2, 4, 7, 7}, {6, 2, 3, 2}, 2, {1, 0, 1, 1}, {2, 1}, {1, 2}},
                            {{1, 1, 5, 5}, {1, 1, 3, 3}, 1, {0, 0, 0, 0}, {1, 1}, {1, 1}}};
  for (const ConvCase& k : cases) {
    const Attributes attributes = {
        {"group", k.group}, {"pads", k.pads}, {"strides", k.strides}, {"dilations", k.dilations}};
    const Tensor x = counting(k.x, 1, DType::kF64), w = counting(k.w, 1, DType::kF64);
    const Tensor cx = run("Conv", attributes, {x, w})[0];
    const Tensor y = counting(cx.dims(), 1, DType::kF64);
    const Tensor ty = run("ConvTranspose", attributes, {y, w})[0];
    ASSERT_EQ(ty.dims(), x.dims());
    double left = 0, right = 0;
    for (int64_t i = 0; i < y.size(); ++i) left += cx.at(i) * y.at(i);
    for (int64_t i = 0; i < x.size(); ++i) right += x.at(i) * ty.at(i);
    EXPECT_NEAR(left, right, 1e-6 * left);
  }
}

TEST(ConvTranspose, SizesAndSymbols) {
  const Tensor x = f32({1, 1, 2}, {1, 2}), w = f32({1, 1, 2}, {1, 10});
  expect_values(run("ConvTranspose", {{"strides", Ints{2}}, {"output_padding", Ints{1}}}, {x, w, f32({1}, {5})})[0],
                {1, 1, 5}, {6, 15, 7, 25, 5});
  expect_values(
      run("ConvTranspose", {{"strides", Ints{2}}, {"output_shape", Ints{3}}, {"auto_pad", std::string("SAME_UPPER")}},
          {x, w})[0],
      {1, 1, 3}, {1, 10, 2});
  EXPECT_EQ(shapes("ConvTranspose", {{"strides", Ints{2}}}, {{{"n", "4", "s"}}, {{"4", "3", "2"}}}),
            Strs{"float32[n,3,2*s]"});
  EXPECT_THROW(shapes("ConvTranspose", {}, {{{"1", "3", "8"}}, {{"4", "3", "2"}}}), Error);
}

TEST(DeformConv, OffsetsAndMasksAreOfAsManyImages) {
  const Tensor x = counting({2, 1, 3, 3}), w = counting({1, 1, 2, 2});
  EXPECT_THROW(run("DeformConv", {}, {x, w, counting({1, 8, 2, 2})}), Error);
  EXPECT_THROW(run("DeformConv", {}, {x, w, counting({2, 8, 2, 2}), Tensor(), counting({1, 4, 2, 2})}), Error);
  EXPECT_EQ(run("DeformConv", {}, {x, w, counting({2, 8, 2, 2}), Tensor(), counting({2, 4, 2, 2})})[0].dims(),
            (Dims{2, 1, 2, 2}));
}

TEST(DeformConv, WithoutOffsetsIsConv) {
  const Tensor x = counting({1, 2, 4, 4}), w = counting({2, 2, 2, 2}),
               offset = Tensor::allocate(DType::kF32, {1, 8, 3, 3});
  EXPECT_TRUE(run("DeformConv", {}, {x, w, offset})[0].identical(run("Conv", {}, {x, w})[0]));
  const Tensor moved = f32({1, 2, 1, 1}, {0.5, 0});
  expect_values(run("DeformConv", {}, {f32({1, 1, 1, 1}, {4}), f32({1, 1, 1, 1}, {3}), moved})[0], {1, 1, 1, 1}, {6});
}

}  // namespace
}  // namespace kiln::nn_testing
