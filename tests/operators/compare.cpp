// Comparison of a result with the reference.
#include "operators/compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/number_text.h"

namespace kiln::operators {
namespace {

// Units in the last place: of one operation, and, of the largest term, of a sum that is made another way (by transforms as well).
constexpr double kFewUlps = 8, kSumUlps = 160, kShortSumUlps = 4;

struct Precision {
  double epsilon, smallest;  // relative distance of neighbours, and their least distance
};
Precision precision_of(DType type) {
  switch (type) {
    case DType::kF64: return {0x1p-52, 0x1p-1022};
    case DType::kF32: return {0x1p-23, 0x1p-126};
    case DType::kF16: return {0x1p-10, 0x1p-24};
    case DType::kBF16: return {0x1p-7, 0x1p-126};
    case DType::kF8E4M3FN:
    case DType::kF8E4M3FNUZ: return {0x1p-3, 0x1p-10};
    case DType::kF8E5M2:
    case DType::kF8E5M2FNUZ: return {0x1p-2, 0x1p-17};
    default: return {0x1p-1, 0};
  }
}

bool same_bits(const Tensor& a, const Tensor& e, int64_t i) {
  if (is_float(a.dtype()) && a.at(i) == e.at(i)) return true;  // zeros of either sign
  if (bits(a.dtype()) < 8) return !is_float(a.dtype()) && a.int_at(i) == e.int_at(i);
  const auto size = static_cast<size_t>(bits(a.dtype()) / 8);
  const auto at = static_cast<size_t>(i) * size;
  return std::memcmp(static_cast<const char*>(a.data()) + at, static_cast<const char*>(e.data()) + at, size) == 0;
}

double tolerance(const Tensor& expected, int64_t i, Accuracy accuracy, double largest, const Tensor& magnitude) {
  const DType type = expected.dtype();
  if (accuracy == Accuracy::kExact) return 0;
  if (!is_float(type)) return 1;
  const Precision p = precision_of(type);
  const double value = std::abs(expected.at(i));
  if (accuracy == Accuracy::kFewUlp)
    return (bits(type) >= 32 ? kFewUlps : 2) * p.epsilon * value + kFewUlps * p.smallest;
  double terms = std::max(value, largest);
  if (magnitude.valid() && std::isfinite(magnitude.at(i))) terms = std::max(terms, std::abs(magnitude.at(i)));
  return (bits(type) >= 32 ? kSumUlps : kShortSumUlps) * p.epsilon * terms + p.smallest;
}

}  // namespace

std::string difference(const Tensor& actual, const Tensor& expected, Accuracy accuracy, const Tensor& magnitude) {
  if (actual.dtype() != expected.dtype() || actual.dims() != expected.dims())
    return "is " + actual.type_string() + ", expected " + expected.type_string();
  double largest = 0;
  for (const Tensor* t : {&expected, &magnitude})
    if (t->valid() && !is_complex(t->dtype()))
      for (int64_t i = 0; i < t->size(); ++i)
        if (std::isfinite(t->at(i))) largest = std::max(largest, std::abs(t->at(i)));
  for (int64_t i = 0; i < expected.size(); ++i) {
    if (same_bits(actual, expected, i)) continue;
    const double a = actual.at(i), e = expected.at(i);
    if (is_float(expected.dtype())) {
      if (std::isnan(a) && std::isnan(e)) continue;
      if (accuracy != Accuracy::kExact && a == e) continue;
      if (std::isfinite(a) && std::isfinite(e) &&
          std::abs(a - e) <= tolerance(expected, i, accuracy, largest, magnitude) && accuracy != Accuracy::kExact)
        continue;
    } else if (!is_complex(expected.dtype()) &&
               std::abs(a - e) <= tolerance(expected, i, accuracy, largest, magnitude) &&
               accuracy != Accuracy::kExact) {
      continue;
    }
    return "element " + std::to_string(i) + " of " + expected.type_string() + " is " + real_text(a) + ", expected " +
           real_text(e);
  }
  return "";
}

}  // namespace kiln::operators
