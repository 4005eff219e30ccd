// Offsets, sizes and text of layouts.
#include "tensor/layout.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "base/checked.h"
#include "base/error.h"
#include "base/index.h"
#include "tensor/blocks.h"

namespace kiln {
namespace {

std::vector<int> full_order(const Layout& layout, size_t rank) {
  if (!layout.order.empty()) return layout.order;
  std::vector<int> order(rank);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

// Product of the sizes of the blocks of each axis.
Dims block_sizes(const Layout& layout, size_t rank) {
  Dims sizes(rank, 1);
  for (const Layout::Block& b : layout.blocks) {
    int64_t& size = nth(sizes, b.axis);
    size = mul_or_throw(size, b.size, "the blocks of a layout");
  }
  return sizes;
}

int64_t blocks_over(int64_t extent, int64_t size) { return extent / size + (extent % size != 0); }

[[noreturn]] void fail(const Layout& layout, const std::string& cause) {
  throw Error(Code::kInvalidArgument, "layout " + to_string(layout) + " is not valid").cause(cause);
}

[[noreturn]] void fail_text(std::string_view text) {
  throw Error(Code::kInvalidArgument, "'" + std::string(text.substr(0, 100)) + "' is not a layout")
      .remedy("write row, 0231 or 0123/1:32");
}

int64_t parse_number(std::string_view whole, std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > INT32_MAX) fail_text(whole);
  return value;
}

// Axes as digits, or separated by dots when one has two digits.
std::vector<int> parse_order(std::string_view whole, std::string_view text) {
  std::vector<int> order;
  if (text == "row") return order;
  if (text.empty()) fail_text(whole);
  if (text.find('.') == std::string_view::npos) {
    for (size_t i = 0; i < text.size(); ++i) order.push_back(static_cast<int>(parse_number(whole, text.substr(i, 1))));
    return order;
  }
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find('.', start), text.size());
    order.push_back(static_cast<int>(parse_number(whole, text.substr(start, end - start))));
    start = end + 1;
  }
  return order;
}

}  // namespace

Layout Layout::channels_last(int rank) {
  Layout layout;
  if (rank < 3) return layout;
  layout.order.push_back(0);
  for (int axis = 2; axis < rank; ++axis) layout.order.push_back(axis);
  layout.order.push_back(1);
  return layout;
}

bool Layout::is_row_major() const {
  if (!blocks.empty()) return false;
  for (size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<int>(i)) return false;
  return true;
}

void check(const Layout& layout, int rank) {
  if (!layout.order.empty()) {
    if (static_cast<int>(layout.order.size()) != rank)
      fail(layout, "it is for rank " + std::to_string(layout.order.size()) + ", not " + std::to_string(rank));
    std::vector<bool> seen(layout.order.size());
    for (int axis : layout.order) {
      if (axis < 0 || axis >= rank)
        fail(layout, "axis " + std::to_string(axis) + " is outside rank " + std::to_string(rank));
      if (nth(seen, axis)) fail(layout, "axis " + std::to_string(axis) + " occurs twice");
      nth(seen, axis) = true;
    }
  }
  for (const Layout::Block& b : layout.blocks) {
    if (b.axis < 0 || b.axis >= rank)
      fail(layout, "block axis " + std::to_string(b.axis) + " is outside rank " + std::to_string(rank));
    if (b.size < 1) fail(layout, "a block has size " + std::to_string(b.size));
  }
  if (layout.vector_width != 1 && (layout.blocks.empty() || layout.blocks.back().size != layout.vector_width))
    fail(layout, "the vector width " + std::to_string(layout.vector_width) + " is not the innermost block");
}

Dims strides(const Layout& layout, const Dims& dims) {
  if (!layout.is_plain()) fail(layout, "strides do not describe blocks");
  return block_strides(layout, dims);
}

Dims block_strides(const Layout& layout, const Dims& dims) {
  check(layout, static_cast<int>(dims.size()));
  if (layout.blocks.size() > 1) fail(layout, "strides do not describe blocks within blocks");
  element_count(dims);
  const Dims sizes = block_sizes(layout, dims.size());
  Dims result(dims.size());
  int64_t stride = layout.is_plain() ? 1 : layout.blocks[0].size;
  const std::vector<int> order = full_order(layout, dims.size());
  for (size_t i = order.size(); i-- > 0;) {
    const auto axis = static_cast<size_t>(order[i]);
    result[axis] = stride;
    stride = mul_or_throw(stride, blocks_over(dims[axis], sizes[axis]), "the strides of a layout");
  }
  return result;
}

int64_t storage_elements(const Layout& layout, const Dims& dims) {
  check(layout, static_cast<int>(dims.size()));
  const Dims sizes = block_sizes(layout, dims.size());
  Dims extents(dims.size());
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] < 0) throw Error(Code::kInvalidArgument, "dimension " + std::to_string(dims[axis]) + " is negative");
    extents[axis] = mul_or_throw(blocks_over(dims[axis], sizes[axis]), sizes[axis], "a blocked dimension");
  }
  return element_count(extents);
}

int64_t storage_offset(const Layout& layout, const Dims& dims, const Dims& index) {
  check(layout, static_cast<int>(dims.size()));
  if (index.size() != dims.size())
    throw Error(Code::kInvalidArgument, "index " + to_string(index) + " does not fit " + to_string(dims));
  for (size_t axis = 0; axis < dims.size(); ++axis)
    if (index[axis] < 0 || index[axis] >= dims[axis])
      throw Error(Code::kInvalidArgument, "index " + to_string(index) + " is outside " + to_string(dims));
  Dims sizes = block_sizes(layout, dims.size());
  int64_t offset = 0;
  for (int axis : full_order(layout, dims.size())) {
    const auto a = static_cast<size_t>(axis);
    offset = offset * blocks_over(dims[a], sizes[a]) + index[a] / sizes[a];
  }
  for (const Layout::Block& b : layout.blocks) {
    const auto a = static_cast<size_t>(b.axis);
    const int64_t rest = index[a] % sizes[a];
    sizes[a] /= b.size;
    offset = offset * b.size + rest / sizes[a];
  }
  return offset;
}

std::string to_string(const Layout& layout) {
  std::string text;
  const bool dots =
      std::any_of(layout.order.begin(), layout.order.end(), [](int axis) { return axis < 0 || axis > 9; });
  for (size_t i = 0; i < layout.order.size(); ++i) text += (dots && i ? "." : "") + std::to_string(layout.order[i]);
  if (layout.order.empty()) text = "row";
  for (const Layout::Block& b : layout.blocks) text += "/" + std::to_string(b.axis) + ":" + std::to_string(b.size);
  if (layout.vector_width != 1) text += "v" + std::to_string(layout.vector_width);
  return text;
}

Layout parse_layout(std::string_view text) {
  Layout layout;
  std::string_view rest = text;
  if (const size_t v = rest.find('v'); v != std::string_view::npos) {
    layout.vector_width = static_cast<int>(parse_number(text, rest.substr(v + 1)));
    rest = rest.substr(0, v);
  }
  size_t end = std::min(rest.find('/'), rest.size());
  layout.order = parse_order(text, rest.substr(0, end));
  while (end < rest.size()) {
    rest = rest.substr(end + 1);
    end = std::min(rest.find('/'), rest.size());
    const std::string_view block = rest.substr(0, end);
    const size_t colon = block.find(':');
    if (colon == std::string_view::npos) fail_text(text);
    layout.blocks.push_back(
        {static_cast<int>(parse_number(text, block.substr(0, colon))), parse_number(text, block.substr(colon + 1))});
  }
  return layout;
}

}  // namespace kiln
