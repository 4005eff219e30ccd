// Sums of products in which integers wrap, as their storage does.
#pragma once
#include <cstdint>
#include <type_traits>

namespace kiln::ops {

// sum + a * b
template <class T> T with_product(T sum, T a, T b) {
  if constexpr (!std::is_integral_v<T>) return sum + a * b;
  else return static_cast<T>(static_cast<uint64_t>(sum) + static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

}  // namespace kiln::ops
