// Text for people that holds names from files.
#include "base/printable.h"

#include <algorithm>
#include <cstdint>

#include "base/hash.h"

namespace kiln {
namespace {

constexpr size_t kLongestLine = 1000;

bool inside_character(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80;
}

// The beginning and the end with `between`, in `most` bytes, without a part of a character of UTF-8.
std::string cut(std::string_view text, size_t most, const std::string& between) {
  constexpr int kLongestCharacter = 4;  // what has more bytes is no UTF-8
  const size_t kept = most - between.size();
  size_t head = kept * 2 / 3, tail = text.size() - (kept - head);
  for (int i = 1; i < kLongestCharacter && inside_character(text, head); ++i) --head;
  for (int i = 1; i < kLongestCharacter && inside_character(text, tail); ++i) ++tail;
  return std::string(text.substr(0, head)) + between + std::string(text.substr(tail));
}

// Bytes of the character of UTF-8 at `at` when a terminal only shows it; 0 for control characters and what is no UTF-8.
size_t shown_bytes(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return (first >= 32 ? first != 127 : first == '\t') ? 1 : 0;
  const size_t count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  for (size_t i = 1; i < count; ++i)
    if (!inside_character(text, at + i)) return 0;
  // The second byte where its first values would be control characters or another way to write a shorter one, and its last ones none.
  const uint8_t least = first == 0xC2 || first == 0xE0 ? 0xA0
                        : first == 0xF0                ? 0x90
                                                       : 0x80,
                most = first == 0xED   ? 0x9F
                       : first == 0xF4 ? 0x8F
                                       : 0xBF;
  return byte(1) >= least && byte(1) <= most ? count : 0;
}

void append_line(std::string& to, std::string_view line) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string shown;
  for (size_t at = 0; at < line.size();) {
    if (const size_t count = shown_bytes(line, at); count > 0) {
      shown += line.substr(at, count);
      at += count;
      continue;
    }
    const auto byte = static_cast<uint8_t>(line[at++]);
    shown += "\\x";
    shown += kDigits[byte >> 4];
    shown += kDigits[byte & 15];
  }
  if (shown.size() <= kLongestLine) to += shown;
  else to += cut(shown, kLongestLine, " ... [" + std::to_string(line.size()) + " bytes] ... ");
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    append_line(shown, text.substr(start, end - start));
    if (end < text.size()) shown += '\n';
    start = end + 1;
  }
  return shown;
}

std::string shortened(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  return cut(text, most, "..." + std::to_string(checksum64(text.data(), text.size()) % 100'000'000) + "...");
}

}  // namespace kiln
