// Elements by the signed numbers that shapes, axes, operands and tensors are counted in.
#pragma once
#include <concepts>
#include <cstddef>
#include <type_traits>

namespace kiln {

template <class Items, class Index>
  requires std::integral<Index> || std::is_enum_v<Index>
constexpr decltype(auto) nth(Items&& items, Index index) {
  return items[static_cast<size_t>(index)];
}

}  // namespace kiln
