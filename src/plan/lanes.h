// Steps that run side by side: in which order they end and begin, and whether that keeps their memory apart.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "plan/overlap.h"
#include "plan/plan.h"

namespace kiln::plan {

inline constexpr uint32_t kMostLanes = 8;
inline constexpr size_t kMostStepsInLanes = size_t{1} << 12;  // of a program with more than one

// How many of its steps each lane has ended.
using LaneClock = std::array<uint32_t, kMostLanes>;

// 1 where all steps run one after another.
uint32_t lane_count(const std::vector<StepInfo>& steps);

// Lanes and what steps wait for must be sound (check_lanes).
class StepOrder {
 public:
  explicit StepOrder(const std::vector<StepInfo>& steps);
  // What has ended when the step begins, whatever runs how fast.
  const LaneClock& clock(size_t step) const { return clocks_[step]; }
  LaneClock behind(size_t step) const;  // when the step has ended
  uint32_t lane(size_t step) const { return lanes_[step]; }
  uint32_t place(size_t step) const { return places_[step]; }  // in its lane
  bool ends_before(size_t step, size_t other) const { return places_[step] < clocks_[other][lanes_[step]]; }

 private:
  std::vector<LaneClock> clocks_;
  std::vector<uint32_t> lanes_, places_;
};

// When some bytes are in use: from the beginning of the first of some steps to the end of the last.
class StepSpan {
 public:
  StepSpan();
  void add(const StepOrder& order, size_t step);
  void add(const StepSpan& other);
  bool is_over(const LaneClock& clock) const;
  // Its last step has ended when the first one of the other begins.
  bool ends_before(const StepSpan& other) const { return is_over(other.begin_); }
  bool meets(const StepSpan& other) const { return !ends_before(other) && !other.ends_before(*this); }

 private:
  LaneClock begin_, end_;
};

// Throws kMalformedPlan where a step of several lanes can begin before what it reads is written, or write what another one may be
// reading or writing at that time. Returns pairs of tensors that such steps read and write and that are parts of one tensor: of these only
// shapes tell. Indices, views, lanes and waits must be sound.
std::vector<TensorPair> check_lanes(const Program& program);

}  // namespace kiln::plan
