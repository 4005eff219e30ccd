// Operators on strings: concatenation, splitting, normalising, regular expressions, counts of n-grams.

#include "ops/nn_testing.h"

namespace kiln::nn_testing {
namespace {

Tensor words(std::vector<std::string> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Tensor::strings({count}, std::move(values));
}

TEST(StringConcat, Broadcasts) {
  const Tensor y = run("StringConcat", {}, {Tensor::strings({2, 1}, {"a", "ü"}), words({"x", "", "z"})})[0];
  EXPECT_EQ(y.dims(), (Dims{2, 3}));
  EXPECT_EQ(y.string_values(), (Strings{"ax", "a", "az", "üx", "ü", "üz"}));
  EXPECT_EQ(run("StringConcat", {}, {Tensor::strings({0}, {}), words({"x"})})[0].dims(), Dims{0});
  EXPECT_THROW(run("StringConcat", {}, {words({"a", "b"}), words({"a", "b", "c"})}), Error);
}

std::pair<Strings, std::vector<int64_t>> split(const Attributes& attributes, std::vector<std::string> values,
                                               Dims dims) {
  const auto y = run("StringSplit", attributes, {words(std::move(values))}, 2);
  EXPECT_EQ(y[0].dims(), dims);
  return {y[0].string_values(), y[1].to_ints()};
}

TEST(StringSplit, AtWhiteSpaceAndDelimiters) {
  using Result = std::pair<Strings, std::vector<int64_t>>;
  EXPECT_EQ(split({}, {" a \t b ", "c", " "}, {3, 2}), (Result{{"a", "b", "c", "", "", ""}, {2, 1, 0}}));
  EXPECT_EQ(split({{"delimiter", std::string("--")}}, {"a--b----c", ""}, {2, 4}),
            (Result{{"a", "b", "", "c", "", "", "", ""}, {4, 1}}));
  EXPECT_EQ(split({{"delimiter", std::string(",")}, {"maxsplit", int64_t{1}}}, {"a,b,c"}, {1, 2}),
            (Result{{"a", "b,c"}, {2}}));
  EXPECT_EQ(split({{"maxsplit", int64_t{1}}}, {"a  b c "}, {1, 2}), (Result{{"a", "b c "}, {2}}));
  EXPECT_EQ(split({{"maxsplit", int64_t{0}}}, {"  a b"}, {1, 1}), (Result{{"a b"}, {1}}));
  EXPECT_EQ(split({}, {}, {0, 0}), (Result{{}, {}}));
}

Tensor normalized(const Attributes& attributes, const Tensor& x) { return run("StringNormalizer", attributes, {x})[0]; }

TEST(StringNormalizer, StopWordsAndCase) {
  const Tensor days = words({"Monday", "tuesday", "MONDAY"});
  const Strings stops{"monday"};
  EXPECT_EQ(normalized({{"stopwords", stops}}, days).string_values(), Strings{"tuesday"});
  EXPECT_EQ(normalized({{"stopwords", stops}, {"is_case_sensitive", int64_t{1}}}, days).size(), 3);
  EXPECT_EQ(normalized({{"case_change_action", std::string("UPPER")}}, words({"straße", "Öl", "\xff"})).string_values(),
            (Strings{"STRAßE", "ÖL", "\xff"}));
  EXPECT_EQ(
      normalized({{"case_change_action", std::string("LOWER")}}, Tensor::strings({1, 2}, {"ΑΒ", "Ж"})).string_values(),
      (Strings{"αβ", "ж"}));
  const Tensor none = normalized({{"stopwords", stops}}, Tensor::strings({1, 1}, {"Monday"}));
  EXPECT_EQ(none.dims(), (Dims{1, 1}));
  EXPECT_EQ(none.string_values(), Strings{""});
  EXPECT_THROW(normalized({{"case_change_action", std::string("Title")}}, days), Error);
  EXPECT_THROW(normalized({{"locale", std::string("tr_TR")}}, days), Error);
  EXPECT_THROW(normalized({}, Tensor::strings({2, 1}, {"a", "b"})), Error);
}

bool matches(const std::string& pattern, const std::string& text) {
  return run("RegexFullMatch", {{"pattern", pattern}}, {words({text})})[0].as<bool>()[0];
}

TEST(RegexFullMatch, WholeTexts) {
  EXPECT_TRUE(matches(R"(www\.[\w.-]+\.\bcom\b)", "www.google.com"));
  EXPECT_FALSE(matches(R"(www\.[\w.-]+\.\bcom\b)", "www.google.de"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_FALSE(matches("a", "ab"));
  EXPECT_TRUE(matches("\\pL+", "h\u00e9"));
}

TEST(RegexFullMatch, RefusesWhatIsNone) {
  for (const std::string& pattern : {std::string("("), std::string("[a"), std::string("a{1001}"),
                                     std::string("((a{1000}){1000}){1000}"), std::string(100000, '(')})
    EXPECT_THROW(matches(pattern, "a"), Error) << pattern.substr(0, 40);
}

TEST(RegexFullMatch, HostileTextTakesLinearTime) {
  const std::string many(200000, 'a');
  EXPECT_FALSE(matches("(a*)*b", many));
  EXPECT_TRUE(matches("(a|a)*", many));
}

TEST(RegexFullMatch, EachElement) {
  const Tensor y = run("RegexFullMatch", {{"pattern", std::string("a+")}}, {words({"aa", "ab", ""})})[0];
  EXPECT_TRUE(y.identical(Tensor::of<bool>({3}, {true, false, false})));
  EXPECT_THROW(run("RegexFullMatch", {{"pattern", std::string("(")}}, {words({})}), Error);
}

Attributes grams(const char* mode, int64_t least, int64_t most, int64_t skips) {
  return {{"mode", std::string(mode)},
          {"min_gram_length", least},
          {"max_gram_length", most},
          {"max_skip_count", skips},
          {"ngram_counts", Ints{0, 4}},
          {"ngram_indexes", Ints{0, 1, 2, 3, 4, 5, 6}},
          {"pool_int64s", Ints{2, 3, 5, 4, 5, 6, 7, 8, 6, 7}}};
}

// The specification's examples.
TEST(TfIdfVectorizer, CountsWithAndWithoutSkips) {
  const Tensor x = Tensor::of<int32_t>({12}, {1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8});
  expect_values(run("TfIdfVectorizer", grams("TF", 2, 2, 0), {x})[0], {7}, {0, 0, 0, 0, 1, 1, 1});
  expect_values(run("TfIdfVectorizer", grams("TF", 2, 2, 5), {x})[0], {7}, {0, 0, 0, 0, 1, 3, 1});
  expect_values(run("TfIdfVectorizer", grams("TF", 1, 2, 5), {x})[0], {7}, {0, 3, 1, 0, 1, 3, 1});
  Attributes weighted = grams("TFIDF", 1, 2, 0);
  weighted.set("weights", Floats{1, 2, 1, 1, 1, 1, 4});
  expect_values(run("TfIdfVectorizer", weighted, {x})[0], {7}, {0, 6, 1, 0, 1, 1, 4});
  weighted.set("mode", std::string("IDF"));
  expect_values(run("TfIdfVectorizer", weighted, {x})[0], {7}, {0, 2, 1, 0, 1, 1, 4});
}

TEST(TfIdfVectorizer, RowsOfStrings) {
  Attributes attributes = grams("TF", 1, 2, 0);
  attributes.erase("pool_int64s");
  attributes.set("pool_strings", Strings{"a", "b", "c", "d", "a", "b", "b", "a", "c", "c"});
  const Tensor x = Tensor::strings({2, 3}, {"a", "b", "a", "c", "x", "c"});
  expect_values(run("TfIdfVectorizer", attributes, {x})[0], {2, 7}, {2, 1, 0, 0, 1, 1, 0, 0, 0, 2, 0, 0, 0, 0});
  expect_values(run("TfIdfVectorizer", attributes, {Tensor::strings({0, 3}, {})})[0], {0, 7}, {});
  expect_values(run("TfIdfVectorizer", attributes, {Tensor::strings({1, 0}, {})})[0], {1, 7}, Floats(7, 0));
}

TEST(TfIdfVectorizer, RefusesWhatDoesNotFit) {
  const Tensor x = Tensor::of<int32_t>({1}, {1});
  Attributes a = grams("TF", 2, 1, 0);
  EXPECT_THROW(run("TfIdfVectorizer", a, {x}), Error);
  a = grams("TF", 1, 2, -1);
  EXPECT_THROW(run("TfIdfVectorizer", a, {x}), Error);
  a = grams("COUNT", 1, 2, 0);
  EXPECT_THROW(run("TfIdfVectorizer", a, {x}), Error);
  a = grams("TF", 1, 2, 0);
  a.set("ngram_counts", Ints{0, 11});
  EXPECT_THROW(run("TfIdfVectorizer", a, {x}), Error);
  a = grams("TF", 1, 2, 0);
  a.set("ngram_indexes", Ints{0, 1});
  EXPECT_THROW(run("TfIdfVectorizer", a, {x}), Error);
  a = grams("TF", 1, 2, INT64_MAX);
  EXPECT_NO_THROW(run("TfIdfVectorizer", a, {x}));
}

}  // namespace
}  // namespace kiln::nn_testing
