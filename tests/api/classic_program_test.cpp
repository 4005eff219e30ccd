// A program as they were written for 8.x: buffers by binding index, a pool of bindings per profile, workspace size, old names of the same.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <iostream>
#include <numeric>

#include "NvInfer.h"
#include "NvInferRuntimeCommon.h"
#include "NvOnnxParser.h"
#include "api/program.h"
#include "kiln_compat/cuda_runtime_api.h"

using namespace nvinfer1;

namespace {

class ClassicLogger : public ILogger {
 public:
  void log(Severity severity, const char* msg) noexcept override {
    if (severity == Severity::kERROR || severity == Severity::kINTERNAL_ERROR) std::cerr << msg << std::endl;
  }
} gLogger;

struct InferDeleter {
  template <typename T> void operator()(T* obj) const {
    if (obj) obj->destroy();
  }
};
template <typename T> using SampleUniquePtr = std::unique_ptr<T, InferDeleter>;

int64_t bytes_of(const Dims& dims, DataType type) {
  const int64_t size = type == DataType::kINT8 || type == DataType::kBOOL ? 1 : type == DataType::kHALF ? 2 : 4;
  return std::accumulate(dims.d, dims.d + dims.nbDims, int64_t{1}, std::multiplies<int64_t>()) * size;
}

// Device buffers of an engine, one per binding.
class Buffers {
 public:
  Buffers(const ICudaEngine& engine, const IExecutionContext& context) {
    for (int i = 0; i < engine.getNbBindings(); ++i) {
      const Dims dims = context.getBindingDimensions(i);
      const size_t size = static_cast<size_t>(bytes_of(dims, engine.getBindingDataType(i)));
      void* memory = nullptr;
      EXPECT_EQ(cudaMalloc(&memory, size), cudaSuccess);
      device.push_back(memory);
      host.emplace_back(size / sizeof(float));
    }
  }
  ~Buffers() {
    for (void* memory : device) cudaFree(memory);
  }
  std::vector<void*> device;
  std::vector<std::vector<float>> host;
};

constexpr const char* kNet = R"(
rng = np.random.default_rng(3)
w = nh.from_array(rng.standard_normal((4, 1, 3, 3)).astype(np.float32), 'w')
m = nh.from_array(rng.standard_normal((4, 3)).astype(np.float32), 'm')
nodes = [h.make_node('Conv', ['image', 'w'], ['c'], 'conv1', pads=[1, 1, 1, 1]), h.make_node('Relu', ['c'], ['r'], 'relu1'),
  h.make_node('GlobalAveragePool', ['r'], ['g'], 'pool1'), h.make_node('Flatten', ['g'], ['f'], 'flat1'),
  h.make_node('MatMul', ['f', 'm'], ['l'], 'ip1'), h.make_node('Softmax', ['l'], ['prob'], 'prob1')]
graph = h.make_graph(nodes, 'net', [h.make_tensor_value_info('image', T.FLOAT, ['n', 1, 8, 8])],
  [h.make_tensor_value_info('prob', T.FLOAT, ['n', 3])], [w, m])
model = h.make_model(graph, opset_imports=[h.make_opsetid('', 18)], ir_version=9)
)";

class ClassicProgram : public Program {
 protected:
  SampleUniquePtr<ICudaEngine> build_engine() {
    const std::string model = onnx_model(kNet);
    auto own_builder = SampleUniquePtr<IBuilder>(createInferBuilder(gLogger));
    const auto explicitBatch = 1U << static_cast<uint32_t>(NetworkDefinitionCreationFlag::kEXPLICIT_BATCH);
    auto own_network = SampleUniquePtr<INetworkDefinition>(own_builder->createNetworkV2(explicitBatch));
    auto own_config = SampleUniquePtr<IBuilderConfig>(own_builder->createBuilderConfig());
    auto parser = SampleUniquePtr<nvonnxparser::IParser>(nvonnxparser::createParser(*own_network, gLogger));
    if (!parser->parse(model.data(), model.size())) return nullptr;
    own_config->setMaxWorkspaceSize(1ULL << 28);
    own_config->setAvgTimingIterations(2);
    own_config->setBuilderOptimizationLevel(1);
    if (own_builder->platformHasFastFp16()) own_config->setFlag(BuilderFlag::kFP16);
    own_config->clearFlag(BuilderFlag::kTF32);
    for (int i = 0; i < own_network->getNbLayers(); ++i) {
      ILayer* layer = own_network->getLayer(i);
      layer->setPrecision(DataType::kFLOAT);
      for (int o = 0; o < layer->getNbOutputs(); ++o)
        if (layer->getOutputType(o) == DataType::kFLOAT) layer->setOutputType(o, DataType::kFLOAT);
    }
    own_config->setFlag(BuilderFlag::kOBEY_PRECISION_CONSTRAINTS);
    own_config->setTacticSources(1U << static_cast<uint32_t>(TacticSource::kCUBLAS) |
                                 1U << static_cast<uint32_t>(TacticSource::kCUDNN));
    for (int most : {1, 4}) {
      auto* profile = own_builder->createOptimizationProfile();
      profile->setDimensions("image", OptProfileSelector::kMIN, Dims4(1, 1, 8, 8));
      profile->setDimensions("image", OptProfileSelector::kOPT, Dims4(most, 1, 8, 8));
      profile->setDimensions("image", OptProfileSelector::kMAX, Dims4(most, 1, 8, 8));
      EXPECT_TRUE(profile->isValid());
      own_config->addOptimizationProfile(profile);
    }
    auto plan = SampleUniquePtr<IHostMemory>(own_builder->buildSerializedNetwork(*own_network, *own_config));
    if (!plan) return nullptr;
    auto own_runtime = SampleUniquePtr<IRuntime>(createInferRuntime(gLogger));
    return SampleUniquePtr<ICudaEngine>(own_runtime->deserializeCudaEngine(plan->data(), plan->size(), nullptr));
  }
};

