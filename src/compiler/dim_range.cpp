// Ranges of expressions, operation by operation.
#include "compiler/dim_range.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

namespace kiln {
namespace {

std::optional<DimRange> hull(std::initializer_list<std::optional<int64_t>> values) {
  DimRange range{INT64_MAX, INT64_MIN};
  for (const auto& v : values) {
    if (!v) return std::nullopt;
    range = {std::min(range.low, *v), std::max(range.high, *v)};
  }
  return range;
}

// Nothing on overflow, and for divisors that vary: a dividend that varies with them would make the range too wide.
std::optional<DimRange> combined(DimOp::Kind kind, DimRange a, DimRange b) {
  const std::vector<DimOp> program = {{DimOp::kSymbol, 0, "a"}, {DimOp::kSymbol, 0, "b"}, {kind, 0, {}}};
  const auto value = [&](int64_t x, int64_t y) {
    return evaluate(program, [&](const std::string& s) { return std::optional(s == "a" ? x : y); });
  };
  const bool divides = kind == DimOp::kFloorDiv || kind == DimOp::kCeilDiv || kind == DimOp::kMod;
  if (divides && (b.low != b.high || b.low <= 0)) return std::nullopt;
  if (kind == DimOp::kMod) return DimRange{0, b.high - 1};
  return hull({value(a.low, b.low), value(a.low, b.high), value(a.high, b.low), value(a.high, b.high)});
}

}  // namespace

std::string to_string(DimRange range) {
  return range.low == range.high ? std::to_string(range.low)
                                 : std::to_string(range.low) + " to " + std::to_string(range.high);
}

std::optional<DimRange> range_of(const Dim& dim, const std::map<std::string, int64_t>& low,
                                 const std::map<std::string, int64_t>& high) {
  std::vector<DimRange> stack;
  for (const DimOp& op : dim.program()) {
    if (op.kind == DimOp::kConstant) {
      stack.push_back({op.value, op.value});
    } else if (op.kind == DimOp::kSymbol) {
      const auto l = low.find(op.symbol), h = high.find(op.symbol);
      if (l == low.end() || h == high.end()) return std::nullopt;
      stack.push_back({l->second, h->second});
    } else {
      const DimRange b = stack.back();
      stack.pop_back();
      const auto range = combined(op.kind, stack.back(), b);
      if (!range) return std::nullopt;
      stack.back() = *range;
    }
  }
  return stack.back();
}

}  // namespace kiln
