// Settings of builds and runtimes: threads, tactics, an edited timing cache, precisions of layers, what is serialised.
#include <algorithm>
#include <cstring>
#include <map>
#include <ranges>
#include <regex>
#include <set>
#include <sstream>

#include "api/network.h"
#include "backends/default_device.h"
#include "base/hash.h"

using namespace nvinfer1;
using kiln::Hash128;

namespace {

class Settings : public Network {
 protected:
  void convolution() {
    ITensor* x = input("x", Dims4{1, 16, 12, 12});
    std::vector<float> kernel(16 * 16 * 9);
    for (size_t i = 0; i < kernel.size(); ++i) kernel[i] = static_cast<float>(i % 11) / 11 - 0.4f;
    conv = network->addConvolutionNd(*x, 16, Dims2{3, 3}, weights(std::move(kernel)), {DataType::kFLOAT, nullptr, 0});
    conv->setName("conv");
    conv->getOutput(0)->setName("y");
    network->markOutput(*conv->getOutput(0));
    config->setBuilderOptimizationLevel(3);
  }
  std::string tactic_of(ICudaEngine& engine) {
    Owned<IEngineInspector> inspector(engine.createEngineInspector());
    return inspector->getLayerInformation(0, LayerInformationFormat::kJSON);
  }
  std::vector<float> image() {
    std::vector<float> x(16 * 144);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 13) - 6;
    return x;
  }
  IConvolutionLayer* conv = nullptr;
};

TEST_F(Settings, Threads) {
  const int32_t all = builder->getMaxThreads();
  EXPECT_GE(all, 1);
  EXPECT_EQ(runtime->getMaxThreads(), all);
  EXPECT_FALSE(builder->setMaxThreads(0));
  EXPECT_FALSE(runtime->setMaxThreads(-1));
  EXPECT_EQ(builder->getMaxThreads(), all);
  convolution();
  const auto many = build();
  EXPECT_TRUE(builder->setMaxThreads(1));
  EXPECT_TRUE(runtime->setMaxThreads(1));
  EXPECT_EQ(builder->getMaxThreads(), 1);
  EXPECT_EQ(runtime->getMaxThreads(), 1);
  const auto one = build();
  ASSERT_TRUE(many && one) << logger.errors;
  near(run(*one, {image()}), run(*many, {image()}));
  builder->reset();
  EXPECT_EQ(builder->getMaxThreads(), all);
}

