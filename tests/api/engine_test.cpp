// ONNX to engine to contexts on threads; timing cache, profiler, inspector, allocators, error recorder, damaged input.
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "api/program.h"
#include "api/recorder.h"

using namespace nvinfer1;

namespace {

const char* const kModel = R"(
w = nh.from_array(np.arange(12, dtype=np.float32).reshape(3, 4), 'w')
g = h.make_graph([h.make_node('MatMul', ['x', 'w'], ['m'], name='mm'), h.make_node('Relu', ['m'], ['y'], name='act')], 'net',
                 [h.make_tensor_value_info('x', T.FLOAT, [2, 3])], [h.make_tensor_value_info('y', T.FLOAT, [2, 4])], [w])
model = h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8)
)";
const std::vector<float> kX = {1, 0, -1, 0, 1, 0}, kY = {0, 0, 0, 0, 4, 5, 6, 7};

class Engine : public Program {
 protected:
  bool parse(const std::string& bytes) {
    parser.reset(nvonnxparser::createParser(*network, logger));
    return parser->parse(bytes.data(), bytes.size());
  }
  Owned<ICudaEngine> model_engine() {
    EXPECT_TRUE(parse(onnx_model(kModel))) << logger.errors;
    return build();
  }
  Owned<nvonnxparser::IParser> parser;
};

TEST_F(Engine, OnnxRunsAndTellsItsTensors) {
  const auto engine = model_engine();
  ASSERT_TRUE(engine);
  ASSERT_EQ(engine->getNbIOTensors(), 2);
  EXPECT_STREQ(engine->getIOTensorName(0), "x");
  EXPECT_EQ(engine->getTensorIOMode("y"), TensorIOMode::kOUTPUT);
  EXPECT_EQ(engine->getTensorDataType("y"), DataType::kFLOAT);
  EXPECT_EQ(engine->getBindingIndex("y"), 1);
  EXPECT_EQ(engine->getTensorIOMode("nothing"), TensorIOMode::kNONE);
  EXPECT_EQ(engine->getIOTensorName(2), nullptr);
  EXPECT_EQ(run(*engine, {kX}), kY);
}

TEST_F(Engine, ParsedNetworkMayBeExtended) {
  ASSERT_TRUE(parse(onnx_model(kModel)));
  EXPECT_EQ(network->getNbLayers(), 2);
  EXPECT_STREQ(network->getLayer(0)->getName(), "mm");
  EXPECT_EQ(network->getLayer(0)->getType(), LayerType::kMATRIX_MULTIPLY);
  ITensor* y = network->getOutput(0);
  network->unmarkOutput(*y);
  auto* neg = network->addUnary(*y, UnaryOperation::kNEG);
  neg->getOutput(0)->setName("z");
  network->markOutput(*neg->getOutput(0));
  const auto engine = build();
  ASSERT_TRUE(engine);
  EXPECT_EQ(run(*engine, {kX}), (std::vector<float>{0, 0, 0, 0, -4, -5, -6, -7}));
}

TEST_F(Engine, ContextsOnThreads) {
  const auto engine = model_engine();
  ASSERT_TRUE(engine);
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) right += run(*engine, {kX}) == kY;
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(right, 80);
}

// Parsers, tuned builders, engines and contexts side by side; the logger and the runtime are shared.
TEST_F(Engine, WholeProgramsOnThreads) {
  const std::string bytes = onnx_model(R"(
r = np.random.default_rng(1)
w = nh.from_array(r.normal(size=(8, 3, 3, 3)).astype(np.float32), 'w')
v = nh.from_array(r.normal(size=(8, 10)).astype(np.float32), 'v')
nodes = [h.make_node('Conv', ['x', 'w'], ['c'], pads=[1, 1, 1, 1]), h.make_node('Relu', ['c'], ['a']),
         h.make_node('ReduceMean', ['a'], ['m'], axes=[2, 3], keepdims=0), h.make_node('MatMul', ['m', 'v'], ['p']),
         h.make_node('Softmax', ['p'], ['y'])]
g = h.make_graph(nodes, 'net', [h.make_tensor_value_info('x', T.FLOAT, [2, 3, 20, 20])],
                 [h.make_tensor_value_info('y', T.FLOAT, [2, 10])], [w, v])
model = h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8)
)");
  std::vector<float> x(2 * 3 * 20 * 20);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101) / 101 - 0.5f;
  ASSERT_TRUE(parse(bytes)) << logger.errors;
  config->clearFlag(BuilderFlag::kTF32);  // without it products are as exact at every level
  const auto engine = build();
  ASSERT_TRUE(engine);
  const std::vector<float> expected = run(*engine, {x});
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Owned<IBuilder> own(createInferBuilder(logger));
      Owned<INetworkDefinition> net(own->createNetworkV2(0));
      Owned<nvonnxparser::IParser> reader(nvonnxparser::createParser(*net, logger));
      if (!reader->parse(bytes.data(), bytes.size())) return;
      Owned<IBuilderConfig> how(own->createBuilderConfig());
      how->setBuilderOptimizationLevel(t);
      how->clearFlag(BuilderFlag::kTF32);
      how->setAvgTimingIterations(1);
      Owned<IHostMemory> plan(own->buildSerializedNetwork(*net, *how));
      Owned<ICudaEngine> mine(plan ? runtime->deserializeCudaEngine(plan->data(), plan->size()) : nullptr);
      if (!mine) return;
      bool good = true;
      for (int i = 0; i < 5; ++i) {
        const std::vector<float> y = run(*mine, {x});
        for (size_t k = 0; k < expected.size(); ++k) good = good && std::abs(y[k] - expected[k]) < 1e-5f;
      }
      right += good;
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(right, 4) << logger.errors;
}

