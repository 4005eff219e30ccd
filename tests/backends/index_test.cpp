// Operators that take, put or choose elements by index or value, and those that fill tensors.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/harness.h"
#include "device/axis_parameters.h"

namespace kiln::testing {
namespace {

const DType kIndexedTypes[] = {DType::kBool, DType::kU8, DType::kF16, DType::kF32, DType::kI64, DType::kC128};
const float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

Tensor indices(std::mt19937& rng, DType type, Dims dims, int64_t extent) {
  Tensor t = Tensor::allocate(type, std::move(dims));
  for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, static_cast<int64_t>(rng() % (2 * extent)) - extent);
  return t;
}

// Each index once, in some order, so that a replacement has one result.
Tensor shuffled_rows(std::mt19937& rng, Dims dims, size_t axis, int64_t extent) {
  Tensor t = Tensor::allocate(DType::kI64, dims);
  const auto inner = element_count(Dims(dims.begin() + static_cast<int64_t>(axis) + 1, dims.end()));
  const int64_t shift = static_cast<int64_t>(rng() % 100);
  for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, (i / inner % dims[axis] * 7 + shift) % extent);
  return t;
}

TEST(GatherElements, AxesTypesAndSmallerIndices) {
  std::mt19937 rng(1);
  for (DType type : kIndexedTypes)
    for (int64_t axis : {0, 1, -1})
      for (DType index : {DType::kI32, DType::kI64}) {
        const Dims dims{5, 6, 7};
        const int64_t extent = dims[static_cast<size_t>(axis < 0 ? axis + 3 : axis)];
        for (const Dims& taken : {Dims{5, 6, 7}, Dims{3, 2, 4}, Dims{1, 6, 1}, Dims{0, 2, 3}})
          expect_case({"GatherElements",
                       {random_tensor(rng, type, dims), indices(rng, index, taken, extent)},
                       {{"axis", axis}}},
                      "gather_scatter");
      }
  Dims more{5, 90, 7};
  Case c{"GatherElements",
         {gapped(random_tensor(rng, DType::kF32, {5, 6, 7})), indices(rng, DType::kI64, more, 6)},
         {{"axis", int64_t{1}}}};
  c.gapped_outputs = true;
  expect_case(c, "gather_scatter");
  expect_case(
      {"GatherElements", {random_tensor(rng, DType::kF32, {700, 300}), indices(rng, DType::kI64, {500, 300}, 700)}},
      "gather_scatter");
  expect_no_case({"GatherElements", {random_tensor(rng, DType::kI4, {4, 4}), indices(rng, DType::kI64, {4, 4}, 4)}},
                 "gather_scatter");
}

TEST(GatherNd, DepthsAndBatches) {
  std::mt19937 rng(2);
  for (DType type : kIndexedTypes) {
    const Tensor data = random_tensor(rng, type, {3, 4, 5});
    for (int64_t depth : {1, 2, 3})
      expect_case({"GatherND", {data, indices(rng, DType::kI64, {2, 6, depth}, 3)}}, "gather_scatter");
    expect_case({"GatherND", {data, indices(rng, DType::kI64, {3, 7, 1}, 4)}, {{"batch_dims", int64_t{1}}}},
                "gather_scatter");
    expect_case({"GatherND", {data, indices(rng, DType::kI64, {3, 4, 1}, 5)}, {{"batch_dims", int64_t{2}}}},
                "gather_scatter");
    expect_case({"GatherND", {data, Tensor::of<int64_t>({0, 2}, {})}}, "gather_scatter");
  }
}

TEST(ScatterElements, ReplacesOnceAndInOrder) {
  std::mt19937 rng(3);
  for (DType type : kIndexedTypes)
    for (int64_t axis : {0, 1, 2}) {
      const Dims dims{5, 6, 8}, taken{3, 4, 5};
      const auto at = static_cast<size_t>(axis);
      expect_case(
          {"ScatterElements",
           {random_tensor(rng, type, dims), shuffled_rows(rng, taken, at, dims[at]), random_tensor(rng, type, taken)},
           {{"axis", axis}}},
          "gather_scatter");
      expect_case({"ScatterElements",
                   {random_tensor(rng, type, dims), indices(rng, DType::kI32, taken, dims[at]),
                    random_tensor(rng, type, taken)},
                   {{"axis", axis}}},
                  "gather_scatter");
    }
}

