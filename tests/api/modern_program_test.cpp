// A program as they are written for 10.x: strongly typed network, names, output allocator, progress that cancels, streams of bytes, error recorder.
#include <atomic>
#include <cstring>
#include <fstream>
#include <iostream>
#include <unordered_map>

#include "NvInfer.h"
#include "NvOnnxParser.h"
#include "api/program.h"
#include "api/recorder.h"
#include "kiln_compat/cuda_runtime_api.h"

using namespace nvinfer1;

namespace {

class FileWriter final : public IStreamWriter {
 public:
  explicit FileWriter(std::string const& path) : file_(path, std::ios::binary) {}
  int64_t write(void const* data, int64_t nbBytes) final {
    file_.write(static_cast<char const*>(data), nbBytes);
    return file_.good() ? nbBytes : -1;
  }

 private:
  std::ofstream file_;
};

class FileReaderV2 final : public IStreamReaderV2 {
 public:
  explicit FileReaderV2(std::string const& path) : file_(path, std::ios::binary) {}
  bool seek(int64_t offset, SeekPosition where) noexcept final {
    file_.clear();
    file_.seekg(offset, where == SeekPosition::kSET   ? std::ios_base::beg
                        : where == SeekPosition::kCUR ? std::ios_base::cur
                                                      : std::ios_base::end);
    return file_.good();
  }
  int64_t read(void* destination, int64_t nbBytes, cudaStream_t) noexcept final {
    file_.read(static_cast<char*>(destination), nbBytes);
    return file_.gcount();
  }

 private:
  std::ifstream file_;
};

class Monitor final : public IProgressMonitor {
 public:
  void phaseStart(char const* phaseName, char const* parentPhase, int32_t nbSteps) noexcept final {
    open_[phaseName] = nbSteps;
    EXPECT_TRUE(!parentPhase || open_.count(parentPhase));
  }
  bool stepComplete(char const* phaseName, int32_t) noexcept final {
    EXPECT_TRUE(open_.count(phaseName));
    return ++steps != cancel_at;
  }
  void phaseFinish(char const* phaseName) noexcept final { EXPECT_EQ(open_.erase(phaseName), 1u); }
  bool all_finished() const { return open_.empty(); }
  int32_t steps = 0, cancel_at = -1;