TEST_F(Engine, SerializedAgainIsTheSame) {
  const auto engine = model_engine();
  ASSERT_TRUE(engine);
  Owned<IHostMemory> bytes(engine->serialize());
  Owned<ICudaEngine> again(runtime->deserializeCudaEngine(bytes->data(), bytes->size()));
  ASSERT_TRUE(again);
  EXPECT_EQ(run(*again, {kX}), kY);
}

TEST_F(Engine, DamagedBytesAreRefused) {
  Recorder recorder;
  {
    const auto engine = model_engine();
    ASSERT_TRUE(engine);
    runtime->setErrorRecorder(&recorder);
    Owned<IHostMemory> plan(engine->serialize());
    std::vector<char> bytes(static_cast<char*>(plan->data()), static_cast<char*>(plan->data()) + plan->size());
    EXPECT_FALSE(runtime->deserializeCudaEngine(nullptr, 0));
    EXPECT_FALSE(runtime->deserializeCudaEngine(bytes.data(), bytes.size() / 2));
    bytes[bytes.size() / 2] ^= 1;
    EXPECT_FALSE(runtime->deserializeCudaEngine(bytes.data(), bytes.size()));
    ASSERT_EQ(recorder.getNbErrors(), 3);
    EXPECT_EQ(recorder.getErrorCode(0), ErrorCode::kFAILED_INITIALIZATION);
    EXPECT_EQ(recorder.references, 1);
    runtime->setErrorRecorder(nullptr);
  }
  EXPECT_EQ(recorder.references, 0);
}

TEST_F(Engine, ParserRefusesAndSaysWhy) {
  EXPECT_FALSE(parse("no model at all"));
  ASSERT_GE(parser->getNbErrors(), 1);
  EXPECT_EQ(parser->getError(0)->code(), nvonnxparser::ErrorCode::kMODEL_DESERIALIZE_FAILED);
  EXPECT_GT(std::strlen(parser->getError(0)->desc()), 0u);
  parser->clearErrors();
  EXPECT_EQ(parser->getNbErrors(), 0);
  EXPECT_FALSE(parser->parseFromFile("/nowhere/model.onnx", 0));
  EXPECT_EQ(parser->getNbErrors(), 1);
  EXPECT_TRUE(parser->supportsOperator("Conv"));
  EXPECT_FALSE(parser->supportsOperator("NoSuchOperator"));
}

TEST_F(Engine, ParserNamesEachUnsupportedNode) {
  const std::string model = onnx_model(R"(
g = h.make_graph([h.make_node('Relu', ['x'], ['a'], name='fine'), h.make_node('NoSuch', ['a'], ['b'], name='first'),
                  h.make_node('NeitherThis', ['b'], ['y'], name='second')], 'net',
                 [h.make_tensor_value_info('x', T.FLOAT, [2])], [h.make_tensor_value_info('y', T.FLOAT, [2])])
model = h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8)
)");
  parser.reset(nvonnxparser::createParser(*network, logger));
  EXPECT_FALSE(parser->supportsModelV2(model.data(), model.size()));
  ASSERT_EQ(parser->getNbErrors(), 2);
  EXPECT_STREQ(parser->getError(0)->nodeName(), "first");
  EXPECT_STREQ(parser->getError(0)->nodeOperator(), "NoSuch");
  EXPECT_STREQ(parser->getError(1)->nodeName(), "second");
  EXPECT_EQ(parser->getError(1)->code(), nvonnxparser::ErrorCode::kUNSUPPORTED_NODE);
  EXPECT_EQ(parser->getError(2), nullptr);
  EXPECT_EQ(network->getNbLayers(), 0);
}

