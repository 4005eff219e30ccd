// Text form of attributes and of the tensors in them.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/index.h"
#include "tensor/attributes.h"
#include "tensor/number_text.h"

namespace kiln {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

bool is_plain_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9') || name[0] == '.') return false;
  for (char c : name)
    if (!is_name_character(c)) return false;
  return true;
}

template <class T> T load_bits(const void* data, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(data) + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

// Bits of one element of a float type of 16 bits or fewer.
uint32_t small_bits(DType type, const void* data, int64_t index) {
  if (bits(type) == 16) return load_bits<uint16_t>(data, index);
  const uint8_t byte = load_bits<uint8_t>(data, bits(type) == 4 ? index / 2 : index);
  return bits(type) == 4 ? (byte >> (index % 2 * 4)) & 15u : byte;
}

void set_small_bits(DType type, void* data, int64_t index, uint32_t value) {
  auto* bytes = static_cast<uint8_t*>(data);
  if (bits(type) == 16) {
    const auto word = static_cast<uint16_t>(value);
    std::memcpy(bytes + 2 * index, &word, 2);
  } else if (bits(type) == 4) {
    const int shift = static_cast<int>(index % 2) * 4;
    bytes[index / 2] = static_cast<uint8_t>((bytes[index / 2] & ~(15 << shift)) | (value << shift));
  } else {
    bytes[index] = static_cast<uint8_t>(value);
  }
}

// NaNs of small types are written with their bits unless storing an ordinary NaN gives the same ones.
std::string small_float_text(DType type, const void* data, int64_t index) {
  const double value = load_double(type, data, index);
  if (!std::isnan(value)) return real_text(static_cast<float>(value));
  const uint32_t stored = small_bits(type, data, index);
  for (const double nan : {std::copysign(std::nan(""), 1.0), std::copysign(std::nan(""), -1.0)}) {
    uint16_t copy = 0;
    store_double(type, &copy, 0, nan);
    if (small_bits(type, &copy, 0) == stored) return std::signbit(nan) ? "-nan" : "nan";
  }
  char digits[8];
  return "nan(0x" + std::string(digits, std::to_chars(digits, digits + sizeof digits, stored, 16).ptr) + ")";
}

std::string element_text(const Tensor& tensor, int64_t i) {
  const DType type = tensor.dtype();
  const void* data = tensor.data();
  switch (type) {
    case DType::kString: return quoted(nth(tensor.string_values(), i));
    case DType::kC64:
      return "(" + real_text(load_bits<float>(data, 2 * i)) + "," + real_text(load_bits<float>(data, 2 * i + 1)) + ")";
    case DType::kC128:
      return "(" + real_text(load_bits<double>(data, 2 * i)) + "," + real_text(load_bits<double>(data, 2 * i + 1)) +
             ")";
    case DType::kF32: return real_text(load_bits<float>(data, i));
    case DType::kF64: return real_text(load_bits<double>(data, i));
    case DType::kU64: return std::to_string(load_bits<uint64_t>(data, i));
    default: return is_float(type) ? small_float_text(type, data, i) : std::to_string(tensor.int_at(i));
  }
}

std::string tensor_text(const Tensor& tensor) {
  if (!tensor.valid()) return "none";
  std::string text = tensor.type_string() + ":{";
  for (int64_t i = 0; i < tensor.size(); ++i) text += (i ? "," : "") + element_text(tensor, i);
  return text + "}";
}

template <class List, class Item> std::string list_text(const List& list, const char* empty, Item&& item) {
  if (list.empty()) return empty;
  std::string text = "[";
  for (size_t i = 0; i < list.size(); ++i) text += (i ? "," : "") + item(list[i]);
  return text + "]";
}

class Reader {
 public:
  Reader(std::string_view text, size_t& position) : text_(text), position_(position) {}

  Attribute value() {
    skip_space();
    const char c = peek();
    if (c == '[') return list();
    if (c == '"') return parse_quoted(text_, position_);
    if (starts_number()) return number();
    return tensor();
  }

  Attributes map() {
    Attributes attributes;
    expect('{');
    if (take('}')) return attributes;
    do {
      skip_space();
      std::string name = peek() == '"' ? parse_quoted(text_, position_) : std::string(word());
      if (attributes.has(name)) fail("attribute '" + name + "' occurs twice");
      expect('=');
      attributes.set(std::move(name), value());
    } while (take(','));
    expect('}');
    return attributes;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const std::string_view rest = text_.substr(std::min(position_, text_.size()));
    const std::string near(rest.substr(0, std::min<size_t>(rest.find('\n'), 40)));
    throw Error(Code::kInvalidArgument, "malformed attributes")
        .cause(near.empty() ? what + " at the end" : what + " before '" + near + "'");
  }

  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  void skip_space() {
    while (peek() == ' ') ++position_;
  }

  bool take(char c) {
    skip_space();
    if (peek() != c || position_ >= text_.size()) return false;
    ++position_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) fail(std::string("'") + c + "' is missing");
  }

  std::string_view word() {
    const size_t start = position_;
    while (is_name_character(peek())) ++position_;
    if (position_ == start) fail("a name is missing");
    return text_.substr(start, position_ - start);
  }

  bool starts_number() const {
    const char c = peek();
    if (c == '-' || (c >= '0' && c <= '9')) return true;
    size_t end = position_;
    while (end < text_.size() && is_name_character(text_[end])) ++end;
    const std::string_view name = text_.substr(position_, end - position_);
    return name == "inf" || name == "nan";
  }

  // An integer unless something of a float follows the digits.
  std::variant<int64_t, double> scalar() {
    const size_t digits = text_.find_first_not_of("-0123456789", position_);
    const char after = digits < text_.size() ? text_[digits] : '\0';
    if (after == '.' || after == 'e' || after == 'i' || after == 'n') return real<double>();
    return integer<int64_t>();
  }

  Attribute number() {
    const auto item = scalar();
    if (const int64_t* i = std::get_if<int64_t>(&item)) return *i;
    return std::get<double>(item);
  }

  template <class T> T integer() {
    T value = 0;
    const auto [end, error] = std::from_chars(text_.data() + position_, text_.data() + text_.size(), value);
    if (error != std::errc()) fail("not an integer in range");
    position_ = static_cast<size_t>(end - text_.data());
    return value;
  }

  template <class T> T real() {
    size_t used = 0;
    T value;
    if constexpr (std::is_same_v<T, float>) {
      value = parse_float(text_.substr(position_), used);
    } else {
      value = parse_double(text_.substr(position_), used);
    }
    if (used == 0) fail("not a number in range");
    position_ += used;
    return value;
  }

  Attribute list() {
    expect('[');
    if (take(']')) return empty_list();
    skip_space();
    if (peek() == '"') return strings();
    Ints ints;
    Floats floats;
    do {
      skip_space();
      const auto item = scalar();
      if (const int64_t* i = std::get_if<int64_t>(&item)) {
        ints.push_back(*i);
      } else {
        floats.push_back(std::get<double>(item));
      }
    } while (take(','));
    expect(']');
    if (!ints.empty() && !floats.empty()) fail("a list mixes integers and floats");
    if (floats.empty()) return ints;
    return floats;
  }

  Attribute empty_list() {
    const char kind = peek();
    if (kind != 'i' && kind != 'f' && kind != 's') fail("an empty list needs its kind: []i, []f or []s");
    ++position_;
    if (kind == 'i') return Ints{};
    if (kind == 'f') return Floats{};
    return Strings{};
  }

  Attribute strings() {
    Strings list;
    do {
      skip_space();
      list.push_back(parse_quoted(text_, position_));
    } while (take(','));
    expect(']');
    return list;
  }

  Tensor tensor() {
    const std::string_view type_name = word();
    if (type_name == "none") return {};
    const auto type = dtype_from_name(type_name);
    if (!type) fail("'" + std::string(type_name) + "' is neither a value nor an element type");
    Dims dims;
    expect('[');
    if (!take(']')) {
      do {
        skip_space();
        dims.push_back(integer<int64_t>());
      } while (take(','));
      expect(']');
    }
    expect(':');
    expect('{');
    return *type == DType::kString ? string_tensor(std::move(dims)) : plain_tensor(*type, std::move(dims));
  }

  Tensor string_tensor(Dims dims) {
    Strings values;
    if (!take('}')) {
      do {
        skip_space();
        values.push_back(parse_quoted(text_, position_));
      } while (take(','));
      expect('}');
    }
    check_count(dims, values.size());
    return Tensor::strings(std::move(dims), std::move(values));
  }

  void check_count(const Dims& dims, size_t given) const {
    const auto count = checked_element_count(dims);
    if (!count || *count != static_cast<int64_t>(given))
      fail(std::to_string(given) + " values do not fill " + to_string(dims));
  }

  // The values are counted before storage of the declared size is taken.
  Tensor plain_tensor(DType type, Dims dims) {
    const int64_t width = std::max(1, bits(type) / 8);
    std::vector<uint8_t> bytes;
    size_t count = 0;
    if (!take('}')) {
      do {
        skip_space();
        const size_t index = bits(type) < 8 ? count % static_cast<size_t>(8 / bits(type)) : 0;
        if (index == 0) bytes.resize(bytes.size() + static_cast<size_t>(width));
        element(type, bytes.data() + bytes.size() - width, static_cast<int64_t>(index));
        ++count;
      } while (take(','));
      expect('}');
    }
    check_count(dims, count);
    Tensor t = Tensor::allocate(type, std::move(dims));
    if (!bytes.empty()) std::memcpy(t.mutable_data(), bytes.data(), bytes.size());
    return t;
  }

  template <class T> void put(void* data, int64_t index, T value) {
    std::memcpy(static_cast<char*>(data) + static_cast<size_t>(index) * sizeof(T), &value, sizeof(T));
  }

  template <class T> void complex(void* data) {
    expect('(');
    skip_space();
    put(data, 0, real<T>());
    expect(',');
    skip_space();
    put(data, 1, real<T>());
    expect(')');
  }

  void element(DType type, void* data, int64_t index) {
    switch (type) {
      case DType::kC64: return complex<float>(data);
      case DType::kC128: return complex<double>(data);
      case DType::kF32: return put(data, index, real<float>());
      case DType::kF64: return put(data, index, real<double>());
      case DType::kU64: return put(data, index, integer<uint64_t>());
      default: return is_float(type) ? small_float(type, data, index) : small_integer(type, data, index);
    }
  }

  void small_integer(DType type, void* data, int64_t index) {
    const int64_t value = integer<int64_t>();
    store_int(type, data, index, value);
    if (load_int(type, data, index) != value) fail(std::to_string(value) + " does not fit " + std::string(name(type)));
  }

  void small_float(DType type, void* data, int64_t index) {
    if (!text_.substr(position_).starts_with("nan(0x")) {
      const float value = real<float>();
      return store_double(type, data, index, value, !std::isinf(value));
    }
    position_ += 6;
    uint32_t stored = 0;
    const auto [end, error] = std::from_chars(text_.data() + position_, text_.data() + text_.size(), stored, 16);
    if (error != std::errc() || stored >> bits(type)) fail("not the bits of a NaN");
    position_ = static_cast<size_t>(end - text_.data());
    if (peek() != ')') fail("')' is missing");
    ++position_;
    set_small_bits(type, data, index, stored);
    if (!std::isnan(load_double(type, data, index))) fail("not the bits of a NaN");
  }

  std::string_view text_;
  size_t& position_;
};

}  // namespace

std::string to_string(const Attribute& value) {
  struct Printer {
    std::string operator()(int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return real_text(v); }
    std::string operator()(const std::string& v) const { return quoted(v); }
    std::string operator()(const Ints& v) const {
      return list_text(v, "[]i", [](int64_t x) { return std::to_string(x); });
    }
    std::string operator()(const Floats& v) const {
      return list_text(v, "[]f", [](double x) { return real_text(x); });
    }
    std::string operator()(const Strings& v) const {
      return list_text(v, "[]s", [](const std::string& x) { return quoted(x); });
    }
    std::string operator()(const Tensor& v) const { return tensor_text(v); }
  };
  return std::visit(Printer{}, value);
}

std::string to_string(const Attributes& attributes) {
  std::string text = "{";
  for (const auto& [name, value] : attributes) {
    if (text.size() > 1) text += ", ";
    text += (is_plain_name(name) ? name : quoted(name)) + "=" + to_string(value);
  }
  return text + "}";
}

Attribute parse_attribute(std::string_view text, size_t& position) { return Reader(text, position).value(); }

Attributes parse_attributes(std::string_view text, size_t& position) { return Reader(text, position).map(); }

}  // namespace kiln
