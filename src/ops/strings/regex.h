// Regular expressions in RE2's syntax, matched in time linear in the text, whatever the expression.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::ops {

class Regex {
 public:
  // Throws Error(kInvalidArgument) for what is no expression, kUnsupported for classes by Unicode's properties and expressions that
  // become too large.
  explicit Regex(const std::string& pattern);
  // Whether the whole text matches.
  bool matches(std::string_view text) const;

 private:
  friend class RegexParser;
  struct Range {
    char32_t first, last;
  };
  // A state that consumes a character, looks at the position, or forks.
  struct State {
    enum Kind : uint8_t {
      kChars,
      kFork,
      kBegin,
      kEnd,
      kBeginLine,
      kEndLine,
      kWordEdge,
      kNoWordEdge,
      kAccept
    } kind = kAccept;
    bool inverted = false, folds = false;  // of kChars
    std::vector<Range> ranges;
    int32_t next = -1, other = -1;
  };
  bool holds(const State& state, std::u32string_view text, size_t at) const;
  static bool takes(const State& state, char32_t c);
  void enter(int32_t state, std::u32string_view text, size_t at, std::vector<int32_t>& active,
             std::vector<size_t>& seen) const;

  std::vector<State> states_;
  int32_t start_ = -1;
};

}  // namespace kiln::ops
