// Parsing into a nondeterministic automaton, and its simulation with all states at once.
#include "ops/strings/regex.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "ops/strings/unicode.h"

namespace kiln::ops {
namespace {

constexpr size_t kMostStates = 20000;
constexpr int64_t kMostRepeats = 1000, kMostDepth = 200;  // repeats as RE2 has it
constexpr char32_t kLastPoint = 0x2fffff;                 // beyond Unicode: bytes that are no UTF-8

bool is_word(char32_t c) {
  return (c >= U'0' && c <= U'9') || (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z') || c == U'_';
}

}  // namespace

class RegexParser {
 public:
  RegexParser(const std::string& pattern, std::vector<Regex::State>& states)
      : shown_(pattern), pattern_(decoded(pattern)), states_(states) {}

  int32_t parse() {
    const Piece all = alternatives();
    if (!at_end()) refuse("there is a ')' without its '('");
    link(all, add({}));
    return all.start;
  }

 private:
  using State = Regex::State;
  using Range = Regex::Range;
  using Ranges = std::vector<Range>;

  // Part of the automaton; `ends` are its loose ends: a state, and whether it is `other` that is loose.
  struct End {
    int32_t state;
    bool other;
  };
  struct Piece {
    int32_t start = -1;
    std::vector<End> ends;
  };
  struct Flags {
    bool folds = false, any_line = false, lines = false;  // i, s, m
  };

