// Ranges of a network's tensors for a build in int8.
#pragma once
#include "api/nv_config.h"
#include "api/nv_network.h"
#include "passes/quantize/by_range.h"

namespace kiln::api {

// What the user's calibrator says: its cache, or the ranges that its batches give, which become its cache. Shapes are those of `profile` at
// the optimum; null: the network's own. Throws Error when it has neither, and for a cache that is none.
passes::TensorRanges calibrated_ranges(NetworkImpl& network, nvinfer1::IInt8Calibrator& calibrator,
                                       const ProfileImpl* profile, Reporter& reporter);

}  // namespace kiln::api
