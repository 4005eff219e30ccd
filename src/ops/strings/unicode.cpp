// UTF-8 and the case of letters, by the C library's locale-independent tables.
#include "ops/strings/unicode.h"

#include <clocale>
#include <cstdint>
#include <cwctype>

#include "base/error.h"

namespace kiln::ops {
namespace {

constexpr char32_t kRawByte = 0x200000;  // marks a byte that is no UTF-8

// Number of bytes of the valid sequence at the start, and its code point; 0 when there is none.
struct Decoded {
  size_t length = 0;
  char32_t point = 0;
};

Decoded first_point(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  char32_t point = lead & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = point << 6 | (byte(i) & 0x3f);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kLeast[length] || point > 0x10ffff || surrogate) return {};
  return {length, point};
}

locale_t unicode_locale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (!locale)
    throw Error(Code::kUnsupported, "the system has no locale C.UTF-8, whose tables change the case of letters")
        .remedy("install the C library's locales");
  return locale;
}

void append(std::string& out, char32_t c) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c >= kRawByte) {
    out += static_cast<char>(c - kRawByte);
  } else if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

std::u32string decoded(std::string_view text) {
  std::u32string points;
  while (!text.empty()) {
    const Decoded next = first_point(text);
    points += next.length ? next.point : kRawByte + static_cast<uint8_t>(text[0]);
    text.remove_prefix(next.length ? next.length : 1);
  }
  return points;
}

std::string encoded(std::u32string_view text) {
  std::string bytes;
  for (char32_t c : text) append(bytes, c);
  return bytes;
}

char32_t lower_case(char32_t c) {
  return c >= kRawByte ? c : static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), unicode_locale()));
}

char32_t upper_case(char32_t c) {
  return c >= kRawByte ? c : static_cast<char32_t>(towupper_l(static_cast<wint_t>(c), unicode_locale()));
}

}  // namespace kiln::ops
