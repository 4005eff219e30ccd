// Capture of streams and replay, over the device of the API.
#include "api/cuda_runtime/boundary.h"
#include "api/cuda_runtime/handles.h"
#include "api/run/nv_common.h"
#include "api/run/streams.h"

// Instances of a graph run the same captured work.
struct CUgraph_st {
  std::shared_ptr<kiln::Graph> captured;
};
struct CUgraphExec_st {
  std::shared_ptr<kiln::Graph> captured;
};

using namespace kiln::api;

namespace {

Handles<CUgraph_st>& graphs() {
  static auto* instance = new Handles<CUgraph_st>;
  return *instance;
}
Handles<CUgraphExec_st>& instances() {
  static auto* instance = new Handles<CUgraphExec_st>;
  return *instance;
}
kiln::Stream& stream_at(cudaStream_t handle) { return stream_of(api_device(), handle); }

template <class T> T* keep_in(Handles<T>& handles, std::shared_ptr<kiln::Graph> captured) {
  auto made = std::make_unique<T>(T{std::move(captured)});
  T* const handle = made.get();
  handles.add(handle, std::move(made));
  return handle;
}

}  // namespace

extern "C" {

TENSORRTAPI cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  return call([&] {
    if (!stream) return cudaErrorStreamCaptureUnsupported;
    kiln::Stream& begun = stream_at(stream);
    return begun.capturing() ? cudaErrorInvalidValue : error_of(begun.begin_capture());
  });
}

TENSORRTAPI cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return call([&] {
    if (!graph) return cudaErrorInvalidValue;
    *graph = nullptr;
    kiln::Stream& ended = stream_at(stream);
    if (!ended.capturing()) return cudaErrorInvalidValue;
    const bool valid = ended.capture_valid();
    std::unique_ptr<kiln::Graph> captured;
    const kiln::Status done = ended.end_capture(captured);
    if (!valid) return cudaErrorStreamCaptureInvalidated;
    if (!done.ok()) return error_of(done);
    *graph = keep_in(graphs(), std::move(captured));
    return cudaSuccess;
  });
}

TENSORRTAPI cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return call([&] {
    if (!status) return cudaErrorInvalidValue;
    const kiln::Stream& asked = stream_at(stream);
    *status = !asked.capturing()      ? cudaStreamCaptureStatusNone
              : asked.capture_valid() ? cudaStreamCaptureStatusActive
                                      : cudaStreamCaptureStatusInvalidated;
    return cudaSuccess;
  });
}

TENSORRTAPI cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return call([&] {
    const CUgraph_st* asked = graphs().find(graph);
    if (!asked || !count) return cudaErrorInvalidValue;
    if (nodes) return cudaErrorNotSupported;
    *count = asked->captured->size();
    return cudaSuccess;
  });
}

TENSORRTAPI cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* instance, cudaGraph_t graph,
                                                      unsigned long long) {
  return call([&] {
    const CUgraph_st* from = graphs().find(graph);
    if (!instance || !from) return cudaErrorInvalidValue;
    *instance = keep_in(instances(), from->captured);
    return cudaSuccess;
  });
}

TENSORRTAPI cudaError_t cudaGraphLaunch(cudaGraphExec_t instance, cudaStream_t stream) {
  return call([&] {
    const CUgraphExec_st* launched = instances().find(instance);
    return launched ? error_of(launched->captured->launch(stream_at(stream))) : cudaErrorInvalidResourceHandle;
  });
}

TENSORRTAPI cudaError_t cudaGraphExecDestroy(cudaGraphExec_t instance) {
  return call([&] { return instances().take(instance) ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}
TENSORRTAPI cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call([&] { return graphs().take(graph) ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

}  // extern "C"
