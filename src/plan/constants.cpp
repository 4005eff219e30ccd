// The constants section of a plan.
#include <algorithm>

#include "base/checked.h"
#include "plan/plan.h"

namespace kiln::plan {

uint64_t Constants::add(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  const auto offset = static_cast<uint64_t>(align_up(static_cast<int64_t>(size_), kAlignment));
  parts_.push_back({offset, bytes, std::move(owner)});
  size_ = offset + bytes.size();
  return offset;
}

const std::byte* Constants::at(uint64_t offset, uint64_t size) const {
  auto part =
      std::upper_bound(parts_.begin(), parts_.end(), offset, [](uint64_t at, const Part& p) { return at < p.offset; });
  if (part == parts_.begin()) return nullptr;
  --part;
  const uint64_t start = offset - part->offset;
  if (start > part->bytes.size() || size > part->bytes.size() - start) return nullptr;
  return part->bytes.data() + start;
}

}  // namespace kiln::plan
