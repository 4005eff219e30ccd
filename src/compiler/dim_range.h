// From the least to the largest value of a dimension.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "tensor/dim.h"

namespace kiln {

struct DimRange {
  int64_t low = 0, high = 0;
};

inline DimRange common(DimRange a, DimRange b) { return {std::max(a.low, b.low), std::min(a.high, b.high)}; }
std::string to_string(DimRange range);  // "3 to 5"

// Where each symbol lies between its values in `low` and `high`; nothing when it cannot be told.
std::optional<DimRange> range_of(const Dim& dim, const std::map<std::string, int64_t>& low,
                                 const std::map<std::string, int64_t>& high);

}  // namespace kiln
