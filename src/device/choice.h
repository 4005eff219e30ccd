// Which device of a back end is meant where no number says so.
#pragma once
#include <string>

namespace kiln {

// From now on the back end's name without a number stands for its device of this ordinal; at first it is 0. Engines that are there
// stay where they are. Throws kNotFound when there is no such device.
void choose_ordinal(const std::string& back_end, int ordinal);

}  // namespace kiln
