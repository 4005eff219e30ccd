// Comparisons, logic and Where.
#include "text_case.h"

namespace kiln::testing {
namespace {

TEST(Compare, Values) {
  const TextCase cases[] = {
      {"Equal", "", {"float32[3]:{1.0,nan,-0.0}", "float32[3]:{1.0,nan,0.0}"}, {"bool[3]:{1,0,1}"}},
      {"Equal", "", {"bool[2]:{1,0}", "bool[]:{1}"}, {"bool[2]:{1,0}"}},
      {"Equal", "", {"string[2,1]:{\"a\",\"b\"}", "string[2]:{\"a\",\"bb\"}"}, {"bool[2,2]:{1,0,0,0}"}},
      {"Equal", "", {"string[0]:{}", "string[1]:{\"a\"}"}, {"bool[0]:{}"}},
      {"Less", "", {"uint64[2]:{18446744073709551615,1}", "uint64[]:{2}"}, {"bool[2]:{0,1}"}},
      {"Less", "", {"float16[2]:{nan,-inf}", "float16[]:{1.0}"}, {"bool[2]:{0,1}"}},
      {"LessOrEqual", "", {"int8[3]:{-1,0,1}", "int8[]:{0}"}, {"bool[3]:{1,1,0}"}},
      {"Greater", "", {"int64[3]:{-1,0,1}", "int64[]:{0}"}, {"bool[3]:{0,0,1}"}},
      {"GreaterOrEqual", "", {"float64[3]:{nan,0.0,1.0}", "float64[]:{0.0}"}, {"bool[3]:{0,1,1}"}},
      {"And", "", {"bool[2,1]:{1,0}", "bool[2]:{1,0}"}, {"bool[2,2]:{1,0,0,0}"}},
      {"Or", "", {"bool[2,1]:{1,0}", "bool[2]:{1,0}"}, {"bool[2,2]:{1,1,1,0}"}},
      {"Xor", "", {"bool[2,1]:{1,0}", "bool[2]:{1,0}"}, {"bool[2,2]:{0,1,1,0}"}},
      {"Not", "", {"bool[2]:{1,0}"}, {"bool[2]:{0,1}"}},
      {"Where", "", {"bool[2,1]:{1,0}", "float32[2]:{1.0,nan}", "float32[]:{9.0}"}, {"float32[2,2]:{1.0,nan,9.0,9.0}"}},
      {"Where", "", {"bool[2]:{1,0}", "string[]:{\"yes\"}", "string[]:{\"no\"}"}, {"string[2]:{\"yes\",\"no\"}"}},
      {"Where",
       "",
       {"bool[2]:{1,0}", "complex64[]:{(1.0,2.0)}", "complex64[]:{(3.0,4.0)}"},
       {"complex64[2]:{(1.0,2.0),(3.0,4.0)}"}},
      {"Where", "", {"bool[3]:{1,0,1}", "int4[3]:{-8,1,7}", "int4[]:{3}"}, {"int4[3]:{-8,3,7}"}},
      {"Where", "", {"bool[0]:{}", "float32[]:{1.0}", "float32[]:{9.0}"}, {"float32[0]:{}"}},
  };
  for (const TextCase& c : cases) check(c);
}

TEST(Compare, Refusals) {
  check_refused(Code::kTypeMismatch, {"Less", "", {"bool[1]:{1}", "bool[1]:{1}"}, {""}});
  check_refused(Code::kTypeMismatch, {"And", "", {"int32[1]:{1}", "int32[1]:{1}"}, {""}});
  check_refused(Code::kTypeMismatch, {"Where", "", {"bool[1]:{1}", "int32[1]:{1}", "int64[1]:{1}"}, {""}});
}

// The chain that exporters write around Expand: Where(Equal(shape, -1), ones, shape).
TEST(Compare, ElementsOfShapeArithmetic) {
  const Dim batch = Dim::symbol("batch"), seq = Dim::symbol("seq");
  const Known shape{DType::kI64, {2}, {batch, seq}}, minus{DType::kI64, {2}, {-1, -1}}, ones{DType::kI64, {2}, {1, 1}};
  using List = std::vector<Dim>;
  EXPECT_EQ(infer("Equal", {}, {shape, minus}).second, (List{0, 0}));
  EXPECT_EQ(infer("Equal", {}, {shape, shape}).second, (List{1, 1}));
  EXPECT_EQ(infer("Equal", {}, {shape, ones}).second, std::nullopt);
  EXPECT_EQ(infer("Less", {}, {shape, {DType::kI64, {}, {0}}}).second, (List{0, 0}));
  EXPECT_EQ(infer("GreaterOrEqual", {}, {shape, {DType::kI64, {}, {0}}}).second, (List{1, 1}));
  EXPECT_EQ(infer("Greater", {}, {shape, minus}).second, (List{1, 1}));
  EXPECT_EQ(infer("LessOrEqual", {}, {shape, ones}).second, std::nullopt);
  EXPECT_EQ(infer("Where", {}, {{DType::kBool, {2}, {0, 1}}, ones, shape}).second, (List{batch, 1}));
  EXPECT_EQ(infer("Where", {}, {{DType::kBool, {2}, {}}, ones, shape}).second, std::nullopt);
  EXPECT_EQ(infer("Not", {}, {{DType::kBool, {2}, {0, 1}}}).second, (List{1, 0}));
  EXPECT_EQ(infer("Xor", {}, {{DType::kBool, {2}, {0, 1}}, {DType::kBool, {}, {1}}}).second, (List{1, 0}));
  EXPECT_EQ(infer("Where", {}, {{DType::kBool, {2}}, shape, shape}).first.str(), "int64[2]");
}

}  // namespace
}  // namespace kiln::testing