// Towers over one input. On devices whose streams run by themselves they run side by side, on others nothing does.
TEST_F(Settings, StreamsBesideTheUsers) {
  ITensor* x = input("x", Dims2{16, 32});
  std::vector<ITensor*> ends;
  for (ActivationType type : {ActivationType::kTANH, ActivationType::kSIGMOID, ActivationType::kRELU}) {
    ITensor* at = network->addActivation(*x, type)->getOutput(0);
    for (int i = 0; i < 3; ++i) {
      auto* soft = network->addSoftMax(*at);
      soft->setAxes(2);
      at = network
               ->addMatrixMultiply(*soft->getOutput(0), MatrixOperation::kNONE, *soft->getOutput(0),
                                   MatrixOperation::kTRANSPOSE)
               ->getOutput(0);
      at = network->addMatrixMultiply(*at, MatrixOperation::kNONE, *x, MatrixOperation::kNONE)->getOutput(0);
    }
    ends.push_back(at);
  }
  ITensor* y = network->addConcatenation(ends.data(), 3)->getOutput(0);
  y->setName("y");
  network->markOutput(*y);
  EXPECT_EQ(config->getMaxAuxStreams(), -1);
  config->setMaxAuxStreams(-2);
  EXPECT_NE(logger.errors.find("setMaxAuxStreams"), std::string::npos);
  EXPECT_EQ(config->getMaxAuxStreams(), -1);
  config->setProfilingVerbosity(ProfilingVerbosity::kDETAILED);
  config->setMaxAuxStreams(0);
  const auto one = build();
  config->setMaxAuxStreams(2);
  EXPECT_EQ(config->getMaxAuxStreams(), 2);
  const auto engine = build();
  ASSERT_TRUE(one && engine) << logger.errors;
  EXPECT_EQ(one->getNbAuxStreams(), 0);
  const bool beside = kiln::default_device().edge_milliseconds() > 0;
  EXPECT_EQ(engine->getNbAuxStreams(), beside ? 2 : 0);
  EXPECT_EQ(logger.warnings.find("the engine takes none") == std::string::npos, beside) << logger.warnings;
  Owned<IEngineInspector> inspector(engine->createEngineInspector());
  const std::string layers = inspector->getEngineInformation(LayerInformationFormat::kJSON);
  EXPECT_EQ(layers.find("\"StreamId\": 2") != std::string::npos, beside) << layers;
  std::vector<float> values(16 * 32);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) / 4;
  const std::vector<float> expected = run(*one, {values});
  near(run(*engine, {values}), expected);

  OnDevice<float> in(values), out(expected.size());
  Owned<IExecutionContext> context(engine->createExecutionContext());
  ASSERT_TRUE(context && context->setTensorAddress("x", in.data()) && context->setTensorAddress("y", out.data()));
  cudaStream_t streams[4] = {};
  for (cudaStream_t& stream : streams) ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  const auto enqueue = [&] {
    out.set(std::vector<float>(expected.size()));
    EXPECT_TRUE(context->enqueueV3(streams[3])) << logger.errors;
    EXPECT_EQ(cudaStreamSynchronize(streams[3]), cudaSuccess);
    near(out.get(), expected);
  };
  for (int32_t count : {0, 1, 2, 3}) {  // too few, as many as there are, too many
    context->setAuxStreams(streams, count);
    enqueue();
  }
  context->setAuxStreams(nullptr, 0);
  enqueue();
  logger.errors.clear();
  context->setAuxStreams(nullptr, 1);
  EXPECT_NE(logger.errors.find("no list of them"), std::string::npos) << logger.errors;
  context->setAuxStreams(streams, -1);
  EXPECT_NE(logger.errors.find("-1 streams"), std::string::npos) << logger.errors;
  cudaStream_t twice[2] = {streams[0], streams[0]}, standard[1] = {nullptr};
  context->setAuxStreams(twice, 2);
  EXPECT_EQ(logger.errors.find("is there twice") != std::string::npos, beside) << logger.errors;
  context->setAuxStreams(standard, 1);
  EXPECT_EQ(logger.errors.find("is a default stream") != std::string::npos, beside) << logger.errors;
  enqueue();
  for (cudaStream_t stream : streams) EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_F(Settings, NumberOfTactics) {
  EXPECT_EQ(config->getMaxNbTactics(), -1);
  config->setMaxNbTactics(0);
  EXPECT_EQ(config->getMaxNbTactics(), -1);
  convolution();
  // Of the problem for which most were measured.
  auto measured = [&] {
    Owned<ITimingCache> cache(config->createTimingCache(nullptr, 0));
    EXPECT_TRUE(config->setTimingCache(*cache, false));
    EXPECT_TRUE(build());
    Owned<IHostMemory> bytes(cache->serialize());
    std::istringstream text(std::string(static_cast<const char*>(bytes->data()), bytes->size()));
    std::map<std::string, int> times;
    for (std::string line; std::getline(text, line);)
      if (const std::string problem = line.substr(0, line.find(' ')); Hash128::parse(problem)) ++times[problem];
    return std::ranges::max(std::views::values(times));
  };
  const auto all = measured();
  config->setMaxNbTactics(2);
  EXPECT_EQ(config->getMaxNbTactics(), 2);
  EXPECT_EQ(measured(), 2);
  EXPECT_GT(all, 2);
}

