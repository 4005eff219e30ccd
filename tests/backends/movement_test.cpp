// Operators that move elements.
#include <gtest/gtest.h>

#include "backends/harness.h"
#include "base/error.h"

namespace kiln::testing {
namespace {

const DType kMovedTypes[] = {DType::kU8, DType::kF16, DType::kF32, DType::kI64, DType::kC128};

TEST(Transpose, EveryElementSizeAndPermutation) {
  std::mt19937 rng(1);
  for (DType type : kMovedTypes) {
    for (const Ints& perm : {Ints{1, 0}, Ints{0, 1}})
      expect_case({"Transpose", {random_tensor(rng, type, {67, 131})}, {{"perm", perm}}}, "copy");
    for (const Ints& perm : {Ints{0, 2, 1, 3}, Ints{3, 2, 1, 0}, Ints{0, 2, 3, 1}, Ints{1, 3, 0, 2}})
      expect_case({"Transpose", {random_tensor(rng, type, {3, 5, 9, 17})}, {{"perm", perm}}}, "copy");
  }
  expect_case({"Transpose", {random_tensor(rng, DType::kF32, {0, 4})}}, "copy");
  expect_case({"Transpose", {random_tensor(rng, DType::kF32, {})}}, "copy");
}

TEST(Transpose, GapsAndLargeTensors) {
  std::mt19937 rng(2);
  Case c{"Transpose", {gapped(random_tensor(rng, DType::kF32, {4, 6, 70}))}, {{"perm", Ints{2, 0, 1}}}};
  c.gapped_outputs = true;
  expect_case(c, "copy");
  expect_case({"Transpose", {random_tensor(rng, DType::kF32, {513, 771})}, {{"perm", Ints{1, 0}}}}, "copy");
  Case nhwc{"Identity", {channels_last(random_tensor(rng, DType::kF32, {2, 33, 14, 15}))}};
  expect_case(nhwc, "copy");
  Case to_nhwc{"Identity", {random_tensor(rng, DType::kF32, {2, 33, 14, 15})}, {}, 1, {}, {Layout::channels_last(4)}};
  expect_case(to_nhwc, "copy");
}

TEST(Reshape, DenseAndStrided) {
  std::mt19937 rng(3);
  for (DType type : kMovedTypes) {
    expect_case({"Reshape", {random_tensor(rng, type, {6, 35}), constant(ints({2, 3, 5, -1}))}}, "copy");
    Case g{"Reshape", {gapped(random_tensor(rng, type, {6, 5, 4})), constant(ints({3, 40}))}};
    g.gapped_outputs = true;
    expect_case(g, "copy");
    expect_case({"Reshape", {gapped(random_tensor(rng, type, {2, 3})), constant(ints({3, 2}))}}, "copy");
    expect_case({"Reshape", {channels_last(random_tensor(rng, type, {2, 6, 3, 5})), constant(ints({2, -1}))}}, "copy");
  }
  expect_case(
      {"Reshape", {random_tensor(rng, DType::kF32, {0, 3}), constant(ints({3, 0, 5}))}, {{"allowzero", int64_t{1}}}},
      "copy");
  expect_case({"Flatten", {random_tensor(rng, DType::kF32, {2, 3, 4})}, {{"axis", int64_t{2}}}}, "copy");
  expect_case({"Unsqueeze", {random_tensor(rng, DType::kF32, {2, 3}), constant(ints({0, 3}))}}, "copy");
  expect_case({"Squeeze", {random_tensor(rng, DType::kF32, {2, 1, 3}), constant(ints({1}))}}, "copy");
}

TEST(Reshape, DynamicDimensions) {
  std::mt19937 rng(4);
  const Dim batch = Dim::symbol("batch");
  expect_case({"Reshape", {dynamic(random_tensor(rng, DType::kF32, {5, 12}), {batch, 12}), constant(ints({0, 3, 4}))}},
              "copy");
}

TEST(Expand, Broadcasts) {
  std::mt19937 rng(5);
  for (DType type : kMovedTypes) {
    expect_case({"Expand", {random_tensor(rng, type, {3, 1, 5}), constant(ints({2, 3, 7, 5}))}}, "copy");
    expect_case({"Expand", {random_tensor(rng, type, {3, 1}), constant(ints({3, 300}))}}, "copy");
  }
  expect_case({"Tile", {random_tensor(rng, DType::kF32, {3, 4, 5}), constant(ints({2, 1, 3}))}}, "copy");
  expect_case({"Tile", {random_tensor(rng, DType::kU8, {3, 4}), constant(ints({0, 3}))}}, "copy");
}

TEST(Slice, StartsAndSteps) {
  std::mt19937 rng(6);
  const auto slice = [&](Dims dims, Ints starts, Ints ends, Ints axes, Ints steps) {
    expect_case({"Slice",
                 {random_tensor(rng, DType::kF32, dims), constant(ints(starts)), constant(ints(ends)),
                  constant(ints(axes)), constant(ints(steps))}},
                "copy");
  };
  slice({10, 11, 12}, {1, 2}, {9, 100}, {0, 2}, {1, 3});
  slice({10, 11}, {-1}, {-100}, {1}, {-2});
  slice({10, 11}, {20}, {0}, {0}, {-3});
  slice({10, 11}, {-100}, {5}, {-1}, {1});
  slice({10, 11}, {7}, {3}, {0}, {1});
  slice({0, 11}, {0}, {3}, {0}, {1});
  slice({3}, {0}, {2147483647}, {0}, {2147483647});
}

TEST(Slice, StartsKnownWhileRunning) {
  const Tensor data = Tensor::of<float>({3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const auto slice = [&](std::vector<int64_t> starts, Ints steps, Dims dims, std::vector<Tensor>& out) {
    out = {Tensor::allocate(DType::kF32, std::move(dims))};
    return launch_kernel("copy", {{"what", std::string("slice")}, {"axes", Ints{0, 1}}, {"steps", std::move(steps)}},
                         {data, ints(std::move(starts))}, out)
        .code;
  };
  std::vector<Tensor> out;
  EXPECT_EQ(slice({1, -1}, {1, -2}, {2, 2}, out), Code::kOk);
  EXPECT_TRUE(out[0].identical(Tensor::of<float>({2, 2}, {7, 5, 11, 9})));
  EXPECT_EQ(slice({-100, 2}, {2, 1}, {2, 2}, out), Code::kOk);
  EXPECT_TRUE(out[0].identical(Tensor::of<float>({2, 2}, {2, 3, 10, 11})));
  EXPECT_EQ(slice({9, 9}, {1, 1}, {0, 2}, out), Code::kOk);
  EXPECT_EQ(slice({2, 0}, {1, 1}, {2, 2}, out), Code::kInvalidArgument);
  EXPECT_EQ(slice({0, 0}, {1, -1}, {1, 2}, out), Code::kInvalidArgument);
  EXPECT_EQ(slice({0}, {1, 1}, {1, 2}, out), Code::kMalformedPlan);
  EXPECT_EQ(launch_kernel("copy", {{"what", std::string("slice")}, {"axes", Ints{0, 0}}, {"steps", Ints{1, 1}}},
                          {data, ints({2, 2})}, out)
                .code,
            Code::kShapeMismatch);
}

TEST(DepthToSpace, BothModesAndBack) {
  std::mt19937 rng(7);
  for (const char* mode : {"DCR", "CRD"}) {
    expect_case({"DepthToSpace",
                 {random_tensor(rng, DType::kF32, {2, 12, 3, 5})},
                 {{"blocksize", int64_t{2}}, {"mode", std::string(mode)}}},
                "copy");
    Case c{"DepthToSpace",
           {channels_last(random_tensor(rng, DType::kI8, {1, 27, 4, 3}))},
           {{"blocksize", int64_t{3}}, {"mode", std::string(mode)}}};
    c.output_layouts = {Layout::channels_last(4)};
    expect_case(c, "copy");
  }
  expect_case({"SpaceToDepth", {random_tensor(rng, DType::kF32, {2, 3, 6, 10})}, {{"blocksize", int64_t{2}}}}, "copy");
}

TEST(Concat, AxesGapsAndEmptyParts) {
  std::mt19937 rng(8);
  for (DType type : kMovedTypes)
    for (int64_t axis : {0, 1, -1}) {
      const auto part = [&](int64_t n) {
        Dims d{4, 3, 5};
        d[static_cast<size_t>(axis < 0 ? axis + 3 : axis)] = n;
        return random_tensor(rng, type, d);
      };
      Case c{"Concat", {part(2), gapped(part(7)), part(0), part(1)}, {{"axis", axis}}};
      expect_case(c, "concat_split");
      c.gapped_outputs = true;
      expect_case(c, "concat_split");
    }
  expect_case(
      {"Split", {random_tensor(rng, DType::kF32, {4, 9}), constant(ints({2, 0, 7}))}, {{"axis", int64_t{1}}}, 3},
      "concat_split");
  expect_case({"Split", {gapped(random_tensor(rng, DType::kI16, {4, 9}))}, {{"axis", int64_t{-1}}}, 2}, "concat_split");
}

TEST(Gather, AxesTypesAndNegativeIndices) {
  std::mt19937 rng(9);
  for (DType type : kMovedTypes)
    for (int64_t axis : {0, 1, -1})
      expect_case({"Gather",
                   {random_tensor(rng, type, {5, 6, 7}), Tensor::of<int64_t>({2, 3}, {0, -1, 4, 3, -5, 2})},
                   {{"axis", axis}}},
                  "gather");
  expect_case(
      {"Gather", {gapped(random_tensor(rng, DType::kF32, {50, 33})), Tensor::of<int32_t>({4}, {49, 0, 7, -50})}},
      "gather");
  expect_case({"Gather", {random_tensor(rng, DType::kF32, {5, 3}), Tensor::of<int32_t>({}, {2})}}, "gather");
  expect_case({"Gather", {random_tensor(rng, DType::kF32, {5, 3}), Tensor::of<int32_t>({0}, {})}}, "gather");
}

TEST(Pad, ModesAndNegativePads) {
  std::mt19937 rng(10);
  for (const char* mode : {"constant", "edge", "reflect", "wrap"}) {
    const Attributes attributes{{"mode", std::string(mode)}};
    for (DType type : {DType::kF32, DType::kU8, DType::kI64}) {
      expect_case({"Pad", {random_tensor(rng, type, {3, 4, 5}), constant(ints({0, 1, 2, 1, 0, 3}))}, attributes},
                  "pad");
      expect_case({"Pad",
                   {gapped(random_tensor(rng, type, {6, 7})), constant(ints({-1, 2, 3, -2})),
                    constant(random_tensor(rng, type, {}))},
                   attributes},
                  "pad");
    }
    expect_case({"Pad",
                 {channels_last(random_tensor(rng, DType::kF32, {2, 3, 4, 5})), constant(ints({1, 2, 2, 1})), absent(),
                  constant(ints({2, -1}))},
                 attributes},
                "pad");
    expect_case({"Pad", {random_tensor(rng, DType::kF32, {3}), constant(ints({9, 11}))}, attributes}, "pad");
  }
}

// Values that only running tells decide the shape of the result.
TEST(LateShapes, Reshapes) {
  std::mt19937 rng(12);
  for (DType type : kMovedTypes) {
    expect_case({"Reshape", {random_tensor(rng, type, {4, 6}), ints({3, -1})}}, "late_shape");
    expect_case({"Reshape", {gapped(random_tensor(rng, type, {4, 6})), ints({0, 2, 3})}}, "late_shape");
    expect_case({"Reshape", {random_tensor(rng, type, {0, 6}), ints({0, 3, 2})}}, "late_shape");
    expect_case({"Reshape", {random_tensor(rng, type, {}), ints({1, 1})}}, "late_shape");
    expect_case({"Expand", {random_tensor(rng, type, {3, 1, 5}), ints({2, 1, 7, 1})}}, "late_shape");
    expect_case({"Expand", {random_tensor(rng, type, {2, 3}), ints({1})}}, "late_shape");
    expect_case({"Expand", {random_tensor(rng, type, {2, 1}), ints({2, 0})}}, "late_shape");
    expect_case({"Tile", {random_tensor(rng, type, {3, 4, 5}), ints({2, 1, 3})}}, "late_shape");
    expect_case({"Tile", {random_tensor(rng, type, {3, 4}), ints({0, 3})}}, "late_shape");
  }
}

TEST(LateShapes, SlicesAndPads) {
  std::mt19937 rng(13);
  const auto slice = [&](Dims dims, Ints starts, Ints ends, Ints axes, Ints steps) {
    for (DType type : kMovedTypes)
      expect_case({"Slice", {random_tensor(rng, type, dims), ints(starts), ints(ends), ints(axes), ints(steps)}},
                  "late_shape");
  };
  slice({10, 11, 12}, {1, 2}, {9, 100}, {0, 2}, {1, 3});
  slice({10, 11}, {-1}, {-100}, {1}, {-2});
  slice({10, 11}, {20}, {0}, {0}, {-3});
  slice({10, 11}, {-100}, {5}, {-1}, {1});
  slice({10, 11}, {-100}, {-100}, {0}, {-1});
  slice({10, 11}, {7}, {3}, {0}, {1});
  slice({0, 11}, {0}, {3}, {0}, {1});
  slice({0, 11}, {-1}, {INT64_MIN}, {0}, {-1});
  slice({3}, {0}, {INT64_MAX}, {0}, {INT64_MAX});
  slice({3}, {2}, {INT64_MIN}, {0}, {-INT64_MAX});
  expect_case({"Slice", {random_tensor(rng, DType::kF32, {5, 4}), ints({1}), ints({-1})}}, "late_shape");
  for (const char* mode : {"constant", "edge", "reflect", "wrap"})
    for (DType type : kMovedTypes) {
      const Attributes attributes{{"mode", std::string(mode)}};
      expect_case({"Pad", {random_tensor(rng, type, {3, 4, 5}), ints({0, 1, 2, 1, 0, 3})}, attributes}, "late_shape");
      expect_case({"Pad",
                   {random_tensor(rng, type, {6, 7}), ints({2, -2}), random_tensor(rng, type, {}), ints({-1})},
                   attributes},
                  "late_shape");
    }
}

TEST(LateShapes, Resizes) {
  std::mt19937 rng(14);
  const Tensor scales = Tensor::of<float>({4}, {1, 1, 1.5f, 0.6f});
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    const Attributes a{{"mode", std::string(mode)}};
    Case by_scales{"Resize", {random_tensor(rng, DType::kF32, {2, 3, 6, 7}), absent(), scales}, a};
    by_scales.tolerance = 1e-5;
    expect_case(by_scales, "late_shape");
    Case by_sizes{
        "Resize", {random_tensor(rng, DType::kF32, {2, 3, 6, 7}), absent(), absent(), ints({2, 3, 5, 11})}, a};
    by_sizes.tolerance = 1e-5;
    expect_case(by_sizes, "late_shape");
  }
}

TEST(LateShapes, WhatCannotBe) {
  const Tensor data = Tensor::allocate(DType::kF32, {2, 3});
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {3, 2})};
  const auto code = [&](const char* what, const Tensor& values, Attributes more = {}) {
    more.set("what", std::string(what));
    return launch_kernel("late_shape", more, {data, values}, out).code;
  };
  const Attributes kept{{"allowzero", int64_t{0}}};
  EXPECT_EQ(code("reshape", ints({3, 2}), kept), Code::kOk);
  EXPECT_EQ(code("reshape", ints({2, 3}), kept), Code::kShapeMismatch);
  for (const Ints& shape : {Ints{-1, -1}, Ints{-2, 3}, Ints{4, -1}, Ints{0, 0, 0}, Ints{INT64_MAX, INT64_MAX}})
    EXPECT_EQ(code("reshape", ints(shape), kept), Code::kInvalidArgument);
  EXPECT_EQ(code("expand", ints({5, 3})), Code::kInvalidArgument);
  EXPECT_EQ(code("tile", ints({1})), Code::kInvalidArgument);
  EXPECT_EQ(code("tile", ints({INT64_MAX, 1})), Code::kInvalidArgument);
  EXPECT_EQ(code("pad", ints({1}), {{"mode", std::string("constant")}}), Code::kInvalidArgument);
  EXPECT_EQ(code("slice", ints({1})), Code::kMalformedPlan);
  EXPECT_THROW(code("nothing", ints({1})), Error);
}

TEST(Reformat, ChannelsFirstToLastAndBack) {
  std::mt19937 rng(11);
  Case c{"Reformat", {random_tensor(rng, DType::kF32, {2, 33, 14, 15})}, {}, 1, {}, {Layout::channels_last(4)}};
  expect_case(c, "copy");
  expect_case({"Reformat", {channels_last(random_tensor(rng, DType::kU8, {2, 3, 7, 9}))}}, "copy");
}

TEST(Reformat, FromBlocksAndIntoThem) {
  std::mt19937 rng(12);
  for (const char* text : {"row/1:4", "0231/1:8", "0123/1:32", "1230/0:16"})
    for (const int64_t channels : {1, 5, 8, 33, 0})
      for (const DType type : {DType::kI8, DType::kF16, DType::kF32}) {
        const Layout blocks = parse_layout(text);
        const Tensor x = random_tensor(rng, type, {channels, channels, 3, 5});
        for (const Layout& plain : {Layout(), Layout::channels_last(4)}) {
          expect_case({"Reformat", {Operand(x)}, {}, 1, {}, {blocks}}, "copy");
          Case from{"Reformat", {Operand(x)}, {}, 1, {}, {plain}};
          from.inputs[0].layout = blocks;
          expect_case(from, "copy");
          Case into{"Reformat", {Operand(x)}, {}, 1, {}, {blocks}};
          into.inputs[0].layout = plain;
          expect_case(into, "copy");
        }
      }
}

TEST(Reformat, RefusesBlocksOnBothSides) {
  std::mt19937 rng(13);
  Case c{"Reformat", {random_tensor(rng, DType::kF32, {2, 5, 3, 3})}, {}, 1, {}, {parse_layout("row/1:4")}};
  c.inputs[0].layout = parse_layout("row/1:8");
  expect_no_case(c, "copy");
  c.inputs[0].layout = parse_layout("row/1:4/1:2");
  c.output_layouts.clear();
  expect_no_case(c, "copy");
  c.op = "Identity";
  c.inputs[0].layout = parse_layout("row/1:4");
  expect_no_case(c, "copy");
}

}  // namespace
}  // namespace kiln::testing
