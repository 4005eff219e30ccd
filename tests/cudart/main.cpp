// A program with memory, streams, events and graphs of NVIDIA's libcudart, which gives them to Kiln: in its own streams and the default one,
// captured, and in two threads at once. Ends with 77 where there is no GPU.
#include <NvInfer.h>
#include <cuda_runtime_api.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <source_location>
#include <thread>
#include <vector>

namespace {

constexpr int kSkipped = 77, kColumns = 64, kMostRows = 32;

class Logger : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const char* msg) noexcept override {
    if (severity <= Severity::kWARNING) std::fprintf(stderr, "%s\n", msg);
  }
};

struct Failed {};

using Place = std::source_location;
void check(cudaError_t error, Place place = Place::current()) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "line %u: %s\n", static_cast<unsigned>(place.line()), cudaGetErrorString(error));
  throw Failed();
}
void check(bool good, Place place = Place::current()) {
  if (good) return;
  std::fprintf(stderr, "line %u failed\n", static_cast<unsigned>(place.line()));
  throw Failed();
}

// Whole numbers so small that products of any type are exact.
float element(int row, int column, int seed) { return static_cast<float>((row * 7 + column * 3 + seed) % 5 - 2); }

std::vector<float> input(int rows, int seed) {
  std::vector<float> x;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < kColumns; ++c) x.push_back(element(r, c, seed));
  return x;
}

// relu(x w)
std::vector<float> expected(const std::vector<float>& x, const std::vector<float>& w) {
  std::vector<float> y(x.size());
  for (size_t at = 0; at < y.size(); ++at) {
    const size_t row = at / kColumns, column = at % kColumns;
    for (size_t k = 0; k < kColumns; ++k) y[at] += x[row * kColumns + k] * w[k * kColumns + column];
    if (y[at] < 0) y[at] = 0;
  }
  return y;
}

std::unique_ptr<nvinfer1::IHostMemory> build(Logger& logger, const std::vector<float>& w) {
  using namespace nvinfer1;
  const std::unique_ptr<IBuilder> builder(createInferBuilder(logger));
  const std::unique_ptr<INetworkDefinition> network(builder->createNetworkV2(0));
  const std::unique_ptr<IBuilderConfig> config(builder->createBuilderConfig());
  ITensor* x = network->addInput("x", DataType::kFLOAT, Dims2{-1, kColumns});
  ITensor* weights =
      network->addConstant(Dims2{kColumns, kColumns}, {DataType::kFLOAT, w.data(), kColumns * kColumns})->getOutput(0);
  ITensor* product =
      network->addMatrixMultiply(*x, MatrixOperation::kNONE, *weights, MatrixOperation::kNONE)->getOutput(0);
  ITensor* y = network->addActivation(*product, ActivationType::kRELU)->getOutput(0);
  y->setName("y");
  network->markOutput(*y);
  IOptimizationProfile* profile = builder->createOptimizationProfile();
  profile->setDimensions("x", OptProfileSelector::kMIN, Dims2{1, kColumns});
  profile->setDimensions("x", OptProfileSelector::kOPT, Dims2{8, kColumns});
  profile->setDimensions("x", OptProfileSelector::kMAX, Dims2{kMostRows, kColumns});
  config->addOptimizationProfile(profile);
  return std::unique_ptr<IHostMemory>(builder->buildSerializedNetwork(*network, *config));
}

// What one thread has of libcudart, and a context of Kiln's.
class Worker {
 public:
  Worker(nvinfer1::ICudaEngine& engine, const std::vector<float>& w)
      : w_(w), context_(engine.createExecutionContext()) {
    check(context_ != nullptr);
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    for (cudaEvent_t* event : {&start_, &consumed_, &end_}) check(cudaEventCreate(event));
    constexpr size_t kBytes = sizeof(float) * kColumns * kMostRows;
    check(cudaMalloc(&x_, kBytes));
    check(cudaMallocAsync(&y_, kBytes, stream_));
    check(cudaMallocHost(&host_, kBytes));
    check(cudaStreamSynchronize(stream_));
    check(context_->setTensorAddress("x", x_));
    check(context_->setTensorAddress("y", y_));
    check(context_->setInputConsumedEvent(consumed_));
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    context_.reset();
    for (cudaEvent_t event : {start_, consumed_, end_}) (void)cudaEventDestroy(event);
    (void)cudaFree(x_);
    (void)cudaFreeAsync(y_, stream_);
    (void)cudaStreamSynchronize(stream_);
    (void)cudaFreeHost(host_);
    (void)cudaStreamDestroy(stream_);
  }

