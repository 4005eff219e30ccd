// RegexFullMatch: whether each whole string matches a regular expression of RE2.
#include <re2/re2.h>

#include "base/error.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// Throws kInvalidArgument for what is no expression, and for one that becomes too large.
std::unique_ptr<RE2> expression(const std::string& pattern) {
  auto made = std::make_unique<RE2>(pattern, RE2::Quiet);
  if (!made->ok())
    throw Error(Code::kInvalidArgument, "the pattern '" + pattern.substr(0, 100) + "' is no regular expression")
        .cause(made->error())
        .remedy("write it in RE2's syntax");
  return made;
}

void match_reference(RefCall& c) {
  const auto regex = expression(c.text("pattern"));
  const auto& texts = c.input("X").string_values();
  auto out = c.output().as_mutable<bool>();
  for (size_t i = 0; i < texts.size(); ++i) out[i] = RE2::FullMatch(texts[i], *regex);
}

}  // namespace

const OpDef regex_full_match = op("RegexFullMatch")
                                   .input("X", DType::kString)
                                   .attr("pattern", std::string(""))
                                   .output("Y", fixed_type(DType::kBool))
                                   .shape([](ShapeCall& c) {
                                     static_cast<void>(expression(c.text("pattern")));
                                     return OutputShape(c.dims("X"));
                                   })
                                   .reference(match_reference);

}  // namespace kiln::ops
