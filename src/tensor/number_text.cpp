// Text of floating-point numbers and quoted strings.
#include "tensor/number_text.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace kiln {
namespace {

template <class Bits> std::string nan_text(Bits bits, Bits usual, Bits sign) {
  if (bits == usual) return "nan";
  if (bits == (usual | sign)) return "-nan";
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, bits, 16).ptr;
  return "nan(0x" + std::string(digits, end) + ")";
}

template <class Real> std::string finite_text(Real value) {
  char digits[64];
  std::string text(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

template <class Real, class Bits> Real parse_real(std::string_view text, size_t& used) {
  used = 0;
  const bool minus = text.starts_with('-');
  const std::string_view body = text.substr(minus ? 1 : 0);
  if (body.starts_with("inf")) {
    used = minus + 3u;
    return minus ? -std::numeric_limits<Real>::infinity() : std::numeric_limits<Real>::infinity();
  }
  if (body.starts_with("nan(0x")) {
    Bits bits = 0;
    const char* start = body.data() + 6;
    const auto [end, error] = std::from_chars(start, body.data() + body.size(), bits, 16);
    const auto length = static_cast<size_t>(end - body.data());
    if (minus || error != std::errc() || length >= body.size() || *end != ')' || !std::isnan(std::bit_cast<Real>(bits)))
      return 0;
    used = length + 1;
    return std::bit_cast<Real>(bits);
  }
  if (body.starts_with("nan")) {
    used = minus + 3u;
    const Real nan = std::numeric_limits<Real>::quiet_NaN();
    return std::copysign(nan, minus ? Real(-1) : Real(1));
  }
  Real value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return 0;
  used = static_cast<size_t>(end - text.data());
  return value;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

[[noreturn]] void fail(const char* what) { throw Error(Code::kInvalidArgument, "malformed string").cause(what); }

char parse_escape(std::string_view text, size_t& position) {
  if (position >= text.size()) fail("an escape is cut short");
  const char c = text[position++];
  switch (c) {
    case '"':
    case '\\': return c;
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'x': break;
    default: fail("unknown escape");
  }
  if (position + 2 > text.size()) fail("an escape is cut short");
  const int high = hex_digit(text[position]), low = hex_digit(text[position + 1]);
  if (high < 0 || low < 0) fail("not a hexadecimal digit");
  position += 2;
  return static_cast<char>(high * 16 + low);
}

}  // namespace

std::string real_text(double value) {
  if (std::isnan(value))
    return nan_text<uint64_t>(std::bit_cast<uint64_t>(value), 0x7ff8000000000000u, uint64_t{1} << 63);
  return finite_text(value);
}

std::string real_text(float value) {
  if (std::isnan(value)) return nan_text<uint32_t>(std::bit_cast<uint32_t>(value), 0x7fc00000u, 0x80000000u);
  return finite_text(value);
}

double parse_double(std::string_view text, size_t& used) { return parse_real<double, uint64_t>(text, used); }

float parse_float(std::string_view text, size_t& used) { return parse_real<float, uint32_t>(text, used); }

std::string quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string parse_quoted(std::string_view text, size_t& position) {
  if (position >= text.size() || text[position] != '"') fail("a quote is missing");
  std::string out;
  for (++position; position < text.size();) {
    const char c = text[position++];
    if (c == '"') return out;
    out += c == '\\' ? parse_escape(text, position) : c;
  }
  fail("the closing quote is missing");
}

}  // namespace kiln
