// Finds work of two streams that uses the same bytes with no order between.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "device/device.h"

namespace kiln::pretend {

// By stream: so many pieces of its work have ended.
using WorkClock = std::map<const void*, int64_t>;
void merge(WorkClock& to, const WorkClock& from);

// What one piece of work touches.
struct Touch {
  uintptr_t begin, end;
  bool writes;
};
// Of the elements of a view, one by one where it is a part of a tensor.
void add_touches(std::vector<Touch>& to, const TensorView& view, bool writes);

// While races are watched (pretend.h): false where the work, which begins when `clock` has come, can meet other work that it must not.
bool may_run(const void* stream, const WorkClock& clock, std::span<const Touch> touches);
void set_watching(bool on);
bool is_watching();

}  // namespace kiln::pretend
