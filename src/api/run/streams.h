// What stands behind the handles of streams and events: the same for engines, which take them, and for the library that makes them.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "NvInferRuntimeBase.h"
#include "device/device.h"

namespace kiln::api {

using Noted = std::function<cudaError_t(cudaStream_t)>;
// What a stream notes instead of running it.
struct Capture {
  std::vector<Noted> work;
  bool valid = true;
};

}  // namespace kiln::api

struct CUstream_st {
  std::unique_ptr<kiln::Stream> stream;
  std::unique_ptr<kiln::api::Capture> capture;  // null: it runs
};
struct CUgraph_st {
  std::vector<kiln::api::Noted> work;
};
struct CUgraphExec_st {
  std::vector<kiln::api::Noted> work;
};
struct CUevent_st {
  std::unique_ptr<kiln::Event> event;
  bool recorded = false;
};

namespace kiln::api {

// Null: the calling thread's own stream.
Stream& stream_of(cudaStream_t stream);
inline bool capturing(cudaStream_t stream) { return stream && stream->capture; }

}  // namespace kiln::api
