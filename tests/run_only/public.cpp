// The same with the public headers: loads an engine file and runs it with NvInferRuntime.h alone. ENGINE INPUT OUTPUT.
#include <NvInferRuntime.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

namespace {

class Logger : public nvinfer1::ILogger {
 public:
  void log(Severity severity, char const* text) noexcept override {
    if (severity <= Severity::kWARNING) std::fprintf(stderr, "%s\n", text);
  }
};

std::vector<char> read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool run(const char* engine_path, const char* in_path, const char* out_path) {
  Logger logger;
  const std::vector<char> bytes = read_file(engine_path);
  std::unique_ptr<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(logger));
  std::unique_ptr<nvinfer1::ICudaEngine> engine(runtime->deserializeCudaEngine(bytes.data(), bytes.size()));
  if (!engine) return false;
  std::unique_ptr<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  std::vector<char> input = read_file(in_path);
  const nvinfer1::Dims dims = context->getBindingDimensions(1);
  size_t count = 1;
  for (int32_t i = 0; i < dims.nbDims; ++i) count *= static_cast<size_t>(dims.d[i]);
  std::vector<char> output(count * sizeof(float));
  void* bindings[] = {input.data(), output.data()};
  if (!context->executeV2(bindings)) return false;
  std::ofstream(out_path, std::ios::binary).write(output.data(), static_cast<std::streamsize>(output.size()));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) std::fputs("give ENGINE INPUT OUTPUT\n", stderr);
  return argc == 4 && run(argv[1], argv[2], argv[3]) ? 0 : 1;
}
