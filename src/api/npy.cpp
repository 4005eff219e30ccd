// Reading and writing of .npy.
#include "api/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/checked.h"
#include "ops/strings/unicode.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace kiln::api {
namespace {

struct NpyType {
  std::string_view code, name;
};
constexpr NpyType kNpyTypes[] = {{"b1", "bool"},      {"u1", "uint8"},      {"i1", "int8"},    {"u2", "uint16"},
                                 {"i2", "int16"},     {"u4", "uint32"},     {"i4", "int32"},   {"u8", "uint64"},
                                 {"i8", "int64"},     {"f2", "float16"},    {"f4", "float32"}, {"f8", "float64"},
                                 {"c8", "complex64"}, {"c16", "complex128"}};
constexpr size_t kCharacter = 4;  // bytes, of text in code points

[[noreturn]] void bad_npy(const std::string& what, const std::string& cause,
                          const std::string& remedy = "write it with numpy.save") {
  throw Failure("error[K2001] '" + what + "' is not a readable .npy file\n  cause: " + cause + "\n  remedy: " + remedy);
}

// The text between quotes that follows 'key':.
std::string_view field(std::string_view header, std::string_view key, char open, char close) {
  size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  at = header.find(open, at + key.size() + 1);
  const size_t end = at == std::string_view::npos ? at : header.find(close, at + 1);
  return end == std::string_view::npos ? std::string_view() : header.substr(at + 1, end - at - 1);
}

Dims npy_dims(std::string_view text, const std::string& what) {
  Dims dims;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == ',' || text[i] == ' ') {
      ++i;
      continue;
    }
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), value);
    if (error != std::errc() || value < 0) bad_npy(what, "its shape is '" + std::string(text) + "'");
    dims.push_back(value);
    i = static_cast<size_t>(end - text.data());
  }
  return dims;
}

// What the header says, and the elements as they lie.
struct Array {
  std::string_view code;  // without the byte order
  bool is_big = false, is_fortran = false;
  Dims dims;
  int64_t count = 0;
  std::string_view elements;
};

Array read_array(std::string_view all, const std::string& what) {
  if (all.size() < 12 || !all.starts_with(kNpyMagic)) bad_npy(what, "it does not begin as one");
  const bool wide = all[6] >= 2;
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(all[i])); };
  const size_t length = byte(8) | byte(9) << 8 | (wide ? byte(10) << 16 | byte(11) << 24 : 0);
  const size_t start = wide ? 12 : 10;
  if (length > all.size() - start) bad_npy(what, "its header is cut off");
  const std::string_view header = all.substr(start, length), code = field(header, "'descr'", '\'', '\'');
  Array array;
  array.is_fortran = header.find("'fortran_order': True") != std::string_view::npos;
  if (!array.is_fortran && header.find("'fortran_order': False") == std::string_view::npos)
    bad_npy(what, "its header does not say in which order its elements lie");
  if (code.size() < 2 || std::string_view("<>=|").find(code[0]) == std::string_view::npos)
    bad_npy(what, "its element type is '" + std::string(code) + "'",
            "write an array of numbers or text with numpy.save");
  array.is_big = code[0] == '>';
  array.code = code.substr(1);
  array.dims = npy_dims(field(header, "'shape'", '(', ')'), what);
  const auto count = checked_element_count(array.dims);
  if (!count) bad_npy(what, "its size does not fit its shape");
  array.count = *count;
  array.elements = all.substr(start + length);
  return array;
}

// Calls body(to, from) with the place of each element in row-major order and where it lies.
template <class Body> void each_place(const Array& array, Body&& body) {
  if (!array.is_fortran) {
    for (int64_t i = 0; i < array.count; ++i) body(i, i);
    return;
  }
  Dims index(array.dims.size(), 0);
  for (int64_t i = 0; i < array.count; ++i) {
    int64_t from = 0;
    for (size_t d = array.dims.size(); d-- > 0;) from = from * array.dims[d] + index[d];
    body(i, from);
    for (size_t d = array.dims.size(); d-- > 0 && ++index[d] == array.dims[d];) index[d] = 0;
  }
}

HostTensor read_numbers(const Array& array, std::string_view type, const std::string& what) {
  HostTensor tensor{std::string(type), array.dims, {}};
  const DType dtype = *dtype_from_name(tensor.type);
  const auto bytes = byte_size(dtype, array.count);
  if (!bytes || static_cast<size_t>(*bytes) != array.elements.size()) bad_npy(what, "its size does not fit its shape");
  tensor.data.resize(array.elements.size());
  if (!array.is_big && !array.is_fortran) {
    if (!tensor.data.empty()) std::memcpy(tensor.data.data(), array.elements.data(), tensor.data.size());
    return tensor;
  }
  const auto size = static_cast<size_t>(bits(dtype)) / 8, part = is_complex(dtype) ? size / 2 : size;
  each_place(array, [&](int64_t to, int64_t from) {
    auto* element = reinterpret_cast<char*>(tensor.data.data()) + static_cast<size_t>(to) * size;
    std::memcpy(element, array.elements.data() + static_cast<size_t>(from) * size, size);
    for (size_t p = 0; array.is_big && p < size; p += part) std::reverse(element + p, element + p + part);
  });
  return tensor;
}

