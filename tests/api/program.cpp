// What TensorRT-style test programs share.
#include "api/program.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

Program::Program() {
  builder.reset(nvinfer1::createInferBuilder(logger));
  network.reset(
      builder->createNetworkV2(1U << static_cast<uint32_t>(nvinfer1::NetworkDefinitionCreationFlag::kEXPLICIT_BATCH)));
  config.reset(builder->createBuilderConfig());
  config->setBuilderOptimizationLevel(0);
  runtime.reset(nvinfer1::createInferRuntime(logger));
}

Owned<nvinfer1::ICudaEngine> Program::build() {
  Owned<nvinfer1::IHostMemory> plan(builder->buildSerializedNetwork(*network, *config));
  EXPECT_TRUE(plan) << logger.errors;
  return Owned<nvinfer1::ICudaEngine>(plan ? runtime->deserializeCudaEngine(plan->data(), plan->size()) : nullptr);
}

nvinfer1::Weights Program::weights(std::vector<float> values) {
  const auto& kept = *kept_.emplace_back(std::make_unique<std::vector<float>>(std::move(values)));
  return {nvinfer1::DataType::kFLOAT, kept.data(), static_cast<int64_t>(kept.size())};
}

nvinfer1::Weights Program::int_weights(std::vector<int32_t> values) {
  const auto& kept = *kept_ints_.emplace_back(std::make_unique<std::vector<int32_t>>(std::move(values)));
  return {nvinfer1::DataType::kINT32, kept.data(), static_cast<int64_t>(kept.size())};
}

int64_t volume(const nvinfer1::Dims& dims) {
  int64_t n = 1;
  for (int32_t i = 0; i < dims.nbDims; ++i) n *= dims.d[i];
  return n;
}

std::vector<float> Program::run(nvinfer1::ICudaEngine& engine, const std::vector<std::vector<float>>& inputs) {
  Owned<nvinfer1::IExecutionContext> context(engine.createExecutionContext());
  EXPECT_TRUE(context) << logger.errors;
  std::vector<float> result;
  std::map<std::string, void*> memory;
  for (int32_t i = 0; i < engine.getNbIOTensors(); ++i) {
    const char* name = engine.getIOTensorName(i);
    const bool input = engine.getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT;
    const size_t count =
        input ? inputs.at(static_cast<size_t>(i)).size() : static_cast<size_t>(volume(context->getTensorShape(name)));
    EXPECT_EQ(cudaMalloc(&memory[name], count * sizeof(float)), cudaSuccess);
    if (input) {
      EXPECT_EQ(cudaMemcpy(memory[name], inputs[static_cast<size_t>(i)].data(), count * sizeof(float),
                           cudaMemcpyHostToDevice),
                cudaSuccess);
    }
    if (!input && result.empty()) result.resize(count);
    EXPECT_TRUE(context->setTensorAddress(name, memory[name])) << logger.errors;
  }
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  EXPECT_TRUE(context->enqueueV3(stream)) << logger.errors;
  const char* output = engine.getIOTensorName(static_cast<int32_t>(inputs.size()));
  EXPECT_EQ(
      cudaMemcpyAsync(result.data(), memory[output], result.size() * sizeof(float), cudaMemcpyDeviceToHost, stream),
      cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  for (auto& [name, at] : memory) EXPECT_EQ(cudaFree(at), cudaSuccess);
  return result;
}

std::string onnx_model(const std::string& lines) {
  const std::string stem =
      testing::TempDir() + "kiln_api_" + testing::UnitTest::GetInstance()->current_test_info()->name();
  std::ofstream(stem + ".py")
      << "import onnx, numpy as np\nfrom onnx import helper as h, numpy_helper as nh, TensorProto as T\n"
      << lines << "\nonnx.save(model, r'" << stem << ".onnx')\n";
  const char* named = std::getenv("KILN_PYTHON");  // where the tests run elsewhere than they were built
  EXPECT_EQ(std::system(((named ? named : KILN_PYTHON) + std::string(" ") + stem + ".py").c_str()), 0);
  std::ifstream in(stem + ".onnx", std::ios::binary);
  std::stringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}
