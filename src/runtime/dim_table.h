// The dimension programs of an engine, with symbols turned into numbers once, at load.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tensor/dim.h"

namespace kiln {

// Values of all symbols of an engine, by the table's numbering; nothing where unbound.
using Symbols = std::vector<std::optional<int64_t>>;

// Immutable after construction; shared by all contexts of an engine.
class DimTable {
 public:
  explicit DimTable(const std::vector<std::vector<DimOp>>& programs);

  size_t symbol_count() const { return names_.size(); }
  // Nothing when a symbol is unbound, a division is by zero, or the arithmetic overflows.
  std::optional<int64_t> evaluate(uint32_t dim, const Symbols& symbols) const;
  // The symbol's number when the dimension is just a symbol; -1 otherwise.
  int lone_symbol(uint32_t dim) const { return programs_[dim].size() == 1 ? programs_[dim][0].symbol : -1; }
  // The value depends on a symbol that only running the program binds.
  bool is_late(uint32_t dim) const { return late_[dim]; }
  bool is_fixed(uint32_t dim) const { return fixed_[dim]; }  // the value depends on no symbol
  void collect_symbols(uint32_t dim, std::set<int>& to) const;
  const std::vector<int>& late_symbols() const { return late_symbols_; }  // that only running the program binds
  int find_symbol(const std::string& name) const;                         // -1 when no dimension depends on it
  const std::string& symbol_name(int symbol) const { return names_[static_cast<size_t>(symbol)]; }

 private:
  struct Op {
    DimOp::Kind kind;
    int64_t value;
    int symbol;
  };
  std::vector<std::vector<Op>> programs_;
  std::vector<bool> late_, fixed_;
  std::vector<int> late_symbols_;
  std::vector<std::string> names_;
};

}  // namespace kiln
