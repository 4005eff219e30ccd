// What TensorRT-style test programs share: logger, devices, buffers, running an engine.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
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

// Numbers in memory of the device, which the host need not be able to touch.
template <class T> class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : count_(values.size()) {
    EXPECT_EQ(cudaMalloc(&data_, std::max<size_t>(bytes(), 1)), cudaSuccess);
    set(values);
  }
  explicit OnDevice(size_t count) : OnDevice(std::vector<T>(count)) {}
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() { EXPECT_EQ(cudaFree(data_), cudaSuccess); }
  void* data() const { return data_; }
  size_t bytes() const { return count_ * sizeof(T); }
  void set(const std::vector<T>& values) {
    EXPECT_EQ(values.size(), count_);
    EXPECT_EQ(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice), cudaSuccess);
  }
  // After all that the default stream has to do.
  std::vector<T> get() const {
    std::vector<T> values(count_);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, bytes(), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  size_t count_;
  void* data_ = nullptr;
};

// Memory of the device as an allocator of the program's gives it; cudaFree takes it back.
inline void* device_memory(uint64_t size) {
  void* memory = nullptr;
  return cudaMalloc(&memory, size) == cudaSuccess ? memory : nullptr;
}

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
