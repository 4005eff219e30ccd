// Attributes: typed access, and text that reads back to the same bits.
#include "tensor/attributes.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "code_of.h"

namespace kiln {
namespace {

Attributes read(const std::string& text) {
  size_t position = 0;
  Attributes a = parse_attributes(text, position);
  EXPECT_EQ(position, text.size());
  return a;
}

void expect_round_trip(const Attributes& a) {
  const std::string text = to_string(a);
  const Attributes b = read(text);
  EXPECT_TRUE(a == b) << text.substr(0, 1000);
  EXPECT_TRUE(to_string(b) == text) << text.substr(0, 1000);
}

TEST(Attributes, Access) {
  Attributes a{{"i", int64_t{3}},   {"f", 0.5},           {"s", std::string("x")},     {"is", Ints{1, 2}},
               {"fs", Floats{1.5}}, {"ss", Strings{"p"}}, {"t", Tensor::scalar(2.0f)}, {"d", std::string("int4")},
               {"none", Ints{}}};
  EXPECT_EQ(a.integer("i"), 3);
  EXPECT_EQ(a.integer("absent", 7), 7);
  EXPECT_EQ(a.real("f"), 0.5);
  EXPECT_EQ(a.real("i"), 3.0);
  EXPECT_EQ(a.real("absent", 2.5), 2.5);
  EXPECT_EQ(a.text("s"), "x");
  EXPECT_EQ(a.text("absent", "y"), "y");
  EXPECT_EQ(a.ints("is"), (Ints{1, 2}));
  EXPECT_EQ(a.ints("absent", {4}), (Ints{4}));
  EXPECT_EQ(a.reals("fs", {}), (Floats{1.5}));
  EXPECT_EQ(a.reals("is", {}), (Floats{1, 2}));
  EXPECT_EQ(a.texts("ss", {}), (Strings{"p"}));
  EXPECT_EQ(a.texts("none", {"q"}), Strings{});
  EXPECT_EQ(a.tensor("t").at(0), 2);
  EXPECT_EQ(a.dtype("d"), DType::kI4);
  EXPECT_EQ(a.dtype("absent", DType::kF32), DType::kF32);
  a.erase("i");
  EXPECT_FALSE(a.has("i"));
}

TEST(Attributes, RefusesOtherKinds) {
  const Attributes a{{"i", int64_t{3}}, {"f", 0.5}, {"s", std::string("x")}, {"is", Ints{1}}};
  for (const auto& action : std::vector<std::function<void()>>{
           [&] { a.integer("f"); }, [&] { a.integer("absent"); }, [&] { a.integer("s", 1); }, [&] { a.real("s"); },
           [&] { a.text("i"); }, [&] { a.ints("i"); }, [&] { a.tensor("i"); }, [&] { a.dtype("s"); },
           [&] { a.texts("is", {}); }, [&] { a.reals("s", {}); }})
    EXPECT_EQ(code_of(action), Code::kTypeMismatch);
}

TEST(Attributes, Text) {
  EXPECT_EQ(to_string(Attributes{}), "{}");
  EXPECT_EQ(
      to_string(Attributes{{"b", 1.0}, {"a", int64_t{1}}, {"pads", Ints{0, -1}}, {"mode", std::string("linear")}}),
      "{a=1, b=1.0, mode=\"linear\", pads=[0,-1]}");
  EXPECT_EQ(to_string(Attributes{{"t", Tensor::of<int8_t>({2, 1}, {-1, 5})}}), "{t=int8[2,1]:{-1,5}}");
  EXPECT_EQ(to_string(Attributes{{"e", Ints{}}, {"f", Floats{}}, {"s", Strings{}}}), "{e=[]i, f=[]f, s=[]s}");
}

TEST(Attributes, ReadsSpaces) {
  EXPECT_EQ(to_string(read("{ a = 1 ,b=[ 1 , 2 ], t = float32[ 2 ] : { 1.0 , nan } }")),
            "{a=1, b=[1,2], t=float32[2]:{1.0,nan}}");
}

TEST(Attributes, RoundTripOfNumbers) {
  std::mt19937_64 random(5);
  Floats floats = {0.0,
                   -0.0,
                   1e300,
                   5e-324,
                   1e22,
                   1e16,
                   100,
                   std::numeric_limits<double>::infinity(),
                   -std::numeric_limits<double>::infinity(),
                   std::nan(""),
                   -std::nan(""),
                   std::bit_cast<double>(uint64_t{0x7ff0000000000001}),
                   std::bit_cast<double>(uint64_t{0xfff8000000001234})};
  for (int i = 0; i < 20000; ++i) floats.push_back(std::bit_cast<double>(random()));
  for (double f : floats) expect_round_trip({{"x", f}});
  expect_round_trip({{"x", floats}});
  expect_round_trip({{"x", Ints{0, -1, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}},
                     {"y", std::numeric_limits<int64_t>::min()}});
  expect_round_trip(
      {{"i", Ints{}}, {"f", Floats{}}, {"s", Strings{}}, {"strange name=\"", int64_t{1}}, {"", 1.0}, {"1st", 2.0}});
}

TEST(Attributes, RoundTripOfStrings) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  expect_round_trip({{"x", all}, {"y", Strings{"", "a,b", "]", all}}, {"z", std::string()}});
}

TEST(Attributes, RoundTripOfTensors) {
  std::mt19937_64 random(9);
  for (int i = 1; i < kDTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    for (const Dims& dims : {Dims{}, Dims{0}, Dims{3, 0}, Dims{7}, Dims{2, 3}, Dims{300}}) {
      Tensor t = Tensor::allocate(type, dims);
      if (type == DType::kString) {
        for (std::string& s : t.mutable_string_values()) s = std::string(random() % 4, static_cast<char>(random()));
      } else {
        auto* bytes = static_cast<uint8_t*>(t.mutable_data());
        for (int64_t k = 0; k < t.bytes(); ++k)
          bytes[k] = static_cast<uint8_t>(type == DType::kBool ? random() % 2 : random());
      }
      expect_round_trip({{"t", t}});
    }
  }
  expect_round_trip({{"t", Tensor()}});
}

TEST(Attributes, RoundTripOfEverySmallFloat) {
  for (int i = 1; i < kDTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    if (!is_float(type) || bits(type) > 16) continue;
    const int64_t count = int64_t{1} << bits(type);
    Tensor t = Tensor::allocate(type, {count});
    auto* bytes = static_cast<uint8_t*>(t.mutable_data());
    for (int64_t k = 0; k < t.bytes(); ++k)
      bytes[k] = static_cast<uint8_t>(bits(type) == 4   ? 2 * k | (2 * k + 1) << 4
                                      : bits(type) == 8 ? k
                                      : k % 2           ? k / 2 / 256
                                                        : k / 2 % 256);
    expect_round_trip({{"t", t}});
  }
}

TEST(Attributes, EqualityIsByBits) {
  EXPECT_FALSE((Attributes{{"x", 0.0}} == Attributes{{"x", -0.0}}));
  EXPECT_TRUE((Attributes{{"x", std::nan("")}} == Attributes{{"x", std::nan("")}}));
  EXPECT_FALSE((Attributes{{"x", 1.0}} == Attributes{{"x", int64_t{1}}}));
  EXPECT_FALSE((Attributes{{"x", 1.0}} == Attributes{{"y", 1.0}}));
  EXPECT_FALSE((Attributes{{"x", 1.0}} == Attributes{{"x", 1.0}, {"y", 1.0}}));
  EXPECT_FALSE((Attributes{{"x", Floats{1.0}}} == Attributes{{"x", Floats{1.0, 2.0}}}));
}

TEST(Attributes, RefusesMalformedText) {
  for (const char* text : {"",
                           "{",
                           "}",
                           "{a}",
                           "{a=}",
                           "{a=1",
                           "{a=1,}",
                           "{a=1 b=2}",
                           "{a=[]}",
                           "{a=[]x}",
                           "{a=[1,2.5]}",
                           "{a=[1,}",
                           "{a=\"x}",
                           "{a=\"\\q\"}",
                           "{a=\"\\x1\"}",
                           "{a=1, a=2}",
                           "{a=9223372036854775808}",
                           "{a=1e999}",
                           "{a=--1}",
                           "{a=nan(0x1)}",
                           "{a=nan(0x7ff8000000000001}",
                           "{a=maybe}",
                           "{a=float32}",
                           "{a=float32[2]:{1.0}}",
                           "{a=float32[-1]:{}}",
                           "{a=float32[1000000000000]:{1.0}}",
                           "{a=int8[1]:{200}}",
                           "{a=uint4[1]:{16}}",
                           "{a=bool[1]:{2}}",
                           "{a=float16[1]:{nan(0x3c00)}}",
                           "{a=float4e2m1[1]:{nan(0x1)}}",
                           "{a=complex64[1]:{1.0}}",
                           "{a=string[1]:{1}}",
                           "{a=uint64[1]:{-1}}",
                           "{a=float32[4611686018427387904,4]:{}}"}) {
    size_t position = 0;
    EXPECT_EQ(code_of([&] { parse_attributes(text, position); }), Code::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace kiln
