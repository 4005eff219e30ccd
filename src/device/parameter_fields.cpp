// Typed parameters of steps: checked reading.
#include "device/parameter_fields.h"

#include "tensor/scalar_codec.h"

namespace kiln {
namespace {

std::string bounds_text(int64_t least, int64_t most) {
  return "it must lie between " + std::to_string(least) + " and " + std::to_string(most);
}

constexpr std::string_view kProgramParts[] = {".code", ".reals", ".inputs", ".outputs"};

}  // namespace

Error malformed_parameter(std::string_view name, const std::string& what) {
  return Error(Code::kMalformedPlan, "parameter '" + std::string(name) + "' " + what).remedy("build the engine again");
}

size_t place_of_word(std::span<const std::string_view> words, std::string_view word) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) throw Error(Code::kUnsupported, "no kernel knows '" + std::string(word) + "'");
  return static_cast<size_t>(found - words.begin());
}

void ParameterWriter::operator()(std::string_view name, const ScalarProgram& program) {
  put_program(to_, std::string(name), program);
}

void ParameterWriter::put_types(std::string_view name, const std::vector<DType>& types) {
  Strings words;
  for (DType type : types) words.emplace_back(kiln::name(type));
  to_.set(std::string(name), std::move(words));
}

template <class Get> auto ParameterReader::get(std::string_view name, Get get) {
  named_.emplace_back(name);
  if (!from_.has(name)) throw malformed_parameter(name, "is missing");
  try {
    return get();
  } catch (const Error& e) {
    throw malformed_parameter(name, "has another type").cause(e.message());
  }
}

int64_t ParameterReader::integer(std::string_view name, int64_t least, int64_t most) {
  const int64_t value = get(name, [&] { return from_.integer(name); });
  if (value < least || value > most)
    throw malformed_parameter(name, "is " + std::to_string(value)).cause(bounds_text(least, most));
  return value;
}

int64_t ParameterReader::integer_among(std::string_view name, std::span<const int> allowed) {
  const int64_t value = get(name, [&] { return from_.integer(name); });
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return value;
  std::string list;
  for (int n : allowed) list += (list.empty() ? "" : ", ") + std::to_string(n);
  throw malformed_parameter(name, "is " + std::to_string(value)).cause("it must be one of " + list);
}

double ParameterReader::real(std::string_view name) {
  return get(name, [&] { return from_.real(name); });
}

size_t ParameterReader::word(std::string_view name, std::span<const std::string_view> words) {
  const std::string text = get(name, [&] { return from_.text(name); });
  const auto found = std::find(words.begin(), words.end(), text);
  if (found == words.end()) throw malformed_parameter(name, "is '" + text + "'");
  return static_cast<size_t>(found - words.begin());
}

void ParameterReader::operator()(std::string_view name, std::string& to) {
  to = get(name, [&] { return from_.text(name); });
}

void ParameterReader::operator()(std::string_view name, std::string& to, std::span<const std::string_view> words) {
  to = words[word(name, words)];
}

void ParameterReader::operator()(std::string_view name, Ints& to, int64_t least, int64_t most) {
  to = get(name, [&] { return from_.ints(name); });
  for (int64_t value : to)
    if (value < least || value > most)
      throw malformed_parameter(name, "has the element " + std::to_string(value)).cause(bounds_text(least, most));
}

void ParameterReader::operator()(std::string_view name, std::vector<uint8_t>& to) {
  Ints values;
  (*this)(name, values, 0, UINT8_MAX);
  to.assign(values.begin(), values.end());
}

void ParameterReader::operator()(std::string_view name, std::vector<DType>& to) {
  const Strings words = get(name, [&] { return from_.texts(name, {}); });
  to.clear();
  for (const std::string& word : words) {
    const auto type = dtype_from_name(word);
    if (!type) throw malformed_parameter(name, "has the element '" + word.substr(0, 100) + "', which is no type");
    to.push_back(*type);
  }
}

void ParameterReader::operator()(std::string_view name, int64_t (&to)[2], int64_t least, int64_t most) {
  Ints values;
  (*this)(name, values, least, most);
  if (values.size() != 2)
    throw malformed_parameter(name, "has " + std::to_string(values.size()) + " elements, not two");
  std::copy(values.begin(), values.end(), to);
}

void ParameterReader::operator()(std::string_view name, Floats& to) {
  to = get(name, [&] { return from_.reals(name, {}); });
}

void ParameterReader::operator()(std::string_view name, ScalarProgram& to) {
  for (const std::string_view part : kProgramParts) {
    named_.push_back(std::string(name) + std::string(part));
    if (!from_.has(named_.back())) throw malformed_parameter(named_.back(), "is missing");
  }
  try {
    to = get_program(from_, std::string(name));
  } catch (const Error& e) {
    throw malformed_parameter(name, "is not sound").cause(e.message());
  }
}

void ParameterReader::finish() const {
  for (const auto& [name, value] : from_)
    if (std::find(named_.begin(), named_.end(), name) == named_.end())
      throw malformed_parameter(name, "is none of the step's");
}

}  // namespace kiln
