// The nearest of known names.
#include "base/names.h"

#include <algorithm>
#include <numeric>

namespace kiln {
namespace {

constexpr size_t kShown = 12;         // names that an error lists
constexpr size_t kLongestWord = 256;  // that is compared with others

// Least number of letters to insert, delete, replace or swap with the next.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  std::iota(d[0].begin(), d[0].end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    d[i][0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string nearest_name(std::string_view word, const std::vector<std::string>& known) {
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  std::string best;
  if (word.size() > kLongestWord) return best;
  for (const std::string& name : known) {
    if (std::max(word.size(), name.size()) - std::min(word.size(), name.size()) >= least) continue;
    if (const size_t d = edit_distance(word, name); d < least) {
      least = d;
      best = name;
    }
  }
  return best;
}

std::string name_hint(std::string_view word, const std::vector<std::string>& known) {
  if (known.empty()) return "";
  const std::string best = nearest_name(word, known);
  std::string text = best.empty() ? "; there are: " : "; did you mean '" + best + "'? There are: ";
  for (size_t i = 0; i < std::min(known.size(), kShown); ++i) text += (i ? ", " : "") + known[i];
  return known.size() <= kShown ? text : text + " (and " + std::to_string(known.size() - kShown) + " more)";
}

}  // namespace kiln
