// Layouts as data: in which order a tensor's elements lie in memory.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/shape.h"

namespace kiln {

// `order`: logical axes from outermost to innermost; empty means row-major of any rank. `blocks`: inner blocks, outermost
// first, each splitting off `size` elements of `axis` (NC/32HW32 is order {0,1,2,3} with blocks {{1,32}}). The extent of a
// blocked axis is rounded up to its block. `vector_width` elements are stored as one word (NC/4HW4 INT8 loads four at once);
// it repeats the size of the innermost block.
struct Layout {
  struct Block {
    int axis;
    int64_t size;
    bool operator==(const Block&) const = default;
  };
  std::vector<int> order;
  std::vector<Block> blocks;
  int vector_width = 1;
  bool operator==(const Layout&) const = default;

  static Layout row_major() { return {}; }
  static Layout channels_last(int rank);            // NHWC, NDHWC, NWC: axis 1 innermost
  bool is_row_major() const;                        // also when `order` is spelled out
  bool is_plain() const { return blocks.empty(); }  // strides describe it
};

// Throws kInvalidArgument when `layout` does not fit the rank or names an axis twice.
void check(const Layout& layout, int rank);
Dims strides(const Layout& layout, const Dims& dims);  // in elements, per logical axis; only for plain layouts
// Elements that storage needs, padding of blocks included; throws kOverflow.
int64_t storage_elements(const Layout& layout, const Dims& dims);
// Position of the element at logical `index` in storage.
int64_t storage_offset(const Layout& layout, const Dims& dims, const Dims& index);
std::string to_string(const Layout& layout);  // "row", "0231", "0123/1:32"; parse_layout reads it back
Layout parse_layout(std::string_view text);

}  // namespace kiln
