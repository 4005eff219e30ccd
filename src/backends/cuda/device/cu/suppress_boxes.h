// Arguments of box suppression. Host and GPU. A problem is a class of a batch entry.
#pragma once
#include <cstdint>

#include "backends/cuda/device/cu/walk.h"

namespace kiln::cuda {

inline constexpr int kSuppressThreads = 512, kSelectedThreads = 128;

struct SuppressArguments {
  const float* corners;          // [batch, boxes, 4]
  const float* scores;           // [problems, boxes]
  const float* iou_threshold;    // null: 0
  const float* score_threshold;  // null: 0
  uint64_t* candidates;          // [problems, boxes]: scratch
  int32_t* kept;                 // [problems, most]: scratch
  int32_t* counts;               // [problems]: scratch
  int64_t* selected;             // [problems * most, 3]
  int64_t* count;                // [1]
  uint32_t problems, boxes, most;
  FastDivisor classes;
  int32_t is_filtered;  // only scores above the threshold count
  int32_t is_centered;  // boxes are centres and sizes
};

}  // namespace kiln::cuda