// An element of `width` characters, filled up with zeros.
std::string text_at(const Array& array, int64_t place, size_t width) {
  if (array.code[0] == 'S') {
    const std::string_view bytes = array.elements.substr(static_cast<size_t>(place) * width, width);
    return std::string(bytes.substr(0, bytes.find_last_not_of('\0') + 1));
  }
  std::u32string text;
  for (size_t i = 0; i < width; ++i) {
    char bytes[kCharacter];
    std::memcpy(bytes, array.elements.data() + (static_cast<size_t>(place) * width + i) * kCharacter, kCharacter);
    if (array.is_big) std::reverse(bytes, bytes + kCharacter);
    char32_t character = 0;
    std::memcpy(&character, bytes, kCharacter);
    text.push_back(character);
  }
  text.resize(text.find_last_not_of(U'\0') + 1);
  return ops::encoded(text);
}

HostValue read_text(const Array& array, const std::string& what) {
  int64_t width = 0;
  const auto [end, error] = std::from_chars(array.code.data() + 1, array.code.data() + array.code.size(), width);
  const int64_t character = array.code[0] == 'S' ? 1 : static_cast<int64_t>(kCharacter);
  const auto bytes = error == std::errc() && width >= 0 ? checked_mul(width, character) : std::nullopt;
  const auto all = bytes ? checked_mul(*bytes, array.count) : std::nullopt;
  if (!all || end != array.code.data() + array.code.size() || static_cast<size_t>(*all) != array.elements.size())
    bad_npy(what, "its size does not fit its shape");
  if (width == 0 && array.count > 0) bad_npy(what, "it holds text of no characters");
  HostValue value;
  value.kind = HostValue::Kind::kStrings;
  value.dims = array.dims;
  value.strings.resize(static_cast<size_t>(array.count));
  each_place(array, [&](int64_t to, int64_t from) {
    value.strings[static_cast<size_t>(to)] = text_at(array, from, static_cast<size_t>(width));
  });
  return value;
}

std::vector<std::byte> with_header(const std::string& code, const Dims& dims, std::span<const std::byte> elements) {
  std::string shape;
  for (int64_t d : dims) shape += std::to_string(d) + ",";
  std::string header = "{'descr': '" + code + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize((header.size() + 1 + 10 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::vector<std::byte> bytes(10 + header.size() + elements.size());
  std::memcpy(bytes.data(), kNpyMagic.data(), kNpyMagic.size());
  bytes[6] = std::byte{1};
  bytes[8] = static_cast<std::byte>(header.size() & 255);
  bytes[9] = static_cast<std::byte>(header.size() >> 8);
  std::memcpy(bytes.data() + 10, header.data(), header.size());
  if (!elements.empty()) std::memcpy(bytes.data() + 10 + header.size(), elements.data(), elements.size());
  return bytes;
}

std::vector<std::byte> text_bytes(const HostValue& value) {
  std::vector<std::u32string> texts;
  size_t width = 1;
  for (const std::string& s : value.strings) width = std::max(width, texts.emplace_back(ops::decoded(s)).size());
  std::u32string all;
  for (std::u32string& text : texts) {
    text.resize(width);
    all += text;
  }
  return with_header("<U" + std::to_string(width), value.dims, std::as_bytes(std::span(all)));
}

}  // namespace

HostValue read_npy(std::span<const std::byte> bytes, const std::string& what) {
  const Array array = read_array({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, what);
  if (array.code[0] == 'U' || array.code[0] == 'S') return read_text(array, what);
  for (const NpyType& t : kNpyTypes)
    if (t.code == array.code) return {HostValue::Kind::kNumbers, read_numbers(array, t.name, what), {}, {}, {}, {}};
  bad_npy(what, "its element type is '" + std::string(array.code) + "'",
          "convert it to numbers or text: numpy.save(file, array.astype(numpy.float32))");
}

HostTensor numbers_of(HostValue value, const std::string& what) {
  if (value.kind != HostValue::Kind::kNumbers) bad_npy(what, "it holds text where numbers are needed", "give numbers");
  return std::move(value.tensor);
}

HostTensor parse_npy(const std::vector<std::byte>& bytes, const std::string& what) {
  return numbers_of(read_npy(bytes, what), what);
}

HostValue parse_npy_value(const std::vector<std::byte>& bytes, const std::string& what) {
  return read_npy(bytes, what);
}

std::vector<std::byte> npy_bytes(const HostTensor& tensor) {
  for (const NpyType& t : kNpyTypes)
    if (t.name == tensor.type)
      return with_header((t.code[1] == '1' && t.code.size() == 2 ? "|" : "<") + std::string(t.code), tensor.dims,
                         tensor.data);
  throw Failure("error[K2003] numpy has no element type " + tensor.type + "\n  remedy: write .pb files");
}

std::vector<std::byte> npy_bytes(const HostValue& value) {
  if (value.kind == HostValue::Kind::kNumbers) return npy_bytes(value.tensor);
  if (value.kind == HostValue::Kind::kStrings) return text_bytes(value);
  throw Failure("error[K2003] an .npy file holds one array, not a sequence or optional\n  remedy: write its items");
}

}  // namespace kiln::api
