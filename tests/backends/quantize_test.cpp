// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backends/harness.h"

namespace kiln::testing {
namespace {

const DType kTypes[] = {DType::kI8, DType::kU8, DType::kI16, DType::kU16};

Tensor scales(std::mt19937& rng, Dims dims) {
  Tensor t = Tensor::allocate(DType::kF32, std::move(dims));
  std::uniform_real_distribution<float> uniform(0.001f, 0.2f);
  for (float& v : t.as_mutable<float>()) v = uniform(rng);
  return t;
}

TEST(Quantize, PerTensor) {
  std::mt19937 rng(1);
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  for (DType type : kTypes)
    for (bool known : {true, false}) {
      const Operand scale(scales(rng, {}), known), zero(random_tensor(rng, type, {}), known);
      expect_case({"QuantizeLinear", {random_tensor(rng, DType::kF32, {3, 50}), scale, zero}}, "quantize");
      expect_case({"QuantizeLinear", {gapped(random_tensor(rng, DType::kF32, {3, 50})), scale, zero}}, "quantize");
      expect_case({"QuantizeLinear",
                   {Tensor::of<float>({9}, {nan, inf, -inf, 1e30f, -1e30f, 0, -0.0f, 1e-30f, 3e5f}), scale, zero}},
                  "quantize");
      expect_case({"QuantizeLinear", {random_tensor(rng, DType::kF32, {0, 5}), scale, zero}}, "quantize");
      expect_case({"DequantizeLinear", {random_tensor(rng, type, {3, 50}), scale, zero}}, "quantize");
    }
  expect_case({"QuantizeLinear", {random_tensor(rng, DType::kF32, {3, 50}), scales(rng, {})}}, "quantize");
  expect_case(
      {"QuantizeLinear", {Tensor::of<float>({6}, {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 254.5f}), Tensor::scalar(1.0f)}},
      "quantize");
  expect_case({"QuantizeLinear",
               {random_tensor(rng, DType::kF32, {70}), scales(rng, {1})},
               {{"output_dtype", std::string("int8")}, {"axis", int64_t{0}}}},
              "quantize");
}

TEST(Quantize, BytesByOneScale) {
  std::mt19937 rng(11);
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  const Tensor odd = Tensor::of<float>(
      {14}, {nan, inf, -inf, 1e30f, -1e30f, 0, -0.0f, 1e-30f, 3e5f, 0.5f, 1.5f, -0.5f, -2.5f, 254.5f});
  for (DType type : {DType::kI8, DType::kU8})
    for (int64_t zero : {0, 127, type == DType::kI8 ? -128 : 255}) {
      Tensor point = Tensor::allocate(type, {});
      point.set_int(0, zero);
      const Attributes to{{"to", std::string(name(type))}};
      for (float scale : {1.0f, 0.037f, 1e-30f})
        for (const Tensor& x : {odd, random_tensor(rng, DType::kF32, {3, 0}), random_tensor(rng, DType::kF32, {5, 77})})
          expect_case({"Quantize", {x, constant(Tensor::scalar(scale)), constant(point)}, to}, "byte_quantize");
      const Operand one = constant(Tensor::scalar(0.1f));
      expect_case({"Quantize", {gapped(random_tensor(rng, DType::kF32, {4, 9})), one}, to}, "byte_quantize");
      Case last{"Quantize", {channels_last(random_tensor(rng, DType::kF32, {2, 5, 3, 4})), one, constant(point)}, to};
      last.output_layouts = {Layout::channels_last(4)};
      expect_case(last, "byte_quantize");
    }
  const Attributes to{{"to", std::string("int8")}};
  const Tensor x = random_tensor(rng, DType::kF32, {3, 4});
  expect_no_case({"Quantize", {x, scales(rng, {})}, to}, "byte_quantize");
  expect_no_case({"Quantize", {x, constant(scales(rng, {4}))}, to}, "byte_quantize");
}

// The integers of the reference: of whole images, of windows, and of those that count padding.
TEST(Quantize, MeansOfBytes) {
  std::mt19937 rng(13);
  const auto number = [](DType type, double value) {
    Tensor t = Tensor::allocate(type, {});
    t.set(0, value);
    return constant(t);
  };
  Attributes window{{"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 1, 1}}}, padded = window;
  padded.set("count_include_pad", int64_t{1});
  for (DType from : {DType::kU8, DType::kI8})
    for (DType to : {DType::kU8, DType::kI8})
      for (const Attributes& form : {Attributes{{"global", int64_t{1}}}, window, padded})
        for (bool zeros : {true, false}) {
          Case c{"QuantizedAveragePool", {channels_last(random_bytes(rng, from, {2, 75, 8, 8}))}, form};
          c.attributes.set("to", std::string(name(to)));
          c.inputs.push_back(number(DType::kF32, 0.0371));
          c.inputs.push_back(number(DType::kF32, 0.0115));
          c.inputs.push_back(zeros ? number(from, from == DType::kU8 ? 131 : -5) : absent());
          c.inputs.push_back(zeros ? number(to, to == DType::kU8 ? 119 : 8) : absent());
          c.inputs.push_back(zeros ? number(DType::kF32, 0.913) : absent());
          c.output_layouts = {Layout::channels_last(4)};
          expect_case(c, "mean_bytes");
          c.inputs[2] = number(DType::kF32, -0.5);
          expect_no_case(c, "mean_bytes");
        }
}

// The integers of the reference, whatever it rounds on the way.
TEST(Quantize, BytesResizedByWeights) {
  std::mt19937 rng(14);
  const auto number = [](DType type, double value) {
    Tensor t = Tensor::allocate(type, {});
    t.set(0, value);
    return constant(t);
  };
  const auto floats = [](const std::vector<float>& v) {
    return constant(Tensor::of<float>({static_cast<int64_t>(v.size())}, v));
  };
  for (DType from : {DType::kU8, DType::kI8})
    for (DType to : {DType::kU8, DType::kI8})
      for (const char* mode : {"linear", "cubic"})
        for (const char* where : {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"})
          for (bool antialias : {false, true})
            for (const auto& [x, factors] :
                 std::vector<std::pair<Dims, std::vector<float>>>{{{2, 19, 5, 7}, {2, 2}},
                                                                  {{1, 3, 6, 9}, {1.7f, 0.4f}},
                                                                  {{1, 70, 4, 3}, {1, 3}},
                                                                  {{2, 9, 8}, {2.5f}}}) {
              Case c{"QuantizedResize",
                     {channels_last(random_bytes(rng, from, x)), absent(), floats(factors), absent()}};
              Ints axes;
              for (size_t axis = 2; axis < x.size(); ++axis) axes.push_back(static_cast<int64_t>(axis));
              c.attributes = {{"mode", std::string(mode)},
                              {"coordinate_transformation_mode", std::string(where)},
                              {"antialias", int64_t{antialias}},
                              {"axes", axes},
                              {"to", std::string(name(to))}};
              c.inputs.push_back(number(DType::kF32, 0.0371));
              c.inputs.push_back(number(DType::kF32, 0.0115));
              c.inputs.push_back(number(from, from == DType::kU8 ? 131 : -5));
              c.inputs.push_back(number(to, to == DType::kU8 ? 119 : 8));
              c.output_layouts = {Layout::channels_last(static_cast<int>(x.size()))};
              expect_case(c, "resize_bytes");
            }
  Case c{"QuantizedResize",
         {gapped(random_bytes(rng, DType::kU8, {1, 1, 4, 5})), absent(), floats({2, 2}), absent(),
          number(DType::kF32, 0.5), number(DType::kF32, 0.25)}};
  c.attributes = {{"axes", Ints{2, 3}}, {"mode", std::string("linear")}, {"to", std::string("uint8")}};
  expect_no_case(c, "resize_bytes");
  c.inputs[0] = channels_last(random_bytes(rng, DType::kU8, {0, 3, 4, 5}));
  c.output_layouts = {Layout::channels_last(4)};
  expect_case(c, "resize_bytes");
  c.inputs[0] = channels_last(random_bytes(rng, DType::kU8, {1, 3, 4, 5}));
  c.inputs[5] = number(DType::kF32, -0.25);
  expect_no_case(c, "resize_bytes");
  c.inputs[5] = number(DType::kF32, 0.25);
  c.attributes.set("axes", Ints{3, 2});
  expect_no_case(c, "resize_bytes");
}

TEST(Quantize, TablesOfBytes) {
  std::mt19937 rng(12);
  const Operand scale = constant(Tensor::scalar(0.05f)), other = constant(Tensor::scalar(0.03f));
  for (DType type : {DType::kI8, DType::kU8}) {
    Tensor point = Tensor::allocate(type, {});
    point.set_int(0, 100);
    const Post quantize{"Quantize", {{"to", std::string(name(type))}}, {-1, 0, 1}, {other, constant(point)}};
    for (const char* op : {"Sigmoid", "Gelu", "Exp", "Tanh"})
      for (const Tensor& x : {random_bytes(rng, type, {3, 100}), random_bytes(rng, type, {0})})
        expect_case({"Dequantize", {x, scale, constant(point)}, {}, 1, {{op}, quantize}}, "byte_table");
    Case last{"Dequantize", {channels_last(random_bytes(rng, type, {2, 5, 3, 4})), scale}, {}, 1, {{"Relu"}, quantize}};
    last.output_layouts = {Layout::channels_last(4)};
    expect_case(last, "byte_table");
    expect_case({"Relu", {gapped(random_bytes(rng, DType::kI8, {4, 70}))}}, "byte_table");
    expect_no_case({"Dequantize", {random_bytes(rng, type, {9}), scale, constant(point)}}, "byte_table");
    expect_no_case({"Dequantize", {random_bytes(rng, type, {9}), scales(rng, {}), constant(point)}, {}, 1, {quantize}},
                   "byte_table");
  }
}

TEST(Quantize, SixteenBitFloats) {
  std::mt19937 rng(7);
  for (DType real : {DType::kF16, DType::kBF16})
    for (DType type : kTypes) {
      const Operand scale(scales(rng, {}).cast(real)), zero(random_tensor(rng, type, {}));
      expect_case({"QuantizeLinear", {random_tensor(rng, real, {3, 50}), scale, zero}}, "quantize");
      expect_case({"QuantizeLinear", {random_tensor(rng, DType::kF32, {3, 50}), scale, zero}}, "quantize");
      expect_case(
          {"QuantizeLinear", {random_tensor(rng, real, {50}), scale, zero}, {{"precision", std::string("float32")}}},
          "quantize");
      expect_case({"DequantizeLinear", {random_tensor(rng, type, {3, 50}), scale, zero}}, "quantize");
    }
}

TEST(Quantize, PerAxis) {
  std::mt19937 rng(2);
  for (DType type : kTypes)
    for (int64_t axis : {0, 1, 2, -1}) {
      const Dims dims{3, 4, 5};
      const int64_t n = dims[static_cast<size_t>(axis < 0 ? axis + 3 : axis)];
      const Operand scale(scales(rng, {n}), true), zero(random_tensor(rng, type, {n}), true);
      expect_case({"QuantizeLinear", {random_tensor(rng, DType::kF32, dims), scale, zero}, {{"axis", axis}}},
                  "quantize");
      expect_case({"DequantizeLinear", {random_tensor(rng, type, dims), scale, zero}, {{"axis", axis}}}, "quantize");
    }
  const Operand x(random_tensor(rng, DType::kF32, {2, 3, 4, 5})), scale(scales(rng, {3}), true);
  Case last{"QuantizeLinear", {channels_last(x.tensor), scale}};
  last.output_layouts = {Layout::channels_last(4)};
  expect_case(last, "quantize");
  expect_case({"QuantizeLinear", {random_tensor(rng, DType::kF32, {3, 5}), scales(rng, {5})}}, "quantize");
}

TEST(Quantize, RangeOfItsOwn) {
  std::mt19937 rng(4);
  const auto quantize = [](Operand x) {
    Case c{"DynamicQuantizeLinear", {std::move(x)}};
    c.outputs = 3;
    expect_case(c, "dynamic_quantize");
  };
  for (const Dims& dims : {Dims{3, 50}, Dims{200, 301}, Dims{}, Dims{1}, Dims{0, 4}})
    quantize(random_tensor(rng, DType::kF32, dims));
  quantize(gapped(random_tensor(rng, DType::kF32, {9, 8})));
  quantize(Tensor::of<float>({3}, {0, 0, 0}));
  quantize(Tensor::of<float>({3}, {1, 2, 3}));
  quantize(Tensor::of<float>({3}, {-1, -2, -300}));
  quantize(Tensor::of<float>({4}, {1, std::nanf(""), -2, 0.5f}));
  const float inf = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& odd : std::vector<std::vector<float>>{
           {1, inf, 3}, {1, -inf, 3}, {inf, -inf, 0}, {1e-45f, 0, -0.0f}, {-1e-40f, 1e-40f, 0}, {3e38f, -3e38f, 1}})
    quantize(Tensor::of<float>({3}, odd));
  Tensor late = random_tensor(rng, DType::kF32, {997});  // the ends of the range are where vectors end
  late.set(0, -7);
  late.set(996, 11);
  quantize(late);
  expect_no_case({"DynamicQuantizeLinear", {random_tensor(rng, DType::kF16, {3})}, {}, 3}, "dynamic_quantize");
}

TEST(IntegerProducts, MatricesTypesAndZeroPoints) {
  std::mt19937 rng(5);
  for (DType a : {DType::kU8, DType::kI8})
    for (DType b : {DType::kU8, DType::kI8})
      for (const auto& [left, right] : std::vector<std::pair<Dims, Dims>>{{{3, 5}, {5, 7}},
                                                                          {{70, 33}, {33, 50}},
                                                                          {{2, 1, 9, 16}, {3, 16, 17}},
                                                                          {{4, 0}, {0, 3}},
                                                                          {{0, 4}, {4, 3}},
                                                                          {{1, 1}, {1, 1}}}) {
        const int64_t m = left[left.size() - 2], n = right.back();
        const Operand x(random_bytes(rng, a, left)), y(random_bytes(rng, b, right));
        const Operand one_a(random_bytes(rng, a, {})), one_b(random_bytes(rng, b, {1}));
        expect_case({"MatMulInteger", {x, y}}, "integer_product");
        expect_case({"MatMulInteger", {x, y, one_a, one_b}}, "integer_product");
        expect_case({"MatMulInteger", {x, y, random_bytes(rng, a, {m}), random_bytes(rng, b, {n})}}, "integer_product");
        for (DType type : {DType::kU8, DType::kI8})
          expect_case({"QLinearMatMul",
                       {x, scales(rng, {}), one_a, y, scales(rng, {n}), random_bytes(rng, b, {n}), scales(rng, {}),
                        random_bytes(rng, type, {})}},
                      "integer_product");
      }
  Case gaps{"MatMulInteger",
            {gapped(random_bytes(rng, DType::kU8, {5, 6})), gapped(random_bytes(rng, DType::kI8, {6, 9}))}};
  gaps.gapped_outputs = true;
  expect_case(gaps, "integer_product");
}

// QLinear operators quantize true sums: 33,025 products of 255 by 255 are the most that int32 holds.
TEST(IntegerProducts, SumsThatWrapAreRefused) {
  const auto filled = [](DType type, const Dims& dims, int64_t value) {
    Tensor t = Tensor::allocate(type, dims);
    for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, value);
    return t;
  };
  const auto number = [](float v) { return Tensor::of<float>({}, {v}); };
  const auto operands = [&](const Dims& x, const Dims& w) {
    return std::vector<Operand>{filled(DType::kU8, x, 0),
                                number(1),
                                filled(DType::kU8, {}, 255),
                                constant(filled(DType::kI8, w, -128)),
                                number(1),
                                filled(DType::kI8, {}, 127),
                                number(33554432),
                                filled(DType::kU8, {}, 128)};
  };
  expect_case({"QLinearMatMul", operands({1, 33025}, {33025, 2})}, "integer_product");
  expect_no_case({"QLinearMatMul", operands({1, 33026}, {33026, 2})}, "integer_product");
  expect_case({"QLinearConv", operands({1, 33025, 1, 1}, {1, 33025, 1, 1})}, "integer_product");
  expect_no_case({"QLinearConv", operands({1, 33026, 1, 1}, {1, 33026, 1, 1})}, "integer_product");
  const Tensor x = filled(DType::kU8, {1, 33026}, 0), w = filled(DType::kI8, {33026, 2}, -128);
  expect_case({"MatMulInteger", {x, w, filled(DType::kU8, {}, 255), filled(DType::kI8, {}, 127)}}, "integer_product");
}

TEST(IntegerProducts, Convolutions) {
  std::mt19937 rng(6);
  const auto conv = [&](Dims x, Dims w, Attributes attributes) {
    for (DType type : {DType::kU8, DType::kI8}) {
      const Operand data(random_bytes(rng, type, x)), weights(constant(random_bytes(rng, DType::kI8, w)));
      const Operand zero(random_bytes(rng, type, {})), zeros(random_bytes(rng, DType::kI8, {w[0]}));
      expect_case({"ConvInteger", {data, weights}, attributes}, "integer_product");
      expect_case({"ConvInteger", {data, weights, zero, random_bytes(rng, DType::kI8, {})}, attributes},
                  "integer_product");
      expect_case({"QLinearConv",
                   {data, scales(rng, {}), zero, weights, scales(rng, {w[0]}), zeros, scales(rng, {}),
                    random_bytes(rng, DType::kU8, {}), random_tensor(rng, DType::kI32, {w[0]})},
                   attributes},
                  "integer_product");
      expect_case({"QLinearConv",
                   {data, scales(rng, {}), zero, weights, scales(rng, {}), random_bytes(rng, DType::kI8, {}),
                    scales(rng, {}), random_bytes(rng, DType::kI8, {})},
                   attributes},
                  "integer_product");
    }
  };
  conv({2, 5, 9, 7}, {6, 5, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}});
  conv({1, 6, 8, 11}, {4, 3, 3, 2},
       {{"group", int64_t{2}}, {"strides", Ints{2, 3}}, {"dilations", Ints{2, 1}}, {"pads", Ints{0, 2, 1, 0}}});
  conv({1, 4, 10, 10}, {4, 1, 3, 3}, {{"group", int64_t{4}}, {"auto_pad", std::string("SAME_LOWER")}});
  conv({2, 3, 12}, {5, 3, 4}, {{"strides", Ints{2}}, {"auto_pad", std::string("SAME_UPPER")}});
  conv({1, 2, 5, 4, 6}, {3, 2, 2, 3, 2}, {{"pads", Ints{1, 0, 1, 0, 1, 0}}});
  conv({0, 2, 5, 5}, {3, 2, 3, 3}, {});
}

TEST(Quantize, WhatItDoesNotTake) {
  std::mt19937 rng(3);
  const Tensor x = random_tensor(rng, DType::kF32, {4, 6});
  expect_no_case({"QuantizeLinear", {x, scales(rng, {4})}, {{"axis", int64_t{0}}}}, "quantize");
  expect_no_case({"QuantizeLinear", {x, constant(scales(rng, {4, 2}))}, {{"block_size", int64_t{3}}}}, "quantize");
  expect_no_case({"QuantizeLinear", {x, scales(rng, {})}, {{"output_dtype", std::string("int4")}}}, "quantize");
  expect_no_case({"QuantizeLinear", {random_tensor(rng, DType::kF64, {4}), scales(rng, {})}}, "quantize");
  expect_no_case({"DequantizeLinear", {random_tensor(rng, DType::kI32, {4}), scales(rng, {})}}, "quantize");
}

}  // namespace
}  // namespace kiln::testing
