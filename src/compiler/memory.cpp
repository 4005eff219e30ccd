// Greedy placement by size.
#include "compiler/memory.h"

#include <algorithm>
#include <numeric>

#include "base/checked.h"

namespace kiln {

int64_t place_buffers(std::vector<Buffer>& buffers, int64_t alignment) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return buffers[a].size > buffers[b].size; });
  std::vector<const Buffer*> placed;  // by offset
  int64_t total = 0;
  for (size_t i : order) {
    Buffer& buffer = buffers[i];
    const int64_t size = align_up(std::max<int64_t>(buffer.size, 1), alignment);
    int64_t offset = 0;
    for (const Buffer* other : placed) {
      if (!other->life.meets(buffer.life)) continue;
      if (other->offset >= add_or_throw(offset, size, "arena")) break;
      offset = std::max(offset, other->offset + align_up(std::max<int64_t>(other->size, 1), alignment));
    }
    buffer.offset = offset;
    total = std::max(total, add_or_throw(offset, size, "arena"));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &buffer,
                                   [](const Buffer* a, const Buffer* b) { return a->offset < b->offset; }),
                  &buffer);
  }
  return total;
}

}  // namespace kiln
