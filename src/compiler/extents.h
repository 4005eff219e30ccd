// Numbers for symbolic dimensions: the optimum and the largest values over all profiles.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "compiler/compile.h"

namespace kiln {

// Dimensions of inputs that have one size in all profiles get it, and all types follow: what depends on them can be folded.
void bind_fixed_symbols(ir::Graph& graph, const std::vector<ProfileBounds>& profiles);

class Extents {
 public:
  // Checks the profiles against the graph's inputs and binds their symbols. Throws kInvalidArgument naming the input.
  Extents(const ir::Graph& graph, const std::vector<ProfileBounds>& profiles,
          const std::vector<ProfileBounds>& values = {});

  const std::vector<plan::Profile>& profiles() const { return profiles_; }
  // The same with the optimum of that profile; at first it is that of profile 0.
  Extents at_profile(size_t profile) const;
  // Nothing when a dimension is known only while running.
  std::optional<Dims> opt(const Shape& shape) const { return evaluate_all(shape, opt_); }
  // No shape inside a profile is larger: bounds that hold between the corners of the profiles too.
  std::optional<Dims> max(const Shape& shape) const;
  std::optional<Dims> min(const Shape& shape) const;  // none is smaller
  // The optimum with `unknown` for what only running can tell.
  std::optional<Dims> guess(const Shape& shape, int64_t unknown) const { return evaluate_all(shape, opt_, unknown); }

 private:
  using Bindings = std::map<std::string, int64_t>;
  static std::optional<Dims> evaluate_all(const Shape& shape, const Bindings& bindings,
                                          std::optional<int64_t> unbound = std::nullopt);
  enum class End { kLow, kHigh };
  static std::optional<int64_t> bound(const Dim& dim, const Bindings& low, const Bindings& high, End end);
  std::optional<Dims> bounds(const Shape& shape, End end) const;
  std::vector<plan::Profile> profiles_;
  Bindings opt_;
  std::vector<Bindings> optima_;  // by profile
  std::vector<Bindings> corners_;
};

}  // namespace kiln
