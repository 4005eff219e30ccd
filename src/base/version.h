// The version of Kiln; CMakeLists.txt says it.
#pragma once
#include <string_view>

namespace kiln {

std::string_view version();  // "0.1.0"

}  // namespace kiln