TEST(ScatterElements, Reductions) {
  std::mt19937 rng(4);
  for (DType type : {DType::kF32, DType::kI32, DType::kI64})
    for (const char* reduction : {"add", "mul", "max", "min"}) {
      Case c{
          "ScatterElements",
          {random_tensor(rng, type, {4, 6}), indices(rng, DType::kI64, {4, 17}, 6), random_tensor(rng, type, {4, 17})},
          {{"axis", int64_t{1}}, {"reduction", std::string(reduction)}}};
      c.tolerance = type == DType::kF32 ? 1e-5 : 0;
      expect_case(c, "gather_scatter");
    }
  expect_no_case({"ScatterElements",
                  {random_tensor(rng, DType::kU8, {4, 6}), indices(rng, DType::kI64, {4, 3}, 6),
                   random_tensor(rng, DType::kU8, {4, 3})},
                  {{"axis", int64_t{1}}, {"reduction", std::string("add")}}},
                 "gather_scatter");
  expect_case({"ScatterElements",
               {Tensor::of<float>({4}, {1, kNan, 3, kInf}), Tensor::of<int64_t>({4}, {0, 1, 2, 3}),
                Tensor::of<float>({4}, {kNan, 1, 4, 1})},
               {{"reduction", std::string("max")}}},
              "gather_scatter");
}

TEST(ScatterNd, ReplacesAndReduces) {
  std::mt19937 rng(5);
  for (DType type : {DType::kF32, DType::kI32, DType::kI64})
    for (const char* reduction : {"none", "add", "mul", "max", "min"})
      for (int64_t depth : {1, 2, 3}) {
        Dims updates{9};
        for (size_t k = static_cast<size_t>(depth); k < 3; ++k) updates.push_back(Dims{4, 5, 6}[k]);
        Case c{"ScatterND",
               {gapped(random_tensor(rng, type, {4, 5, 6})), indices(rng, DType::kI64, {9, depth}, 4),
                random_tensor(rng, type, updates)},
               {{"reduction", std::string(reduction)}}};
        c.tolerance = type == DType::kF32 ? 1e-5 : 0;
        expect_case(c, "gather_scatter");
      }
  expect_case({"ScatterND",
               {random_tensor(rng, DType::kF32, {40, 3000}), Tensor::of<int64_t>({3, 1}, {-1, 4, -1}),
                random_tensor(rng, DType::kF32, {3, 3000})}},
              "gather_scatter");
}

TEST(IndexedElements, IndicesOutsideAreErrors) {
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {2})};
  const Tensor data = Tensor::of<float>({2}, {1, 2}), two = Tensor::of<int64_t>({2}, {0, 2});
  const Tensor tuples = two.reshaped({2, 1});
  const auto code = [&](const char* kernel, const auto& parameters, const std::vector<Tensor>& inputs) {
    return launch_kernel(kernel, to_parameters(parameters), inputs, out).code;
  };
  EXPECT_EQ(code("gather_elements", AxisParameters{}, {data, two}), Code::kInvalidArgument);
  EXPECT_EQ(code("gather_nd", GatherNdParameters{}, {data, tuples}), Code::kInvalidArgument);
  EXPECT_EQ(code("scatter_elements", ScatterElementsParameters{}, {data, two, data}), Code::kInvalidArgument);
  EXPECT_EQ(code("scatter_nd", ScatterNdParameters{}, {data, tuples, data}), Code::kInvalidArgument);
}

TEST(IndexedElements, ParametersOfAnybodyAreChecked) {
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {2})};
  const Tensor data = Tensor::of<float>({2}, {1, 2}), two = Tensor::of<int64_t>({2}, {0, 1});
  const std::vector<Tensor> pairs{data, two}, tuples{data, two.reshaped({2, 1})};
  for (int64_t axis : {int64_t{-1}, int64_t{1} << 40}) {
    EXPECT_THROW((void)launch_kernel("gather_elements", {{"axis", axis}}, pairs, out), Error) << axis;
    EXPECT_THROW((void)launch_kernel("gather_nd", {{"batch_axes", axis}}, tuples, out), Error) << axis;
  }
  EXPECT_FALSE(launch_kernel("gather_elements", {{"axis", int64_t{1}}}, pairs, out).ok());
  EXPECT_FALSE(launch_kernel("gather_nd", {{"batch_axes", int64_t{2}}}, tuples, out).ok());
  EXPECT_FALSE(launch_kernel("gather_nd", {{"batch_axes", int64_t{0}}}, {data, two.reshaped({1, 2})}, out).ok());
  EXPECT_THROW((void)launch_kernel("scatter_nd", {{"reduction", std::string("xor")}}, {data, two, data}, out), Error);
}