  // Copies, inference and copy in one stream, timed by events; the input is written anew once it has been read.
  void infer(cudaStream_t stream, int rows, int seed) {
    const std::vector<float> x = input(rows, seed);
    const size_t bytes = x.size() * sizeof(float);
    check(context_->setInputShape("x", nvinfer1::Dims2{rows, kColumns}));
    check(cudaMemcpyAsync(x_, x.data(), bytes, cudaMemcpyHostToDevice, stream));
    check(cudaEventRecord(start_, stream));
    check(context_->enqueueV3(stream));
    check(cudaEventRecord(end_, stream));
    check(cudaEventSynchronize(consumed_));
    check(cudaMemcpyAsync(host_, y_, bytes, cudaMemcpyDeviceToHost, stream));
    check(cudaStreamSynchronize(stream));
    float milliseconds = -1;
    check(cudaEventElapsedTime(&milliseconds, start_, end_));
    check(milliseconds >= 0);
    compare(x);
  }

  // By a graph of libcudart's.
  void replay(int rows) {
    check(context_->setInputShape("x", nvinfer1::Dims2{rows, kColumns}));
    check(context_->setInputConsumedEvent(nullptr));
    check(context_->enqueueV3(stream_));  // what only the first does is not captured
    check(cudaStreamSynchronize(stream_));
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    const bool queued = context_->enqueueV3(stream_);
    check(cudaStreamEndCapture(stream_, &graph));
    check(queued);
    check(cudaGraphInstantiate(&executable, graph, 0));
    for (int seed : {4, 5, 6}) {
      const std::vector<float> x = input(rows, seed);
      const size_t bytes = x.size() * sizeof(float);
      check(cudaMemcpyAsync(x_, x.data(), bytes, cudaMemcpyHostToDevice, stream_));
      check(cudaGraphLaunch(executable, stream_));
      check(cudaMemcpyAsync(host_, y_, bytes, cudaMemcpyDeviceToHost, stream_));
      check(cudaStreamSynchronize(stream_));
      compare(x);
    }
    check(cudaGraphExecDestroy(executable));
    check(cudaGraphDestroy(graph));
    check(context_->setInputConsumedEvent(consumed_));
  }

  cudaStream_t stream() const { return stream_; }

 private:
  void compare(const std::vector<float>& x) {
    const std::vector<float> y = expected(x, w_);
    for (size_t i = 0; i < y.size(); ++i)
      if (static_cast<const float*>(host_)[i] != y[i]) {
        std::fprintf(stderr, "element %zu is %g, not %g\n", i, static_cast<double>(static_cast<const float*>(host_)[i]),
                     static_cast<double>(y[i]));
        throw Failed();
      }
  }

  const std::vector<float>& w_;
  std::unique_ptr<nvinfer1::IExecutionContext> context_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t start_ = nullptr, consumed_ = nullptr, end_ = nullptr;
  void *x_ = nullptr, *y_ = nullptr, *host_ = nullptr;
};

void work(nvinfer1::ICudaEngine& engine, const std::vector<float>& w, int seed) {
  check(cudaSetDevice(0));
  Worker worker(engine, w);
  for (int i = 0; i < 50; ++i) worker.infer(worker.stream(), 1 + (i * 5 + seed) % kMostRows, seed + i);
  worker.infer(nullptr, 3, seed);
  worker.replay(8);
  worker.infer(worker.stream(), kMostRows, seed + 1);
}

int run() {
  int devices = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess || devices == 0) {
    std::printf("skipped: no GPU (%s)\n", error == cudaSuccess ? "none is there" : cudaGetErrorString(error));
    return kSkipped;
  }
  Logger logger;
  std::vector<float> w;
  for (int at = 0; at < kColumns * kColumns; ++at) w.push_back(element(at / kColumns, at % kColumns, 1));
  const auto plan = build(logger, w);
  check(plan != nullptr);
  const std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(logger));
  const std::unique_ptr<nvinfer1::ICudaEngine> engine(runtime->deserializeCudaEngine(plan->data(), plan->size()));
  check(engine != nullptr);
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      try {
        work(*engine, w, t);
      } catch (const Failed&) {
        ++failures;
      }
    });
  for (std::thread& thread : threads) thread.join();
  check(cudaDeviceSynchronize());
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const Failed&) {
    return 1;
  }
}