  [[noreturn]] void refuse(const std::string& cause) const {
    throw Error(Code::kInvalidArgument, "'" + shown_ + "' is no regular expression").cause(cause);
  }
  bool at_end() const { return at_ >= pattern_.size(); }
  char32_t peek() const { return pattern_[at_]; }
  bool take(char32_t c) {
    if (at_end() || peek() != c) return false;
    ++at_;
    return true;
  }
  bool take(std::u32string_view text) {
    if (std::u32string_view(pattern_).substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  char32_t next(const char* cause) {
    if (at_end()) refuse(cause);
    return pattern_[at_++];
  }

  int32_t add(State state) {
    if (states_.size() >= kMostStates)
      throw Error(Code::kUnsupported, "the regular expression '" + shown_ + "' becomes too large")
          .remedy("repeat less often");
    states_.push_back(std::move(state));
    return static_cast<int32_t>(states_.size()) - 1;
  }
  void link(const Piece& piece, int32_t to) {
    for (const End& e : piece.ends)
      (e.other ? states_[static_cast<size_t>(e.state)].other : states_[static_cast<size_t>(e.state)].next) = to;
  }
  Piece single(State state) {
    const int32_t s = add(std::move(state));
    return {s, {{s, false}}};
  }
  Piece of_kind(State::Kind kind) {
    State state;
    state.kind = kind;
    return single(std::move(state));
  }
  Piece chars(Ranges ranges, bool inverted) {
    State state;
    state.kind = State::kChars;
    state.inverted = inverted;
    state.folds = flags_.folds;
    state.ranges = std::move(ranges);
    return single(std::move(state));
  }
  Piece nothing() {  // a fork whose ways meet
    const Piece fork = of_kind(State::kFork);
    return {fork.start, {{fork.start, false}, {fork.start, true}}};
  }
  Piece joined(Piece a, Piece b) {
    link(a, b.start);
    return {a.start, std::move(b.ends)};
  }

  Piece alternatives() {
    if (++depth_ > kMostDepth) refuse("it is nested too deeply");
    const Flags outside = flags_;
    Piece all = sequence();
    while (take(U'|')) {
      const Piece other = sequence();
      const Piece fork = of_kind(State::kFork);
      states_[static_cast<size_t>(fork.start)].next = all.start;
      states_[static_cast<size_t>(fork.start)].other = other.start;
      all.start = fork.start;
      all.ends.insert(all.ends.end(), other.ends.begin(), other.ends.end());
    }
    flags_ = outside;
    --depth_;
    return all;
  }

  Piece sequence() {
    std::optional<Piece> all;
    while (!at_end() && peek() != U'|' && peek() != U')') {
      Piece next_piece = repeated();
      all = all ? joined(std::move(*all), std::move(next_piece)) : std::move(next_piece);
    }
    return all ? std::move(*all) : nothing();
  }

  // An atom and how often: the text of the atom is read again for every copy.
  Piece repeated() {
    const size_t begin = at_;
    const Flags before = flags_;
    Piece piece = atom();
    const size_t end = at_;
    bool again = false;
    while (const auto times = repetition()) {
      if (again) refuse("two repetitions follow each other");
      again = true;
      take(U'?');  // which match is found does not matter when only the whole counts
      const size_t behind = at_;
      const auto copy = [&] {
        at_ = begin;
        flags_ = before;
        Piece one = atom();
        if (at_ != end) refuse("a repetition has nothing to repeat");
        return one;
      };
      piece = copies(std::move(piece), times->first, times->second, copy);
      at_ = behind;
    }
    return piece;
  }

  struct Times {
    int64_t first, second;  // second < 0: without limit
  };
  std::optional<Times> repetition() {
    if (take(U'*')) return Times{0, -1};
    if (take(U'+')) return Times{1, -1};
    if (take(U'?')) return Times{0, 1};
    const size_t begin = at_;
    if (!take(U'{')) return std::nullopt;
    const auto low = number();
    std::optional<int64_t> high = low;
    if (low && take(U',')) high = !at_end() && peek() == U'}' ? std::optional<int64_t>(-1) : number();
    if (!low || !high || !take(U'}')) {  // no repetition, but a brace
      at_ = begin;
      return std::nullopt;
    }
    if (*low > kMostRepeats || *high > kMostRepeats || (*high >= 0 && *high < *low))
      refuse("{" + std::to_string(*low) + "," + std::to_string(*high) + "} is no number of repetitions");
    return Times{*low, *high};
  }
  std::optional<int64_t> number() {
    std::optional<int64_t> value;
    while (!at_end() && peek() >= U'0' && peek() <= U'9') {
      value = std::min<int64_t>(value.value_or(0) * 10 + static_cast<int64_t>(peek() - U'0'), kMostRepeats + 1);
      ++at_;
    }
    return value;
  }

  template <class Copy> Piece copies(Piece first, int64_t low, int64_t high, Copy copy) {
    std::optional<Piece> all;
    const auto append = [&](Piece next_piece) {
      all = all ? joined(std::move(*all), std::move(next_piece)) : std::move(next_piece);
    };
    bool used = false;
    const auto one = [&] {
      if (used) return copy();
      used = true;
      return std::move(first);
    };
    for (int64_t i = 0; i < low; ++i) append(one());
    if (high < 0) append(looped(one()));
    std::vector<End> ways_out;
    for (int64_t i = low; i < high; ++i) {
      const Piece fork = of_kind(State::kFork);
      Piece inner = one();
      states_[static_cast<size_t>(fork.start)].next = inner.start;
      ways_out.push_back({fork.start, true});
      append({fork.start, std::move(inner.ends)});
    }
    if (!all) all = nothing();
    all->ends.insert(all->ends.end(), ways_out.begin(), ways_out.end());
    return std::move(*all);
  }
  Piece looped(Piece inner) {
    const Piece fork = of_kind(State::kFork);
    states_[static_cast<size_t>(fork.start)].next = inner.start;
    link(inner, fork.start);
    return {fork.start, {{fork.start, true}}};
  }

  Piece atom() {
    const char32_t c = next("it ends where something must follow");
    switch (c) {
      case U'(': return group();
      case U'[': return bracket();
      case U'.': return chars(flags_.any_line ? Ranges{} : Ranges{{U'\n', U'\n'}}, true);
      case U'^': return of_kind(flags_.lines ? State::kBeginLine : State::kBegin);
      case U'$': return of_kind(flags_.lines ? State::kEndLine : State::kEnd);
      case U'\\': return escape();
      case U'*':
      case U'+':
      case U'?': refuse("a repetition has nothing to repeat");
      default: return chars({{c, c}}, false);
    }
  }

  Piece group() {
    bool own_flags = false;
    if (take(U"?P<") || take(U"?<")) {
      while (next("the name of a group does not end") != U'>') {
      }
    } else if (take(U'?')) {
      own_flags = true;
    }
    const Flags outside = flags_;
    if (own_flags && !read_flags()) return nothing();  // they hold for what follows
    Piece inner = alternatives();
    if (!take(U')')) refuse("there is a '(' without its ')'");
    flags_ = outside;
    return inner;
  }
  // "i-s:" in front of a group: true; "i-s)": false.
  bool read_flags() {
    bool value = true;
    for (;;) {
      switch (next("the flags of a group do not end")) {
        case U'i': flags_.folds = value; break;
        case U's': flags_.any_line = value; break;
        case U'm': flags_.lines = value; break;
        case U'U': break;  // lazy or not: the whole matches or does not
        case U'-': value = false; break;
        case U':': return true;
        case U')': return false;
        default: refuse("a group has a flag that RE2 does not know");
      }
    }
  }

  // The class that \d and its like stand for.
  static std::optional<Ranges> named_class(char32_t letter) {
    switch (letter) {
      case U'd':
      case U'D': return Ranges{{U'0', U'9'}};
      case U's':
      case U'S': return Ranges{{U'\t', U'\n'}, {U'\f', U'\r'}, {U' ', U' '}};
      case U'w':
      case U'W': return Ranges{{U'0', U'9'}, {U'A', U'Z'}, {U'_', U'_'}, {U'a', U'z'}};
      default: return std::nullopt;
    }
  }
  static bool is_capital(char32_t letter) { return letter >= U'A' && letter <= U'Z'; }

  Piece escape() {
    if (at_end()) refuse("it ends with a backslash");
    const char32_t letter = peek();
    if (auto ranges = named_class(letter)) {
      ++at_;
      return chars(std::move(*ranges), is_capital(letter));
    }
    if (take(U'A')) return of_kind(State::kBegin);
    if (take(U'z')) return of_kind(State::kEnd);
    if (take(U'b')) return of_kind(State::kWordEdge);
    if (take(U'B')) return of_kind(State::kNoWordEdge);
    if (take(U'Q')) return quoted();
    const char32_t c = escaped_char();
    return chars({{c, c}}, false);
  }
  Piece quoted() {
    std::optional<Piece> all;
    while (!at_end() && !take(U"\\E")) {
      Piece one = chars({{peek(), peek()}}, false);
      ++at_;
      all = all ? joined(std::move(*all), std::move(one)) : std::move(one);
    }
    return all ? std::move(*all) : nothing();
  }
  char32_t escaped_char() {
    const char32_t letter = next("it ends with a backslash");
    switch (letter) {
      case U'n': return U'\n';
      case U't': return U'\t';
      case U'r': return U'\r';
      case U'f': return U'\f';
      case U'v': return U'\v';
      case U'a': return U'\a';
      case U'x': return hexadecimal();
      case U'p':
      case U'P':
        throw Error(Code::kUnsupported, "the regular expression '" + shown_ + "' asks for a property of Unicode")
            .remedy("list the characters");
      default: break;
    }
    if (is_word(letter) && letter != U'_') refuse("RE2 knows no such escape");
    return letter;
  }
  char32_t hexadecimal() {
    const bool braced = take(U'{');
    char32_t value = 0;
    int digits = 0;
    for (; !at_end() && (braced ? peek() != U'}' : digits < 2); ++digits) {
      const char32_t c = lower_case(pattern_[at_++]);
      const bool digit = c >= U'0' && c <= U'9', letter = c >= U'a' && c <= U'f';
      if (!digit && !letter) refuse("\\x has a digit that is none");
      value = value * 16 + (digit ? c - U'0' : c - U'a' + 10);
      if (value > 0x10ffff) refuse("\\x names no character");
    }
    if (digits == 0 || (!braced && digits < 2) || (braced && !take(U'}'))) refuse("\\x has too few digits");
    return value;
  }

  Piece bracket() {
    const bool inverted = take(U'^');
    Ranges ranges;
    for (bool first = true; first || !take(U']'); first = false) {
      if (at_end()) refuse("there is a '[' without its ']'");
      add_to_class(ranges);
    }
    return chars(std::move(ranges), inverted);
  }
  void add_to_class(Ranges& ranges) {
    if (posix_class(ranges)) return;
    if (at_ + 1 < pattern_.size() && peek() == U'\\') {
      const char32_t letter = pattern_[at_ + 1];
      if (auto named = named_class(letter)) {
        at_ += 2;
        add_ranges(ranges, *named, is_capital(letter));
        return;
      }
    }
    const char32_t first = class_char();
    char32_t last = first;
    if (at_ + 1 < pattern_.size() && peek() == U'-' && pattern_[at_ + 1] != U']') {
      ++at_;
      last = class_char();
    }
    if (last < first) refuse("a range of characters ends before it begins");
    ranges.push_back({first, last});
  }
  char32_t class_char() {
    const char32_t c = next("there is a '[' without its ']'");
    return c == U'\\' ? escaped_char() : c;
  }
  // The ranges, or, inverted, the gaps between them.
  static void add_ranges(Ranges& to, const Ranges& sorted, bool inverted) {
    if (!inverted) {
      to.insert(to.end(), sorted.begin(), sorted.end());
      return;
    }
    char32_t from = 0;
    for (const Range& r : sorted) {
      if (r.first > from) to.push_back({from, r.first - 1});
      from = r.last + 1;
    }
    to.push_back({from, kLastPoint});
  }
  bool posix_class(Ranges& ranges) {
    if (std::u32string_view(pattern_).substr(at_, 2) != U"[:") return false;
    static const struct {
      std::u32string_view name;
      Ranges ranges;
    } kClasses[] = {
        {U"alnum", {{U'0', U'9'}, {U'A', U'Z'}, {U'a', U'z'}}},
        {U"alpha", {{U'A', U'Z'}, {U'a', U'z'}}},
        {U"ascii", {{0, 0x7f}}},
        {U"blank", {{U'\t', U'\t'}, {U' ', U' '}}},
        {U"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}},
        {U"digit", {{U'0', U'9'}}},
        {U"graph", {{U'!', U'~'}}},
        {U"lower", {{U'a', U'z'}}},
        {U"print", {{U' ', U'~'}}},
        {U"punct", {{U'!', U'/'}, {U':', U'@'}, {U'[', U'`'}, {U'{', U'~'}}},
        {U"space", {{U'\t', U'\r'}, {U' ', U' '}}},
        {U"upper", {{U'A', U'Z'}}},
        {U"word", {{U'0', U'9'}, {U'A', U'Z'}, {U'_', U'_'}, {U'a', U'z'}}},
        {U"xdigit", {{U'0', U'9'}, {U'A', U'F'}, {U'a', U'f'}}},
    };
    at_ += 2;
    const bool inverted = take(U'^');
    for (const auto& known : kClasses) {
      const std::u32string ending = std::u32string(known.name) + U":]";
      if (!take(ending)) continue;
      add_ranges(ranges, known.ranges, inverted);
      return true;
    }
    refuse("RE2 knows no such class of characters");
  }

  const std::string& shown_;
  std::u32string pattern_;
  std::vector<State>& states_;
  size_t at_ = 0;
  int64_t depth_ = 0;
  Flags flags_;
};

Regex::Regex(const std::string& pattern) { start_ = RegexParser(pattern, states_).parse(); }

bool Regex::takes(const State& state, char32_t c) {
  const auto within = [&](char32_t x) {
    return std::any_of(state.ranges.begin(), state.ranges.end(),
                       [x](const Range& r) { return x >= r.first && x <= r.last; });
  };
  const bool found = within(c) || (state.folds && (within(lower_case(c)) || within(upper_case(c))));
  return found != state.inverted;
}

bool Regex::holds(const State& state, std::u32string_view text, size_t at) const {
  const bool begin = at == 0, end = at == text.size();
  const auto edge = [&] { return (!begin && is_word(text[at - 1])) != (!end && is_word(text[at])); };
  switch (state.kind) {
    case State::kBegin: return begin;
    case State::kEnd: return end;
    case State::kBeginLine: return begin || text[at - 1] == U'\n';
    case State::kEndLine: return end || text[at] == U'\n';
    case State::kWordEdge: return edge();
    case State::kNoWordEdge: return !edge();
    default: return true;
  }
}

// Adds the states that are reached without a character; `seen` holds for each the position + 1 at which it was entered last.
void Regex::enter(int32_t state, std::u32string_view text, size_t at, std::vector<int32_t>& active,
                  std::vector<size_t>& seen) const {
  std::vector<int32_t> open{state};
  while (!open.empty()) {
    const auto i = static_cast<size_t>(open.back());
    open.pop_back();
    if (seen[i] == at + 1) continue;
    seen[i] = at + 1;
    const State& s = states_[i];
    if (s.kind == State::kChars || s.kind == State::kAccept) {
      active.push_back(static_cast<int32_t>(i));
      continue;
    }
    if (!holds(s, text, at)) continue;
    if (s.kind == State::kFork) open.push_back(s.other);
    open.push_back(s.next);
  }
}

bool Regex::matches(std::string_view bytes) const {
  const std::u32string text = decoded(bytes);
  std::vector<int32_t> active, following;
  std::vector<size_t> seen(states_.size(), 0);
  enter(start_, text, 0, active, seen);
  for (size_t at = 0; at < text.size() && !active.empty(); ++at) {
    following.clear();
    for (int32_t i : active) {
      const State& s = states_[static_cast<size_t>(i)];
      if (s.kind == State::kChars && takes(s, text[at])) enter(s.next, text, at + 1, following, seen);
    }
    active.swap(following);
  }
  return std::any_of(active.begin(), active.end(),
                     [&](int32_t i) { return states_[static_cast<size_t>(i)].kind == State::kAccept; });
}

}  // namespace kiln::ops
