// Boxes and how much they overlap.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kiln::cpu {

struct Box {
  double x0, y0, x1, y1, area;
};

inline constexpr size_t kBoxNumbers = 5;

// Boxes as rows of their numbers, `room` apart.
struct BoxRows {
  double* rows = nullptr;  // x0, y0, x1, y1, area
  int64_t room = 0;
  void put(int64_t i, const Box& b) const noexcept {
    const double numbers[kBoxNumbers] = {b.x0, b.y0, b.x1, b.y1, b.area};
    for (size_t k = 0; k < kBoxNumbers; ++k) rows[static_cast<int64_t>(k) * room + i] = numbers[k];
  }
};

// Whether the area that the box shares with one of the first `count` is more than `threshold` of what both cover. Boxes that share
// nothing count as 0.
bool overlaps_one(const Box& box, const BoxRows& others, int64_t count, double threshold) noexcept;

}  // namespace kiln::cpu
