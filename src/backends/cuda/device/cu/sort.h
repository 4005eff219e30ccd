// Arguments of the kernels of cu/sort.cu, which find the first elements of long lines in order.
#pragma once
#include "backends/cuda/device/cu/lines.h"

namespace kiln::cuda {

inline constexpr int kRunThreads = 512;  // of a block that sorts a run
inline constexpr int kOfRunThread = 8;   // elements that a thread of it holds
inline constexpr int kSortedRun = kRunThreads * kOfRunThread;
inline constexpr int kMergeThreads = 256;  // of a block that merges a part of two runs
inline constexpr int kOfMergeThread = 8;
inline constexpr int kMergedTile = kMergeThreads * kOfMergeThread;

// What is sorted: where an element stands in the order, and in its line. Up to 32 bits of an element's order share a word with the place.
struct NarrowItem {
  uint64_t bits;
};
struct WideItem {
  uint64_t key;
  uint32_t place;
};

// Of each line, the first items of its elements in order: a run for each kSortedRun of them.
struct SortArguments {
  Lines lines;
  int32_t largest;
  uint32_t runs;  // of a line
  uint32_t keep;  // items of a run, where it has so many
  int64_t items;  // of all runs of a line
};

// Runs of `length` items, one behind the other in each line and the last of what is left, become fewer: groups are sorted at once, or pairs
// merged.
struct JoinArguments {
  int64_t length, from_items;  // items of a run, and of a line, before
  uint32_t runs;               // of a line, afterwards
  uint32_t grouped;            // runs of which one is made
  uint32_t keep;               // items of it, where it has so many
  uint32_t tiles;              // blocks of a pair
  int64_t items;               // of a line, afterwards
};

struct PickArguments {
  Lines lines;
  int64_t k, items;  // of a line
};

}  // namespace kiln::cuda