TEST_F(Engine, ParserTellsTensorsOfNodes) {
  const std::string model = onnx_model(kModel);
  parser.reset(nvonnxparser::createParser(*network, logger));
  parser->setFlag(nvonnxparser::OnnxParserFlag::kNATIVE_INSTANCENORM);
  EXPECT_TRUE(parser->getFlag(nvonnxparser::OnnxParserFlag::kNATIVE_INSTANCENORM));
  EXPECT_TRUE(parser->supportsModelV2(model.data(), model.size()));
  EXPECT_EQ(network->getNbInputs(), 0);
  ASSERT_TRUE(parser->parse(model.data(), model.size()));
  ASSERT_TRUE(parser->getLayerOutputTensor("mm", 0));
  EXPECT_STREQ(parser->getLayerOutputTensor("mm", 0)->getName(), "m");
  EXPECT_EQ(parser->getLayerOutputTensor("mm", 1), nullptr);
  EXPECT_EQ(parser->getLayerOutputTensor("nothing", 0), nullptr);
  EXPECT_FALSE(parser->parse(model.data(), model.size()));  // the network is not empty any more
  EXPECT_EQ(parser->getNbErrors(), 1);
}

TEST_F(Engine, MissingAddressIsAnError) {
  const auto engine = model_engine();
  ASSERT_TRUE(engine);
  Owned<IExecutionContext> context(engine->createExecutionContext());
  Recorder recorder;
  context->setErrorRecorder(&recorder);
  EXPECT_FALSE(context->setTensorAddress("nothing", nullptr));
  EXPECT_FALSE(context->enqueueV3(nullptr));
  EXPECT_GE(recorder.getNbErrors(), 1);
  EXPECT_FALSE(context->executeV2(nullptr));
  context.reset();
  EXPECT_EQ(recorder.references, 0);
}

TEST_F(Engine, TimingCacheIsFilledAndReadAgain) {
  config->setBuilderOptimizationLevel(3);
  config->setAvgTimingIterations(1);
  Owned<ITimingCache> cache(config->createTimingCache(nullptr, 0));
  ASSERT_TRUE(cache);
  ASSERT_TRUE(config->setTimingCache(*cache, false));
  EXPECT_EQ(config->getTimingCache(), cache.get());
  Owned<IHostMemory> empty(cache->serialize());
  const auto engine = model_engine();
  ASSERT_TRUE(engine);
  Owned<IHostMemory> filled(cache->serialize());
  EXPECT_GT(filled->size(), empty->size());
  Owned<ITimingCache> again(config->createTimingCache(filled->data(), filled->size()));
  ASSERT_TRUE(again);
  EXPECT_TRUE(cache->reset());
  EXPECT_TRUE(cache->combine(*again, false));
  Owned<IHostMemory> combined(cache->serialize());
  ASSERT_EQ(combined->size(), filled->size());
  EXPECT_EQ(std::memcmp(combined->data(), filled->data(), filled->size()), 0);
  EXPECT_FALSE(config->createTimingCache("rubbish", 7));
}

