// Numbers for symbolic dimensions: the optimum and the largest values over all profiles.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/dim_range.h"
#include "ir/dim_facts.h"

namespace kiln {

// Dimensions of inputs that have one size in all profiles get it, and all types follow: what depends on them can be folded.
void bind_fixed_symbols(ir::Graph& graph, const std::vector<ProfileBounds>& profiles);

class Extents {
 public:
  // Checks the profiles against the graph's inputs and binds their symbols. Throws kInvalidArgument naming the input.
  // Facts narrow the bounds, and move the optimum to where they hold; kInvalidArgument, naming the node, where no shape of a
  // profile fulfils one.
  Extents(const ir::Graph& graph, const std::vector<ProfileBounds>& profiles,
          const std::vector<ProfileBounds>& values = {}, const std::vector<ir::DimFact>& facts = {});

  const std::vector<plan::Profile>& profiles() const { return profiles_; }
  // The same with the optimum of that profile; at first it is that of profile 0.
  Extents at_profile(size_t profile) const;
  // Nothing when a dimension is known only while running.
  std::optional<Dims> opt(const Shape& shape) const { return evaluate_all(shape, opt_); }
  // No shape inside a profile is larger: bounds that hold between the corners of the profiles too.
  std::optional<Dims> max(const Shape& shape) const;
  std::optional<Dims> min(const Shape& shape) const;  // none is smaller
  // What memory is reserved for: as max, without the facts, which a plan does not hold.
  std::optional<Dims> reserved(const Shape& shape) const;
  // The optimum with `unknown` for what only running can tell.
  std::optional<Dims> guess(const Shape& shape, int64_t unknown) const { return evaluate_all(shape, opt_, unknown); }

 private:
  using Bindings = std::map<std::string, int64_t>;
  static std::optional<Dims> evaluate_all(const Shape& shape, const Bindings& bindings,
                                          std::optional<int64_t> unbound = std::nullopt);
  enum class End { kLow, kHigh };
  // What the symbols of a profile lie between, and narrower ranges of expressions, by their text.
  struct Corners {
    Bindings low, high;
    std::map<std::string, DimRange> sums;
  };
  static std::optional<DimRange> range(const Dim& dim, const Corners& corners);
  static bool narrow(Corners& corners, const Dim& dim, DimRange to);
  static void narrow(Corners& corners, const std::vector<ir::DimFact>& facts);
  static void settle_optimum(Bindings& optimum, const Corners& corners, const std::vector<ir::DimFact>& facts);
  static std::optional<int64_t> bound(const Dim& dim, const Corners& corners, End end);
  static std::optional<Dims> bounds(const Shape& shape, const std::vector<Corners>& profiles, End end);
  std::vector<plan::Profile> profiles_;
  Bindings opt_;
  std::vector<Bindings> optima_;           // by profile
  std::vector<Corners> given_, narrowed_;  // by profile
};

}  // namespace kiln
