// Text as code points.
#pragma once
#include <string>
#include <string_view>

namespace kiln::ops {

// Bytes that are no UTF-8 become code points of their own beyond Unicode, and encoded() writes them back as they were.
std::u32string decoded(std::string_view text);
std::string encoded(std::u32string_view text);

// Language-independent mapping of single code points.
char32_t lower_case(char32_t c);
char32_t upper_case(char32_t c);

}  // namespace kiln::ops
