// What stands behind the handles of streams and events.
#pragma once
#include "kiln_compat/cuda_runtime_api.h"
// After the declarations that this library implements.
#include "NvInferRuntimeBase.h"
#include "device/device.h"

struct CUstream_st {
  std::unique_ptr<kiln::Stream> stream;
};
struct CUevent_st {
  std::unique_ptr<kiln::Event> event;
  bool recorded = false;
};

namespace kiln::api {

// Null: the calling thread's own stream.
Stream& stream_of(cudaStream_t stream);

}  // namespace kiln::api
