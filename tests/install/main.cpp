// A program for TensorRT, found by CMake under the names of the field.
#include <NvInfer.h>
#include <NvOnnxParser.h>
#include <cuda_runtime_api.h>

#include <cstdio>

struct Silent : nvinfer1::ILogger {
  void log(Severity, char const*) noexcept override {}
};

int main() {
  Silent logger;
  nvinfer1::IBuilder* builder = nvinfer1::createInferBuilder(logger);
  int devices = 0;
  if (!builder || cudaGetDeviceCount(&devices) != cudaSuccess) return 1;
  delete builder;
  std::printf("TensorRT %d\n", getInferLibVersion());
  return 0;
}
