// What the scattering operators share.
#include "ops/index/scatter.h"

#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "ops/movement.h"
#include "ops/reference_math.h"

namespace kiln::ops {
namespace {

double combine(const std::string& reduction, double a, double b, bool) {
  if (reduction == "add") return a + b;
  if (reduction == "mul") return a * b;
  if (std::isnan(a) || std::isnan(b)) return a + b;
  return (reduction == "max") == (a > b) ? a : b;
}

// On the bits of the integers, which wrap.
int64_t combine(const std::string& reduction, int64_t a, int64_t b, bool is_unsigned) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  if (reduction == "add") return static_cast<int64_t>(x + y);
  if (reduction == "mul") return static_cast<int64_t>(x * y);
  const bool greater = is_unsigned ? x > y : a > b;
  return (reduction == "max") == greater ? a : b;
}

template <class T>
void combine_all(Tensor& out, std::vector<T> values, const std::vector<T>& updates,
                 const std::vector<int64_t>& positions, const std::string& reduction) {
  const bool is_unsigned = is_unsigned_integer(out.dtype());
  for (size_t i = 0; i < positions.size(); ++i) {
    T& value = nth(values, positions[i]);
    value = combine(reduction, value, updates[i], is_unsigned);
  }
  store(out, values);
}

}  // namespace

void check_reduction(const ShapeCall& c) {
  const std::string r = c.text("reduction");
  if (r != "none" && r != "add" && r != "mul" && r != "max" && r != "min")
    throw Error(Code::kInvalidArgument, "scattering has no reduction '" + r + "'")
        .remedy("use none, add, mul, max or min");
  if (r != "none" && !(kNumericTypes | kBoolType).has(c.dtype("data")))
    throw Error(Code::kTypeMismatch, "scattering with reduction '" + r + "' of " + std::string(name(c.dtype("data"))));
}

void scatter(RefCall& c, const std::vector<int64_t>& positions) {
  const Tensor &data = c.input("data"), &updates = c.input("updates");
  Tensor& out = c.output();
  const std::string reduction = c.text("reduction");
  if (static_cast<int64_t>(positions.size()) != updates.size())
    throw_size_mismatch(static_cast<int64_t>(positions.size()), updates.size());
  if (reduction != "none") {
    if (is_float(data.dtype())) combine_all(out, doubles(data), doubles(updates), positions, reduction);
    else combine_all(out, integers(data), integers(updates), positions, reduction);
    return;
  }
  copy_all(data, out);
  for (size_t i = 0; i < positions.size(); ++i) copy_elements(updates, static_cast<int64_t>(i), out, positions[i], 1);
}

}  // namespace kiln::ops
