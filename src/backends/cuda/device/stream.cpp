// Streams, events and graphs of a GPU.
#include "backends/cuda/device/stream.h"

#include <algorithm>
#include <new>

namespace kiln::cuda {
namespace {

// A captured graph; made ready to run when it is first launched.
class CudaGraph final : public Graph {
 public:
  CudaGraph(const Gpu& gpu, CUgraph graph) : gpu_(gpu), graph_(graph) {}
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  ~CudaGraph() override {
    const CurrentContext current(gpu_);
    if (ready_) (void)gpu_.driver().cuGraphExecDestroy(ready_);
    (void)gpu_.driver().cuGraphDestroy(graph_);
  }

  Status launch(Stream& stream) noexcept override {
    const CurrentContext current(gpu_);
    if (!ready_)
      KILN_RETURN_IF_ERROR(status_of(gpu_.driver().cuGraphInstantiateWithFlags(&ready_, graph_, 0),
                                     "a captured graph could not be made ready"));
    return status_of(gpu_.driver().cuGraphLaunch(ready_, static_cast<CUstream>(stream.native())),
                     "a captured graph could not be launched");
  }

  size_t size() const noexcept override {
    const CurrentContext current(gpu_);
    size_t nodes = 0;
    return gpu_.driver().cuGraphGetNodes(graph_, nullptr, &nodes) == CUDA_SUCCESS ? nodes : 0;
  }

  bool update(Graph& newer) noexcept override {
    auto& other = static_cast<CudaGraph&>(newer);
    const CurrentContext current(gpu_);
    CUgraphExecUpdateResultInfo info = {};
    if (ready_ && gpu_.driver().cuGraphExecUpdate(ready_, other.graph_, &info) != CUDA_SUCCESS) return false;
    std::swap(graph_, other.graph_);
    return true;
  }

 private:
  const Gpu& gpu_;
  CUgraph graph_;
  CUgraphExec ready_ = nullptr;
};

}  // namespace

CudaStream::~CudaStream() {
  if (!owned_) return;
  const CurrentContext current(gpu_);
  (void)gpu_.driver().cuStreamDestroy(handle_);
}

Status CudaStream::synchronize() noexcept {
  const CurrentContext current(gpu_);
  return status_of(gpu_.driver().cuStreamSynchronize(handle_), "work of a stream failed");
}

bool CudaStream::done() noexcept {
  const CurrentContext current(gpu_);
  return gpu_.driver().cuStreamQuery(handle_) != CUDA_ERROR_NOT_READY;
}

Status CudaStream::wait(Event& event) noexcept {
  behind_event_ = true;
  const CurrentContext current(gpu_);
  return status_of(
      gpu_.driver().cuStreamWaitEvent(handle_, static_cast<CUevent>(event.native()), CU_EVENT_WAIT_DEFAULT),
      "a stream cannot wait for an event");
}

Status CudaStream::call(void (*function)(void*), void* data) noexcept {
  const CurrentContext current(gpu_);
  return status_of(gpu_.driver().cuLaunchHostFunc(handle_, function, data), "a call of the host could not be queued");
}

Status CudaStream::begin_capture() noexcept {
  const CurrentContext current(gpu_);
  return status_of(gpu_.driver().cuStreamBeginCapture(handle_, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                   "a capture could not begin");
}

Status CudaStream::end_capture(std::unique_ptr<Graph>& graph) noexcept {
  graph.reset();
  const CurrentContext current(gpu_);
  CUgraph captured = nullptr;
  KILN_RETURN_IF_ERROR(status_of(gpu_.driver().cuStreamEndCapture(handle_, &captured), "a capture failed"));
  graph.reset(new (std::nothrow) CudaGraph(gpu_, captured));
  if (graph) return kOkStatus;
  (void)gpu_.driver().cuGraphDestroy(captured);
  return {Code::kOutOfMemory, "no memory for a captured graph"};
}

CUstreamCaptureStatus CudaStream::capture_status() const noexcept {
  const CurrentContext current(gpu_);
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  (void)gpu_.driver().cuStreamIsCapturing(handle_, &status);
  return status;
}

CudaEvent::~CudaEvent() {
  if (!owned_) return;
  const CurrentContext current(gpu_);
  (void)gpu_.driver().cuEventDestroy(handle_);
}

Status CudaEvent::record(Stream& stream) noexcept {
  const CurrentContext current(gpu_);
  return status_of(gpu_.driver().cuEventRecord(handle_, static_cast<CUstream>(stream.native())),
                   "an event could not be recorded");
}

Status CudaEvent::synchronize() noexcept {
  const CurrentContext current(gpu_);
  return status_of(gpu_.driver().cuEventSynchronize(handle_), "work before an event failed");
}

bool CudaEvent::done() noexcept {
  const CurrentContext current(gpu_);
  return gpu_.driver().cuEventQuery(handle_) != CUDA_ERROR_NOT_READY;
}

double CudaEvent::milliseconds_since(Event& earlier) noexcept {
  const CurrentContext current(gpu_);
  float milliseconds = -1;
  if (!earlier.synchronize().ok() || !synchronize().ok() ||
      gpu_.driver().cuEventElapsedTime(&milliseconds, static_cast<CUevent>(earlier.native()), handle_) != CUDA_SUCCESS)
    return -1;
  return milliseconds;
}

std::unique_ptr<Stream> create_stream(const Gpu& gpu, int priority) {
  const CurrentContext current(gpu);
  int least = 0, greatest = 0;
  (void)gpu.driver().cuCtxGetStreamPriorityRange(&least, &greatest);
  CUstream handle = nullptr;
  throw_if_failed(
      gpu.driver().cuStreamCreateWithPriority(&handle, CU_STREAM_NON_BLOCKING, std::clamp(priority, greatest, least)),
      "a stream could not be made");
  return std::make_unique<CudaStream>(gpu, handle, true);
}

std::unique_ptr<Event> create_event(const Gpu& gpu, bool timing) {
  const CurrentContext current(gpu);
  CUevent handle = nullptr;
  throw_if_failed(gpu.driver().cuEventCreate(&handle, timing ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING),
                  "an event could not be made");
  return std::make_unique<CudaEvent>(gpu, handle, true);
}

}  // namespace kiln::cuda
