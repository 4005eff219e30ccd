// RegexFullMatch: whether each whole string matches a regular expression of RE2.
#include "ops/registry.h"
#include "ops/strings/regex.h"

namespace kiln::ops {
namespace {

void match_reference(RefCall& c) {
  const Regex regex(c.text("pattern"));
  const auto& texts = c.input("X").string_values();
  auto out = c.output().as_mutable<bool>();
  for (size_t i = 0; i < texts.size(); ++i) out[i] = regex.matches(texts[i]);
}

}  // namespace

const OpDef regex_full_match = op("RegexFullMatch")
                                   .input("X", DType::kString)
                                   .attr("pattern", std::string(""))
                                   .output("Y", fixed_type(DType::kBool))
                                   .shape([](ShapeCall& c) {
                                     const Regex checked(c.text("pattern"));
                                     return OutputShape(c.dims("X"));
                                   })
                                   .reference(match_reference);

}  // namespace kiln::ops
