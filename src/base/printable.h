// Text for people that holds names from files.
#pragma once
#include <string>
#include <string_view>

namespace kiln {

// Control characters but line ends and tabs, and bytes that are no UTF-8, as \xNN; of a line longer than 1,000 bytes the beginning and the end.
std::string printable(std::string_view text);
// At most `most` bytes, 32 or more: of a longer text the beginning, a number made from all of it, and the end.
std::string shortened(std::string_view text, size_t most);

}  // namespace kiln
