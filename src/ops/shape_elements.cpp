// Elements of integer tensors as expressions.
#include "ops/shape_elements.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>

#include "base/error.h"
#include "base/index.h"
#include "ops/reference_math.h"

namespace kiln::ops {
namespace {

constexpr int64_t kMaxElements = 1024;  // larger tensors are data, not shapes

bool is_small_integer_tensor(const InputInfo& in) {
  const TensorType& type = in.type.tensor;
  const bool integer = type.dtype == DType::kI32 || type.dtype == DType::kI64 || type.dtype == DType::kBool;
  if (in.type.kind != Datum::kTensor || !integer || !type.ranked || !is_static(type.shape)) return false;
  const auto count = checked_element_count(static_dims(type.shape));
  return count && *count <= kMaxElements;
}

// "??name": two of the characters that no symbol of a model begins with.
constexpr std::string_view kUnknownPrefix = "??";

struct Operand {
  std::vector<Dim> elements;
  Dims dims, strides;
};

std::optional<std::vector<Operand>> operands_of(ShapeCall& c) {
  std::vector<Operand> operands;
  for (int i = 0; i < c.input_count(); ++i) {
    if (!c.present(i)) continue;
    if (!is_small_integer_tensor(c.info(i))) return std::nullopt;
    auto elements = partial_elements(c, i);
    Dims dims = static_dims(c.dims(i));
    if (!elements) elements.emplace(static_cast<size_t>(element_count(dims)), unknown_element(c, 0));
    if (static_cast<int64_t>(elements->size()) != element_count(dims)) return std::nullopt;
    operands.push_back({std::move(*elements), std::move(dims), {}});
  }
  return operands;
}

bool all_unknown(const std::vector<Dim>& elements) {
  return !elements.empty() && std::all_of(elements.begin(), elements.end(), is_unknown_element);
}

Elements apply(const ElementFunction& function, ShapeCall& c) {
  auto operands = operands_of(c);
  if (!operands) return std::nullopt;
  Dims dims;
  for (const Operand& o : *operands) dims = broadcast(dims, o.dims);
  const auto count = checked_element_count(dims);
  if (!count || *count > kMaxElements) return std::nullopt;
  std::vector<Dim> result, arguments(operands->size());
  if (*count == 0) return result;
  for (Operand& o : *operands) o.strides = broadcast_strides(o.dims, dims);
  Dims index(dims.size(), 0);
  do {
    for (size_t i = 0; i < arguments.size(); ++i)
      arguments[i] = nth((*operands)[i].elements, dot(index, (*operands)[i].strides));
    const auto element = has_unknown_element(arguments) ? std::nullopt : function(arguments);
    result.push_back(element ? *element : unknown_element(c, static_cast<int64_t>(result.size())));
  } while (advance(index, dims));
  if (all_unknown(result)) return std::nullopt;
  return result;
}

bool at_least(const Dim& a, const Dim& b) { return max(a, b) == a; }

}  // namespace

OpDef::ElementRule elementwise(ElementFunction function) {
  return [function = std::move(function)](ShapeCall& c) -> Elements {
    try {
      return apply(function, c);
    } catch (const Error& e) {
      if (e.code() == Code::kOverflow) return std::nullopt;  // the tensor wraps, expressions do not
      throw;
    }
  };
}

Dim unknown_element(const ShapeCall& c, int64_t k) {
  std::set<std::string> name;
  c.unknown_dim(0, static_cast<int>(k)).collect_symbols(name);
  return Dim::symbol(kRunTimeSymbol + *name.begin());
}

bool is_unknown_element(const Dim& element) {
  std::set<std::string> symbols;
  element.collect_symbols(symbols);
  return std::any_of(symbols.begin(), symbols.end(),
                     [](const std::string& s) { return s.starts_with(kUnknownPrefix); });
}

bool has_unknown_element(const std::vector<Dim>& elements) {
  return std::any_of(elements.begin(), elements.end(), is_unknown_element);
}

Elements partial_elements(const ShapeCall& c, int index) {
  if (c.present(index) && c.info(index).elements) return *c.info(index).elements;
  return c.elements(index);
}

Elements partial_elements(const ShapeCall& c, std::string_view input) {
  for (int i = 0; i < c.input_count(); ++i)
    if (&c.info(i) == &c.info(input)) return partial_elements(c, i);
  return std::nullopt;
}

bool is_positive(const Dim& d) { return at_least(d, 1); }

std::optional<Dim> is_less(const Dim& a, const Dim& b) {
  if (at_least(b, a + 1)) return Dim(1);
  if (at_least(a, b)) return Dim(0);
  return std::nullopt;
}

std::optional<Dim> is_equal(const Dim& a, const Dim& b) {
  if (a == b) return Dim(1);
  if (at_least(a, b + 1) || at_least(b, a + 1)) return Dim(0);
  return std::nullopt;
}

std::optional<Dim> inverted(const std::optional<Dim>& condition) {
  if (!condition) return std::nullopt;
  return 1 - *condition;
}

std::optional<Dim> truncated_quotient(const Dim& a, const Dim& b) {
  if (a.is_constant() && b.is_constant()) {
    const bool overflow = a.value() == std::numeric_limits<int64_t>::min() && b.value() == -1;
    if (b.value() == 0 || overflow) return std::nullopt;
    return Dim(a.value() / b.value());
  }
  if (!at_least(b, 0)) return std::nullopt;                 // a divisor of 0 has no quotient in any case
  return max(floor_div(a, b), 0) + min(ceil_div(a, b), 0);  // one of the two is zero
}

}  // namespace kiln::ops
