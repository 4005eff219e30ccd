// What TensorRT-style test programs share: logger, devices, buffers, running an engine.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "NvInfer.h"
#include "NvOnnxParser.h"

class TestLogger : public nvinfer1::ILogger {
 public:
  void log(Severity severity, char const* text) noexcept override {
    std::lock_guard lock(mutex_);
    if (severity <= Severity::kERROR) errors += std::string(text) + "\n";
    if (severity == Severity::kWARNING) warnings += std::string(text) + "\n";
  }
  std::string errors, warnings;

 private:
  std::mutex mutex_;
};

template <class T> using Owned = std::unique_ptr<T>;

// Builder, network and configuration, and an engine out of them.
class Program : public testing::Test {
 protected:
  Program();
  Owned<nvinfer1::ICudaEngine> build();
  nvinfer1::Weights weights(std::vector<float> values);  // kept until the test ends
  nvinfer1::Weights int_weights(std::vector<int32_t> values);
  // Runs with these inputs (float, in the order of the engine's inputs) and returns the first output.
  std::vector<float> run(nvinfer1::ICudaEngine& engine, const std::vector<std::vector<float>>& inputs);

  TestLogger logger;
  Owned<nvinfer1::IBuilder> builder;
  Owned<nvinfer1::INetworkDefinition> network;
  Owned<nvinfer1::IBuilderConfig> config;
  Owned<nvinfer1::IRuntime> runtime;

 private:
  std::vector<std::unique_ptr<std::vector<float>>> kept_;
  std::vector<std::unique_ptr<std::vector<int32_t>>> kept_ints_;
};

int64_t volume(const nvinfer1::Dims& dims);
// Bytes of a model made by Python's onnx from these lines, which leave it in `model`.
std::string onnx_model(const std::string& lines);
