// Box suppression: a block takes a class of a batch entry, looks for the best box that is left and strikes out those that it covers, until
// there are enough. A second kernel puts the selected of all blocks behind each other.
#include "backends/cuda/device/cu/suppress_boxes.h"

#include "backends/cuda/device/cu/common.cuh"

namespace kiln::cuda {
namespace {

struct Box {
  double x0, y0, x1, y1, area;
};

__device__ Box box_at(const SuppressArguments& a, uint32_t batch, uint32_t i) {
  const float* v = a.corners + (int64_t{batch} * a.boxes + i) * 4;
  const double p = v[0], q = v[1], r = v[2], s = v[3];
  Box b;
  if (a.is_centered) b = {p - r / 2, q - s / 2, p + r / 2, q + s / 2, 0};
  else b = {fmin(q, s), fmin(p, r), fmax(q, s), fmax(p, r), 0};
  b.area = (b.x1 - b.x0) * (b.y1 - b.y0);
  return b;
}

__device__ double overlap(const Box& a, const Box& b) {
  const double width = fmin(a.x1, b.x1) - fmax(a.x0, b.x0), height = fmin(a.y1, b.y1) - fmax(a.y0, b.y0);
  if (width <= 0 || height <= 0 || a.area <= 0 || b.area <= 0) return 0;
  const double both = __dmul_rn(width, height);  // rounded, as the reference has it
  return both / (a.area + b.area - both);
}

// Larger keys come first: by score, what is no number last, then by index, the lower first. No key is 0.
__device__ uint64_t key_of(float score, uint32_t index) {
  uint32_t order = 1;
  if (score == score) {
    const uint32_t bits = __float_as_uint(score == 0 ? 0.0f : score);
    order = bits >> 31 ? ~bits : bits | 0x80000000u;
  }
  return uint64_t{order} << 32 | ~index;
}
__device__ uint32_t index_of(uint64_t key) { return ~static_cast<uint32_t>(key); }

// Those that may be selected, in any order; how many.
__device__ uint32_t collect(const SuppressArguments& a, uint64_t* candidates) {
  __shared__ uint32_t count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  const float* scores = a.scores + int64_t{blockIdx.x} * a.boxes;
  const float least = a.score_threshold ? *a.score_threshold : 0;
  for (uint32_t i = threadIdx.x; i < a.boxes; i += kSuppressThreads)
    if (!a.is_filtered || scores[i] > least) candidates[atomicAdd(&count, 1)] = key_of(scores[i], i);
  __syncthreads();
  return count;
}

struct LargestKey {
  __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a > b ? a : b; }
};

}  // namespace

extern "C" __global__ void __launch_bounds__(kSuppressThreads) suppress_boxes(const __grid_constant__ SuppressArguments a) {
  begin_kernel();
  __shared__ uint64_t parts[32];
  const uint32_t batch = a.classes.quotient(blockIdx.x);
  uint64_t* candidates = a.candidates + int64_t{blockIdx.x} * a.boxes;
  const uint32_t count = collect(a, candidates);
  const double threshold = a.iou_threshold ? *a.iou_threshold : 0;
  Box last = {};
  uint64_t last_key = 0;
  uint32_t kept = 0;
  while (kept < a.most) {
    uint64_t best = 0;
    for (uint32_t i = threadIdx.x; i < count; i += kSuppressThreads) {
      const uint64_t key = candidates[i];
      if (key == 0) continue;
      const bool struck = last_key != 0 && (key == last_key || overlap(box_at(a, batch, index_of(key)), last) > threshold);
      if (struck) candidates[i] = 0;
      else best = LargestKey()(best, key);
    }
    best = combine_block(best, uint64_t{0}, parts, LargestKey());
    if (best == 0) break;
    if (threadIdx.x == 0) a.kept[int64_t{blockIdx.x} * a.most + kept] = static_cast<int32_t>(index_of(best));
    last = box_at(a, batch, index_of(best));
    last_key = best;
    ++kept;
  }
  if (threadIdx.x == 0) a.counts[blockIdx.x] = static_cast<int32_t>(kept);
}

// A block stores the rows of a problem, and its share of those that stand for nothing.
extern "C" __global__ void __launch_bounds__(kSelectedThreads) store_selected(const __grid_constant__ SuppressArguments a) {
  begin_kernel();
  __shared__ int64_t parts[32];
  int64_t before = 0, all = 0;
  for (uint32_t p = threadIdx.x; p < a.problems; p += kSelectedThreads) {
    all += a.counts[p];
    if (p < blockIdx.x) before += a.counts[p];
  }
  before = combine_block(before, int64_t{0}, parts, Sum());
  all = combine_block(all, int64_t{0}, parts, Sum());
  if (blockIdx.x == 0 && threadIdx.x == 0) *a.count = all;
  if (blockIdx.x >= a.problems) return;
  const uint32_t batch = a.classes.quotient(blockIdx.x), its_class = blockIdx.x - batch * a.classes.divisor;
  const int32_t count = a.counts[blockIdx.x];
  for (int32_t i = threadIdx.x; i < count; i += kSelectedThreads) {
    int64_t* to = a.selected + (before + i) * 3;
    to[0] = batch;
    to[1] = its_class;
    to[2] = a.kept[int64_t{blockIdx.x} * a.most + i];
  }
  const int64_t end = int64_t{a.problems} * a.most * 3, step = int64_t{a.problems} * kSelectedThreads;
  for (int64_t i = all * 3 + blockIdx.x * kSelectedThreads + threadIdx.x; i < end; i += step) a.selected[i] = -1;
}

}  // namespace kiln::cuda
