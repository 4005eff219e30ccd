// Capture of streams and replay, over the device of the API.
#include <new>

#include "api/cuda_runtime/last_error.h"
#include "api/run/streams.h"

using namespace kiln::api;

extern "C" {

TENSORRTAPI cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!stream) return keep(cudaErrorStreamCaptureUnsupported);
  if (stream->capture) return keep(cudaErrorInvalidValue);
  stream->capture.reset(new (std::nothrow) Capture);
  return keep(stream->capture ? cudaSuccess : cudaErrorMemoryAllocation);
}

TENSORRTAPI cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!graph) return keep(cudaErrorInvalidValue);
  *graph = nullptr;
  if (!capturing(stream)) return keep(cudaErrorInvalidValue);
  const std::unique_ptr<Capture> capture = std::move(stream->capture);
  if (!capture->valid) return keep(cudaErrorStreamCaptureInvalidated);
  *graph = new (std::nothrow) CUgraph_st{std::move(capture->work)};
  return keep(*graph ? cudaSuccess : cudaErrorMemoryAllocation);
}

TENSORRTAPI cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  if (!status) return keep(cudaErrorInvalidValue);
  *status = !capturing(stream)       ? cudaStreamCaptureStatusNone
            : stream->capture->valid ? cudaStreamCaptureStatusActive
                                     : cudaStreamCaptureStatusInvalidated;
  return cudaSuccess;
}

TENSORRTAPI cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (!graph || !count) return keep(cudaErrorInvalidValue);
  if (nodes) return keep(cudaErrorNotSupported);
  *count = graph->work.size();
  return cudaSuccess;
}

TENSORRTAPI cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* instance, cudaGraph_t graph,
                                                      unsigned long long) {
  if (!instance || !graph) return keep(cudaErrorInvalidValue);
  try {
    *instance = new CUgraphExec_st{graph->work};
  } catch (const std::bad_alloc&) {
    return keep(cudaErrorMemoryAllocation);
  }
  return cudaSuccess;
}

TENSORRTAPI cudaError_t cudaGraphLaunch(cudaGraphExec_t instance, cudaStream_t stream) {
  if (!instance) return keep(cudaErrorInvalidResourceHandle);
  for (const Noted& work : instance->work)
    if (const cudaError_t done = work(stream); done != cudaSuccess) return keep(done);
  return cudaSuccess;
}

TENSORRTAPI cudaError_t cudaGraphExecDestroy(cudaGraphExec_t instance) {
  if (!instance) return keep(cudaErrorInvalidResourceHandle);
  delete instance;
  return cudaSuccess;
}
TENSORRTAPI cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  if (!graph) return keep(cudaErrorInvalidResourceHandle);
  delete graph;
  return cudaSuccess;
}

}  // extern "C"
