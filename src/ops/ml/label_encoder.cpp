// LabelEncoder: each element that is one of the keys becomes that key's value, any other the default. NaN is a key like any other; of
// equal keys the last one counts.
#include <bit>
#include <cmath>
#include <unordered_map>

#include "base/error.h"
#include "base/index.h"
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kLabelTypes{DType::kF32, DType::kF64, DType::kI16, DType::kI32, DType::kI64, DType::kString};

void check_encoder(const ShapeCall& c) {
  const Attributes& a = c.attributes();
  const Tensor &keys = a.tensor("keys_tensor"), &values = a.tensor("values_tensor"),
               &other = a.tensor("default_tensor");
  const auto fail = [](const std::string& message) { throw Error(Code::kInvalidArgument, "LabelEncoder: " + message); };
  if (keys.size() != values.size()) fail("keys and values differ in number");
  if (keys.dtype() != c.dtype("X"))
    fail("the keys are " + keys.type_string() + ", X is " + std::string(name(c.dtype("X"))));
  if (other.dtype() != values.dtype() || other.size() != 1) fail("the default is " + other.type_string());
  if (!kLabelTypes.has(values.dtype())) fail("the values are " + values.type_string());
}

// Positions of the values; the default stands behind them.
template <class Key, class KeyOf> std::vector<int64_t> look_up(const Tensor& x, const Tensor& keys, KeyOf key_of) {
  std::unordered_map<Key, int64_t> places;
  for (int64_t i = 0; i < keys.size(); ++i) places[key_of(keys, i)] = i;
  std::vector<int64_t> found;
  for (int64_t i = 0; i < x.size(); ++i) {
    const auto at = places.find(key_of(x, i));
    found.push_back(at == places.end() ? keys.size() : at->second);
  }
  return found;
}

// A number that equal elements share: the bits of a double, of one zero and one NaN.
uint64_t number_key(const Tensor& t, int64_t i) {
  const double value = t.at(i);
  return std::isnan(value) ? UINT64_MAX : std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
}

void encode_labels(RefCall& c) {
  const Attributes& a = c.shapes().attributes();
  const Tensor &x = c.input("X"), &keys = a.tensor("keys_tensor");
  const Tensor choices =
      concatenated({a.tensor("values_tensor").reshaped({keys.size()}), a.tensor("default_tensor").reshaped({1})}, 0);
  std::vector<int64_t> found;
  if (x.dtype() == DType::kString)
    found = look_up<std::string>(x, keys, [](const Tensor& t, int64_t i) { return nth(t.string_values(), i); });
  else if (is_integer(x.dtype()))
    found = look_up<int64_t>(x, keys, [](const Tensor& t, int64_t i) { return t.int_at(i); });
  else found = look_up<uint64_t>(x, keys, number_key);
  c.set_output(0, picked(choices, found, x.dims()));
}

}  // namespace

const OpDef label_encoder =
    op("LabelEncoder")
        .input("X", kLabelTypes)
        .required_attr("keys_tensor", Tensor())
        .required_attr("values_tensor", Tensor())
        .required_attr("default_tensor", Tensor())
        .output("Y", computed_type([](const ShapeCall& c) { return c.attributes().tensor("values_tensor").dtype(); }))
        .shape([](ShapeCall& c) {
          check_encoder(c);
          return OutputShape(c.dims("X"));
        })
        .reference(encode_labels);

}  // namespace kiln::ops