TEST_F(Engine, ProfilerInspectorAndEvents) {
  struct Profiler : IProfiler {
    void reportLayerTime(char const* name, float ms) noexcept override {
      layers.emplace_back(name), negative |= ms < 0;
    }
    std::vector<std::string> layers;
    bool negative = false;
  } profiler;
  config->setProfilingVerbosity(ProfilingVerbosity::kDETAILED);
  const auto engine = model_engine();
  ASSERT_TRUE(engine);
  Owned<IExecutionContext> context(engine->createExecutionContext());
  context->setProfiler(&profiler);
  cudaEvent_t consumed = nullptr;
  ASSERT_EQ(cudaEventCreate(&consumed), cudaSuccess);
  const OnDevice<float> x(kX), y(8);
  void* bindings[] = {x.data(), y.data()};
  EXPECT_TRUE(context->enqueueV2(bindings, nullptr, &consumed));
  EXPECT_EQ(cudaEventSynchronize(consumed), cudaSuccess);
  EXPECT_EQ(y.get(), kY);
  EXPECT_EQ(profiler.layers.size(), static_cast<size_t>(engine->getNbLayers()));
  EXPECT_FALSE(profiler.negative);
  context->setEnqueueEmitsProfile(false);
  EXPECT_TRUE(context->executeV2(bindings));
  EXPECT_EQ(profiler.layers.size(), static_cast<size_t>(engine->getNbLayers()));
  EXPECT_TRUE(context->reportToProfiler());
  EXPECT_EQ(profiler.layers.size(), 2 * static_cast<size_t>(engine->getNbLayers()));
  EXPECT_EQ(cudaEventDestroy(consumed), cudaSuccess);
  EXPECT_EQ(engine->getProfilingVerbosity(), ProfilingVerbosity::kDETAILED);
  Owned<IEngineInspector> inspector(engine->createEngineInspector());
  const std::string json = inspector->getEngineInformation(LayerInformationFormat::kJSON),
                    line = inspector->getLayerInformation(0, LayerInformationFormat::kONELINE);
  for (const char* part : {"\"Layers\": [{\"Name\": \"", "\"LayerType\": \"", "\"Dimensions\": [", "\"TacticName\": \"",
                           "\"Format/Datatype\": \"Row major linear FP32\"", "\"Bindings\": [\"x\", \"y\"]"})
    EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
  EXPECT_NE(line.find("LayerType: "), std::string::npos) << line;
  EXPECT_EQ(inspector->getLayerInformation(99, LayerInformationFormat::kJSON), nullptr);
}

TEST_F(Engine, OutputAllocatorGivesTheMemory) {
  struct Allocator : IOutputAllocator {
    void* reallocateOutput(char const*, void*, uint64_t size, uint64_t) noexcept override {
      memory = std::make_unique<OnDevice<int32_t>>(size / sizeof(int32_t));
      return memory->data();
    }
    void notifyShape(char const*, Dims const& d) noexcept override { dims = d; }
    std::unique_ptr<OnDevice<int32_t>> memory;
    Dims dims{};
  } allocator;
  ITensor* x = network->addInput("x", DataType::kFLOAT, Dims2{2, 3});
  auto* where = network->addNonZero(*x);
  where->getOutput(0)->setName("y");
  network->markOutput(*where->getOutput(0));
  const auto engine = build();
  ASSERT_TRUE(engine);
  Owned<IExecutionContext> context(engine->createExecutionContext());
  const OnDevice<float> in(kX);
  EXPECT_TRUE(context->setTensorAddress("x", in.data()));
  EXPECT_TRUE(context->setOutputAllocator("y", &allocator));
  ASSERT_TRUE(context->enqueueV3(nullptr)) << logger.errors;
  ASSERT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  ASSERT_EQ(allocator.dims.nbDims, 2);
  EXPECT_EQ(allocator.dims.d[1], 3);
  ASSERT_EQ(allocator.memory->bytes(), 24u);
  EXPECT_EQ(allocator.memory->get(), (std::vector<int32_t>{0, 0, 1, 0, 2, 1}));
}

TEST_F(Engine, UserAllocatorSeesEveryContext) {
  struct Allocator : IGpuAllocator {
    void* allocate(uint64_t size, uint64_t, AllocatorFlags) noexcept override {
      return ++live, refuse ? nullptr : device_memory(size);
    }
    bool deallocate(void* memory) noexcept override { return --live, cudaFree(memory) == cudaSuccess; }
    int live = 0;
    bool refuse = false;
  } allocator;
  runtime->setGpuAllocator(&allocator);
  const auto engine = model_engine();
  ASSERT_TRUE(engine);
  if (engine->getDeviceMemorySize() == 0) GTEST_SKIP() << "the engine takes no memory";
  Owned<IExecutionContext> context(engine->createExecutionContext());
  EXPECT_EQ(allocator.live, 1);
  context.reset();
  EXPECT_EQ(allocator.live, 0);
  allocator.refuse = true;
  EXPECT_FALSE(engine->createExecutionContext());
}

TEST_F(Engine, ProgressIsToldAndCancels) {
  struct Monitor : IProgressMonitor {
    void phaseStart(char const*, char const*, int32_t) noexcept override { ++open; }
    bool stepComplete(char const*, int32_t) noexcept override { return ++steps, go; }
    void phaseFinish(char const*) noexcept override { --open; }
    int open = 0, steps = 0;
    bool go = true;
  } monitor;
  config->setProgressMonitor(&monitor);
  config->setBuilderOptimizationLevel(2);
  ASSERT_TRUE(model_engine());
  EXPECT_EQ(monitor.open, 0);
  EXPECT_GT(monitor.steps, 0);
  monitor.go = false;
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_EQ(monitor.open, 0);
}

}  // namespace
