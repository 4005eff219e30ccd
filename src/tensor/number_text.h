// Numbers as text that reads back to the same bits.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace kiln {

// Shortest decimal form that reads back exactly, always with '.', an exponent, "inf" or "nan". A NaN other than the
// usual quiet one is nan(0x7ff0000000000001), with all its bits.
std::string real_text(double value);
std::string real_text(float value);
// The number at the start of `text`; `used` is its length, 0 when there is none. Out of range counts as none.
double parse_double(std::string_view text, size_t& used);
float parse_float(std::string_view text, size_t& used);

// "\"…\"" with all but printable ASCII escaped, and back: `position` is moved past the closing quote. Throws
// kInvalidArgument.
std::string quoted(std::string_view text);
std::string parse_quoted(std::string_view text, size_t& position);

}  // namespace kiln
