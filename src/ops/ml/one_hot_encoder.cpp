// OneHotEncoder: each element becomes a row with a one in the column of its category; an element of none a row of zeros, or an error.
#include <map>

#include "base/error.h"
#include "base/index.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

int64_t category_count(const ShapeCall& c) {
  const size_t numbers = c.ints("cats_int64s").size(), words = c.attributes().texts("cats_strings", {}).size();
  if ((numbers == 0) == (words == 0))
    throw Error(Code::kInvalidArgument, "OneHotEncoder has " + std::to_string(numbers) + " cats_int64s and " +
                                            std::to_string(words) + " cats_strings")
        .remedy("give one of the two");
  if ((words > 0) != (c.dtype("X") == DType::kString))
    throw Error(Code::kTypeMismatch,
                "OneHotEncoder of " + std::string(name(c.dtype("X"))) + " has categories of another type");
  return static_cast<int64_t>(numbers + words);
}

// Columns by category; of equal ones the last counts.
template <class Key> std::map<Key, int64_t> columns_of(const std::vector<Key>& categories) {
  std::map<Key, int64_t> columns;
  for (size_t i = 0; i < categories.size(); ++i) columns[categories[i]] = static_cast<int64_t>(i);
  return columns;
}

void encode_reference(RefCall& c) {
  const bool is_text = c.input("X").dtype() == DType::kString;
  const Tensor x = is_text ? c.input("X") : c.input("X").cast(DType::kI64);
  const auto words = columns_of(c.shapes().attributes().texts("cats_strings", {}));
  const auto numbers = columns_of(c.ints("cats_int64s"));
  const auto column = [&](int64_t i) -> int64_t {
    if (is_text) {
      const auto at = words.find(nth(x.string_values(), i));
      return at == words.end() ? -1 : at->second;
    }
    const auto at = numbers.find(x.int_at(i));
    return at == numbers.end() ? -1 : at->second;
  };
  auto y = c.output().as_mutable<float>();
  const int64_t width = category_count(c.shapes());
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t at = column(i);
    if (at >= 0) nth(y, i * width + at) = 1;
    else if (c.integer("zeros") == 0)
      throw Error(Code::kInvalidArgument, "OneHotEncoder: element " + std::to_string(i) + " is none of the categories");
  }
}

}  // namespace

const OpDef one_hot_encoder =
    op("OneHotEncoder")
        .input("X", TypeSet{DType::kF32, DType::kF64, DType::kI32, DType::kI64, DType::kString})
        .attr("cats_int64s", Ints{})
        .attr("cats_strings", Strings{})
        .attr("zeros", int64_t{1})
        .output("Y", fixed_type(DType::kF32))
        .shape([](ShapeCall& c) {
          Shape y = c.dims("X");
          y.push_back(Dim(category_count(c)));
          return OutputShape(y);
        })
        .reference(encode_reference);

}  // namespace kiln::ops
