// Any text as a graph: an Error that blames the text, or a graph whose own text gives the same graph again.
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "ir/text.h"

namespace {

using namespace kiln;

constexpr const char* kSeeds[] = {
    R"(graph main(%x: float32[n,3,8,8]) {
  %w = random float32[4,3,3,3] seed 1
  %b = constant float32[4,1,1]:{0.5,-1.0,nan,1e30}
  %y: float32[n,4,6,6] = Conv "conv1"(%x, %w, _) {strides=[1,1],auto_pad="NOTSET"} + Add(., %b) + Relu(.) from ["a", "b"]
  return %y
})",
    R"(graph main(%x: float32[2], %c: bool[]) {
  %count = constant int64[]:{3}
  %y, %all = Loop(%count, _, %x) regions {
    graph body(%i: int64[], %go: bool[], %s: float32[2]) {
      %go2 = Identity(%go)
      %t = Add(%s, %s)
      return %go2, %t, %t
    }
  }
  return %y, %all
})",
    R"(graph main(%x: int8[(a+3)*2,max(a,b),floor(a,2)]) {
  %t = constant int4[2,3]:{1,-8,7,0,2,3}
  %e = constant string[2]:{"a\n","\x00"}
  %"odd name" = Transpose(%x) {perm=[2,0,1]}
  return %"odd name", %t, %e
})"};
constexpr const char* kWords[] = {"graph",
                                  "constant",
                                  "random",
                                  "seed",
                                  "return",
                                  "regions",
                                  "from",
                                  "layout 021",
                                  "float32",
                                  "int4",
                                  "bfloat16",
                                  "string",
                                  "[",
                                  "]",
                                  "{",
                                  "}",
                                  "(",
                                  ")",
                                  ",",
                                  ":",
                                  "=",
                                  "%",
                                  "_",
                                  ".",
                                  "+",
                                  "-",
                                  "*",
                                  "#1",
                                  "@big",
                                  "\"",
                                  "\\x",
                                  "nan",
                                  "-inf",
                                  "1e400",
                                  "0",
                                  "-1",
                                  "9223372036854775807",
                                  "99999999999999999999",
                                  "max(",
                                  "floor(",
                                  "%x",
                                  "//",
                                  "\n"};

// A word of another seed's language in the place of a piece.
size_t put_word(uint8_t* data, size_t size, size_t max_size, std::mt19937& random) {
  const std::string word = kWords[random() % std::size(kWords)];
  const size_t at = size ? random() % (size + 1) : 0, gone = std::min<size_t>(size - at, random() % 6);
  if (size - gone + word.size() > max_size) return size;
  std::memmove(data + at + word.size(), data + at + gone, size - at - gone);
  std::memcpy(data + at, word.data(), word.size());
  return size - gone + word.size();
}

}  // namespace

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  std::mt19937 random(seed);
  if (size < 32 || seed % 64 == 0) {
    const std::string text = kSeeds[random() % std::size(kSeeds)];
    if (text.size() <= max_size) {
      std::memcpy(data, text.data(), text.size());
      size = text.size();
    }
  }
  for (size_t i = random() % 4; i > 0; --i) size = put_word(data, size, max_size, random);
  return seed % 3 ? size : LLVMFuzzerMutate(data, size, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto graph = ir::parse_graph({reinterpret_cast<const char*>(data), size});
    const std::string text = ir::to_text(*graph);
    const auto again = ir::parse_graph(text, ir::referenced_constants(*graph));
    if (ir::to_text(*again) != text) __builtin_trap();
  } catch (const Error& e) {
    if (e.code() == Code::kInternal) __builtin_trap();
  }
  return 0;
}
