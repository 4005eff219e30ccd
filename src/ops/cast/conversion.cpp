// Conversion of whole tensors: numbers by tensor/convert.h, strings here.
#include "ops/cast/conversion.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "base/require.h"
#include "ops/shape_elements.h"
#include "tensor/number_text.h"

namespace kiln::ops {
namespace {

E8M0Rounding rounding_of(const std::string& mode) {
  if (mode == "up") return E8M0Rounding::kUp;
  if (mode == "down") return E8M0Rounding::kDown;
  if (mode == "nearest") return E8M0Rounding::kNearest;
  throw Error(Code::kInvalidArgument, "'" + mode + "' is not a rounding mode").remedy("use up, down or nearest");
}

void cast_to_e8m0(const Tensor& from, Tensor& to, bool saturate, const std::string& mode) {
  const E8M0Rounding rounding = rounding_of(mode);
  auto out = static_cast<uint8_t*>(to.mutable_data());
  for (int64_t i = 0; i < from.size(); ++i)
    out[i] = e8m0_from_float(static_cast<float>(from.at(i)), rounding, saturate);
}

// The shortest digits that the type reads back: plain, or with an exponent outside of [1e-4, 1e16).
template <class Real> std::string decimal_text(Real value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const Real magnitude = std::fabs(value);
  const bool plain = value == 0 || (magnitude >= Real(1e-4) && magnitude < Real(1e16));
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  char buffer[64];
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, value, format).ptr);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

// A float with fewer bits than float32: the fewest significant digits that round back to the same bits.
std::string small_float_text(const Tensor& tensor, int64_t i) {
  const double value = tensor.at(i);
  Tensor again = Tensor::allocate(tensor.dtype(), {1});
  for (int precision = 1; precision < 12; ++precision) {
    char buffer[64];
    const char* end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, precision).ptr;
    double read = 0;
    std::from_chars(buffer, end, read);
    again.set(0, read);
    if (again.at(0) == value) return decimal_text(static_cast<float>(read));
  }
  return decimal_text(static_cast<float>(value));
}

std::string text_of(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype()) {
    case DType::kBool: return tensor.int_at(i) ? "True" : "False";
    case DType::kF32: return decimal_text(static_cast<float>(tensor.at(i)));
    case DType::kF64: return decimal_text(tensor.at(i));
    case DType::kU64: return std::to_string(static_cast<uint64_t>(tensor.int_at(i)));
    default: return is_integer(tensor.dtype()) ? std::to_string(tensor.int_at(i)) : small_float_text(tensor, i);
  }
}

std::string normalized(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  std::string result = text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
  return result.starts_with('+') ? result.substr(1) : result;
}

[[noreturn]] void fail_number(const std::string& text, DType type) {
  throw Error(Code::kInvalidArgument, "Cast of " + quoted(text) + " to " + std::string(name(type)))
      .cause("the text is not a number");
}

double number_of(const std::string& text, DType type) {
  const std::string number = normalized(text);
  if (type == DType::kBool && (number == "true" || number == "false")) return number == "true";
  size_t used = 0;
  const double value = parse_double(number, used);
  if (used == 0 || used != number.size()) fail_number(text, type);
  return value;
}

// Exact for integers that double does not hold; false when the text is not a plain integer.
bool parse_integer(const std::string& text, Tensor& to, int64_t i) {
  const std::string number = normalized(text);
  const char *begin = number.data(), *end = begin + number.size();
  int64_t value = 0;
  if (auto [stop, error] = std::from_chars(begin, end, value); error == std::errc() && stop == end) {
    to.set_int(i, value);
    return true;
  }
  uint64_t large = 0;
  auto [stop, error] = std::from_chars(begin, end, large);
  if (error != std::errc() || stop != end || number.empty()) return false;
  to.set_int(i, static_cast<int64_t>(large));
  return true;
}

Tensor numbers_of(const Tensor& from, DType type) {
  const bool integer = is_integer(type);
  Tensor numbers = Tensor::allocate(integer ? type : type == DType::kF32 ? DType::kF32 : DType::kF64, from.dims());
  for (int64_t i = 0; i < from.size(); ++i) {
    const std::string& text = nth(from.string_values(), i);
    if (integer && parse_integer(text, numbers, i)) continue;
    numbers.set(i, number_of(text, type));
  }
  return numbers;
}

}  // namespace

void cast_tensor(const Tensor& from, Tensor& to, bool saturate, const std::string& round_mode) {
  if (from.dtype() == to.dtype()) return copy_elements(from, 0, to, 0, from.size());
  if (to.dtype() == DType::kString) {
    for (int64_t i = 0; i < from.size(); ++i) nth(to.mutable_string_values(), i) = text_of(from, i);
    return;
  }
  if (from.dtype() == DType::kString) return cast_tensor(numbers_of(from, to.dtype()), to, saturate, round_mode);
  if (to.dtype() == DType::kF8E8M0) return cast_to_e8m0(from, to, saturate, round_mode);
  convert(from.dtype(), from.data(), to.dtype(), to.mutable_data(), from.size(), saturate);
}

Expr cast_scalar(Expr x, DType to, bool saturate, const std::string& round_mode) {
  require(!kFloat8Types.has(to) || saturate, Code::kUnsupported, "a scalar program has no cast without saturation");
  require(to != DType::kF8E8M0 || round_mode == "up", Code::kUnsupported, "a scalar program has no rounding modes");
  const ScalarType type = scalar_type_of(to);
  const bool rounds_once = x.type() == ScalarType::kF64 && type == ScalarType::kF32 && to != DType::kF32;
  if (rounds_once) return x;
  if (!x.is_float() || to != DType::kI32) return x.convert(type);
  // What int32 does not hold, and NaN, gives its smallest value, not the low bits of an int64.
  constexpr double kEnd = 0x1p31;
  return select(binary(ScalarOp::kAnd, x<kEnd, x> - kEnd), x, x.constant(-kEnd)).convert(type);
}

std::optional<std::vector<Dim>> cast_elements(ShapeCall& c, DType to) {
  if (to != DType::kI32 && to != DType::kI64) return std::nullopt;
  const DType from = c.dtype(0);
  if (from != DType::kI32 && from != DType::kI64 && from != DType::kBool) return std::nullopt;
  auto elements = partial_elements(c, 0);
  if (!elements || to == DType::kI64) return elements;
  for (const Dim& d : *elements)
    if (d.is_constant() && static_cast<int32_t>(d.value()) != d.value()) return std::nullopt;
  return elements;
}

}  // namespace kiln::ops
