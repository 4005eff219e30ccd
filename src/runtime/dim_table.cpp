// Evaluation of dimension programs.
#include "runtime/dim_table.h"

#include <algorithm>
#include <array>

#include "base/checked.h"
#include "base/index.h"

namespace kiln {
namespace {

constexpr size_t kMaxStack = 64;

std::optional<int64_t> apply(DimOp::Kind kind, int64_t a, int64_t b) {
  switch (kind) {
    case DimOp::kAdd: return checked_add(a, b);
    case DimOp::kSub: return checked_sub(a, b);
    case DimOp::kMul: return checked_mul(a, b);
    case DimOp::kFloorDiv: return b == 0 || b == -1 ? std::nullopt : std::optional(floor_div(a, b));
    case DimOp::kCeilDiv: return b == 0 || b == -1 || a == INT64_MIN ? std::nullopt : std::optional(ceil_div(a, b));
    case DimOp::kMod: return b == 0 || b == -1 ? std::nullopt : std::optional(floor_mod(a, b));
    case DimOp::kMin: return std::min(a, b);
    case DimOp::kMax: return std::max(a, b);
    default: return std::nullopt;
  }
}

}  // namespace

DimTable::DimTable(const std::vector<std::vector<DimOp>>& programs) {
  std::map<std::string, int> numbers;
  for (const auto& program : programs) {
    std::vector<Op> ops;
    bool late = false, fixed = true;
    for (const DimOp& op : program) {
      int symbol = -1;
      if (op.kind == DimOp::kSymbol) {
        auto [it, fresh] = numbers.try_emplace(op.symbol, static_cast<int>(names_.size()));
        if (fresh) names_.push_back(op.symbol);
        symbol = it->second;
        fixed = false;
        if (fresh && op.symbol.starts_with('?')) late_symbols_.push_back(symbol);
        late = late || op.symbol.starts_with('?');
      }
      ops.push_back({op.kind, op.value, symbol});
    }
    programs_.push_back(std::move(ops));
    late_.push_back(late);
    fixed_.push_back(fixed);
  }
}

std::optional<int64_t> DimTable::evaluate(uint32_t dim, const Symbols& symbols) const {
  std::array<int64_t, kMaxStack> stack;
  size_t depth = 0;
  for (const Op& op : programs_[dim]) {
    std::optional<int64_t> value;
    if (op.kind == DimOp::kConstant) {
      value = op.value;
    } else if (op.kind == DimOp::kSymbol) {
      value = nth(symbols, op.symbol);
    } else {
      if (depth < 2) return std::nullopt;
      value = apply(op.kind, stack[depth - 2], stack[depth - 1]);
      depth -= 2;
    }
    if (!value || depth == kMaxStack) return std::nullopt;
    stack[depth++] = *value;
  }
  return depth == 1 ? std::optional(stack[0]) : std::nullopt;
}

void DimTable::collect_symbols(uint32_t dim, std::set<int>& to) const {
  for (const Op& op : programs_[dim])
    if (op.kind == DimOp::kSymbol) to.insert(op.symbol);
}

int DimTable::find_symbol(const std::string& name) const {
  const auto at = std::find(names_.begin(), names_.end(), name);
  return at == names_.end() ? -1 : static_cast<int>(at - names_.begin());
}

}  // namespace kiln
