// DFT, MelWeightMatrix, RoiAlign, Col2Im, LinearAttention and the random operators.
#include "ops/text_case.h"

namespace kiln::testing {
namespace {

void expect_dft(const std::string& attributes, std::vector<std::string> inputs, const std::string& wanted) {
  SCOPED_TRACE(attributes + inputs[0]);
  const Tensor got = evaluate(TextCase{"DFT", attributes, std::move(inputs), {wanted}})[0].tensor;
  const Tensor expected = tensor_of(wanted);
  ASSERT_EQ(got.type_string(), expected.type_string());
  for (int64_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got.at(i), expected.at(i), 1e-6);
}

TEST(Dft, TransformsAndInverses) {
  expect_dft("", {"float32[1,4,1]:{1.0,0.0,0.0,0.0}"}, "float32[1,4,2]:{1.0,0.0,1.0,0.0,1.0,0.0,1.0,0.0}");
  expect_dft("{onesided=1}", {"float32[1,4,1]:{1.0,1.0,1.0,1.0}"}, "float32[1,3,2]:{4.0,0.0,0.0,0.0,0.0,0.0}");
  expect_dft("", {"float32[1,1,2]:{3.0,-2.0}"}, "float32[1,1,2]:{3.0,-2.0}");
  expect_dft("{inverse=1,onesided=1}", {"float32[1,3,2]:{4.0,0.0,0.0,0.0,0.0,0.0}", "int64[]:{4}"},
             "float32[1,4,1]:{1.0,1.0,1.0,1.0}");
  check({"DFT", "", {"float32[0,2,1]:{}"}, {"float32[0,2,2]:{}"}});
  check_refused(Code::kInvalidArgument,
                {"DFT", "", {"float32[1,4,1]:{1.0,0.0,0.0,0.0}", "none", "int64[]:{-1}"}, {""}});
  check_refused(Code::kInvalidArgument, {"DFT", "", {"float32[1,2,1]:{1.0,0.0}", "int64[]:{0}"}, {""}});
  check_refused(Code::kShapeMismatch, {"DFT", "", {"float32[1,1,3]:{1.0,0.0,0.0}"}, {""}});
}

TEST(Dft, InverseGivesTheSignalBack) {
  for (int64_t n : {1, 2, 5, 12}) {
    Tensor x = Tensor::allocate(DType::kF64, {2, n, 3, 2});
    for (int64_t i = 0; i < x.size(); ++i) x.set(i, std::sin(static_cast<double>(i * i)));
    const Attributes back{{"inverse", int64_t{1}}};
    const Tensor axis = Tensor::scalar<int64_t>(1);
    const Datum there = kiln::evaluate(*find_op("DFT"), {}, {x, Datum(), axis}, 1)[0];
    const Tensor again = kiln::evaluate(*find_op("DFT"), back, {there, Datum(), axis}, 1)[0].tensor;
    for (int64_t i = 0; i < x.size(); ++i) EXPECT_NEAR(again.at(i), x.at(i), 1e-12) << n;
  }
}

TEST(RoiAlign, MeansAndMaxima) {
  const std::string x = "float32[1,1,2,2]:{1.0,2.0,3.0,4.0}", roi = "float32[1,4]:{0.0,0.0,2.0,2.0}";
  check({"RoiAlign", "{sampling_ratio=1}", {x, roi, "int64[1]:{0}"}, {"float32[1,1,1,1]:{2.5}"}});
  check({"RoiAlign",
         "{sampling_ratio=1,output_height=2,output_width=2}",
         {x, roi, "int64[1]:{0}"},
         {"float32[1,1,2,2]:{1.0,2.0,3.0,4.0}"}});
  check({"RoiAlign", "{}", {x, "float32[0,4]:{}", "int64[0]:{}"}, {"float32[0,1,1,1]:{}"}});
  check_refused(Code::kInvalidArgument, {"RoiAlign", "{}", {x, roi, "int64[1]:{1}"}, {""}});
  check_refused(Code::kInvalidArgument, {"RoiAlign", "{mode=\"sum\"}", {x, roi, "int64[1]:{0}"}, {""}});
  check_refused(Code::kInvalidArgument, {"RoiAlign", "{output_height=0}", {x, roi, "int64[1]:{0}"}, {""}});
}

TEST(Col2Im, SumsOverlaps) {
  check({"Col2Im",
         "",
         {"float32[1,2,3]:{1.0,2.0,3.0,4.0,5.0,6.0}", "int64[1]:{4}", "int64[1]:{2}"},
         {"float32[1,1,4]:{1.0,6.0,8.0,6.0}"}});
  check_refused(Code::kShapeMismatch,
                {"Col2Im", "", {"float32[1,2,2]:{1.0,2.0,3.0,4.0}", "int64[1]:{4}", "int64[1]:{2}"}, {""}});
  check_refused(Code::kInvalidArgument,
                {"Col2Im", "", {"float32[1,2,2]:{1.0,2.0,3.0,4.0}", "int64[1]:{4}", "int64[1]:{0}"}, {""}});
}

TEST(LinearAttention, AddsDecaysAndCorrects) {
  const std::string heads = "q_num_heads=1,kv_num_heads=1,scale=1.0,update_rule=";
  const std::string q = "float32[1,2,1]:{1.0,1.0}", k = "float32[1,2,1]:{2.0,1.0}", v = "float32[1,2,1]:{3.0,5.0}";
  check({"LinearAttention",
         "{" + heads + "\"linear\"}",
         {q, k, v},
         {"float32[1,2,1]:{6.0,11.0}", "float32[1,1,1,1]:{11.0}"}});
  check({"LinearAttention",
         "{" + heads + "\"gated\"}",
         {q, k, v, "float32[1,1,1,1]:{4.0}", "float32[1,2,1]:{0.0,0.0}"},
         {"float32[1,2,1]:{10.0,15.0}", "float32[1,1,1,1]:{15.0}"}});
  check({"LinearAttention",
         "{" + heads + "\"delta\"}",
         {q, k, v, "none", "none", "float32[1,2,1]:{1.0,0.5}"},
         {"float32[1,2,1]:{6.0,5.5}", "float32[1,1,1,1]:{5.5}"}});
  check_refused(Code::kInvalidGraph, {"LinearAttention", "{" + heads + "\"gated\"}", {q, k, v}, {"", ""}});
  check_refused(Code::kInvalidArgument, {"LinearAttention", "{" + heads + "\"other\"}", {q, k, v}, {"", ""}});
}

TEST(Random, TheKeyDecidesAndValuesSuitTheDistribution) {
  const auto draw = [](const char* op, Attributes a, std::vector<Datum> inputs = {}) {
    return kiln::evaluate(*find_op(op), a, std::move(inputs), 1)[0].tensor;
  };
  const Attributes one{{"shape", Ints{20000}}, {"key", int64_t{1}}}, two{{"shape", Ints{20000}}, {"key", int64_t{2}}};
  for (const char* op : {"RandomNormal", "RandomUniform"}) {
    EXPECT_TRUE(draw(op, one).identical(draw(op, one)));
    EXPECT_FALSE(draw(op, one).identical(draw(op, two)));
  }
  double sum = 0, squares = 0;
  const Tensor normal = draw("RandomNormal", one), uniform = draw("RandomUniform", one);
  for (int64_t i = 0; i < normal.size(); ++i) {
    sum += normal.at(i);
    squares += normal.at(i) * normal.at(i);
    EXPECT_TRUE(uniform.at(i) >= 0 && uniform.at(i) <= 1);
  }
  EXPECT_NEAR(sum / 20000, 0, 0.03);
  EXPECT_NEAR(squares / 20000, 1, 0.05);
  const Tensor p = Tensor::of<float>({3}, {0, 1, 1});
  EXPECT_TRUE(draw("Bernoulli", {}, {p}).identical(p));
  const Tensor classes =
      draw("Multinomial", {{"sample_size", int64_t{50}}}, {Tensor::of<float>({1, 3}, {-1e30f, 5, -1e30f})});
  for (int64_t i = 0; i < 50; ++i) EXPECT_EQ(classes.int_at(i), 1);
  EXPECT_EQ(draw("RandomUniformLike", {{"dtype", std::string("float16")}}, {p}).type_string(), "float16[3]");
}

}  // namespace
}  // namespace kiln::testing
