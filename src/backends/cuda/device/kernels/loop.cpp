// Loops over several tensors of one shape.
#include "backends/cuda/device/kernels/loop.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "base/error.h"

namespace kiln::cuda::kernels {
namespace {

constexpr size_t kMostParts = 4096;

// Does axis `outer` go on where `inner` ends, for every operand?
bool continues(const Loop& loop, size_t outer, size_t inner) {
  return std::all_of(loop.strides.begin(), loop.strides.end(),
                     [&](const Dims& s) { return s[outer] == s[inner] * loop.dims[inner]; });
}

void append_parts(const LoopPart& whole, std::vector<LoopPart>& list) {
  const Loop& loop = whole.loop;
  if (loop.dims.size() <= kMaxAxes && loop.count() <= INT32_MAX) {
    if (list.size() == kMostParts)
      throw Error(Code::kUnsupported, "a tensor has too many axes or elements for a kernel");
    list.push_back(whole);
    return;
  }
  // Along the outermost axis, in runs as long as one launch takes, or one by one when there are too many axes.
  const int64_t inner = loop.count() / loop.dims[0];
  const int64_t run =
      loop.dims.size() > kMaxAxes ? 1 : std::clamp<int64_t>(INT32_MAX / std::max<int64_t>(inner, 1), 1, loop.dims[0]);
  for (int64_t at = 0; at < loop.dims[0]; at += run) {
    LoopPart part = whole;
    part.loop.dims[0] = std::min(run, loop.dims[0] - at);
    for (size_t k = 0; k < loop.strides.size(); ++k) part.starts[k] += at * loop.strides[k][0];
    if (part.loop.dims[0] == 1) {
      part.loop.dims.erase(part.loop.dims.begin());
      for (Dims& s : part.loop.strides) s.erase(s.begin());
    }
    append_parts(part, list);
  }
}

}  // namespace

int64_t Loop::count() const { return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>()); }

Loop merged(const Loop& loop) {
  std::vector<size_t> order;
  for (size_t i = 0; i < loop.dims.size(); ++i)
    if (loop.dims[i] != 1) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    for (const Dims& s : loop.strides)
      if (std::abs(s[a]) != std::abs(s[b])) return std::abs(s[a]) > std::abs(s[b]);
    return false;
  });
  Loop sorted{{}, std::vector<Dims>(loop.strides.size())};
  for (size_t i : order) {
    sorted.dims.push_back(loop.dims[i]);
    for (size_t k = 0; k < loop.strides.size(); ++k) sorted.strides[k].push_back(loop.strides[k][i]);
    const size_t last = sorted.dims.size() - 1;
    if (last == 0 || !continues(sorted, last - 1, last)) continue;
    sorted.dims[last - 1] *= sorted.dims[last];
    sorted.dims.pop_back();
    for (Dims& s : sorted.strides) {
      s[last - 1] = s[last];
      s.pop_back();
    }
  }
  return sorted;
}

std::vector<LoopPart> parts(const Loop& loop) {
  std::vector<LoopPart> list;
  if (loop.count() > 0) append_parts({loop, std::vector<int64_t>(loop.strides.size(), 0)}, list);
  return list;
}

Dims broadcast_strides(int rank, const int64_t* dims, const int64_t* strides, size_t result_rank) {
  Dims result(result_rank, 0);
  const size_t shift = result_rank - static_cast<size_t>(rank);
  for (int i = 0; i < rank; ++i) result[shift + static_cast<size_t>(i)] = dims[i] == 1 ? 0 : strides[i];
  return result;
}

}  // namespace kiln::cuda::kernels
