// The list of demands of a thread.
#include "tensor/dim_demands.h"

namespace kiln {
namespace {

thread_local DimDemands* youngest = nullptr;

}  // namespace

DimDemands::DimDemands() : outer_(youngest) { youngest = this; }
DimDemands::~DimDemands() { youngest = outer_; }

void DimDemands::note(const Dim& same, const Dim& other, bool or_one) {
  if (youngest && !(same == other) && !(same.is_constant() && other.is_constant()))
    youngest->list_.push_back({same, other, or_one});
}

}  // namespace kiln
