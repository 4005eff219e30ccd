// Quantization: every granularity and kind of type, and the products of quantized tensors.
#include "text_case.h"

namespace kiln::testing {
namespace {

TEST(Quantize, Values) {
  const std::string x = "float32[2,3]:{0.0,1.0,2.5,-3.0,300.0,nan}";
  const TextCase cases[] = {
      {"QuantizeLinear",
       "",
       {"float32[6]:{0.0,2.0,3.0,1000.0,-254.0,-1000.0}", "float32[]:{2.0}", "uint8[]:{128}"},
       {"uint8[6]:{128,129,130,255,1,0}"}},
      {"QuantizeLinear", "", {x, "float32[]:{1.0}"}, {"uint8[2,3]:{0,1,2,0,255,0}"}},
      {"QuantizeLinear", "{axis=0}", {x, "float32[2]:{0.5,2.0}", "int8[2]:{0,1}"}, {"int8[2,3]:{0,2,5,-1,127,-128}"}},
      {"QuantizeLinear",
       "{axis=-1, block_size=2}",
       {x, "float32[2,2]:{1.0,0.5,3.0,1.0}", "int16[2,2]:{0,10,1,2}"},
       {"int16[2,3]:{0,1,15,0,101,-32768}"}},
      {"QuantizeLinear",
       "{axis=0, block_size=2}",
       {"float32[3,2]:{1.0,2.0,3.0,4.0,5.0,6.0}", "float32[2,2]:{1.0,2.0,5.0,3.0}"},
       {"uint8[3,2]:{1,1,3,2,1,2}"}},
      {"QuantizeLinear",
       "{output_dtype=\"int4\"}",
       {"float32[3]:{-20.0,2.0,20.0}", "float32[]:{1.0}"},
       {"int4[3]:{-8,2,7}"}},
      {"QuantizeLinear",
       "",
       {"float32[4]:{-20.0,0.6,2.0,20.0}", "float32[]:{1.0}", "uint2[]:{1}"},
       {"uint2[4]:{0,2,3,3}"}},
      {"QuantizeLinear", "", {"float32[3]:{-20.0,0.0,20.0}", "float32[]:{1.0}", "int2[]:{0}"}, {"int2[3]:{-2,0,1}"}},
      {"QuantizeLinear",
       "",
       {"float32[3]:{1.0,1000.0,inf}", "float32[]:{2.0}", "float8e4m3fn[]:{0.0}"},
       {"float8e4m3fn[3]:{0.5,448.0,448.0}"}},
      {"QuantizeLinear",
       "{saturate=0}",
       {"float32[2]:{1.0,1000.0}", "float32[]:{2.0}", "float8e4m3fn[]:{0.0}"},
       {"float8e4m3fn[2]:{0.5,nan}"}},
      {"QuantizeLinear",
       "{output_dtype=\"float4e2m1\"}",
       {"float32[2]:{-3.0,100.0}", "float32[]:{2.0}"},
       {"float4e2m1[2]:{-1.5,6.0}"}},
      {"QuantizeLinear",
       "{precision=\"float32\"}",
       {"float16[1]:{1.0}", "float16[]:{0.0078125}", "int8[]:{0}"},
       {"int8[1]:{127}"}},
      {"QuantizeLinear", "", {"int32[1]:{7}", "int32[]:{2}"}, {"uint8[1]:{4}"}},
      {"QuantizeLinear", "", {"float32[0,3]:{}", "float32[3]:{1.0,1.0,1.0}"}, {"uint8[0,3]:{}"}},
      {"DequantizeLinear",
       "",
       {"uint8[4]:{0,3,128,255}", "float32[]:{2.0}", "uint8[]:{128}"},
       {"float32[4]:{-256.0,-250.0,0.0,254.0}"}},
      {"DequantizeLinear",
       "",
       {"int8[1,2,2]:{-1,2,3,4}", "float16[2]:{2.0,0.5}"},
       {"float16[1,2,2]:{-2.0,4.0,1.5,2.0}"}},
      {"DequantizeLinear",
       "{axis=0, block_size=2}",
       {"int4[3,1]:{-8,7,3}", "bfloat16[2,1]:{1.0,2.0}", "int4[2,1]:{0,1}"},
       {"bfloat16[3,1]:{-8.0,7.0,4.0}"}},
      {"DequantizeLinear", "", {"int32[1]:{100000}", "float32[]:{0.5}"}, {"float32[1]:{50000.0}"}},
      {"DequantizeLinear", "", {"float8e5m2[2]:{-1.5,inf}", "float32[]:{2.0}"}, {"float32[2]:{-3.0,inf}"}},
      {"DequantizeLinear",
       "{output_dtype=\"float16\"}",
       {"float4e2m1[2]:{-6.0,0.5}", "float8e8m0[]:{4.0}"},
       {"float16[2]:{-24.0,2.0}"}},
      {"DequantizeLinear", "", {"uint2[3]:{0,3,2}", "float32[]:{1.5}", "uint2[]:{1}"}, {"float32[3]:{-1.5,3.0,1.5}"}},
      {"DynamicQuantizeLinear",
       "",
       {"float32[6]:{0.0,2.0,-3.0,-2.5,1.34,0.5}"},
       {"uint8[6]:{153,255,0,26,221,179}", "float32[]:{0.019607844}", "uint8[]:{153}"}},
      {"DynamicQuantizeLinear",
       "",
       {"float32[2]:{1.0,2.0}"},
       {"uint8[2]:{127,255}", "float32[]:{0.007843138}", "uint8[]:{0}"}},
      {"DynamicQuantizeLinear",
       "",
       {"float32[2]:{0.0,0.0}"},
       {"uint8[2]:{0,0}", "float32[]:{0.003921569}", "uint8[]:{0}"}},
      {"MatMulInteger", "", {"uint8[2,2]:{11,7,3,10}", "int8[2,1]:{1,-4}", "uint8[]:{12}"}, {"int32[2,1]:{19,-1}"}},
      {"MatMulInteger",
       "",
       {"uint8[2,2]:{1,2,3,4}", "uint8[2,2]:{1,2,3,4}", "uint8[2]:{1,3}", "uint8[2]:{1,2}"},
       {"int32[2,2]:{2,2,2,2}"}},
      {"QLinearMatMul",
       "",
       {"uint8[1,2]:{130,126}", "float32[]:{0.5}", "uint8[]:{128}", "int8[2,2]:{10,1,-10,2}", "float32[]:{0.25}",
        "int8[]:{0}", "float32[]:{1.0}", "uint8[]:{100}"},
       {"uint8[1,2]:{105,100}"}},
      {"QLinearMatMul",
       "",
       {"int8[2,1]:{10,10}", "float16[2]:{1.0,2.0}", "int8[2]:{0,5}", "int8[1,2]:{3,4}", "float16[2]:{1.0,0.5}",
        "int8[2]:{0,0}", "float16[]:{1.0}", "int8[]:{-1}"},
       {"int8[2,2]:{29,19,29,19}"}},
  };
  for (const TextCase& c : cases) check(c);
}

TEST(Quantize, Convolutions) {
  const std::string x = "uint8[1,1,3,3]:{2,3,4,5,6,7,8,9,10}";
  check({"ConvInteger", "", {x, "uint8[1,1,2,2]:{1,1,1,1}", "uint8[]:{1}"}, {"int32[1,1,2,2]:{12,16,24,28}"}});
  check({"ConvInteger",
         "{pads=[1,1,1,1]}",
         {x, "uint8[1,1,2,2]:{1,1,1,1}", "uint8[]:{1}"},
         {"int32[1,1,4,4]:{1,3,5,3,5,12,16,9,11,24,28,15,7,15,17,9}"}});
  check({"ConvInteger",
         "",
         {"int8[1,1,1]:{3}", "int8[2,1,1]:{5,6}", "int8[]:{1}", "int8[2]:{1,2}"},
         {"int32[1,2,1]:{8,8}"}});
  check({"QLinearConv",
         "",
         {x, "float32[]:{0.5}", "uint8[]:{2}", "int8[2,1,2,2]:{1,1,1,1,2,0,0,0}", "float32[2]:{0.5,1.0}",
          "int8[2]:{0,0}", "float32[]:{1.0}", "int8[]:{3}", "int32[2]:{4,-2}"},
         {"int8[1,2,2,2]:{6,7,9,10,2,3,5,6}"}});
}

TEST(Quantize, Refusals) {
  const std::string x = "float32[2,3]:{1.0,1.0,1.0,1.0,1.0,1.0}";
  check_refused(Code::kTypeMismatch,
                {"QuantizeLinear", "{output_dtype=\"int8\"}", {x, "float32[]:{1.0}", "uint8[]:{0}"}, {""}});
  check_refused(Code::kTypeMismatch, {"QuantizeLinear", "{output_dtype=\"float32\"}", {x, "float32[]:{1.0}"}, {""}});
  check_refused(Code::kShapeMismatch, {"QuantizeLinear", "", {x, "float32[2]:{1.0,1.0}"}, {""}});
  check_refused(Code::kShapeMismatch, {"QuantizeLinear", "", {x, "float32[2,3]:{1.0,1.0,1.0,1.0,1.0,1.0}"}, {""}});
  check_refused(Code::kShapeMismatch,
                {"QuantizeLinear", "{block_size=2}", {x, "float32[2,3]:{1.0,1.0,1.0,1.0,1.0,1.0}"}, {""}});
  check_refused(Code::kTypeMismatch, {"DequantizeLinear", "", {"float4e2m1[1]:{1.0}", "float8e8m0[]:{4.0}"}, {""}});
  check_refused(Code::kTypeMismatch, {"DequantizeLinear", "", {"int8[1]:{1}", "float32[]:{4.0}", "uint8[]:{0}"}, {""}});
  check_refused(Code::kShapeMismatch, {"MatMulInteger", "", {"int8[1,2]:{1,1}", "int8[1,2]:{1,1}"}, {""}});
}

// Parameters of products: scalars where one value is due, else one or one for each channel, row or column.
TEST(Quantize, ParametersOfOtherLengthsAreRefused) {
  const std::string x = "uint8[1,2,1,1]:{2,3}", w = "int8[3,2,1,1]:{1,1,1,1,2,0}";
  const std::vector<std::string> conv{x,
                                      "float32[1]:{0.5}",
                                      "uint8[]:{2}",
                                      w,
                                      "float32[3]:{0.5,1.0,2.0}",
                                      "int8[1]:{0}",
                                      "float32[]:{1.0}",
                                      "int8[1]:{3}",
                                      "int32[3]:{4,-2,1}"};
  const std::vector<std::string> product{"uint8[2,1]:{130,126}", "float32[2]:{0.5,1.0}",      "uint8[2,1]:{128,127}",
                                         "int8[1,3]:{10,1,-10}", "float32[3]:{0.25,1.0,1.0}", "int8[1,3]:{0,1,2}",
                                         "float32[]:{1.0}",      "uint8[2]:{100,90}"};
  const auto refuses = [](const char* op, std::vector<std::string> inputs, size_t i, const std::string& text) {
    SCOPED_TRACE(std::string(op) + " input " + std::to_string(i) + " " + text);
    inputs.at(i) = text;
    check_refused(Code::kShapeMismatch, {op, "", std::move(inputs), {""}});
  };
  check({"QLinearConv", "", conv, {"int8[1,3,1,1]:{4,3,4}"}});
  check({"QLinearMatMul", "", product, {"uint8[2,3]:{102,100,88,88,90,102}"}});
  for (const auto& [i, text] : std::vector<std::pair<size_t, std::string>>{{1, "float32[0]:{}"},
                                                                           {1, "float32[2]:{0.5,0.5}"},
                                                                           {2, "uint8[3]:{1,2,3}"},
                                                                           {4, "float32[2]:{0.5,1.0}"},
                                                                           {4, "float32[0]:{}"},
                                                                           {5, "int8[6]:{0,0,0,0,0,0}"},
                                                                           {6, "float32[0]:{}"},
                                                                           {6, "float32[3]:{1.0,1.0,1.0}"},
                                                                           {7, "int8[0]:{}"},
                                                                           {7, "int8[3]:{1,2,3}"},
                                                                           {8, "int32[2]:{1,2}"}})
    refuses("QLinearConv", conv, i, text);
  for (const auto& [i, text] : std::vector<std::pair<size_t, std::string>>{{1, "float32[3]:{1.0,1.0,1.0}"},
                                                                           {1, "float32[0]:{}"},
                                                                           {2, "uint8[1,2]:{1,2}"},
                                                                           {4, "float32[2]:{0.5,1.0}"},
                                                                           {5, "int8[3,1]:{0,0,0}"},
                                                                           {6, "float32[3]:{1.0,1.0,1.0}"},
                                                                           {7, "uint8[0]:{}"}})
    refuses("QLinearMatMul", product, i, text);
  const std::vector<std::string> integers{x, w, "uint8[]:{1}", "int8[3]:{0,1,2}"};
  refuses("ConvInteger", integers, 2, "uint8[2]:{1,2}");
  refuses("ConvInteger", integers, 3, "int8[2]:{1,2}");
  refuses("ConvInteger", integers, 3, "int8[0]:{}");
  const std::vector<std::string> matrices{product[0], product[3], product[2], product[5]};
  refuses("MatMulInteger", matrices, 2, "uint8[3]:{1,2,3}");
  refuses("MatMulInteger", matrices, 3, "int8[2]:{1,2}");
  refuses("MatMulInteger", matrices, 3, "int8[0]:{}");
}

TEST(Quantize, SymbolicShapes) {
  const Dim n = Dim::symbol("n");
  EXPECT_EQ(infer("QuantizeLinear", {{"axis", int64_t{0}}}, {{DType::kF32, {n, 3}}, {DType::kF32, {n}}}).first.str(),
            "uint8[n,3]");
  EXPECT_EQ(infer("DequantizeLinear", {}, {{DType::kI8, {n, 3}}, {DType::kBF16, {3}}}).first.str(), "bfloat16[n,3]");
  // A vector has no axis 1: only one scale fits, and whether it is one may be told by running alone.
  EXPECT_EQ(infer("QuantizeLinear", {}, {{DType::kF32, {5}}, {DType::kF32, {n}}}).first.str(), "uint8[5]");
  EXPECT_EQ(infer("DequantizeLinear", {}, {{DType::kI8, {5}}, {DType::kF32, {n}}}).first.str(), "float32[5]");
  EXPECT_THROW(infer("QuantizeLinear", {}, {{DType::kF32, {5}}, {DType::kF32, {5}}}), Error);
  EXPECT_THROW(infer("QuantizeLinear", {{"block_size", int64_t{2}}}, {{DType::kF32, {5}}, {DType::kF32, {n}}}), Error);
  EXPECT_EQ(infer("MatMulInteger", {}, {{DType::kI8, {n, 3}}, {DType::kU8, {3, 5}}}).first.str(), "int32[n,5]");
  // What running alone tells is left to it.
  const auto zero_points = [&](const Shape& a, const Shape& b) {
    return infer("MatMulInteger", {}, {{DType::kI8, {n, 3}}, {DType::kU8, {3, 5}}, {DType::kI8, a}, {DType::kU8, b}})
        .first.str();
  };
  EXPECT_EQ(zero_points({Dim::symbol("m")}, {Dim::symbol("m")}), "int32[n,5]");
  EXPECT_EQ(zero_points({n}, {5}), "int32[n,5]");
  EXPECT_THROW(zero_points({n}, {4}), Error);
}

}  // namespace
}  // namespace kiln::testing
