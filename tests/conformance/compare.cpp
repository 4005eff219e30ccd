// Comparison of results with stored values, as onnx's runner does it.
#include <cmath>
#include <complex>

#include "conformance/conformance.h"

namespace kiln::conformance {
namespace {

bool close(double a, double e, double rtol, double atol) {
  if (std::isnan(a) || std::isnan(e)) return std::isnan(a) && std::isnan(e);
  if (std::isinf(a) || std::isinf(e)) return a == e;
  return std::abs(a - e) <= atol + rtol * std::abs(e);
}

template <class T>
std::string complex_difference(const Tensor& actual, const Tensor& expected, double rtol, double atol) {
  const auto a = actual.as<std::complex<T>>(), e = expected.as<std::complex<T>>();
  for (size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - e[i]) <= atol + rtol * std::abs(e[i]))) return "element " + std::to_string(i) + " differs";
  return "";
}

std::string tensor_difference(const Tensor& actual, const Tensor& expected, double rtol, double atol) {
  if (actual.dtype() != expected.dtype() || actual.dims() != expected.dims())
    return "is " + actual.type_string() + ", expected " + expected.type_string();
  if (actual.dtype() == DType::kString)
    return actual.string_values() == expected.string_values() ? "" : "strings differ";
  if (actual.dtype() == DType::kC64) return complex_difference<float>(actual, expected, rtol, atol);
  if (actual.dtype() == DType::kC128) return complex_difference<double>(actual, expected, rtol, atol);
  const bool whole = is_integer(actual.dtype()) || actual.dtype() == DType::kBool;
  int64_t wrong = 0, worst = -1;
  double worst_error = -1;
  for (int64_t i = 0; i < actual.size(); ++i) {
    if (whole && actual.int_at(i) == expected.int_at(i)) continue;
    const double a = actual.at(i), e = expected.at(i);
    if (close(a, e, rtol, atol)) continue;
    ++wrong;
    const double error = std::isfinite(a - e) ? std::abs(a - e) : INFINITY;
    if (error > worst_error) worst = i, worst_error = error;
  }
  if (wrong == 0) return "";
  return std::to_string(wrong) + " of " + std::to_string(actual.size()) + " elements differ; element " +
         std::to_string(worst) + " is " + std::to_string(actual.at(worst)) + ", expected " +
         std::to_string(expected.at(worst));
}

}  // namespace

std::string difference(const Datum& actual, const Datum& expected, double rtol, double atol) {
  if (expected.kind == Datum::kTensor && actual.kind == Datum::kTensor)
    return tensor_difference(actual.tensor, expected.tensor, rtol, atol);
  if (actual.kind != expected.kind) return "is of another kind (tensor, sequence, optional)";
  if (actual.items.size() != expected.items.size())
    return "has " + std::to_string(actual.items.size()) + " items, expected " + std::to_string(expected.items.size());
  for (size_t i = 0; i < actual.items.size(); ++i)
    if (auto text = difference(actual.items[i], expected.items[i], rtol, atol); !text.empty())
      return "item " + std::to_string(i) + " " + text;
  return "";
}

}  // namespace kiln::conformance
