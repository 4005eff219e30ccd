// StringSplit: each string cut at a delimiter, or at white space when there is none; short rows are filled with empty strings.
// Also the number of parts of each.
#include <algorithm>

#include "base/error.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

// `most` cuts; no limit when negative.
Strings parts_between(std::string_view text, std::string_view delimiter, int64_t most) {
  Strings parts;
  for (size_t end; most != 0 && (end = text.find(delimiter)) != std::string_view::npos; --most) {
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end + delimiter.size());
  }
  parts.emplace_back(text);
  return parts;
}

Strings words(std::string_view text, int64_t most) {
  Strings parts;
  for (size_t begin; (begin = text.find_first_not_of(kWhiteSpace)) != std::string_view::npos; --most) {
    text.remove_prefix(begin);
    const size_t end = most == 0 ? text.size() : std::min(text.find_first_of(kWhiteSpace), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return parts;
}

void split_strings(RefCall& c) {
  const Tensor& x = c.input("X");
  const std::string delimiter = c.text("delimiter");
  const int64_t most = c.integer("maxsplit");
  std::vector<Strings> rows;
  size_t longest = 0;
  for (const std::string& text : x.string_values()) {
    rows.push_back(delimiter.empty() ? words(text, most) : parts_between(text, delimiter, most));
    longest = std::max(longest, rows.back().size());
  }
  Dims dims = x.dims();
  dims.push_back(static_cast<int64_t>(longest));
  Tensor y = Tensor::strings(dims, Strings(rows.size() * longest));
  Tensor counts = Tensor::allocate(DType::kI64, x.dims());
  for (size_t r = 0; r < rows.size(); ++r) {
    counts.set_int(static_cast<int64_t>(r), static_cast<int64_t>(rows[r].size()));
    std::move(rows[r].begin(), rows[r].end(),
              y.mutable_string_values().begin() + static_cast<std::ptrdiff_t>(r * longest));
  }
  c.set_output(0, std::move(y));
  if (c.wants(1)) c.set_output(1, std::move(counts));
}

}  // namespace

const OpDef string_split = op("StringSplit")
                               .input("X", DType::kString)
                               .attr("delimiter", std::string(""))
                               .attr("maxsplit", int64_t{-1})
                               .output("Y", same_type("X"))
                               .optional_output("Z", fixed_type(DType::kI64))
                               .shapes([](ShapeCall& c) {
                                 Shape y = c.dims("X");
                                 y.push_back(c.unknown_dim(0, static_cast<int>(y.size())));
                                 return std::vector<OutputShape>{y, c.dims("X")};
                               })
                               .reference(split_strings);

}  // namespace kiln::ops
