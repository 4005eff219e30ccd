// Named attributes of nodes and parameters of kernels: a sorted map of small typed values.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace kiln {

using Ints = std::vector<int64_t>;
using Floats = std::vector<double>;
using Strings = std::vector<std::string>;
using Attribute = std::variant<int64_t, double, std::string, Ints, Floats, Strings, Tensor>;

// Sorted by name, so that text, hashes and files are the same for the same content. Getters throw kTypeMismatch when the value
// has another kind; those with a default return it when the name is absent. An int is accepted where a float is asked for.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, Attribute>> items) : items_(items) {}

  bool has(std::string_view name) const { return items_.find(name) != items_.end(); }
  const Attribute* find(std::string_view name) const;
  void set(std::string name, Attribute value) { items_[std::move(name)] = std::move(value); }
  void erase(std::string_view name);
  int64_t integer(std::string_view name) const;
  int64_t integer(std::string_view name, int64_t fallback) const;
  double real(std::string_view name) const;
  double real(std::string_view name, double fallback) const;
  const std::string& text(std::string_view name) const;
  std::string text(std::string_view name, std::string_view fallback) const;
  const Ints& ints(std::string_view name) const;
  Ints ints(std::string_view name, Ints fallback) const;
  Floats reals(std::string_view name, Floats fallback) const;
  Strings texts(std::string_view name, Strings fallback) const;
  const Tensor& tensor(std::string_view name) const;
  DType dtype(std::string_view name) const;  // stored as its name
  DType dtype(std::string_view name, DType fallback) const;

  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }

 private:
  std::map<std::string, Attribute, std::less<>> items_;
};

bool operator==(const Attributes& a, const Attributes& b);  // tensors compare by bits

// "{axis=1, mode=\"linear\", pads=[0,0], alpha=0.5}" with floats in shortest round-trip form; parse_attributes reads it back.
// A float always has a '.', an exponent, "inf" or "nan", so that it stays a float. Tensors print as dtype[dims]:{v,v,…}.
std::string to_string(const Attribute& value);
std::string to_string(const Attributes& attributes);
// Reads one value, starting at `position`, which it moves past the value. Throws kInvalidArgument.
Attribute parse_attribute(std::string_view text, size_t& position);
Attributes parse_attributes(std::string_view text, size_t& position);  // from '{' to '}'

}  // namespace kiln
