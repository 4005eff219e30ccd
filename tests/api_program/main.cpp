// A user's program: builds a network of two layers, saves the engine, loads it, runs it on a stream, checks the numbers.
#include <NvInfer.h>
#include <NvInferRuntimeCommon.h>
#include <NvOnnxParser.h>
#include <cuda_runtime.h>

#include <cstdio>
#include <memory>
#include <vector>

namespace {

class Logger : public nvinfer1::ILogger {
 public:
  void log(Severity severity, char const* msg) noexcept override {
    if (severity <= Severity::kWARNING) std::fprintf(stderr, "%s\n", msg);
  }
};

struct Destroy {
  template <class T> void operator()(T* object) const { object->destroy(); }
};
template <class T> using Unique = std::unique_ptr<T, Destroy>;

bool check(cudaError_t error, char const* what) {
  if (error != cudaSuccess) std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  return error == cudaSuccess;
}

Unique<nvinfer1::IHostMemory> build(Logger& logger) {
  static float const kernel[] = {1, 2, 3, 4}, bias[] = {0.5f};
  Unique<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(logger));
  auto const flags = 1U << static_cast<uint32_t>(nvinfer1::NetworkDefinitionCreationFlag::kEXPLICIT_BATCH);
  Unique<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(flags));
  Unique<nvinfer1::IBuilderConfig> config(builder->createBuilderConfig());
  config->setMaxWorkspaceSize(1U << 20);
  if (builder->platformHasFastFp16()) config->setFlag(nvinfer1::BuilderFlag::kFP16);
  auto* input = network->addInput("input", nvinfer1::DataType::kFLOAT, nvinfer1::Dims4{1, 1, 2, 2});
  auto* ip = network->addConvolutionNd(*input, 1, nvinfer1::DimsHW{2, 2}, {nvinfer1::DataType::kFLOAT, kernel, 4},
                                       {nvinfer1::DataType::kFLOAT, bias, 1});
  ip->setName("ip1");
  auto* relu = network->addActivation(*ip->getOutput(0), nvinfer1::ActivationType::kRELU);
  relu->getOutput(0)->setName("output");
  network->markOutput(*relu->getOutput(0));
  return Unique<nvinfer1::IHostMemory>(builder->buildSerializedNetwork(*network, *config));
}

bool infer(nvinfer1::ICudaEngine& engine, std::vector<float> const& in, float expected) {
  Unique<nvinfer1::IExecutionContext> context(engine.createExecutionContext());
  void* buffers[2] = {};
  cudaStream_t stream;
  float out = 0;
  bool good = check(cudaMalloc(&buffers[engine.getBindingIndex("input")], 16), "cudaMalloc") &&
              check(cudaMalloc(&buffers[engine.getBindingIndex("output")], 4), "cudaMalloc") &&
              check(cudaStreamCreate(&stream), "cudaStreamCreate") &&
              check(cudaMemcpyAsync(buffers[0], in.data(), 16, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
  good = good && context->enqueueV2(buffers, stream, nullptr) &&
         check(cudaMemcpyAsync(&out, buffers[1], 4, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync") &&
         check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  for (void* buffer : buffers) good = check(cudaFree(buffer), "cudaFree") && good;
  good = check(cudaStreamDestroy(stream), "cudaStreamDestroy") && good;
  if (good && out != expected) std::fprintf(stderr, "the output is %g, not %g\n", out, expected);
  return good && out == expected;
}

}  // namespace

int main() {
  Logger logger;
  auto const plan = build(logger);
  if (!plan) return 1;
  Unique<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(logger));
  Unique<nvinfer1::ICudaEngine> engine(runtime->deserializeCudaEngine(plan->data(), plan->size()));
  if (!engine) return 1;
  if (getInferLibVersion() != NV_TENSORRT_VERSION) return 1;
  return infer(*engine, {1, 1, 1, 1}, 10.5f) && infer(*engine, {-1, -1, -1, -1}, 0) ? 0 : 1;
}