 private:
  std::unordered_map<std::string, int32_t> open_;
};

class GrowingOutput final : public IOutputAllocator {
 public:
  ~GrowingOutput() override { cudaFree(memory); }
  void* reallocateOutputAsync(char const*, void*, uint64_t size, uint64_t, cudaStream_t) final {
    if (size > capacity) {
      cudaFree(memory);
      capacity = 0;
      if (cudaMalloc(&memory, size) != cudaSuccess) return nullptr;
      capacity = size;
    }
    return memory;
  }
  void notifyShape(char const*, Dims const& dims) noexcept final { shape = dims; }
  void* memory = nullptr;
  uint64_t capacity = 0;
  Dims shape{-1, {}};
};

class ModernProgram : public Program {
 protected:
  // scores [n] -> the positions of those above 0.5, and how many
  std::unique_ptr<INetworkDefinition> define(IBuilder& b) {
    std::unique_ptr<INetworkDefinition> n{
        b.createNetworkV2(1U << static_cast<uint32_t>(NetworkDefinitionCreationFlag::kSTRONGLY_TYPED))};
    auto* scores = n->addInput("scores", DataType::kFLOAT, Dims{1, {-1}});
    scores->setDimensionName(0, "count");
    static float const half = 0.5f;
    auto* limit = n->addConstant(Dims{1, {1}}, Weights{DataType::kFLOAT, &half, 1});
    auto* above = n->addElementWise(*scores, *limit->getOutput(0), ElementWiseOperation::kGREATER);
    auto* where = n->addNonZero(*above->getOutput(0), DataType::kINT64);
    where->getOutput(0)->setName("where");
    n->markOutput(*where->getOutput(0));
    auto* sum =
        n->addReduce(*n->addCast(*above->getOutput(0), DataType::kFLOAT)->getOutput(0), ReduceOperation::kSUM, 1, true);
    sum->getOutput(0)->setName("howmany");
    n->markOutput(*sum->getOutput(0));
    return n;
  }
  void bound(IBuilder& b, IBuilderConfig& c) {
    auto* profile = b.createOptimizationProfile();
    profile->setDimensions("scores", OptProfileSelector::kMIN, Dims{1, {1}});
    profile->setDimensions("scores", OptProfileSelector::kOPT, Dims{1, {8}});
    profile->setDimensions("scores", OptProfileSelector::kMAX, Dims{1, {64}});
    c.addOptimizationProfile(profile);
  }
};

TEST_F(ModernProgram, BuildsThroughAFileAndRunsByName) {
  Recorder recorder;
  std::string const path = testing::TempDir() + "kiln_modern.engine";
  {
    std::unique_ptr<IBuilder> b{createInferBuilder(logger)};
    b->setErrorRecorder(&recorder);
    ASSERT_TRUE(b->setMaxThreads(2));
    auto n = define(*b);
    ASSERT_TRUE(n);
    EXPECT_EQ(&n->getBuilder(), b.get());
    std::unique_ptr<IBuilderConfig> c{b->createBuilderConfig()};
    bound(*b, *c);
    c->setBuilderOptimizationLevel(2);
    c->setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, 1ULL << 30);
    c->setProfilingVerbosity(ProfilingVerbosity::kDETAILED);
    Monitor monitor;
    c->setProgressMonitor(&monitor);
    monitor.cancel_at = 1;
    EXPECT_FALSE(std::unique_ptr<IHostMemory>{b->buildSerializedNetwork(*n, *c)});
    EXPECT_TRUE(monitor.all_finished());
    ASSERT_GE(recorder.getNbErrors(), 1);
    EXPECT_EQ(recorder.getErrorCode(0), ErrorCode::kINVALID_STATE);
    EXPECT_NE(std::string(recorder.getErrorDesc(0)).find("the build was stopped"), std::string::npos)
        << recorder.getErrorDesc(0);
    recorder.clear();
    monitor.cancel_at = -1;
    FileWriter writer(path);
    ASSERT_TRUE(b->buildSerializedNetworkToStream(*n, *c, writer)) << logger.errors;
    EXPECT_TRUE(monitor.all_finished());
    EXPECT_EQ(recorder.getNbErrors(), 0);
  }
  EXPECT_EQ(recorder.references, 0);
  std::unique_ptr<IRuntime> r{createInferRuntime(logger)};
  r->setErrorRecorder(&recorder);
  FileReaderV2 reader(path);
  std::unique_ptr<ICudaEngine> engine{r->deserializeCudaEngine(reader)};
  r.reset();  // the engine outlives it
  ASSERT_TRUE(engine) << logger.errors;
  EXPECT_EQ(engine->getProfilingVerbosity(), ProfilingVerbosity::kDETAILED);
  std::unique_ptr<IExecutionContext> context{engine->createExecutionContext()};
  ASSERT_TRUE(context);
  std::unordered_map<std::string, std::unique_ptr<GrowingOutput>> outputs;
  for (int32_t i = 0, e = engine->getNbIOTensors(); i < e; ++i) {
    char const* name = engine->getIOTensorName(i);
    if (engine->getTensorIOMode(name) != TensorIOMode::kOUTPUT) continue;
    outputs[name] = std::make_unique<GrowingOutput>();
    ASSERT_TRUE(context->setOutputAllocator(name, outputs[name].get()));
  }
  cudaStream_t stream;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  float* scores = nullptr;
  ASSERT_EQ(cudaMalloc(&scores, 64 * sizeof(float)), cudaSuccess);
  for (int64_t n : {8, 64, 3}) {
    std::vector<float> in(static_cast<size_t>(n));
    std::vector<int64_t> expected;
    for (int64_t i = 0; i < n; ++i)
      if (in[static_cast<size_t>(i)] = i % 3 == 1 ? 0.9f : 0.1f; i % 3 == 1) expected.push_back(i);
    ASSERT_TRUE(context->setInputShape("scores", Dims{1, {n}}));
    ASSERT_TRUE(context->setInputTensorAddress("scores", scores));
    ASSERT_EQ(context->inferShapes(0, nullptr), 0);
    ASSERT_EQ(cudaMemcpyAsync(scores, in.data(), in.size() * 4, cudaMemcpyHostToDevice, stream), cudaSuccess);
    ASSERT_TRUE(context->enqueueV3(stream)) << logger.errors;
    GrowingOutput const& where = *outputs.at("where");
    ASSERT_EQ(where.shape.nbDims, 2);
    std::vector<int64_t> got(static_cast<size_t>(where.shape.d[1]));
    float howmany = -1;
    ASSERT_EQ(cudaMemcpyAsync(got.data(), where.memory, got.size() * 8, cudaMemcpyDeviceToHost, stream), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(&howmany, outputs.at("howmany")->memory, 4, cudaMemcpyDeviceToHost, stream), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(got, expected);
    EXPECT_EQ(howmany, static_cast<float>(expected.size()));
  }
  EXPECT_FALSE(context->setInputShape("scores", Dims{1, {65}}));
  ASSERT_EQ(recorder.getNbErrors(), 1);
  EXPECT_EQ(recorder.getErrorCode(0), ErrorCode::kINVALID_ARGUMENT);
  cudaFree(scores);
  cudaStreamDestroy(stream);
  context.reset();
  engine.reset();
  EXPECT_EQ(recorder.references, 0);
}

}  // namespace
