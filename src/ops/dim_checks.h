// Checks that shape rules share: a contradiction between known dimensions is an error, an unknown one is left to run time.
#pragma once
#include <string>

#include "base/error.h"
#include "ops/op.h"
#include "tensor/dim_demands.h"

namespace kiln::ops {

// Throws kShapeMismatch when both are numbers and differ. `what` reads like "channels of x and w".
inline void require_same(const Dim& a, const Dim& b, const std::string& what) {
  if (a.is_constant() && b.is_constant() && !(a == b))
    throw Error(Code::kShapeMismatch, what + " differ").cause("they are " + a.str() + " and " + b.str());
  DimDemands::note(a, b);
}

inline void require_rank(const ShapeCall& c, std::string_view input, int64_t low, int64_t high) {
  const int64_t rank = c.rank(input);
  if (rank >= low && rank <= high) return;
  const std::string wanted =
      low == high ? std::to_string(low)
                  : std::to_string(low) + (high == INT64_MAX ? " or more" : " to " + std::to_string(high));
  throw Error(Code::kShapeMismatch,
              "input '" + std::string(input) + "' has rank " + std::to_string(rank) + ", it needs " + wanted)
      .remedy("reshape it, or insert an Unsqueeze before the node");
}

inline void require_rank(const ShapeCall& c, std::string_view input, int64_t rank) {
  require_rank(c, input, rank, rank);
}

// The tensor has the shape [count].
inline void require_vector(const ShapeCall& c, std::string_view input, const Dim& count) {
  require_rank(c, input, 1);
  require_same(c.dims(input)[0], count, "length of '" + std::string(input) + "' and the expected length");
}

}  // namespace kiln::ops