TEST(Fills, ConstantsOfKnownAndUnknownShape) {
  std::mt19937 rng(6);
  const Tensor shape = Tensor::of<int64_t>({3}, {2, 0, 5}), other = Tensor::of<int64_t>({2}, {200, 300});
  for (const Tensor& s : {shape, other}) {
    expect_case({"ConstantOfShape", {s}}, "fill");
    expect_case({"ConstantOfShape", {constant(s)}, {{"value", Tensor::of<int64_t>({1}, {7})}}}, "fill");
    expect_case({"ConstantOfShape", {s}, {{"value", random_tensor(rng, DType::kC128, {1})}}}, "fill");
  }
  expect_case({"ConstantOfShape", {Tensor::of<int64_t>({0}, {})}}, "fill");
}

TEST(Fills, Ranges) {
  const auto range = [](auto start, auto limit, auto delta) {
    expect_case({"Range", {Tensor::scalar(start), Tensor::scalar(limit), Tensor::scalar(delta)}}, "fill");
    expect_case(
        {"Range", {constant(Tensor::scalar(start)), constant(Tensor::scalar(limit)), constant(Tensor::scalar(delta))}},
        "fill");
  };
  range(int64_t{3}, int64_t{10}, int64_t{3});
  range(int64_t{10}, int64_t{-3}, int64_t{-4});
  range(int64_t{5}, int64_t{5}, int64_t{1});
  range(int64_t{5}, int64_t{2}, int64_t{1});
  range(int32_t{-7}, int32_t{1000}, int32_t{2});
  range(int16_t{0}, int16_t{9}, int16_t{1});
  range(0.0f, 2.5f, 0.3f);
  range(1.0, -2.5, -0.25);
}

TEST(Fills, OneHotEyesAndTriangles) {
  std::mt19937 rng(7);
  for (int64_t axis : {0, 1, -1})
    for (bool known : {true, false}) {
      const Tensor depth = Tensor::scalar(int64_t{6});
      expect_case({"OneHot",
                   {indices(rng, DType::kI64, {3, 5}, 9), Operand(depth, known), random_tensor(rng, DType::kF32, {2})},
                   {{"axis", axis}}},
                  "fill");
      expect_case({"OneHot",
                   {indices(rng, DType::kI32, {0, 5}, 9), Operand(depth, known), random_tensor(rng, DType::kU8, {2})},
                   {{"axis", axis}}},
                  "fill");
    }
  for (int64_t k : {0, 2, -1, -9, 9}) {
    expect_case({"EyeLike", {random_tensor(rng, DType::kF32, {4, 6})}, {{"k", k}}}, "fill");
    expect_case({"EyeLike", {random_tensor(rng, DType::kI32, {6, 4})}, {{"k", k}, {"dtype", std::string("bool")}}},
                "fill");
    for (DType type : kIndexedTypes)
      for (int64_t upper : {0, 1}) {
        expect_case({"Trilu", {random_tensor(rng, type, {2, 4, 7}), Tensor::scalar(k)}, {{"upper", upper}}}, "fill");
        expect_case({"Trilu", {gapped(random_tensor(rng, type, {9, 3}))}, {{"upper", upper}}}, "fill");
      }
  }
  expect_case({"Trilu", {random_tensor(rng, DType::kF32, {3, 0, 5})}}, "fill");
}

