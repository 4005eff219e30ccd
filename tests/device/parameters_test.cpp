// Parameters of steps: what is written is read again, and what no kernel could use is refused by its name.
#include "device/region_parameters.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "device/axis_parameters.h"
#include "device/byte_image_parameters.h"
#include "device/conv_parameters.h"
#include "device/copy_rule.h"
#include "device/parameters.h"
#include "device/pointwise_parameters.h"
#include "device/tree_parameters.h"

namespace kiln {
namespace {

template <class T> void expect_malformed(const Attributes& parameters, const std::string& text) {
  try {
    read_parameters<T>(parameters);
    ADD_FAILURE() << to_string(parameters) << " is taken, " << text << " is not named";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kMalformedPlan) << e.what();
    EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
  }
}

// One that is changed, one that is missing and one too many.
template <class T> void expect_checked(const T& values, const std::vector<std::pair<std::string, Attribute>>& wrong) {
  const Attributes good = to_parameters(values);
  EXPECT_EQ(to_parameters(read_parameters<T>(good)), good);
  for (const auto& [name, value] : wrong) {
    Attributes bad = good;
    bad.set(name, value);
    expect_malformed<T>(bad, "'" + name + "'");
  }
  for (const auto& [name, value] : good) {
    Attributes less = good;
    less.erase(name);
    expect_malformed<T>(less, "'" + name + "' is missing");
    Attributes other = good;
    other.set(name, Strings{"other"});
    expect_malformed<T>(other, "'" + name + "' has another type");
  }
  Attributes more = good;
  more.set("stranger", int64_t{1});
  expect_malformed<T>(more, "'stranger' is none of the step's");
}

TEST(Parameters, GridSample) {
  using Mode = GridSampler::Mode;
  using Padding = GridSampler::Padding;
  for (const Mode mode : {Mode::kNearest, Mode::kLinear, Mode::kCubic})
    for (const Padding padding : {Padding::kZeros, Padding::kBorder, Padding::kReflection})
      for (const bool corners : {false, true}) {
        const auto read = read_parameters<GridSampleParameters>(
            to_parameters(GridSampleParameters{.mode = mode, .padding = padding, .corners = corners}));
        EXPECT_EQ(read.mode, mode);
        EXPECT_EQ(read.padding, padding);
        EXPECT_EQ(read.corners, corners);
      }
  expect_checked(GridSampleParameters{},
                 {{"mode", std::string("bilinear")}, {"padding", std::string()}, {"corners", int64_t{2}}});
}

TEST(Parameters, RoiAlign) {
  const RoiAlignParameters values{.shifted = false, .maximum = true, .ratio = 3, .scale = 0.25};
  const auto read = read_parameters<RoiAlignParameters>(to_parameters(values));
  EXPECT_FALSE(read.shifted);
  EXPECT_TRUE(read.maximum);
  EXPECT_EQ(read.ratio, 3);
  EXPECT_EQ(read.scale, 0.25);
  expect_checked(values, {{"ratio", int64_t{-1}}, {"ratio", int64_t{1} << 21}, {"ratio", INT64_MAX}});
}

TEST(Parameters, Lrn) {
  const LrnParameters values{.alpha = 2e-4, .beta = 0.5, .bias = 2, .size = 5};
  const auto read = read_parameters<LrnParameters>(to_parameters(values));
  EXPECT_EQ(read.alpha, 2e-4);
  EXPECT_EQ(read.beta, 0.5);
  EXPECT_EQ(read.bias, 2);
  EXPECT_EQ(read.size, 5);
  expect_checked(values, {{"size", int64_t{0}}, {"size", int64_t{-1}}, {"size", INT64_MAX}});
}

TEST(Parameters, Resize) {
  ResizeParameters values{
      .resample = {.rule = {.mode = "cubic", .nearest_mode = "floor", .coordinates = "half_pixel"}, .axes = {2, 3}},
      .scales = {2, 0.5}};
  expect_checked(values, {{"mode", std::string("bicubic")},
                          {"nearest_mode", std::string("")},
                          {"coordinates", std::string("pixel")},
                          {"axes", Ints{-1, 3}}});
  for (const Floats& scales : {Floats{2}, Floats{0, 1}, Floats{NAN, 1}, Floats{1, 1e30}}) {
    values.scales = scales;
    expect_malformed<ResizeParameters>(to_parameters(values), "do not fit each other");
  }
  values.scales = {};
  values.resample.rule.coordinates = "tf_crop_and_resize";
  expect_malformed<ResizeParameters>(to_parameters(values), "do not fit each other");
  values.roi = {0, 0, 1, 1};
  EXPECT_EQ(read_parameters<ResizeParameters>(to_parameters(values)).roi, values.roi);
}

TEST(Parameters, Copy) {
  using What = CopyParameters::What;
  expect_checked(CopyParameters{.what = What::kTranspose, .perm = {1, 0}},
                 {{"what", std::string("nothing")}, {"perm", Ints{0, -1}}});
  expect_checked(CopyParameters{.what = What::kDepthToSpace, .block = 2, .column_major = true},
                 {{"block", int64_t{0}}, {"block", int64_t{1} << 16}});
  const CopyParameters slice{.what = What::kSlice, .axes = {0, 2}, .steps = {1, -1}, .starts = Ints{3, INT64_MIN}};
  EXPECT_EQ(to_parameters(read_parameters<CopyParameters>(to_parameters(slice))), to_parameters(slice));
  CopyParameters late = slice;
  late.starts.reset();
  EXPECT_TRUE(read_parameters<CopyParameters>(to_parameters(late)).late_starts());
  late.steps = {1};
  expect_malformed<CopyParameters>(to_parameters(late), "unequal numbers");
  expect_malformed<CopyParameters>({{"what", std::string("dense")}, {"perm", Ints{0}}}, "'perm' is none of the step's");
}

struct Whole {
  SlidingWindow window = {};
  EpilogueParameters epilogue = {};
  ReduceParameters reduce = {};
  template <class V> void fields(V& v) {
    v(window);
    v(epilogue);
    v(reduce);
  }
};

// A part's fields stand among those of the whole.
TEST(Parameters, Parts) {
  Whole values;
  values.window.kernel[1] = 3;
  values.window.padding = SlidingWindow::kSameLower;
  values.epilogue = {.activation = Activation::kElu, .alpha = 0.5f, .residual_after = true};
  values.reduce = {.kind = ReduceKind::kMax, .axes = {1}};
  const auto read = read_parameters<Whole>(to_parameters(values));
  EXPECT_EQ(read.window.kernel[1], 3);
  EXPECT_EQ(read.window.padding, SlidingWindow::kSameLower);
  EXPECT_EQ(read.epilogue.activation, Activation::kElu);
  EXPECT_EQ(read.epilogue.alpha, 0.5f);
  EXPECT_TRUE(read.epilogue.residual_after);
  EXPECT_EQ(read.reduce.kind, ReduceKind::kMax);
  expect_checked(values, {{"kernel", Ints{0, 1}},
                          {"kernel", Ints{1}},
                          {"kernel", Ints{1, 1, 1}},
                          {"padding", int64_t{3}},
                          {"activation", int64_t{kActivationCount}},
                          {"kind", int64_t{-1}},
                          {"axes", Ints{64}}});
}

TEST(Parameters, Programs) {
  const ScalarProgram program{
      .code = {{ScalarOp::kInput, ScalarType::kF32, 0, 0, 0, 0, 0}}, .input_count = 1, .outputs = {0}};
  const Attributes good = to_parameters(PointwiseParameters{program});
  EXPECT_EQ(to_parameters(read_parameters<PointwiseParameters>(good)), good);
  Attributes more = good;
  more.set("program.more", int64_t{1});
  expect_malformed<PointwiseParameters>(more, "'program.more' is none of the step's");
  expect_malformed<PointwiseParameters>({}, "program");
}

TEST(Parameters, Convolutions) {
  ConvParameters values;
  values.groups = 3;
  values.epilogue.activation = Activation::kRelu;
  expect_checked(values,
                 {{"groups", int64_t{0}}, {"groups", INT64_MAX}, {"kernel", Ints{1, 0}}, {"activation", int64_t{-1}}});
}

TEST(Parameters, DeformConv) {
  DeformConvParameters values;
  expect_checked(values,
                 {{"groups", int64_t{0}}, {"offset_groups", INT64_MAX}, {"strides", Ints{0, 1}}, {"pads", Ints{0}}});
  EXPECT_EQ(values.longer_than(1), nullptr);
  values.pads[1] = -9;
  EXPECT_EQ(values.longer_than(9), nullptr);
  EXPECT_STREQ(values.longer_than(8), "pads");
  values.dilations[0] = 10;
  EXPECT_STREQ(values.longer_than(9), "dilations");
}

// Numbers of a short list, lists of enumerators, and types by their names.
struct Lists {
  static constexpr int kSizes[] = {0, 16, 32};
  int64_t size = 16;
  std::vector<ReduceKind> kinds;
  std::vector<DType> types;
  template <class V> void fields(V& v) {
    v("size", size, kSizes);
    v("kinds", kinds, kReduceKindCount);
    v("types", types);
  }
};

TEST(Parameters, Lists) {
  Lists lists;
  lists.kinds.assign({ReduceKind::kMax, ReduceKind::kSum});
  lists.types.assign({DType::kF16, DType::kI4});
  const Attributes good = to_parameters(lists);
  const auto read = read_parameters<Lists>(good);
  EXPECT_EQ(read.size, 16);
  EXPECT_EQ(read.kinds, lists.kinds);
  EXPECT_EQ(read.types, lists.types);
  for (const auto& [name, value] : std::vector<std::pair<std::string, Attribute>>{{"size", int64_t{17}},
                                                                                  {"size", std::string("16")},
                                                                                  {"kinds", Ints{-1}},
                                                                                  {"kinds", Ints{kReduceKindCount}},
                                                                                  {"types", Strings{"float13"}},
                                                                                  {"types", Ints{1}}}) {
    Attributes bad = good;
    bad.set(name, value);
    expect_malformed<Lists>(bad, "'" + name + "'");
  }
}

Trees two_leaves() {
  return {.targets = 1,
          .roots = {0},
          .nodes = {{.split = 0.5, .if_true = -1, .if_false = -2, .missing_is_true = true}},
          .leaf_ends = {1, 2},
          .votes = {{0, 1.0}, {0, 2.0}},
          .base = {}};
}

TEST(Parameters, Trees) {
  const TreeLists lists = lists_of(two_leaves());
  const Attributes good = to_parameters(lists);
  EXPECT_EQ(good, to_attributes(two_leaves()));
  EXPECT_EQ(to_attributes(read_trees(good)), good);
  for (const auto& [name, value] : std::vector<std::pair<std::string, Attribute>>{{"aggregate", int64_t{4}},
                                                                                  {"targets", int64_t{0}},
                                                                                  {"roots", Ints{INT64_MAX}},
                                                                                  {"features", Ints{-1}},
                                                                                  {"modes", Ints{TreeNode::kModeCount}},
                                                                                  {"missing_is_true", Ints{2}},
                                                                                  {"leaf_ends", Ints{-1, 2}},
                                                                                  {"stranger", int64_t{0}}}) {
    Attributes bad = good;
    bad.set(name, value);
    expect_malformed<TreeLists>(bad, "'" + name + "'");
  }
  // What the lists mean together.
  for (const auto& [name, value] : std::vector<std::pair<std::string, Attribute>>{{"roots", Ints{-3}},
                                                                                  {"true_children", Ints{0}},
                                                                                  {"splits", Floats{}},
                                                                                  {"leaf_ends", Ints{1, 3}},
                                                                                  {"vote_targets", Ints{0, 1}},
                                                                                  {"base_values", Floats{1, 2}}}) {
    Attributes bad = good;
    bad.set(name, value);
    try {
      (void)read_trees(bad);
      ADD_FAILURE() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kMalformedPlan) << e.what();
    }
  }
}

