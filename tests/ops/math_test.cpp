// Arithmetic operators and Scale: values of every kind of type, broadcasting, corner cases, shape arithmetic.
#include "text_case.h"

namespace kiln::testing {
namespace {

TEST(Math, Values) {
  const TextCase cases[] = {
      {"Add", "", {"uint8[2]:{250,1}", "uint8[]:{10}"}, {"uint8[2]:{4,11}"}},
      {"Sub", "", {"int8[2,1]:{-128,5}", "int8[2]:{1,2}"}, {"int8[2,2]:{127,126,4,3}"}},
      {"Mul", "", {"float16[2]:{300.0,0.5}", "float16[2]:{300.0,3.0}"}, {"float16[2]:{inf,1.5}"}},
      {"Div", "", {"int32[4]:{7,-7,7,-7}", "int32[4]:{2,2,-2,0}"}, {"int32[4]:{3,-3,-3,0}"}},
      {"Div", "", {"int8[1]:{-128}", "int8[1]:{-1}"}, {"int8[1]:{-128}"}},
      {"Div", "", {"float32[3]:{1.0,-1.0,0.0}", "float32[]:{0.0}"}, {"float32[3]:{inf,-inf,nan}"}},
      {"Mod", "", {"int32[4]:{7,-7,7,-7}", "int32[4]:{3,3,-3,-3}"}, {"int32[4]:{1,2,-2,-1}"}},
      {"Mod", "{fmod=1}", {"int32[2]:{-7,7}", "int32[2]:{3,-3}"}, {"int32[2]:{-1,1}"}},
      {"Mod", "{fmod=1}", {"float32[3]:{-7.5,inf,2.0}", "float32[3]:{3.0,3.0,inf}"}, {"float32[3]:{-1.5,nan,2.0}"}},
      {"Mod", "", {"uint64[1]:{18446744073709551615}", "uint64[1]:{10}"}, {"uint64[1]:{5}"}},
      {"Pow", "", {"float32[3]:{2.0,9.0,-2.0}", "int64[3]:{10,-1,3}"}, {"float32[3]:{1024.0,0.11111111,-8.0}"}},
      {"Pow", "", {"int64[3]:{3,-2,2}", "int64[3]:{39,3,0}"}, {"int64[3]:{4052555153018976267,-8,1}"}},
      {"Pow", "", {"int32[2]:{4,10}", "float32[2]:{0.5,2.0}"}, {"int32[2]:{2,100}"}},
      {"Pow", "", {"int32[1]:{5}", "uint8[1]:{3}"}, {"int32[1]:{125}"}},
      {"Neg", "", {"int8[2]:{-128,3}"}, {"int8[2]:{-128,-3}"}},
      {"Abs", "", {"bfloat16[3]:{-1.5,-inf,nan}"}, {"bfloat16[3]:{1.5,inf,nan}"}},
      {"Abs", "", {"uint64[1]:{18446744073709551615}"}, {"uint64[1]:{18446744073709551615}"}},
      {"Sign", "", {"float64[4]:{-3.0,0.0,nan,inf}"}, {"float64[4]:{-1.0,0.0,nan,1.0}"}},
      {"Floor", "", {"float32[3]:{-1.5,1.5,-0.0}"}, {"float32[3]:{-2.0,1.0,-0.0}"}},
      {"Ceil", "", {"float32[3]:{-1.5,1.5,inf}"}, {"float32[3]:{-1.0,2.0,inf}"}},
      {"Round", "", {"float32[5]:{0.5,1.5,2.5,-0.5,-1.6}"}, {"float32[5]:{0.0,2.0,2.0,-0.0,-2.0}"}},
      {"Sqrt", "", {"float32[3]:{4.0,-1.0,inf}"}, {"float32[3]:{2.0,nan,inf}"}},
      {"Reciprocal", "", {"float64[2]:{4.0,0.0}"}, {"float64[2]:{0.25,inf}"}},
      {"Exp", "", {"float32[3]:{1.0,-inf,1000.0}"}, {"float32[3]:{2.7182817,0.0,inf}"}},
      {"Log", "", {"float32[3]:{1.0,0.0,-1.0}"}, {"float32[3]:{0.0,-inf,nan}"}},
      {"Sin", "", {"float64[1]:{1.0}"}, {"float64[1]:{0.8414709848078965}"}},
      {"Cos", "", {"float64[1]:{1.0}"}, {"float64[1]:{0.5403023058681398}"}},
      {"Tan", "", {"float64[1]:{1.0}"}, {"float64[1]:{1.5574077246549023}"}},
      {"Asin", "", {"float64[2]:{0.5,2.0}"}, {"float64[2]:{0.5235987755982989,nan}"}},
      {"Acos", "", {"float64[1]:{0.5}"}, {"float64[1]:{1.0471975511965979}"}},
      {"Atan", "", {"float64[1]:{inf}"}, {"float64[1]:{1.5707963267948966}"}},
      {"Sinh", "", {"float64[1]:{1.0}"}, {"float64[1]:{1.1752011936438014}"}},
      {"Cosh", "", {"float64[1]:{1.0}"}, {"float64[1]:{1.5430806348152437}"}},
      {"Tanh", "", {"float64[2]:{1.0,-inf}"}, {"float64[2]:{0.7615941559557649,-1.0}"}},
      {"Asinh", "", {"float64[1]:{1.0}"}, {"float64[1]:{0.881373587019543}"}},
      {"Acosh", "", {"float64[2]:{2.0,0.5}"}, {"float64[2]:{1.3169578969248166,nan}"}},
      {"Atanh", "", {"float64[2]:{0.5,1.0}"}, {"float64[2]:{0.5493061443340548,inf}"}},
      {"Erf", "", {"float64[2]:{0.5,inf}"}, {"float64[2]:{0.5204998778130465,1.0}"}},
      {"Max", "", {"float32[2]:{1.0,nan}", "float32[1]:{2.0}", "float32[]:{-1.0}"}, {"float32[2]:{2.0,nan}"}},
      {"Max", "", {"uint64[1]:{18446744073709551615}", "uint64[1]:{1}"}, {"uint64[1]:{18446744073709551615}"}},
      {"Min", "", {"int8[2]:{1,-3}", "int8[]:{0}"}, {"int8[2]:{0,-3}"}},
      {"Sum",
       "",
       {"float32[2]:{1.0,2.0}", "float32[2,1]:{10.0,20.0}", "float32[]:{0.5}"},
       {"float32[2,2]:{11.5,12.5,21.5,22.5}"}},
      {"Mean", "", {"float32[1]:{1.0}", "float32[1]:{2.0}", "float32[1]:{6.0}"}, {"float32[1]:{3.0}"}},
      {"Mean", "", {"float16[1]:{7.0}"}, {"float16[1]:{7.0}"}},
      {"Clip",
       "",
       {"float32[4]:{-2.0,0.5,9.0,nan}", "float32[]:{-1.0}", "float32[]:{1.0}"},
       {"float32[4]:{-1.0,0.5,1.0,nan}"}},
      {"Clip", "", {"int8[2]:{-5,5}", "none", "int8[]:{1}"}, {"int8[2]:{-5,1}"}},
      {"Clip", "", {"int8[2]:{-5,5}", "int8[]:{1}"}, {"int8[2]:{1,5}"}},
      {"Clip", "", {"float32[2]:{-5.0,5.0}"}, {"float32[2]:{-5.0,5.0}"}},
      {"Clip", "", {"float32[2]:{-5.0,5.0}", "float32[]:{3.0}", "float32[]:{1.0}"}, {"float32[2]:{1.0,1.0}"}},
      {"BitShift", "{direction=\"LEFT\"}", {"uint8[2]:{200,1}", "uint8[2]:{1,9}"}, {"uint8[2]:{144,0}"}},
      {"BitShift", "{direction=\"RIGHT\"}", {"uint32[2]:{16,4294967295}", "uint32[]:{3}"}, {"uint32[2]:{2,536870911}"}},
      {"BitwiseAnd", "", {"int16[2]:{-1,6}", "int16[]:{3}"}, {"int16[2]:{3,2}"}},
      {"BitwiseOr", "", {"uint8[1]:{5}", "uint8[1]:{10}"}, {"uint8[1]:{15}"}},
      {"BitwiseXor", "", {"int64[1]:{-1}", "int64[1]:{1}"}, {"int64[1]:{-2}"}},
      {"BitwiseNot", "", {"uint16[2]:{0,65535}"}, {"uint16[2]:{65535,0}"}},
      {"IsNaN", "", {"float16[3]:{nan,inf,1.0}"}, {"bool[3]:{1,0,0}"}},
      {"IsNaN", "", {"float8e4m3fn[2]:{nan,448.0}"}, {"bool[2]:{1,0}"}},
      {"IsInf", "", {"float32[3]:{-inf,inf,nan}"}, {"bool[3]:{1,1,0}"}},
      {"IsInf", "{detect_negative=0}", {"float8e5m2[2]:{-inf,inf}"}, {"bool[2]:{0,1}"}},
      {"IsInf", "{detect_positive=0}", {"float64[2]:{-inf,inf}"}, {"bool[2]:{1,0}"}},
      {"IsInf", "{detect_positive=0, detect_negative=0}", {"float32[2]:{-inf,inf}"}, {"bool[2]:{0,0}"}},
      {"Add", "", {"float32[0,3]:{}", "float32[3]:{1.0,2.0,3.0}"}, {"float32[0,3]:{}"}},
      {"Max", "", {"float32[2,0]:{}", "float32[]:{1.0}"}, {"float32[2,0]:{}"}},
  };
  for (const TextCase& c : cases) check(c);
}

TEST(Math, Scale) {
  const std::string x = "float32[2,2,2]:{1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0}";
  check({"Scale",
         "",
         {x, "float32[]:{1.0}", "float32[1]:{2.0}"},
         {"float32[2,2,2]:{3.0,5.0,7.0,9.0,11.0,13.0,15.0,17.0}"}});
  check({"Scale",
         "{mode=\"channel\"}",
         {x, "none", "float32[2]:{1.0,-1.0}", "float32[2]:{1.0,2.0}"},
         {"float32[2,2,2]:{1.0,2.0,9.0,16.0,5.0,6.0,49.0,64.0}"}});
  check({"Scale",
         "{channel_axis=-1, mode=\"channel\"}",
         {x, "float32[2]:{0.0,10.0}"},
         {"float32[2,2,2]:{1.0,12.0,3.0,14.0,5.0,16.0,7.0,18.0}"}});
  check({"Scale",
         "{mode=\"elementwise\"}",
         {x, "none", "float32[2,2]:{1.0,2.0,3.0,4.0}"},
         {"float32[2,2,2]:{1.0,4.0,9.0,16.0,5.0,12.0,21.0,32.0}"}});
  check({"Scale", "{mode=\"channel\"}", {"float32[0,2]:{}", "float32[2]:{0.0,10.0}"}, {"float32[0,2]:{}"}});
  check_refused(Code::kShapeMismatch, {"Scale", "{mode=\"channel\"}", {x, "float32[3]:{1.0,2.0,3.0}"}, {""}});
  check_refused(Code::kInvalidArgument, {"Scale", "{mode=\"row\"}", {x}, {""}});
}

TEST(Math, Refusals) {
  check_refused(Code::kTypeMismatch, {"Sub", "", {"float32[1]:{1.0}", "int32[1]:{1}"}, {""}});
  check_refused(Code::kTypeMismatch, {"Max", "", {"float32[1]:{1.0}", "float64[1]:{1.0}"}, {""}});
  check_refused(Code::kTypeMismatch, {"Sqrt", "", {"int32[1]:{1}"}, {""}});
  check_refused(Code::kShapeMismatch, {"Mul", "", {"int32[2]:{1,2}", "int32[3]:{1,2,3}"}, {""}});
  check_refused(Code::kInvalidArgument, {"BitShift", "{direction=\"UP\"}", {"uint8[1]:{1}", "uint8[1]:{1}"}, {""}});
  check_refused(Code::kInvalidGraph, {"BitShift", "", {"uint8[1]:{1}", "uint8[1]:{1}"}, {""}});
}

TEST(Math, SymbolicShapesBroadcast) {
  const Dim batch = Dim::symbol("batch");
  EXPECT_EQ(infer("Mul", {}, {{DType::kF32, {batch, 1, 3}}, {DType::kF32, {7, 1}}}).first.str(), "float32[batch,7,3]");
  EXPECT_EQ(infer("IsNaN", {}, {{DType::kF32, {batch}}}).first.str(), "bool[batch]");
  EXPECT_EQ(infer("Pow", {}, {{DType::kF16, {batch}}, {DType::kI64, {}}}).first.str(), "float16[batch]");
}

TEST(Math, ElementsOfShapeArithmetic) {
  const Dim h = Dim::symbol("h"), w = Dim::symbol("w");
  const Known hw{DType::kI64, {2}, {h, w}}, two{DType::kI64, {}, {2}}, minus_two{DType::kI64, {}, {-2}};
  using List = std::vector<Dim>;
  EXPECT_EQ(infer("Add", {}, {hw, two}).second, (List{h + 2, w + 2}));
  EXPECT_EQ(infer("Sub", {}, {hw, hw}).second, (List{0, 0}));
  EXPECT_EQ(infer("Mul", {}, {two, hw}).second, (List{2 * h, 2 * w}));
  EXPECT_EQ(infer("Div", {}, {hw, two}).second, (List{floor_div(h, 2), floor_div(w, 2)}));
  EXPECT_EQ(infer("Div", {}, {{DType::kI64, {1}, {-7}}, two}).second, (List{-3}));
  EXPECT_EQ(infer("Div", {}, {hw, minus_two}).second, std::nullopt);
  EXPECT_EQ(infer("Div", {}, {two, {DType::kI64, {}, {0}}}).second, std::nullopt);
  EXPECT_EQ(infer("Mod", {}, {hw, two}).second, (List{mod(h, 2), mod(w, 2)}));
  EXPECT_EQ(infer("Mod", {}, {hw, minus_two}).second, std::nullopt);
  EXPECT_EQ(infer("Min", {}, {hw, two}).second, (List{min(h, 2), min(w, 2)}));
  EXPECT_EQ(infer("Max", {}, {hw, {DType::kI64, {}, {-1}}}).second, (List{h, w}));
  EXPECT_EQ(infer("Neg", {}, {hw}).second, (List{0 - h, 0 - w}));
  EXPECT_EQ(infer("Abs", {}, {hw}).second, (List{h, w}));
  EXPECT_EQ(infer("Clip", {}, {hw, {DType::kInvalid, {}, {}}, two}).second, (List{min(h, 2), min(w, 2)}));
  EXPECT_EQ(infer("Add", {}, {hw, {DType::kI64, {}, {}}}).second, std::nullopt);
  EXPECT_EQ(infer("Mul", {}, {{DType::kI64, {}, {int64_t{1} << 62}}, {DType::kI64, {}, {4}}}).second, std::nullopt);
}

// A back end asks for the program of a node whose middle input is absent.
TEST(Math, ProgramOfClipWithoutMinimum) {
  const DType types[] = {DType::kF32, DType::kInvalid, DType::kF32};
  const ScalarProgram program = scalar_program(*find_op("Clip"), {}, types);
  EXPECT_EQ(program.input_count, 2);
  EXPECT_NE(to_string(program).find("min"), std::string::npos);
  EXPECT_EQ(to_string(program).find("max"), std::string::npos);
}

}  // namespace
}  // namespace kiln::testing
