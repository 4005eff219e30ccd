// Typed parameters of steps. A struct names each of its fields once,
//   template <class V> void fields(V& v) { v("axis", axis, 0, kMostRank); v("logarithm", logarithm); }
// and writing and checked reading follow. They come from files that nobody vouches for: a parameter that is missing, that no field names,
// or that has another type or a value outside the bounds is an Error(kMalformedPlan) with its name.
#pragma once
#include <algorithm>
#include <concepts>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "tensor/attributes.h"
#include "tensor/scalar_program.h"

namespace kiln {

template <class T> inline constexpr bool kIsEnumList = false;
template <class E> inline constexpr bool kIsEnumList<std::vector<E>> = std::is_enum_v<E>;

class ParameterWriter {
 public:
  explicit ParameterWriter(Attributes& to) : to_(to) {}

  template <class T, class... Bounds> void operator()(std::string_view name, const T& value, const Bounds&... bounds) {
    if constexpr (std::is_enum_v<T>) put_number(name, value, bounds...);
    else if constexpr (std::is_floating_point_v<T>) to_.set(std::string(name), static_cast<double>(value));
    else if constexpr (std::is_integral_v<T>) to_.set(std::string(name), static_cast<int64_t>(value));
    else if constexpr (std::is_same_v<T, std::vector<DType>>) put_types(name, value);
    else if constexpr (kIsEnumList<T> || std::is_same_v<T, std::vector<uint8_t>>) put_integers(name, value);
    else to_.set(std::string(name), value);
  }
  template <class... Bounds> void operator()(std::string_view name, const int64_t (&value)[2], const Bounds&...) {
    to_.set(std::string(name), Ints{value[0], value[1]});
  }
  // Left out when there is none.
  template <class T, class... Bounds>
  void operator()(std::string_view name, const std::optional<T>& value, const Bounds&... bounds) {
    if (value) (*this)(name, *value, bounds...);
  }
  void operator()(std::string_view name, const ScalarProgram& program);
  // The fields of a part, among those of the whole.
  template <class T> void operator()(T& part) { part.fields(*this); }

 private:
  template <class E> void put_number(std::string_view name, E value, int /*count*/) {
    to_.set(std::string(name), static_cast<int64_t>(value));
  }
  template <class E> void put_number(std::string_view name, E value, std::span<const std::string_view> words) {
    to_.set(std::string(name), std::string(words[static_cast<size_t>(value)]));
  }
  void put_types(std::string_view name, const std::vector<DType>& types);
  template <class List> void put_integers(std::string_view name, const List& list) {
    Ints values;
    for (const auto& value : list) values.push_back(static_cast<int64_t>(value));
    to_.set(std::string(name), std::move(values));
  }

  Attributes& to_;
};

class ParameterReader {
 public:
  explicit ParameterReader(const Attributes& from) : from_(from) {}

  void operator()(std::string_view name, bool& to) { to = integer(name, 0, 1) != 0; }
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  void operator()(std::string_view name, T& to, int64_t least = std::numeric_limits<T>::min(),
                  int64_t most = std::numeric_limits<T>::max()) {
    to = static_cast<T>(integer(name, least, most));
  }
  // One of few numbers.
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  void operator()(std::string_view name, T& to, std::span<const int> allowed) {
    to = static_cast<T>(integer_among(name, allowed));
  }
  template <std::floating_point T> void operator()(std::string_view name, T& to) { to = static_cast<T>(real(name)); }
  void operator()(std::string_view name, std::string& to);
  void operator()(std::string_view name, std::string& to, std::span<const std::string_view> words);
  // An enumeration, by its number or by its word.
  template <class E>
    requires std::is_enum_v<E>
  void operator()(std::string_view name, E& to, int count) {
    to = static_cast<E>(integer(name, 0, count - 1));
  }
  template <class E>
    requires std::is_enum_v<E>
  void operator()(std::string_view name, E& to, std::span<const std::string_view> words) {
    to = static_cast<E>(word(name, words));
  }
  void operator()(std::string_view name, Ints& to, int64_t least = std::numeric_limits<int64_t>::min(),
                  int64_t most = std::numeric_limits<int64_t>::max());
  void operator()(std::string_view name, std::vector<uint8_t>& to);
  template <class E>
    requires std::is_enum_v<E>
  void operator()(std::string_view name, std::vector<E>& to, int count) {
    Ints values;
    (*this)(name, values, 0, count - 1);
    to.clear();
    for (int64_t value : values) to.push_back(static_cast<E>(value));
  }
  // By their names.
  void operator()(std::string_view name, std::vector<DType>& to);
  void operator()(std::string_view name, int64_t (&to)[2], int64_t least, int64_t most);
  void operator()(std::string_view name, Floats& to);
  void operator()(std::string_view name, ScalarProgram& to);
  template <class T, class... Bounds>
  void operator()(std::string_view name, std::optional<T>& to, const Bounds&... bounds) {
    to.reset();
    if (from_.has(name)) (*this)(name, to.emplace(), bounds...);
  }
  // A part may have a check() of what its fields mean together, which throws.
  template <class T> void operator()(T& part) {
    part.fields(*this);
    if constexpr (requires { part.check(); }) part.check();
  }

  // Throws when there is a parameter that no field has named.
  void finish() const;

 private:
  int64_t integer(std::string_view name, int64_t least, int64_t most);
  int64_t integer_among(std::string_view name, std::span<const int> allowed);
  double real(std::string_view name);
  size_t word(std::string_view name, std::span<const std::string_view> words);
  template <class Get> auto get(std::string_view name, Get get);

  const Attributes& from_;
  std::vector<std::string> named_;
};

// Adds the fields to parameters.
template <class T> void put_parameters(Attributes& to, T values) {
  ParameterWriter writer(to);
  values.fields(writer);
}
template <class T> Attributes to_parameters(const T& values) {
  Attributes to;
  put_parameters(to, values);
  return to;
}
// All parameters of a step are fields of T.
template <class T> T read_parameters(const Attributes& from) {
  T values;
  ParameterReader reader(from);
  reader(values);
  reader.finish();
  return values;
}

// For a check() of what fields mean together: an Error(kMalformedPlan) that says what the parameter of this name does.
Error malformed_parameter(std::string_view name, const std::string& what);

// The enumerator whose word this is; throws Error(kUnsupported) when there is none.
size_t place_of_word(std::span<const std::string_view> words, std::string_view word);
template <class E> E word_among(std::span<const std::string_view> words, std::string_view word) {
  return static_cast<E>(place_of_word(words, word));
}

// A step without parameters.
struct NoParameters {
  template <class V> void fields(V&) {}
};

}  // namespace kiln
