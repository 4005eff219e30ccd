// The first elements of long lines in order, equal ones by their place: blocks sort runs and keep as much as is wanted of each, further
// blocks join them until a line is one run.
#include "backends/cuda/device/cu/order.cuh"
#include "backends/cuda/device/cu/sort.h"

namespace kiln::cuda {
namespace {

template <class T> constexpr bool kIsWide = sizeof(T) == 8;
template <class T> using ItemOf = std::conditional_t<kIsWide<T>, WideItem, NarrowItem>;

__device__ bool precedes(NarrowItem a, NarrowItem b) { return a.bits < b.bits; }
__device__ bool precedes(WideItem a, WideItem b) { return a.key != b.key ? a.key < b.key : a.place < b.place; }
__device__ uint32_t place_of(NarrowItem item) { return static_cast<uint32_t>(item.bits); }
__device__ uint32_t place_of(WideItem item) { return item.place; }

// Behind all elements.
template <class Item> __device__ Item last_item() {
  if constexpr (std::is_same_v<Item, WideItem>) return {UINT64_MAX, UINT32_MAX};
  else return {UINT64_MAX};
}

template <class T> __device__ ItemOf<T> item_of(T x, uint32_t place, bool largest) {
  // Largest first: the complement of a key orders the other way round.
  const int64_t key = order_key(x, false);
  if constexpr (kIsWide<T>) {
    return {static_cast<uint64_t>(largest ? ~key : key) ^ uint64_t{1} << 63, place};
  } else {
    const auto narrow = static_cast<int32_t>(min(key, int64_t{INT32_MAX}));  // NaN
    const uint32_t order = static_cast<uint32_t>(largest ? ~narrow : narrow) ^ 1u << 31;
    return {uint64_t{order} << 32 | place};
  }
}

__device__ NarrowItem shuffled(NarrowItem item, int lanes) { return {__shfl_xor_sync(kAllLanes, item.bits, lanes)}; }
__device__ WideItem shuffled(WideItem item, int lanes) {
  return {__shfl_xor_sync(kAllLanes, item.key, lanes), __shfl_xor_sync(kAllLanes, item.place, lanes)};
}

template <class Item> __device__ void keep_one(Item& own, Item other, bool smaller) {
  if (smaller ? precedes(other, own) : precedes(own, other)) own = other;
}

// Pairs of a thread's own items.
template <int kDistance, class Item> __device__ void order_own(Item (&items)[kOfRunThread], int run) {
#pragma unroll
  for (int j = 0; j < kOfRunThread; ++j) {
    if (j & kDistance) continue;
    Item &a = items[j], &b = items[j | kDistance];
    const bool ascending = ((static_cast<int>(threadIdx.x) * kOfRunThread + j) & run) == 0;
    if (ascending ? precedes(b, a) : precedes(a, b)) {
      const Item c = a;
      a = b;
      b = c;
    }
  }
}

// Pairs with a thread at a distance of `threads`, of another warp.
template <class Item> __device__ void order_across(Item (&items)[kOfRunThread], int threads, bool smaller) {
  constexpr int kAtOnce = kOfRunThread / 2;
  __shared__ Item shared[kAtOnce][kRunThreads];
#pragma unroll
  for (int half = 0; half < kOfRunThread; half += kAtOnce) {
    __syncthreads();
#pragma unroll
    for (int j = 0; j < kAtOnce; ++j) shared[j][threadIdx.x] = items[half + j];
    __syncthreads();
#pragma unroll
    for (int j = 0; j < kAtOnce; ++j) keep_one(items[half + j], shared[j][threadIdx.x ^ threads], smaller);
  }
}

// By pairs at growing and shrinking distances. A thread's items are neighbours, before and afterwards.
template <class Item> __device__ void sort_block(Item (&items)[kOfRunThread]) {
  const int first = static_cast<int>(threadIdx.x) * kOfRunThread;
#pragma unroll 1
  for (int run = 2; run <= kSortedRun; run *= 2) {
    const bool ascending = (first & run) == 0;
#pragma unroll 1
    for (int distance = run / 2; distance >= kOfRunThread; distance /= 2) {
      const int threads = distance / kOfRunThread;
      const bool smaller = ascending == ((threadIdx.x & threads) == 0);
      if (threads >= 32) {
        order_across(items, threads, smaller);
      } else {
#pragma unroll
        for (int j = 0; j < kOfRunThread; ++j) keep_one(items[j], shuffled(items[j], threads), smaller);
      }
    }
    if (run >= 8) order_own<4>(items, run);
    if (run >= 4) order_own<2>(items, run);
    order_own<1>(items, run);
  }
}

template <class Item> __device__ void store_run(const Item (&items)[kOfRunThread], Item* to, int64_t count) {
  const int first = static_cast<int>(threadIdx.x) * kOfRunThread;
#pragma unroll
  for (int j = 0; j < kOfRunThread; ++j)
    if (first + j < count) to[first + j] = items[j];
}

template <class T> __device__ void sort_runs(const SortArguments& a, const T* x, ItemOf<T>* to) {
  begin_kernel();
  const int64_t line = blockIdx.x / a.runs, run = blockIdx.x % a.runs, begin = run * kSortedRun;
  const int64_t count = min(a.lines.n - begin, int64_t{kSortedRun});
  const T* from = x + line / a.lines.inner * a.lines.n * a.lines.inner + line % a.lines.inner;
  ItemOf<T> items[kOfRunThread];
#pragma unroll
  for (int j = 0; j < kOfRunThread; ++j) {
    const int64_t i = j * kRunThreads + threadIdx.x;
    items[j] = last_item<ItemOf<T>>();
    if (i < count) items[j] = item_of(from[(begin + i) * a.lines.inner], static_cast<uint32_t>(begin + i), a.largest != 0);
  }
  sort_block(items);
  store_run(items, to + line * a.items + run * a.keep, min(count, int64_t{a.keep}));
}

template <class Item> __device__ void sort_group(const JoinArguments& a, const Item* from, Item* to) {
  begin_kernel();
  const int64_t line = blockIdx.x / a.runs, run = blockIdx.x % a.runs, begin = run * a.grouped * a.length;
  const int64_t count = min(a.from_items - begin, a.grouped * a.length);
  from += line * a.from_items + begin;
  Item items[kOfRunThread];
#pragma unroll
  for (int j = 0; j < kOfRunThread; ++j) {
    const int64_t i = j * kRunThreads + threadIdx.x;
    items[j] = i < count ? from[i] : last_item<Item>();
  }
  sort_block(items);
  store_run(items, to + line * a.items + run * a.keep, min(count, int64_t{a.keep}));
}

// How many of the first `count` items of two runs together are of the first run.
template <class Item> __device__ int64_t split_of(const Item* a, int64_t a_count, const Item* b, int64_t b_count, int64_t count) {
  int64_t low = max(count - b_count, int64_t{0}), high = min(count, a_count);
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (precedes(a[middle], b[count - 1 - middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

template <class Item> __device__ void merge_pairs(const JoinArguments& a, const Item* from, Item* to) {
  begin_kernel();
  __shared__ Item tile[kMergedTile];
  __shared__ int64_t splits[2];
  const int64_t pair = blockIdx.x / a.tiles, line = pair / a.runs, run = pair % a.runs;
  const int64_t left = a.from_items - 2 * run * a.length;
  const int64_t a_count = min(left, a.length), b_count = min(left - a_count, a.length);
  const int64_t wanted = min(a_count + b_count, int64_t{a.keep}), begin = blockIdx.x % a.tiles * int64_t{kMergedTile};
  if (begin >= wanted) return;
  const int64_t end = min(begin + kMergedTile, wanted);
  const Item *first = from + line * a.from_items + 2 * run * a.length, *second = first + a_count;
  if (threadIdx.x % 32 == 0 && threadIdx.x < 64)
    splits[threadIdx.x / 32] = split_of(first, a_count, second, b_count, threadIdx.x == 0 ? begin : end);
  __syncthreads();
  const int64_t of_first = splits[1] - splits[0], count = end - begin;
  for (int64_t i = threadIdx.x; i < count; i += kMergeThreads)
    tile[i] = i < of_first ? first[splits[0] + i] : second[begin - splits[0] + i - of_first];
  __syncthreads();
  const int64_t own = threadIdx.x * int64_t{kOfMergeThread};
  if (own >= count) return;
  const Item* rest = tile + of_first;
  int64_t i = split_of(tile, of_first, rest, count - of_first, own), k = own - i;
  to += line * a.items + run * a.keep + begin;
  for (int64_t place = own; place < min(own + kOfMergeThread, count); ++place) {
    const bool of_a = k >= count - of_first || (i < of_first && precedes(tile[i], rest[k]));
    to[place] = of_a ? tile[i++] : rest[k++];
  }
}

// The elements whose places are the first k items of each line; indices may be null.
template <class T, class Item>
__device__ void pick(const PickArguments& a, const Item* items, const T* x, T* values, int64_t* indices) {
  begin_kernel();
  const int64_t at = int64_t{blockIdx.x} * kMergeThreads + threadIdx.x;
  if (at >= a.lines.outer * a.k * a.lines.inner) return;
  const int64_t inner = at % a.lines.inner, row = at / a.lines.inner, outer = row / a.k;
  const uint32_t place = place_of(items[(outer * a.lines.inner + inner) * a.items + row % a.k]);
  values[at] = x[(outer * a.lines.n + place) * a.lines.inner + inner];
  if (indices) indices[at] = place;
}

}  // namespace

#define KILN_SORT(name, type)                                                                                       \
  extern "C" __global__ void __launch_bounds__(kRunThreads)                                                        \
      sort_runs_##name(SortArguments a, const type* x, ItemOf<type>* to) {                                         \
    sort_runs(a, x, to);                                                                                           \
  }
KILN_SORT(f16, __half)
KILN_SORT(bf16, __nv_bfloat16)
KILN_SORT(f32, float)
KILN_SORT(f64, double)
KILN_SORT(i8, int8_t)
KILN_SORT(u8, uint8_t)
KILN_SORT(i32, int32_t)
KILN_SORT(i64, int64_t)
KILN_SORT(u64, uint64_t)

#define KILN_JOIN(name, item)                                                                                       \
  extern "C" __global__ void __launch_bounds__(kRunThreads)                                                        \
      sort_group_##name(JoinArguments a, const item* from, item* to) {                                             \
    sort_group(a, from, to);                                                                                       \
  }                                                                                                                \
  extern "C" __global__ void __launch_bounds__(kMergeThreads)                                                      \
      merge_pairs_##name(JoinArguments a, const item* from, item* to) {                                            \
    merge_pairs(a, from, to);                                                                                      \
  }
KILN_JOIN(narrow, NarrowItem)
KILN_JOIN(wide, WideItem)

#define KILN_PICK(bytes, type, item)                                                                                \
  extern "C" __global__ void __launch_bounds__(kMergeThreads)                                                      \
      pick_##bytes(PickArguments a, const item* items, const type* x, type* values, int64_t* indices) {            \
    pick(a, items, x, values, indices);                                                                            \
  }
KILN_PICK(1, uint8_t, NarrowItem)
KILN_PICK(2, uint16_t, NarrowItem)
KILN_PICK(4, uint32_t, NarrowItem)
KILN_PICK(8, uint64_t, WideItem)

}  // namespace kiln::cuda
