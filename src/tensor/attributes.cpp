// Typed access to attributes.
#include "tensor/attributes.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace kiln {
namespace {

constexpr const char* kKinds[] = {"an integer",       "a float",           "a string", "a list of integers",
                                  "a list of floats", "a list of strings", "a tensor"};

[[noreturn]] void fail_kind(std::string_view name, const Attribute& value, const char* wanted) {
  throw Error(Code::kTypeMismatch,
              "attribute '" + std::string(name) + "' is " + kKinds[value.index()] + ", not " + wanted);
}

[[noreturn]] void fail_absent(std::string_view name) {
  throw Error(Code::kTypeMismatch, "attribute '" + std::string(name) + "' is missing");
}

const Attribute& require(const Attributes& attributes, std::string_view name) {
  if (const Attribute* value = attributes.find(name)) return *value;
  fail_absent(name);
}

// An empty list may have been written without its kind being known.
template <class T> bool is_empty_list(const Attribute& value) {
  if constexpr (std::is_same_v<T, Ints> || std::is_same_v<T, Floats> || std::is_same_v<T, Strings>) {
    return std::visit(
        [](const auto& v) {
          using V = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<V, Ints> || std::is_same_v<V, Floats> || std::is_same_v<V, Strings>)
            return v.empty();
          return false;
        },
        value);
  }
  return false;
}

template <class T> const T& get(std::string_view name, const Attribute& value, const char* wanted) {
  if (const T* item = std::get_if<T>(&value)) return *item;
  if constexpr (!std::is_same_v<T, Tensor>) {
    static const T kEmpty{};
    if (is_empty_list<T>(value)) return kEmpty;
  }
  fail_kind(name, value, wanted);
}

double get_real(std::string_view name, const Attribute& value) {
  if (const int64_t* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  return get<double>(name, value, "a float");
}

Floats get_reals(std::string_view name, const Attribute& value) {
  if (const Ints* list = std::get_if<Ints>(&value)) return Floats(list->begin(), list->end());
  return get<Floats>(name, value, "a list of floats");
}

DType get_dtype(std::string_view name, const Attribute& value) {
  const std::string& text = get<std::string>(name, value, "an element type");
  if (auto type = dtype_from_name(text)) return *type;
  throw Error(Code::kTypeMismatch, "attribute '" + std::string(name) + "': '" + text + "' is not an element type");
}

bool same_bits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

bool same(const Attribute& a, const Attribute& b) {
  if (a.index() != b.index()) return false;
  if (const double* x = std::get_if<double>(&a)) return same_bits(*x, std::get<double>(b));
  if (const Tensor* x = std::get_if<Tensor>(&a)) return x->identical(std::get<Tensor>(b));
  if (const Floats* x = std::get_if<Floats>(&a)) {
    const Floats& y = std::get<Floats>(b);
    return std::equal(x->begin(), x->end(), y.begin(), y.end(), same_bits);
  }
  if (const int64_t* x = std::get_if<int64_t>(&a)) return *x == std::get<int64_t>(b);
  if (const std::string* x = std::get_if<std::string>(&a)) return *x == std::get<std::string>(b);
  if (const Ints* x = std::get_if<Ints>(&a)) return *x == std::get<Ints>(b);
  return std::get<Strings>(a) == std::get<Strings>(b);
}

}  // namespace

const Attribute* Attributes::find(std::string_view name) const {
  const auto it = items_.find(name);
  return it == items_.end() ? nullptr : &it->second;
}

void Attributes::erase(std::string_view name) {
  if (const auto it = items_.find(name); it != items_.end()) items_.erase(it);
}

int64_t Attributes::integer(std::string_view name) const {
  return get<int64_t>(name, require(*this, name), "an integer");
}

int64_t Attributes::integer(std::string_view name, int64_t fallback) const {
  return has(name) ? integer(name) : fallback;
}

double Attributes::real(std::string_view name) const { return get_real(name, require(*this, name)); }

double Attributes::real(std::string_view name, double fallback) const { return has(name) ? real(name) : fallback; }

const std::string& Attributes::text(std::string_view name) const {
  return get<std::string>(name, require(*this, name), "a string");
}

std::string Attributes::text(std::string_view name, std::string_view fallback) const {
  return has(name) ? text(name) : std::string(fallback);
}

const Ints& Attributes::ints(std::string_view name) const {
  return get<Ints>(name, require(*this, name), "a list of integers");
}

Ints Attributes::ints(std::string_view name, Ints fallback) const {
  if (has(name)) return ints(name);
  return fallback;
}

Floats Attributes::reals(std::string_view name, Floats fallback) const {
  const Attribute* value = find(name);
  return value ? get_reals(name, *value) : std::move(fallback);
}

Strings Attributes::texts(std::string_view name, Strings fallback) const {
  const Attribute* value = find(name);
  if (value) return get<Strings>(name, *value, "a list of strings");
  return fallback;
}

const Tensor& Attributes::tensor(std::string_view name) const {
  return get<Tensor>(name, require(*this, name), "a tensor");
}

DType Attributes::dtype(std::string_view name) const { return get_dtype(name, require(*this, name)); }

DType Attributes::dtype(std::string_view name, DType fallback) const { return has(name) ? dtype(name) : fallback; }

bool operator==(const Attributes& a, const Attributes& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && same(x.second, y.second); });
}

}  // namespace kiln