TEST_F(Settings, SourcesOfTactics) {
  EXPECT_EQ(config->getTacticSources(), 7U);
  EXPECT_FALSE(config->setTacticSources(8));
  EXPECT_TRUE(config->setTacticSources(1U << static_cast<uint32_t>(TacticSource::kCUBLAS)));
  EXPECT_EQ(config->getTacticSources(), 1U);
  config->setPreviewFeature(PreviewFeature::kFASTER_DYNAMIC_SHAPES_0805, true);
  EXPECT_TRUE(config->getPreviewFeature(PreviewFeature::kFASTER_DYNAMIC_SHAPES_0805));
  EXPECT_FALSE(config->getPreviewFeature(PreviewFeature::kDISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805));
  // A transposed convolution is run by oneDNN, or else by the reference.
  ITensor* x = input("x", Dims4{1, 8, 6, 6});
  auto* up = network->addDeconvolutionNd(*x, 8, Dims2{3, 3}, weights(std::vector<float>(8 * 8 * 9, 0.25f)),
                                         {DataType::kFLOAT, nullptr, 0});
  up->getOutput(0)->setName("y");
  network->markOutput(*up->getOutput(0));
  auto own_only = [&] {
    const auto engine = build();
    return engine && tactic_of(*engine).find("onednn") == std::string::npos;
  };
  config->setBuilderOptimizationLevel(3);
  config->setPreviewFeature(PreviewFeature::kDISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805, true);
  EXPECT_TRUE(own_only());
  config->setPreviewFeature(PreviewFeature::kDISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805, false);
  EXPECT_TRUE(config->setTacticSources(0));
  EXPECT_TRUE(own_only());
  config->reset();
  EXPECT_EQ(config->getTacticSources(), 7U);
}

TEST_F(Settings, AnEditedTimingCacheDecides) {
  convolution();
  Owned<ITimingCache> cache(config->createTimingCache(nullptr, 0));
  ASSERT_TRUE(config->setTimingCache(*cache, false));
  EXPECT_EQ(cache->queryKeys(nullptr, 0), 0);
  EXPECT_EQ(cache->queryKeys(nullptr, 1), -1);
  ASSERT_TRUE(build());
  // The verbose log of the next build tells the hashes of each problem.
  struct Hashes : ILogger {
    void log(Severity, char const* text) noexcept override {
      const std::string line = text;
      std::smatch found;
      if (std::regex_search(line, found, std::regex("key ([0-9a-f]{32}), tactic hash ([0-9]+)")))
        of[found[1]].insert(std::stoull(found[2]));
    }
    std::map<std::string, std::set<uint64_t>> of;
  } hashes;
  Owned<IBuilder> verbose(createInferBuilder(hashes));
  ASSERT_TRUE(Owned<IHostMemory>(verbose->buildSerializedNetwork(*network, *config)));
  std::vector<TimingCacheKey> keys(static_cast<size_t>(cache->queryKeys(nullptr, 0)));
  ASSERT_EQ(cache->queryKeys(keys.data(), static_cast<int64_t>(keys.size())), static_cast<int64_t>(keys.size()));
  const auto hashes_of = [&](const TimingCacheKey& key) {
    Hash128 problem;
    std::memcpy(&problem, key.data, sizeof problem);
    return hashes.of[problem.hex()];
  };
  const auto most =
      std::ranges::max_element(keys, {}, [&](const TimingCacheKey& key) { return hashes_of(key).size(); });
  ASSERT_NE(most, keys.end());
  const TimingCacheKey key = *most;
  const std::set<uint64_t> list = hashes_of(key);
  ASSERT_GT(list.size(), 1u);
  const TimingCacheValue found = cache->query(key);
  EXPECT_TRUE(list.count(found.tacticHash));
  EXPECT_GT(found.timingMSec, 0);
  std::set<std::string> chosen;
  for (const uint64_t hash : list) {
    ASSERT_TRUE(cache->update(key, {hash, 123}));
    EXPECT_EQ(cache->query(key).tacticHash, hash);
    EXPECT_EQ(cache->query(key).timingMSec, 123);
    config->setFlag(BuilderFlag::kEDITABLE_TIMING_CACHE);
    const auto engine = build();
    ASSERT_TRUE(engine) << logger.errors;
    Owned<IHostMemory> bytes(engine->serialize());
    chosen.insert(std::string(static_cast<const char*>(bytes->data()), bytes->size()));
  }
  EXPECT_EQ(chosen.size(), list.size());  // each gave another engine
  Owned<IHostMemory> bytes(cache->serialize());
  Owned<ITimingCache> again(config->createTimingCache(bytes->data(), bytes->size()));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->query(key).tacticHash, *list.rbegin());
  EXPECT_FALSE(cache->update(key, {1, 1}));
  EXPECT_FALSE(cache->update(key, {found.tacticHash, -1}));
  TimingCacheKey other{};
  EXPECT_EQ(cache->query(other).tacticHash, TimingCacheValue::kINVALID_TACTIC_HASH);
  EXPECT_FALSE(cache->update(other, found));
}

