// What shape rules demand of dimensions that are not both numbers.
#pragma once
#include <vector>

#include "tensor/dim.h"

namespace kiln {

// `other` is `same`, or 1 where it may be broadcast.
struct DimDemand {
  Dim same, other;
  bool or_one = false;
};

// While it lives, the demands of the thread's shape rules come into its list. Lists nest: the youngest gets them.
class DimDemands {
 public:
  DimDemands();
  ~DimDemands();
  DimDemands(const DimDemands&) = delete;
  DimDemands& operator=(const DimDemands&) = delete;

  static void note(const Dim& same, const Dim& other, bool or_one = false);  // nothing where no list lives
  std::vector<DimDemand> take() { return std::move(list_); }

 private:
  DimDemands* outer_;
  std::vector<DimDemand> list_;
};

}  // namespace kiln
