// Questions that many tactics ask of a problem.
#include "target/checks.h"

namespace kiln {

Refusal needs_row_vectors(const Problem& p, std::initializer_list<int> inputs) {
  const Dims& x = p.input(0).opt;
  const auto axis = static_cast<size_t>(axis_of(p, "axis", -1, rank(p.input(0))));
  for (int i : inputs) {
    const Argument& a = p.input(i);
    if (!a.present) continue;
    if (!a.is_static) return refuse("scale or bias has dimensions that are not known");
    if (element_count(a.opt) != element_count(Dims(x.begin() + static_cast<ptrdiff_t>(axis), x.end())))
      return refuse("scale or bias " + to_string(a.opt) + " is not a row of " + to_string(x));
    for (size_t k = 0; k < a.opt.size(); ++k)
      if (a.opt[a.opt.size() - 1 - k] != (k < x.size() - axis ? x[x.size() - 1 - k] : 1))
        return refuse("scale or bias " + to_string(a.opt) + " is not a row of " + to_string(x));
    for (size_t k = axis; k < x.size(); ++k)
      if (x[k] == 1 && !p.input(0).is_fixed(k)) return refuse("scale or bias may repeat along a row that varies");
  }
  return accept();
}

}  // namespace kiln
