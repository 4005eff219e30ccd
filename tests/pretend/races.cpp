// Work that is not ordered, by the clocks of streams.
#include "pretend/races.h"

#include <algorithm>
#include <atomic>
#include <mutex>

namespace kiln::pretend {
namespace {

struct Past {
  const void* stream;
  int64_t number;  // of the work in its stream
  Touch touch;
};
std::atomic<bool> watching{false};
std::mutex mutex;
std::vector<Past> past;

bool meet(const Touch& a, const Touch& b) { return (a.writes || b.writes) && a.begin < b.end && b.begin < a.end; }

}  // namespace

void merge(WorkClock& to, const WorkClock& from) {
  for (const auto& [stream, count] : from) to[stream] = std::max(to[stream], count);
}

void add_touches(std::vector<Touch>& to, const TensorView& view, bool writes) {
  const auto size = static_cast<int64_t>(bits(view.dtype) / 8);
  const auto base = reinterpret_cast<uintptr_t>(view.data);
  if (!view.present() || view.elements() == 0) return;
  if (!view.strides) {
    const int64_t count = storage_elements(*view.layout, Dims(view.dims, view.dims + view.rank));
    to.push_back({base, base + static_cast<uintptr_t>(byte_size(view.dtype, count).value_or(0)), writes});
    return;
  }
  std::vector<int64_t> offsets{0};
  for (int axis = 0; axis < view.rank; ++axis) {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < view.dims[axis]; ++i)
      for (int64_t offset : offsets) all.push_back(offset + i * view.strides[axis]);
    offsets = std::move(all);
  }
  std::sort(offsets.begin(), offsets.end());
  const size_t first = to.size();
  for (int64_t offset : offsets) {
    const uintptr_t begin = base + static_cast<uintptr_t>(offset * size);
    if (to.size() > first && to.back().end >= begin) to.back().end = begin + static_cast<uintptr_t>(size);
    else to.push_back({begin, begin + static_cast<uintptr_t>(size), writes});
  }
}

bool may_run(const void* stream, const WorkClock& clock, std::span<const Touch> touches) {
  if (!watching) return true;
  const std::lock_guard lock(mutex);
  for (const Past& p : past) {
    const auto ended = clock.find(p.stream);
    if (p.stream == stream || (ended != clock.end() && ended->second >= p.number)) continue;
    for (const Touch& touch : touches)
      if (meet(p.touch, touch)) return false;
  }
  const auto own = clock.find(stream);
  for (const Touch& touch : touches) past.push_back({stream, own == clock.end() ? 1 : own->second + 1, touch});
  return true;
}

void set_watching(bool on) {
  const std::lock_guard lock(mutex);
  past.clear();
  watching = on;
}
bool is_watching() { return watching; }

}  // namespace kiln::pretend
