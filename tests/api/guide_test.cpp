// What the performance guides show in code: timing by the clock and by events, refilling inputs early, captured graphs, streams with a
// context each, a user's profiler and allocator.
#include <chrono>
#include <cstring>
#include <thread>

#include "api/network.h"
#include "kiln_compat/cuda_runtime.h"

using namespace nvinfer1;

namespace {

class Guide : public Network {
 protected:
  void SetUp() override {
    ITensor* x = input("x", Dims4{1, 1, 4, 4});
    auto* conv = network->addConvolution(*x, 2, DimsHW{3, 3}, weights(std::vector<float>(18, 1)),
                                         {DataType::kFLOAT, nullptr, 0});
    auto* relu = network->addActivation(*conv->getOutput(0), ActivationType::kRELU);
    relu->getOutput(0)->setName("y");
    network->markOutput(*relu->getOutput(0));
    config->setMaxWorkspaceSize(1 << 28);
    engine = build();
    ASSERT_TRUE(engine);
    context.reset(engine->createExecutionContext());
    ASSERT_EQ(cudaMalloc(&buffers[0], 16 * sizeof(float)), cudaSuccess);
    ASSERT_EQ(cudaMalloc(&buffers[1], 8 * sizeof(float)), cudaSuccess);
    ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
    fill(1);
  }
  void TearDown() override {
    for (void* buffer : buffers) EXPECT_EQ(cudaFree(buffer), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  }
  void fill(float value) {
    std::vector<float> x(16, value);
    ASSERT_EQ(cudaMemcpy(buffers[0], x.data(), 64, cudaMemcpyHostToDevice), cudaSuccess);
  }
  float first() {
    float y = -1;
    EXPECT_EQ(cudaMemcpy(&y, buffers[1], 4, cudaMemcpyDeviceToHost), cudaSuccess);
    return y;
  }

  Owned<ICudaEngine> engine;
  Owned<IExecutionContext> context;
  void* buffers[2] = {};
  cudaStream_t stream = nullptr;
};

TEST_F(Guide, TimedByTheClock) {
  const auto start = std::chrono::high_resolution_clock::now();
  ASSERT_TRUE(context->enqueueV2(&buffers[0], stream, nullptr));
  cudaStreamSynchronize(stream);
  const auto end = std::chrono::high_resolution_clock::now();
  EXPECT_GT((std::chrono::duration<float, std::milli>(end - start).count()), 0);
  EXPECT_EQ(first(), 9);
}

TEST_F(Guide, TimedByEvents) {
  cudaEvent_t start, end;
  ASSERT_EQ(cudaEventCreate(&start), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&end), cudaSuccess);
  float total = -1;
  EXPECT_NE(cudaEventElapsedTime(&total, start, end), cudaSuccess);  // not recorded yet
  EXPECT_NE(cudaGetLastError(), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(start, stream), cudaSuccess);
  ASSERT_TRUE(context->enqueueV2(&buffers[0], stream, nullptr));
  ASSERT_EQ(cudaEventRecord(end, stream), cudaSuccess);
  ASSERT_EQ(cudaEventSynchronize(end), cudaSuccess);
  ASSERT_EQ(cudaEventElapsedTime(&total, start, end), cudaSuccess);
  EXPECT_GE(total, 0);
  EXPECT_EQ(cudaEventDestroy(start), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(end), cudaSuccess);
}

TEST_F(Guide, InputsAreRefilledWhenTheyAreConsumed) {
  cudaEvent_t consumed;
  ASSERT_EQ(cudaEventCreateWithFlags(&consumed, cudaEventDisableTiming), cudaSuccess);
  ASSERT_TRUE(context->enqueueV2(&buffers[0], stream, &consumed));
  ASSERT_EQ(cudaEventSynchronize(consumed), cudaSuccess);
  fill(100);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(first(), 9);
  ASSERT_TRUE(context->setInputConsumedEvent(consumed));
  EXPECT_EQ(context->getInputConsumedEvent(), consumed);
  EXPECT_TRUE(context->setInputConsumedEvent(nullptr));
  EXPECT_EQ(cudaEventDestroy(consumed), cudaSuccess);
}

TEST_F(Guide, CapturedAndReplayed) {
  ASSERT_TRUE(context->enqueueV2(buffers, stream, nullptr));
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  cudaGraph_t graph;
  cudaGraphExec_t instance, second;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  fill(2);
  ASSERT_TRUE(context->enqueueV2(buffers, stream, nullptr));
  EXPECT_EQ(first(), 9);  // noted, not run
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  size_t nodes = 0;
  ASSERT_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
  EXPECT_GE(nodes, 1u);
  ASSERT_EQ(cudaGraphInstantiate(&instance, graph, nullptr, nullptr, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&second, graph, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(instance, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(first(), 18);
  // The addresses of the capture, whatever the context has now.
  const OnDevice<float> x(16), y(8);
  void* others[] = {x.data(), y.data()};
  ASSERT_TRUE(context->executeV2(others));
  fill(3);
  ASSERT_EQ(cudaGraphLaunch(second, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(first(), 27);
  EXPECT_EQ(y.get()[0], 0);
  EXPECT_EQ(context->getTensorAddress("y"), y.data());
  context.reset();
  EXPECT_NE(cudaGraphLaunch(instance, stream), cudaSuccess);
  EXPECT_EQ(cudaGraphExecDestroy(instance), cudaSuccess);
  EXPECT_EQ(cudaGraphExecDestroy(second), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
}

TEST_F(Guide, CaptureOfCopiesAndWhatBreaksIt) {
  std::vector<float> x(16, 5), y(8);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t instance;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), cudaSuccess);
  EXPECT_NE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(buffers[0], x.data(), 64, cudaMemcpyHostToDevice, stream), cudaSuccess);
  ASSERT_TRUE(context->enqueueV2(buffers, stream, nullptr));
  ASSERT_EQ(cudaMemcpyAsync(y.data(), buffers[1], 32, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  ASSERT_EQ(cudaMemsetAsync(buffers[1], 0, 4, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiateWithFlags(&instance, graph, 0), cudaSuccess);
  EXPECT_EQ(y[0], 0);
  ASSERT_EQ(cudaGraphLaunch(instance, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(y[0], 45);
  EXPECT_EQ(first(), 0);
  EXPECT_EQ(cudaGraphExecDestroy(instance), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);

  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
  cudaStreamCaptureStatus status;
  ASSERT_EQ(cudaStreamIsCapturing(stream, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusInvalidated);
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph, nullptr);
  EXPECT_NE(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal), cudaSuccess);
  ASSERT_TRUE(context->enqueueV2(buffers, stream, nullptr));  // runs again without a graph
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(first(), 45);
}

TEST_F(Guide, EnginesWithLateSizesFallBackFromCapture) {
  Owned<INetworkDefinition> late(builder->createNetworkV2(0));
  ITensor* x = late->addInput("x", DataType::kFLOAT, Dims2{1, 4});
  ITensor* where = late->addNonZero(*x)->getOutput(0);
  where->setName("y");
  late->markOutput(*where);
  Owned<ICudaEngine> of_late(builder->buildEngineWithConfig(*late, *config));
  ASSERT_TRUE(of_late) << logger.errors;
  Owned<IExecutionContext> own(of_late->createExecutionContext());
  const OnDevice<float> in({0, 1, 0, 1});
  const OnDevice<int32_t> out(8);
  void* bindings[] = {in.data(), out.data()};
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_FALSE(own->enqueueV2(bindings, stream, nullptr));
  EXPECT_NE(logger.errors.find("cannot be captured"), std::string::npos) << logger.errors;
  cudaGraph_t graph;
  EXPECT_NE(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_TRUE(own->enqueueV2(bindings, stream, nullptr)) << logger.errors;
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(out.get()[2], 1);
  EXPECT_EQ(out.get()[3], 3);
}

TEST_F(Guide, AStreamAndAContextForEachBatch) {
  constexpr int kBatches = 4;
  std::vector<Owned<IExecutionContext>> contexts;
  std::vector<cudaStream_t> streams(kBatches);
  std::vector<std::unique_ptr<OnDevice<float>>> in, out;
  for (int i = 0; i < kBatches; ++i) {
    ASSERT_EQ(cudaStreamCreateWithFlags(&streams[static_cast<size_t>(i)], cudaStreamNonBlocking), cudaSuccess);
    contexts.emplace_back(engine->createExecutionContext());
    in.push_back(std::make_unique<OnDevice<float>>(std::vector<float>(16, static_cast<float>(i))));
    out.push_back(std::make_unique<OnDevice<float>>(8));
  }
  for (size_t i = 0; i < kBatches; ++i) {
    void* bindings[] = {in[i]->data(), out[i]->data()};
    ASSERT_TRUE(contexts[i]->enqueue(1, bindings, streams[i], nullptr));
  }
  for (size_t i = 0; i < kBatches; ++i) {
    ASSERT_EQ(cudaStreamSynchronize(streams[i]), cudaSuccess);
    EXPECT_EQ(out[i]->get()[0], 9.f * static_cast<float>(i));
    EXPECT_EQ(cudaStreamDestroy(streams[i]), cudaSuccess);
  }
}

TEST_F(Guide, AllocatorOfOlderProgramsSeesAllMemory) {
  struct Allocator : IGpuAllocator {
    void* allocate(uint64_t size, uint64_t, AllocatorFlags) noexcept override {
      total += size;
      return device_memory(size);
    }
    void free(void* memory) noexcept override { ++freed, cudaFree(memory); }
    uint64_t total = 0;
    int freed = 0;
  } allocator;
  runtime->setGpuAllocator(&allocator);
  Owned<IHostMemory> plan(engine->serialize());
  Owned<ICudaEngine> again(runtime->deserializeCudaEngine(plan->data(), plan->size()));
  ASSERT_TRUE(again);
  Owned<IExecutionContext> own(again->createExecutionContext());
  EXPECT_EQ(allocator.total, again->getDeviceMemorySize());
  own.reset();
  EXPECT_EQ(allocator.freed, again->getDeviceMemorySize() > 0);
}

TEST_F(Guide, TheDeviceTellsAboutItself) {
  cudaDeviceProp properties;
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_GT(std::strlen(properties.name), 0u);
  EXPECT_GE(properties.multiProcessorCount, 1);
  size_t free_bytes = 0, total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free_bytes, &total), cudaSuccess);
  EXPECT_EQ(total, properties.totalGlobalMem);
  EXPECT_LE(free_bytes, total);
  int devices = 0;
  ASSERT_EQ(cudaGetDeviceCount(&devices), cudaSuccess);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, devices), cudaErrorInvalidDevice);
  int called = 0;
  ASSERT_EQ(cudaLaunchHostFunc(stream, [](void* data) { ++*static_cast<int*>(data); }, &called), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(called, 1);
  EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess);
}

}  // namespace