TEST(Dimensions, OfDynamicTensors) {
  std::mt19937 rng(8);
  const Dim n = Dim::symbol("n");
  const Operand x = dynamic(random_tensor(rng, DType::kF32, {5, 3, 7}), {n, 3, 7});
  expect_case({"Shape", {x}}, "shape");
  expect_case({"Shape", {x}, {{"start", int64_t{-2}}}}, "shape");
  expect_case({"Shape", {x}, {{"start", int64_t{-9}}, {"end", int64_t{-1}}}}, "shape");
  expect_case({"Shape", {x}, {{"start", int64_t{2}}, {"end", int64_t{1}}}}, "shape");
  expect_case({"Size", {x}}, "shape");
  expect_case({"Size", {random_tensor(rng, DType::kF32, {})}}, "shape");
}

TEST(Selections, NonZeroOfEveryType) {
  std::mt19937 rng(9);
  for (DType type :
       {DType::kBool, DType::kU8, DType::kI16, DType::kF16, DType::kBF16, DType::kF32, DType::kF64, DType::kI64})
    for (const Dims& dims : {Dims{3, 4, 5}, Dims{17}, Dims{}, Dims{4, 0}}) {
      Tensor t = random_tensor(rng, type, dims);
      for (int64_t i = 0; i < t.size(); i += 2) t.set(i, 0);
      expect_case({"NonZero", {t}}, "nonzero_compress");
    }
  expect_case({"NonZero", {Tensor::of<float>({5}, {-0.0f, kNan, 1, 0, -kInf})}}, "nonzero_compress");
  expect_case({"NonZero", {gapped(random_tensor(rng, DType::kI32, {7, 8}))}}, "nonzero_compress");
}

TEST(Selections, Compress) {
  std::mt19937 rng(10);
  for (DType type : kIndexedTypes) {
    const Tensor x = random_tensor(rng, type, {3, 4, 5});
    for (int64_t axis : {0, 1, -1})
      expect_case({"Compress", {x, random_tensor(rng, DType::kBool, {3})}, {{"axis", axis}}}, "nonzero_compress");
    expect_case({"Compress", {x, random_tensor(rng, DType::kBool, {50})}}, "nonzero_compress");
    expect_case({"Compress", {x, Tensor::allocate(DType::kBool, {0})}}, "nonzero_compress");
  }
}

TEST(Selections, BoxesThatOverlap) {
  std::mt19937 rng(14);
  const auto number = [](float v) { return Operand(Tensor::scalar(v)); };
  for (int64_t center : {0, 1})
    for (float overlap : {0.0f, 0.3f, 1.0f})
      for (int64_t most : {0, 3, 1000}) {
        const Operand boxes(random_tensor(rng, DType::kF32, {2, 40, 4})),
            scores(random_tensor(rng, DType::kF32, {2, 3, 40}));
        const Operand limit(Tensor::scalar(most));
        const Attributes a{{"center_point_box", center}};
        expect_case({"NonMaxSuppression", {boxes, scores, limit, number(overlap), number(0.2f)}, a},
                    "non_max_suppression");
        expect_case({"NonMaxSuppression", {boxes, scores, limit, number(overlap)}, a}, "non_max_suppression");
        expect_case({"NonMaxSuppression", {boxes, gapped(scores.tensor), limit, absent(), number(0.2f)}, a},
                    "non_max_suppression");
      }
  Tensor ties = Tensor::allocate(DType::kF32, {1, 2, 40});
  for (int64_t i = 0; i < 80; ++i) ties.set(i, static_cast<double>(i % 3));
  const Operand limit(Tensor::scalar(int64_t{9}));
  expect_case({"NonMaxSuppression", {random_tensor(rng, DType::kF32, {1, 40, 4}), ties, limit}}, "non_max_suppression");
  expect_case({"NonMaxSuppression",
               {random_tensor(rng, DType::kF32, {1, 0, 4}), random_tensor(rng, DType::kF32, {1, 2, 0}), limit}},
              "non_max_suppression");
  expect_case({"NonMaxSuppression", {random_tensor(rng, DType::kF32, {1, 40, 4}), ties}}, "non_max_suppression");
}

