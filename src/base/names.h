// Names that people type: what may have been meant by an unknown one.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// The known name that differs least from `word`; empty when none is near.
std::string nearest_name(std::string_view word, const std::vector<std::string>& known);
// The end of an error about a name: "; did you mean 'conv1'? There are: conv1, pool (and 30 more)". Empty when nothing is known.
std::string name_hint(std::string_view word, const std::vector<std::string>& known);

}  // namespace kiln
