// StringNormalizer: drops stop words and changes the case of letters, by the rules that hold for most languages.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "ops/dim_checks.h"
#include "ops/registry.h"
#include "ops/strings/unicode.h"

namespace kiln::ops {
namespace {

std::string lowered(const std::string& text) {
  std::u32string points = decoded(text);
  std::transform(points.begin(), points.end(), points.begin(), lower_case);
  return encoded(points);
}

std::string raised(const std::string& text) {
  std::u32string points = decoded(text);
  std::transform(points.begin(), points.end(), points.begin(), upper_case);
  return encoded(points);
}

void check_normalizer(ShapeCall& c) {
  const std::string action = c.text("case_change_action"), language = c.text("locale").substr(0, 2);
  if (action != "NONE" && action != "LOWER" && action != "UPPER")
    throw Error(Code::kInvalidArgument, "case_change_action '" + action + "' is not NONE, LOWER or UPPER");
  if (language == "tr" || language == "az" || language == "lt")
    throw Error(Code::kUnsupported, "the locale '" + c.text("locale") + "' has letters with rules of their own")
        .remedy("leave the locale out");
}

OutputShape normalizer_shape(ShapeCall& c) {
  check_normalizer(c);
  require_rank(c, "X", 1, 2);
  if (c.rank("X") == 2) require_same(c.dims("X")[0], Dim(1), "rows of 'X' and 1");
  if (c.rank("X") == 1) return Shape{c.unknown_dim(0, 0)};
  return Shape{Dim(1), c.unknown_dim(0, 1)};
}

void normalize_strings(RefCall& c) {
  const Tensor& x = c.input("X");
  if (x.rank() == 2 && x.dims()[0] != 1)
    throw Error(Code::kShapeMismatch, "StringNormalizer of " + x.type_string()).cause("it takes [C] and [1, C]");
  const bool exact = c.integer("is_case_sensitive") != 0;
  const std::string action = c.text("case_change_action");
  std::set<std::string> stops;
  for (const std::string& word : c.shapes().attributes().texts("stopwords", {}))
    stops.insert(exact ? word : lowered(word));
  Strings kept;
  for (const std::string& word : x.string_values()) {
    if (!stops.empty() && stops.count(exact ? word : lowered(word))) continue;
    kept.push_back(action == "LOWER" ? lowered(word) : action == "UPPER" ? raised(word) : word);
  }
  if (kept.empty()) kept.emplace_back();
  Dims dims = x.dims();
  dims.back() = static_cast<int64_t>(kept.size());
  c.set_output(0, Tensor::strings(dims, std::move(kept)));
}

}  // namespace

const OpDef string_normalizer = op("StringNormalizer")
                                    .input("X", DType::kString)
                                    .attr("case_change_action", std::string("NONE"))
                                    .attr("is_case_sensitive", int64_t{0})
                                    .attr("locale", std::string(""))
                                    .attr("stopwords", Strings{})
                                    .output("Y", same_type("X"))
                                    .shape(normalizer_shape)
                                    .reference(normalize_strings);

}  // namespace kiln::ops