TEST_F(Settings, TypesOfOutputsAndPrecisions) {
  ITensor* x = input("x", Dims2{1, 3});
  auto* abs = network->addUnary(*x, UnaryOperation::kABS);
  abs->setName("abs");
  EXPECT_FALSE(abs->precisionIsSet());
  EXPECT_EQ(abs->getPrecision(), DataType::kFLOAT);
  abs->setPrecision(DataType::kHALF);
  EXPECT_TRUE(abs->precisionIsSet());
  EXPECT_EQ(abs->getPrecision(), DataType::kHALF);
  EXPECT_FALSE(abs->outputTypeIsSet(0));
  abs->setOutputType(0, DataType::kINT32);
  EXPECT_TRUE(abs->outputTypeIsSet(0));
  EXPECT_EQ(abs->getOutputType(0), DataType::kINT32);
  EXPECT_EQ(abs->getOutput(0)->getType(), DataType::kINT32);
  abs->setOutputType(1, DataType::kINT32);
  EXPECT_NE(logger.errors.find("has no output 1"), std::string::npos) << logger.errors;
  abs->getOutput(0)->setName("y");
  network->markOutput(*abs->getOutput(0));
  const auto engine = build();
  ASSERT_TRUE(engine) << logger.errors;
  EXPECT_EQ(engine->getTensorDataType("y"), DataType::kINT32);
  const OnDevice<float> in({-1.5f, 2.5f, 3});
  const OnDevice<int32_t> out(3);
  void* bindings[] = {in.data(), out.data()};
  Owned<IExecutionContext> context(engine->createExecutionContext());
  ASSERT_TRUE(context->executeV2(bindings));
  EXPECT_EQ(out.get()[0], 1);
  EXPECT_EQ(out.get()[2], 3);
  config->setFlag(BuilderFlag::kPREFER_PRECISION_CONSTRAINTS);
  EXPECT_TRUE(build());
  EXPECT_NE(logger.warnings.find("float16"), std::string::npos) << logger.warnings;
  config->clearFlag(BuilderFlag::kPREFER_PRECISION_CONSTRAINTS);
  config->setFlag(BuilderFlag::kOBEY_PRECISION_CONSTRAINTS);
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("'abs'"), std::string::npos) << logger.errors;
  abs->setPrecision(DataType::kFLOAT);
  EXPECT_TRUE(build());
  abs->resetPrecision();
  abs->resetOutputType(0);
  EXPECT_FALSE(abs->precisionIsSet());
  EXPECT_EQ(abs->getOutput(0)->getType(), DataType::kFLOAT);
}

TEST_F(Settings, SerialisedAsConfigured) {
  convolution();
  const auto engine = build();
  Owned<ISerializationConfig> how(engine->createSerializationConfig());
  ASSERT_TRUE(how);
  EXPECT_EQ(how->getFlags(), 0U);
  EXPECT_TRUE(how->setFlag(SerializationFlag::kEXCLUDE_LEAN_RUNTIME));
  EXPECT_TRUE(how->getFlag(SerializationFlag::kEXCLUDE_LEAN_RUNTIME));
  EXPECT_FALSE(how->setFlags(1));  // weights stay
  Owned<IHostMemory> bytes(engine->serializeWithConfig(*how)), whole(engine->serialize());
  ASSERT_EQ(bytes->size(), whole->size());
  EXPECT_TRUE(Owned<ICudaEngine>(runtime->deserializeCudaEngine(bytes->data(), bytes->size(), nullptr)));
  EXPECT_TRUE(how->clearFlag(SerializationFlag::kEXCLUDE_LEAN_RUNTIME));
  EXPECT_EQ(how->getFlags(), 0U);
}

}  // namespace