TEST(ByteImages, OperandsAreOneTensorOfBytesEach) {
  TensorView bytes, floats;
  bytes.dtype = DType::kI8;
  floats.dtype = DType::kF32;
  const auto check = [](std::vector<TensorView> inputs, std::vector<TensorView> outputs) {
    return check_byte_images({inputs, outputs}).code;
  };
  EXPECT_EQ(check({bytes}, {bytes}), Code::kOk);
  EXPECT_EQ(check({bytes, bytes}, {bytes}), Code::kMalformedPlan);
  EXPECT_EQ(check({bytes}, {}), Code::kMalformedPlan);
  EXPECT_EQ(check({floats}, {bytes}), Code::kMalformedPlan);
  EXPECT_EQ(check({bytes}, {floats}), Code::kMalformedPlan);
}

struct Sizes {
  int64_t batch, channels, height, width;
};

TEST(ByteImages, WindowsOfMeans) {
  const Sizes x{2, 3, 7, 5};
  MeanBytesParameters mean;
  mean.window.kernel[0] = mean.window.stride[0] = 2;
  mean.window.kernel[1] = 3;
  mean.window.begin[0] = 1;
  SlidingWindow window;
  ASSERT_TRUE(mean.window_over(x, Sizes{2, 3, 4, 3}, window).ok());
  EXPECT_EQ(window.pads(0, 7, 4), (std::pair<int64_t, int64_t>(1, 0)));
  for (const Sizes& y : {Sizes{1, 3, 4, 3}, Sizes{2, 4, 4, 3}, Sizes{2, 3, 6, 3}, Sizes{2, 3, 4, 7}})
    EXPECT_EQ(mean.window_over(x, y, window).code, Code::kShapeMismatch);
  mean.global = true;  // nothing is left of the window
  ASSERT_TRUE(mean.window_over(x, Sizes{2, 3, 1, 1}, window).ok());
  EXPECT_EQ(window.kernel[0], 7);
  EXPECT_EQ(window.kernel[1], 5);
  EXPECT_EQ(window.stride[0], 1);
  EXPECT_EQ(window.pads(0, 7, 1), (std::pair<int64_t, int64_t>(0, 0)));
  EXPECT_EQ(mean.window_over(x, Sizes{2, 3, 2, 1}, window).code, Code::kShapeMismatch);
  ASSERT_TRUE(mean.window_over(Sizes{2, 3, 0, 5}, Sizes{2, 3, 1, 1}, window).ok());  // the mean of nothing
  EXPECT_EQ(window.kernel[0], 1);
}

TEST(Parameters, NoneAreChecked) {
  EXPECT_NO_THROW(read_parameters<NoParameters>({}));
  expect_malformed<NoParameters>({{"axis", int64_t{0}}}, "'axis' is none of the step's");
}

}  // namespace
}  // namespace kiln