TEST_F(ClassicProgram, RunsByBindingIndexWithEvents) {
  auto engine = build_engine();
  ASSERT_TRUE(engine);
  ASSERT_EQ(engine->getNbBindings(), 4);  // twice, for two profiles
  EXPECT_FALSE(engine->hasImplicitBatchDimension());
  const int input = engine->getBindingIndex("image"), output = engine->getBindingIndex("prob");
  EXPECT_TRUE(engine->bindingIsInput(input));
  EXPECT_FALSE(engine->bindingIsInput(output));
  EXPECT_STREQ(engine->getBindingName(output), "prob");
  EXPECT_EQ(engine->getBindingFormat(input), TensorFormat::kLINEAR);
  EXPECT_EQ(engine->getLocation(input), TensorLocation::kDEVICE);
  EXPECT_EQ(engine->getProfileDimensions(input, 1, OptProfileSelector::kMAX).d[0], 4);
  auto context = SampleUniquePtr<IExecutionContext>(engine->createExecutionContext());
  ASSERT_TRUE(context->setOptimizationProfile(1));
  const int offset = engine->getNbBindings() / engine->getNbOptimizationProfiles();
  ASSERT_TRUE(context->setBindingDimensions(offset + input, Dims4(3, 1, 8, 8)));
  ASSERT_TRUE(context->allInputDimensionsSpecified());
  Buffers buffers(*engine, *context);
  std::vector<float>& image = buffers.host.at(static_cast<size_t>(offset) + static_cast<size_t>(input));
  std::vector<float>& prob = buffers.host.at(static_cast<size_t>(offset) + static_cast<size_t>(output));
  ASSERT_EQ(image.size(), 192u);
  ASSERT_EQ(prob.size(), 9u);
  for (size_t i = 0; i < image.size(); ++i) image[i] = std::sin(static_cast<float>(i));
  cudaStream_t stream;
  cudaEvent_t start, stop, consumed;
  ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&start), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&stop), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&consumed), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(buffers.device[static_cast<size_t>(offset + input)], image.data(),
                            image.size() * sizeof(float), cudaMemcpyHostToDevice, stream),
            cudaSuccess);
  ASSERT_EQ(cudaEventRecord(start, stream), cudaSuccess);
  ASSERT_TRUE(context->enqueueV2(buffers.device.data(), stream, &consumed));
  ASSERT_EQ(cudaEventRecord(stop, stream), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(prob.data(), buffers.device[static_cast<size_t>(offset + output)],
                            prob.size() * sizeof(float), cudaMemcpyDeviceToHost, stream),
            cudaSuccess);
  ASSERT_EQ(cudaEventSynchronize(consumed), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  float milliseconds = -1;
  ASSERT_EQ(cudaEventElapsedTime(&milliseconds, start, stop), cudaSuccess);
  EXPECT_GE(milliseconds, 0);
  for (size_t row = 0; row < 3; ++row)
    EXPECT_NEAR(
        std::accumulate(prob.begin() + static_cast<long>(row) * 3, prob.begin() + static_cast<long>(row) * 3 + 3, 0.f),
        1, 1e-5);
  EXPECT_NE(prob[0], prob[3]);
  // The same image alone in the first profile gives the same.
  auto single = SampleUniquePtr<IExecutionContext>(engine->createExecutionContext());
  image.resize(64);
  const OnDevice<float> first_image(image), one(3);
  void* bindings[] = {first_image.data(), one.data(), nullptr, nullptr};
  ASSERT_TRUE(single->setBindingDimensions(0, Dims4(1, 1, 8, 8)));
  EXPECT_FALSE(single->setBindingDimensions(0, Dims4(2, 1, 8, 8)));
  ASSERT_TRUE(single->executeV2(bindings));
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(one.get()[i], prob[i], 1e-6);
  for (cudaEvent_t event : {start, stop, consumed}) EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

}  // namespace
