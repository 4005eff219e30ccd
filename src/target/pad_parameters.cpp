// What a Pad asks of its kernel.
#include "target/pad_parameters.h"

#include "base/index.h"
#include "target/checks.h"

namespace kiln {

Padding padding_of(const Problem& p) { return word_among<Padding>(kPaddings, p.attributes().text("mode", "constant")); }

std::optional<PadParameters> pad_parameters(const Problem& p) {
  const auto pads = known_ints(p, 1);
  if (!pads) return std::nullopt;
  Ints before(static_cast<size_t>(rank(p.input(0))), 0), axes;
  if (p.input(3).present) {
    const auto given = known_ints(p, 3);
    if (!given) return std::nullopt;
    for (int64_t a : *given) axes.push_back(normalize_axis(a, rank(p.input(0))));
  } else {
    for (int64_t i = 0; i < rank(p.input(0)); ++i) axes.push_back(i);
  }
  for (size_t i = 0; i < axes.size(); ++i) nth(before, axes[i]) = (*pads)[i];
  return PadParameters{.mode = padding_of(p), .before = std::move(before)};
}

}  // namespace kiln
