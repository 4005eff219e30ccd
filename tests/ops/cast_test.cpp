// Cast, CastLike, BitCast and Identity.
#include "text_case.h"

namespace kiln::testing {
namespace {

TEST(Cast, Values) {
  const TextCase cases[] = {
      {"Cast", "{to=\"int8\"}", {"int32[3]:{200,-1,127}"}, {"int8[3]:{-56,-1,127}"}},
      {"Cast", "{to=\"int32\"}", {"float32[2]:{-1.9,1.9}"}, {"int32[2]:{-1,1}"}},
      {"Cast", "{to=\"bool\"}", {"float32[4]:{0.0,-0.0,0.1,nan}"}, {"bool[4]:{0,0,1,1}"}},
      {"Cast", "{to=\"float32\"}", {"bool[2]:{1,0}"}, {"float32[2]:{1.0,0.0}"}},
      {"Cast", "{to=\"float16\"}", {"float64[2]:{1e6,1.00048828126}"}, {"float16[2]:{inf,1.001}"}},
      {"Cast", "{to=\"float8e4m3fn\"}", {"float32[3]:{1000.0,inf,-0.3}"}, {"float8e4m3fn[3]:{448.0,448.0,-0.3125}"}},
      {"Cast", "{saturate=0, to=\"float8e4m3fn\"}", {"float16[2]:{1000.0,1.0}"}, {"float8e4m3fn[2]:{nan,1.0}"}},
      {"Cast", "{saturate=0, to=\"float8e5m2\"}", {"float32[2]:{1e9,-inf}"}, {"float8e5m2[2]:{inf,-inf}"}},
      {"Cast", "{to=\"float8e8m0\"}", {"float32[3]:{3.0,4.0,0.0}"}, {"float8e8m0[3]:{4.0,4.0,5.877472e-39}"}},
      {"Cast", "{round_mode=\"down\", to=\"float8e8m0\"}", {"float32[2]:{3.0,4.0}"}, {"float8e8m0[2]:{2.0,4.0}"}},
      {"Cast", "{round_mode=\"nearest\", to=\"float8e8m0\"}", {"float32[2]:{3.0,2.9}"}, {"float8e8m0[2]:{4.0,2.0}"}},
      {"Cast", "{to=\"int4\"}", {"int8[3]:{7,8,-9}"}, {"int4[3]:{7,-8,7}"}},
      {"Cast", "{to=\"float32\"}", {"uint2[5]:{0,1,2,3,1}"}, {"float32[5]:{0.0,1.0,2.0,3.0,1.0}"}},
      {"Cast", "{to=\"float4e2m1\"}", {"float32[3]:{5.1,100.0,-0.3}"}, {"float4e2m1[3]:{6.0,6.0,-0.5}"}},
      {"Cast",
       "{to=\"float32\"}",
       {"string[5]:{\"3.14\",\"+INF\",\"-inf\",\"NaN\",\" 1E8 \"}"},
       {"float32[5]:{3.14,inf,-inf,nan,1e8}"}},
      {"Cast", "{to=\"uint64\"}", {"string[1]:{\"18446744073709551615\"}"}, {"uint64[1]:{18446744073709551615}"}},
      {"Cast",
       "{to=\"int64\"}",
       {"string[2]:{\"-9223372036854775808\",\"100.5\"}"},
       {"int64[2]:{-9223372036854775808,100}"}},
      {"Cast", "{to=\"bool\"}", {"string[3]:{\"True\",\"0\",\"2\"}"}, {"bool[3]:{1,0,1}"}},
      {"Cast",
       "{to=\"string\"}",
       {"float32[6]:{0.1,1.0,1e-5,nan,-inf,1e16}"},
       {"string[6]:{\"0.1\",\"1.0\",\"1e-05\",\"nan\",\"-inf\",\"1e+16\"}"}},
      {"Cast", "{to=\"string\"}", {"float16[2]:{0.1,1000.0}"}, {"string[2]:{\"0.1\",\"1000.0\"}"}},
      {"Cast", "{to=\"string\"}", {"uint64[1]:{18446744073709551615}"}, {"string[1]:{\"18446744073709551615\"}"}},
      {"Cast", "{to=\"string\"}", {"string[1]:{\"x\"}"}, {"string[1]:{\"x\"}"}},
      {"Cast", "{to=\"float32\"}", {"int32[0,2]:{}"}, {"float32[0,2]:{}"}},
      {"CastLike", "", {"float32[2]:{1.5,-300.0}", "int16[]:{0}"}, {"int16[2]:{1,-300}"}},
      {"CastLike", "{saturate=0}", {"float32[1]:{1e9}", "float8e4m3fn[1]:{1.0}"}, {"float8e4m3fn[1]:{nan}"}},
      {"CastLike", "", {"int64[1]:{12}", "string[1]:{\"\"}"}, {"string[1]:{\"12\"}"}},
      {"BitCast", "{to=\"uint32\"}", {"float32[2]:{1.0,-0.0}"}, {"uint32[2]:{1065353216,2147483648}"}},
      {"BitCast", "{to=\"int4\"}", {"uint4[3]:{15,8,7}"}, {"int4[3]:{-1,-8,7}"}},
      {"BitCast", "{to=\"complex64\"}", {"int64[0]:{}"}, {"complex64[0]:{}"}},
      {"Identity", "", {"string[1]:{\"x\"}"}, {"string[1]:{\"x\"}"}},
      {"Identity", "", {"complex128[]:{(1.0,2.0)}"}, {"complex128[]:{(1.0,2.0)}"}},
  };
  for (const TextCase& c : cases) check(c);
}

TEST(Cast, Refusals) {
  check_refused(Code::kInvalidArgument, {"Cast", "{to=\"float32\"}", {"string[1]:{\"one\"}"}, {""}});
  check_refused(Code::kInvalidArgument,
                {"Cast", "{round_mode=\"odd\", to=\"float8e8m0\"}", {"float32[1]:{1.0}"}, {""}});
  check_refused(Code::kTypeMismatch, {"Cast", "{to=\"float31\"}", {"float32[1]:{1.0}"}, {""}});
  check_refused(Code::kTypeMismatch, {"Cast", "{to=\"float32\"}", {"complex64[1]:{(1.0,2.0)}"}, {""}});
  check_refused(Code::kTypeMismatch, {"BitCast", "{to=\"int16\"}", {"float32[1]:{1.0}"}, {""}});
  check_refused(Code::kTypeMismatch, {"BitCast", "{to=\"string\"}", {"float32[1]:{1.0}"}, {""}});
}

TEST(Cast, IdentityOfSequences) {
  Datum sequence;
  sequence.kind = Datum::kSequence;
  sequence.items = {tensor_of("float32[1]:{1.0}"), tensor_of("float32[2]:{1.0,2.0}")};
  const std::vector<Datum> result = kiln::evaluate(*find_op("Identity"), {}, {sequence}, 1);
  ASSERT_EQ(result[0].kind, Datum::kSequence);
  ASSERT_EQ(result[0].items.size(), 2u);
  EXPECT_TRUE(result[0].items[1].tensor.identical(sequence.items[1].tensor));
}

TEST(Cast, ElementsPass) {
  const Dim n = Dim::symbol("n");
  using List = std::vector<Dim>;
  EXPECT_EQ(infer("Cast", {{"to", std::string("int64")}}, {{DType::kI32, {1}, {n}}}).second, (List{n}));
  EXPECT_EQ(infer("Cast", {{"to", std::string("int32")}}, {{DType::kI64, {1}, {int64_t{1} << 40}}}).second,
            std::nullopt);
  EXPECT_EQ(infer("Cast", {{"to", std::string("uint8")}}, {{DType::kI64, {1}, {n}}}).second, std::nullopt);
  EXPECT_EQ(infer("CastLike", {}, {{DType::kI64, {1}, {n}}, {DType::kI32, {7}}}).second, (List{n}));
  EXPECT_EQ(infer("Identity", {}, {{DType::kI64, {1}, {n}}}).second, (List{n}));
  EXPECT_EQ(infer("CastLike", {}, {{DType::kF32, {n}}, {DType::kF16, {7}}}).first.str(), "float16[n]");
}

// The scalar form gives what the reference gives, or refuses.
TEST(Cast, ScalarForm) {
  const DType f64[] = {DType::kF64}, f32[] = {DType::kF32}, text[] = {DType::kString};
  const OpDef& cast = *find_op("Cast");
  const ScalarProgram to_half = scalar_program(cast, {{"to", std::string("float16")}}, f64);
  EXPECT_EQ(to_half.code[to_half.outputs[0]].type, ScalarType::kF64);
  EXPECT_THROW(scalar_program(cast, {{"to", std::string("float8e5m2")}, {"saturate", int64_t{0}}}, f32), Error);
  EXPECT_THROW(scalar_program(cast, {{"to", std::string("float32")}}, text), Error);
}

}  // namespace
}  // namespace kiln::testing