TEST(TopK, TypesAxesAndTies) {
  std::mt19937 rng(11);
  for (DType type : {DType::kF32, DType::kF64, DType::kI8, DType::kU8, DType::kI32, DType::kI64, DType::kU64})
    for (int64_t axis : {0, 1, -1})
      for (int64_t largest : {0, 1})
        for (int64_t k : {0, 1, 3, 4})
          for (bool known : {true, false}) {
            Case c{"TopK",
                   {random_tensor(rng, type, {4, 50, 6}), Operand(Tensor::of<int64_t>({1}, {k}), known)},
                   {{"axis", axis}, {"largest", largest}}};
            c.outputs = 2;
            expect_case(c, "top_k");
          }
  Tensor special = random_tensor(rng, DType::kF32, {2, 9});
  for (int64_t i : {2, 5, 11}) special.set(i, kNan);
  for (int64_t i : {3, 12}) special.set(i, -0.0);
  for (int64_t i : {4, 13}) special.set(i, i == 4 ? kInf : -kInf);
  for (int64_t largest : {0, 1}) {
    Case c{"TopK", {special, constant(Tensor::of<int64_t>({1}, {9}))}, {{"largest", largest}}};
    c.outputs = 2;
    expect_case(c, "top_k");
    c = {"TopK", {random_tensor(rng, DType::kF32, {3, 9000}), constant(Tensor::of<int64_t>({1}, {100}))}};
    c.outputs = 2;
    expect_case(c, "top_k");
  }
  expect_no_case({"TopK", {random_tensor(rng, DType::kF16, {9}), constant(Tensor::of<int64_t>({1}, {2}))}, {}, 2},
                 "top_k");
}

TEST(TopK, MoreThanThereAre) {
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {3}), Tensor::allocate(DType::kI64, {3})};
  const Attributes p{{"axis", int64_t{0}}, {"largest", int64_t{1}}};
  for (int64_t k : {3, -1})
    EXPECT_EQ(launch_kernel("top_k", p, {Tensor::of<float>({2}, {1, 2}), Tensor::of<int64_t>({1}, {k})}, out).code,
              Code::kInvalidArgument);
}

TEST(RunningValues, SumsAndProducts) {
  std::mt19937 rng(12);
  for (const char* op : {"CumSum", "CumProd"})
    for (DType type : {DType::kF32, DType::kF64, DType::kI32, DType::kI64})
      for (int64_t exclusive : {0, 1})
        for (int64_t reverse : {0, 1})
          for (int64_t axis : {0, 1, -1}) {
            Case c{op,
                   {random_tensor(rng, type, {3, 7, 130}), Tensor::scalar(axis)},
                   {{"exclusive", exclusive}, {"reverse", reverse}}};
            c.tolerance = is_float(type) ? 1e-6 : 0;
            expect_case(c, "cumulative");
          }
  expect_case({"CumSum", {random_tensor(rng, DType::kF32, {3, 0}), Tensor::scalar(int32_t{1})}}, "cumulative");
  expect_case({"CumSum", {Tensor::of<float>({4}, {1, kInf, -kInf, 2}), Tensor::scalar(int32_t{0})}}, "cumulative");
  expect_no_case({"CumSum", {random_tensor(rng, DType::kF16, {3}), Tensor::scalar(int32_t{0})}}, "cumulative");
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {2})};
  const Attributes p{{"product", int64_t{0}}, {"exclusive", int64_t{0}}, {"reverse", int64_t{0}}};
  EXPECT_EQ(launch_kernel("cumulative", p, {Tensor::of<float>({2}, {1, 2}), Tensor::scalar(int64_t{1})}, out).code,
            Code::kInvalidArgument);
}

TEST(ReverseSteps, BothOrdersOfAxes) {
  std::mt19937 rng(13);
  for (DType type : kIndexedTypes)
    for (int64_t time : {0, 1}) {
      const Tensor lengths = time == 0 ? Tensor::of<int64_t>({3}, {0, 4, 2}) : Tensor::of<int64_t>({4}, {1, 3, 0, 2});
      for (const Dims& dims : {Dims{4, 3}, Dims{4, 3, 5}})
        expect_case({"ReverseSequence",
                     {random_tensor(rng, type, dims), lengths},
                     {{"time_axis", time}, {"batch_axis", 1 - time}}},
                    "reverse_sequence");
    }
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {2, 1})};
  EXPECT_EQ(launch_kernel("reverse_sequence", {{"time_first", int64_t{1}}},
                          {Tensor::of<float>({2, 1}, {1, 2}), Tensor::of<int64_t>({1}, {3})}, out)
                .code,
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace kiln::testing
