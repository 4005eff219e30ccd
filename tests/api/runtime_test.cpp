// Contexts and engines: shape values, user's memory, streams of bytes, old and new forms of the same call, refused arguments.
#include <atomic>
#include <cstring>
#include <thread>

#include "api/network.h"
#include "api/recorder.h"

using namespace nvinfer1;

namespace {

class Runtime : public Network {
 protected:
  // y = x * 2, of a shape that the INT32 or INT64 input `dims` gives.
  Owned<ICudaEngine> reshaping_engine(DataType type, bool bounded) {
    ITensor* x = input("x", Dims{1, {12}});
    ITensor* dims = network->addInput("dims", type, Dims{1, {2}});
    auto* shuffle = network->addShuffle(*x);
    shuffle->setInput(1, *dims);
    EXPECT_TRUE(dims->isShapeTensor());
    EXPECT_FALSE(x->isShapeTensor());
    EXPECT_EQ(dims->getLocation(), TensorLocation::kHOST);
    ITensor* y = network->addElementWise(*shuffle->getOutput(0), *shuffle->getOutput(0), ElementWiseOperation::kSUM)
                     ->getOutput(0);
    y->setName("y");
    network->markOutput(*y);
    if (bounded) {
      IOptimizationProfile* profile = builder->createOptimizationProfile();
      const int64_t min[] = {1, 1}, opt[] = {3, 4}, max[] = {12, 12};
      EXPECT_TRUE(profile->setShapeValuesV2("dims", OptProfileSelector::kMIN, min, 2));
      EXPECT_FALSE(profile->isValid());
      EXPECT_TRUE(profile->setShapeValuesV2("dims", OptProfileSelector::kOPT, opt, 2));
      EXPECT_TRUE(profile->setShapeValuesV2("dims", OptProfileSelector::kMAX, max, 2));
      EXPECT_EQ(profile->getNbShapeValues("dims"), 2);
      EXPECT_EQ(profile->getShapeValues("dims", OptProfileSelector::kOPT)[1], 4);
      EXPECT_EQ(config->addOptimizationProfile(profile), 0);
    }
    return build();
  }
  // y = x + x of shape [n, 3], n from 1 to 4.
  Owned<ICudaEngine> dynamic_engine() {
    ITensor* x = input("x", Dims2{-1, 3});
    auto* soft = network->addSoftMax(*x);
    soft->setAxes(2);
    ITensor* y =
        network->addElementWise(*soft->getOutput(0), *soft->getOutput(0), ElementWiseOperation::kSUM)->getOutput(0);
    y->setName("y");
    network->markOutput(*y);
    IOptimizationProfile* profile = builder->createOptimizationProfile();
    for (auto [select, n] :
         {std::pair{OptProfileSelector::kMIN, 1}, {OptProfileSelector::kOPT, 2}, {OptProfileSelector::kMAX, 4}})
      profile->setDimensions("x", select, Dims2{n, 3});
    config->addOptimizationProfile(profile);
    return build();
  }
};

std::vector<float> rising(size_t n) {
  std::vector<float> x;
  for (size_t i = 0; i < n; ++i) x.push_back(static_cast<float>(i));
  return x;
}
std::vector<float> doubled(std::vector<float> x) {
  for (float& v : x) v *= 2;
  return x;
}

TEST_F(Runtime, ShapeValuesDecideShapes) {
  const auto engine = reshaping_engine(DataType::kINT32, true);
  ASSERT_TRUE(engine);
  EXPECT_TRUE(engine->isShapeInferenceIO("dims"));
  EXPECT_TRUE(engine->isShapeBinding(1));
  EXPECT_EQ(engine->getTensorLocation("dims"), TensorLocation::kHOST);
  EXPECT_EQ(engine->getTensorLocation("x"), TensorLocation::kDEVICE);
  EXPECT_EQ(engine->getProfileTensorValuesV2("dims", 0, OptProfileSelector::kMAX)[0], 12);
  EXPECT_EQ(engine->getProfileShapeValues(0, 1, OptProfileSelector::kOPT)[1], 4);
  EXPECT_EQ(engine->getProfileTensorValuesV2("x", 0, OptProfileSelector::kMAX), nullptr);
  EXPECT_EQ(engine->getTensorShape("y").nbDims, 2);
  EXPECT_EQ(engine->getTensorShape("y").d[0], -1);
  Owned<IExecutionContext> context(engine->createExecutionContext());
  const char* missing = nullptr;
  EXPECT_EQ(context->inferShapes(1, &missing), 1);
  EXPECT_STREQ(missing, "dims");
  int32_t dims[] = {2, 6};
  const OnDevice<float> x(rising(12)), y(12);
  ASSERT_TRUE(context->setTensorAddress("dims", dims));
  ASSERT_TRUE(context->setTensorAddress("x", x.data()));
  ASSERT_TRUE(context->setTensorAddress("y", y.data()));
  EXPECT_EQ(context->inferShapes(0, nullptr), 0);
  EXPECT_EQ(context->getTensorShape("y").d[1], 6);
  EXPECT_EQ(context->getMaxOutputSize("y"), 12 * 12 * 4);
  ASSERT_TRUE(context->enqueueV3(nullptr)) << logger.errors;
  EXPECT_EQ(y.get(), doubled(x.get()));
  dims[0] = 4, dims[1] = 3;
  EXPECT_EQ(context->getTensorShape("y").d[0], 4);
  ASSERT_TRUE(context->enqueueV3(nullptr)) << logger.errors;
  dims[0] = 13;
  EXPECT_FALSE(context->enqueueV3(nullptr));
  EXPECT_NE(logger.errors.find("outside the profile"), std::string::npos) << logger.errors;
  dims[0] = 5;
  EXPECT_FALSE(context->enqueueV3(nullptr));  // 5 * 3 are not 12
  dims[0] = 12, dims[1] = 1;
  EXPECT_TRUE(context->enqueueV3(nullptr));
}

TEST_F(Runtime, ShapeValuesByBindingIndex) {
  const auto engine = reshaping_engine(DataType::kINT64, true);
  ASSERT_TRUE(engine);
  Owned<IExecutionContext> context(engine->createExecutionContext());
  EXPECT_FALSE(context->allInputShapesSpecified());
  const int32_t dims[] = {6, 2};
  EXPECT_TRUE(context->setInputShapeBinding(1, dims));
  EXPECT_TRUE(context->allInputShapesSpecified());
  EXPECT_FALSE(context->setInputShapeBinding(0, dims));
  int32_t read[2] = {};
  EXPECT_TRUE(context->getShapeBinding(1, read));
  EXPECT_EQ(read[0], 6);
  EXPECT_EQ(context->getBindingDimensions(2).d[1], 2);
  const OnDevice<float> x(rising(12)), y(12);
  void* bindings[] = {x.data(), nullptr, y.data()};
  EXPECT_TRUE(context->execute(1, bindings)) << logger.errors;
  EXPECT_EQ(y.get(), doubled(x.get()));
  EXPECT_FALSE(context->execute(0, bindings));
  EXPECT_TRUE(context->enqueue(1, bindings, nullptr, nullptr));
}

TEST_F(Runtime, ShapeTensorsWithoutBoundsWorkToo) {
  const auto engine = reshaping_engine(DataType::kINT64, false);
  ASSERT_TRUE(engine);
  Owned<IExecutionContext> context(engine->createExecutionContext());
  int64_t dims[] = {4, 3};
  const OnDevice<float> x(rising(12)), y(12);
  void* bindings[] = {x.data(), dims, y.data()};
  EXPECT_TRUE(context->executeV2(bindings)) << logger.errors;
  EXPECT_EQ(y.get(), doubled(x.get()));
  EXPECT_EQ(context->getMaxOutputSize("y"), -1);
  EXPECT_NE(logger.errors.find("known only when running"), std::string::npos) << logger.errors;
}

TEST_F(Runtime, ProfilesThatBoundOtherValuesAreRefused) {
  ITensor* x = input("x", Dims2{1, 3});
  ITensor* y = network->addUnary(*x, UnaryOperation::kABS)->getOutput(0);
  network->markOutput(*y);
  IOptimizationProfile* profile = builder->createOptimizationProfile();
  const int32_t values[] = {1, 1, 1};
  for (OptProfileSelector select : {OptProfileSelector::kMIN, OptProfileSelector::kOPT, OptProfileSelector::kMAX})
    EXPECT_TRUE(profile->setShapeValues("x", select, values, 3));
  EXPECT_FALSE(profile->setShapeValues("x", OptProfileSelector::kMIN, nullptr, 3));
  config->addOptimizationProfile(profile);
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("bounds the values of 'x'"), std::string::npos) << logger.errors;
}

TEST_F(Runtime, MemoryOfTheUser) {
  const auto engine = dynamic_engine();
  ASSERT_TRUE(engine);
  const int64_t size = engine->getDeviceMemorySizeV2();
  EXPECT_EQ(engine->getDeviceMemorySizeForProfileV2(0), size);
  EXPECT_EQ(engine->getDeviceMemorySizeForProfileV2(1), 0);
  Owned<IExecutionContext> context(engine->createExecutionContextWithoutDeviceMemory());
  ASSERT_TRUE(context);
  EXPECT_EQ(context->getRuntimeConfig()->getExecutionContextAllocationStrategy(),
            ExecutionContextAllocationStrategy::kUSER_MANAGED);
  ASSERT_TRUE(context->setInputShape("x", Dims2{1, 3}));
  EXPECT_EQ(context->updateDeviceMemorySizeForShapes(), static_cast<size_t>(size));
  OnDevice<float> x({0, 0, 0}), y(3);
  void* bindings[] = {x.data(), y.data()};
  ASSERT_GT(size, 0);
  EXPECT_FALSE(context->executeV2(bindings));
  EXPECT_NE(logger.errors.find("no device memory"), std::string::npos) << logger.errors;
  void* memory = nullptr;
  ASSERT_EQ(cudaMalloc(&memory, static_cast<size_t>(size)), cudaSuccess);
  EXPECT_FALSE(context->setDeviceMemoryV2(memory, size - 1));
  EXPECT_FALSE(context->setDeviceMemoryV2(nullptr, size));
  EXPECT_FALSE(context->setDeviceMemoryV2(static_cast<char*>(memory) + 1, size));
  ASSERT_TRUE(context->setDeviceMemoryV2(memory, size));
  ASSERT_TRUE(context->executeV2(bindings)) << logger.errors;
  EXPECT_NEAR(y.get()[0], 2 / 3.f, 1e-6);
  void* other = nullptr;
  ASSERT_EQ(cudaMalloc(&other, static_cast<size_t>(size)), cudaSuccess);
  context->setDeviceMemory(other);
  ASSERT_EQ(cudaFree(memory), cudaSuccess);
  x.set({0, 0, 100});
  ASSERT_TRUE(context->executeV2(bindings)) << logger.errors;
  EXPECT_NEAR(y.get()[2], 2, 1e-6);
  ASSERT_EQ(cudaFree(other), cudaSuccess);
  Owned<IExecutionContext> own(engine->createExecutionContext());
  EXPECT_FALSE(own->setDeviceMemoryV2(memory, size));
}

TEST_F(Runtime, ContextsByConfiguration) {
  const auto engine = dynamic_engine();
  ASSERT_TRUE(engine);
  Owned<IRuntimeConfig> how(engine->createRuntimeConfig());
  EXPECT_EQ(how->getExecutionContextAllocationStrategy(), ExecutionContextAllocationStrategy::kSTATIC);
  how->setExecutionContextAllocationStrategy(ExecutionContextAllocationStrategy::kON_PROFILE_CHANGE);
  Owned<IExecutionContext> context(engine->createExecutionContext(how.get()));
  ASSERT_TRUE(context);
  EXPECT_FALSE(engine->createExecutionContext(static_cast<IRuntimeConfig*>(nullptr)));
  EXPECT_EQ(engine->getNbAuxStreams(), 0);
  EXPECT_GE(engine->getEngineStat(EngineStat::kTOTAL_WEIGHTS_SIZE), 0);
}

TEST_F(Runtime, EnginesThroughStreamsOfBytes) {
  struct Writer : IStreamWriter {
    int64_t write(void const* data, int64_t size) override {
      const auto* from = static_cast<const char*>(data);
      bytes.insert(bytes.end(), from, from + size);
      return fail ? 0 : size;
    }
    std::vector<char> bytes;
    bool fail = false;
  } writer;
  struct Reader : IStreamReader {
    int64_t read(void* to, int64_t size) override {
      const auto count = std::min<size_t>({static_cast<size_t>(size), bytes.size() - at, 1000});
      std::memcpy(to, bytes.data() + at, count);
      at += count;
      return error ? -1 : static_cast<int64_t>(count);
    }
    std::vector<char> bytes;
    size_t at = 0;
    bool error = false;
  } reader;
  ITensor* y = network->addUnary(*input("x", Dims2{1, 3}), UnaryOperation::kABS)->getOutput(0);
  y->setName("y");
  network->markOutput(*y);
  ASSERT_TRUE(builder->buildSerializedNetworkToStream(*network, *config, writer)) << logger.errors;
  reader.bytes = writer.bytes;
  Owned<ICudaEngine> engine(runtime->deserializeCudaEngine(reader));
  ASSERT_TRUE(engine) << logger.errors;
  EXPECT_EQ(run(*engine, {{-1, 2, -3}}), (std::vector<float>{1, 2, 3}));
  reader.at = 0, reader.error = true;
  EXPECT_FALSE(Owned<ICudaEngine>(runtime->deserializeCudaEngine(reader)));
  writer.fail = true;
  EXPECT_FALSE(builder->buildSerializedNetworkToStream(*network, *config, writer));
}

TEST_F(Runtime, StreamsThatNeverEndAreRefused) {
  struct Endless : IStreamReader {
    int64_t read(void* to, int64_t size) override {
      std::memset(to, 0, static_cast<size_t>(size));
      const auto count = std::min<size_t>(static_cast<size_t>(size), start.size() - std::min(start.size(), given));
      if (count > 0) std::memcpy(to, start.data() + given, count);
      given += static_cast<size_t>(size);
      return size;
    }
    std::string start;
    size_t given = 0;
  };
  const auto built = dynamic_engine();
  ASSERT_TRUE(built);
  Owned<IHostMemory> plan(built->serialize());
  for (const std::string& start : {std::string(static_cast<const char*>(plan->data()), plan->size()), std::string(),
                                   std::string("KILN engine\n")}) {
    Endless reader;
    reader.start = start;
    EXPECT_FALSE(Owned<ICudaEngine>(runtime->deserializeCudaEngine(reader))) << start.size();
    EXPECT_LT(reader.given, plan->size() + (size_t{4} << 20)) << start.size();
  }
}

TEST_F(Runtime, PermissionsSayWhatTheyChange) {
  ITensor* y = network->addUnary(*input("x", Dims2{1, 3}), UnaryOperation::kABS)->getOutput(0);
  network->markOutput(*y);
  EXPECT_TRUE(config->getFlag(BuilderFlag::kTF32));
  config->setFlag(BuilderFlag::kFP16);
  config->setFlag(BuilderFlag::kSPARSE_WEIGHTS);
  EXPECT_TRUE(config->getFlag(BuilderFlag::kFP16));
  ASSERT_TRUE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.warnings.find("kFP16") != std::string::npos, builder->platformHasFastFp16()) << logger.warnings;
  EXPECT_NE(logger.warnings.find("kSPARSE_WEIGHTS"), std::string::npos) << logger.warnings;
  EXPECT_EQ(logger.warnings.find("kINT8"), std::string::npos) << logger.warnings;
}

TEST_F(Runtime, BuildsFromTheTimingCacheAlone) {
  auto* product = network->addMatrixMultiply(*input("x", Dims2{4, 8}), MatrixOperation::kNONE,
                                             *constant(Dims2{8, 8}, std::vector<float>(64, 1)), MatrixOperation::kNONE);
  network->markOutput(*product->getOutput(0));
  config->setBuilderOptimizationLevel(3);
  config->setAvgTimingIterations(1);
  Owned<ITimingCache> cache(config->createTimingCache(nullptr, 0));
  ASSERT_TRUE(config->setTimingCache(*cache, false));
  config->setFlag(BuilderFlag::kERROR_ON_TIMING_CACHE_MISS);
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("the timing cache has no time"), std::string::npos) << logger.errors;
  config->clearFlag(BuilderFlag::kERROR_ON_TIMING_CACHE_MISS);
  ASSERT_TRUE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config))) << logger.errors;
  config->setFlag(BuilderFlag::kERROR_ON_TIMING_CACHE_MISS);
  EXPECT_TRUE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config))) << logger.errors;
}

TEST_F(Runtime, ContextsOfOneEngineOnThreadsWithTheirOwnShapes) {
  const auto engine = dynamic_engine();
  ASSERT_TRUE(engine);
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int64_t rows = 1; rows <= 4; ++rows)
    threads.emplace_back([&, rows] {
      Owned<IExecutionContext> context(engine->createExecutionContext());
      std::vector<float> values(static_cast<size_t>(rows) * 3, 0);
      OnDevice<float> x(values), y(values.size());
      void* bindings[] = {x.data(), y.data()};
      cudaStream_t stream = nullptr;
      bool good = context && cudaStreamCreate(&stream) == cudaSuccess && context->setInputShape("x", Dims2{rows, 3});
      for (int i = 0; good && i < 50; ++i) {
        values[0] = i % 2 ? 50.f : 0.f;
        x.set(values);
        good = context->enqueueV2(bindings, stream, nullptr) && cudaStreamSynchronize(stream) == cudaSuccess &&
               std::abs(y.get()[0] - (i % 2 ? 2.f : 2 / 3.f)) < 1e-5f;
      }
      right += good && cudaStreamDestroy(stream) == cudaSuccess;
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(right, 4) << logger.errors;
}

TEST_F(Runtime, BuildersOnThreads) {
  std::atomic<int> built = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      Owned<IBuilder> own(createInferBuilder(logger));
      Owned<INetworkDefinition> net(own->createNetworkV2(0));
      Owned<IBuilderConfig> how(own->createBuilderConfig());
      how->setBuilderOptimizationLevel(0);
      ITensor* x = net->addInput("x", DataType::kFLOAT, Dims2{t + 1, 4});
      net->markOutput(*net->addActivation(*x, ActivationType::kRELU)->getOutput(0));
      Owned<IHostMemory> plan(own->buildSerializedNetwork(*net, *how));
      built += plan != nullptr;
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(built, 3) << logger.errors;
}

// What is not valid is refused, by each call, and the recorder hears it.
TEST_F(Runtime, RefusedArgumentsReachTheRecorder) {
  const auto engine = dynamic_engine();
  ASSERT_TRUE(engine);
  Recorder recorder;
  Owned<IExecutionContext> context(engine->createExecutionContext());
  context->setErrorRecorder(&recorder);
  EXPECT_EQ(context->getErrorRecorder(), &recorder);
  int32_t heard = 0;
  auto refused = [&](bool result, ErrorCode code) {
    EXPECT_FALSE(result);
    ASSERT_EQ(recorder.getNbErrors(), heard + 1);
    EXPECT_EQ(recorder.getErrorCode(heard), code) << recorder.getErrorDesc(heard);
    EXPECT_GT(std::strlen(recorder.getErrorDesc(heard)), 0u);
    ++heard;
  };
  refused(context->setInputShape("x", Dims2{9, 3}), ErrorCode::kINVALID_ARGUMENT);
  refused(context->setInputShape("x", Dims2{2, 4}), ErrorCode::kINVALID_ARGUMENT);
  refused(context->setInputShape("x", Dims{1, {3}}), ErrorCode::kINVALID_ARGUMENT);
  refused(context->setInputShape("x", Dims{-3, {}}), ErrorCode::kINVALID_ARGUMENT);
  refused(context->setInputShape("x", Dims{99, {}}), ErrorCode::kINVALID_ARGUMENT);
  refused(context->setInputShape("y", Dims2{2, 3}), ErrorCode::kINVALID_ARGUMENT);
  refused(context->setOptimizationProfileAsync(7, nullptr), ErrorCode::kINVALID_ARGUMENT);
  refused(context->setOptimizationProfileAsync(-1, nullptr), ErrorCode::kINVALID_ARGUMENT);
  refused(context->enqueueV3(nullptr), ErrorCode::kINVALID_STATE);  // no shape
  ASSERT_TRUE(context->setInputShape("x", Dims2{2, 3}));
  refused(context->enqueueV3(nullptr), ErrorCode::kINVALID_STATE);  // no address
  refused(context->executeV2(nullptr), ErrorCode::kINVALID_ARGUMENT);
  refused(context->enqueueV2(nullptr, nullptr, nullptr), ErrorCode::kINVALID_ARGUMENT);
  refused(context->execute(-1, nullptr), ErrorCode::kINVALID_ARGUMENT);
  refused(context->getMaxOutputSize("x") >= 0, ErrorCode::kINVALID_ARGUMENT);
  // Names are the engine's matter.
  Recorder of_engine;
  engine->setErrorRecorder(&of_engine);
  for (const char* name : {static_cast<const char*>(nullptr), "", "z"}) {
    EXPECT_FALSE(context->setTensorAddress(name, nullptr));
    EXPECT_FALSE(context->setInputTensorAddress(name, nullptr));
    EXPECT_FALSE(context->setOutputTensorAddress(name, nullptr));
    EXPECT_FALSE(context->setOutputAllocator(name, nullptr));
    EXPECT_EQ(context->getTensorAddress(name), nullptr);
    EXPECT_EQ(context->getTensorShape(name).nbDims, -1);
    EXPECT_EQ(context->getMaxOutputSize(name), -1);
    EXPECT_EQ(engine->getTensorIOMode(name), TensorIOMode::kNONE);
    EXPECT_EQ(engine->getBindingIndex(name), -1);
    EXPECT_EQ(engine->getTensorBytesPerComponent(name), -1);
    EXPECT_EQ(engine->getProfileShape(name, 0, OptProfileSelector::kMIN).nbDims, -1);
  }
  EXPECT_GE(of_engine.getNbErrors(), 30);
  for (int32_t index : {-1, 2, 1000}) {
    EXPECT_EQ(engine->getIOTensorName(index), nullptr);
    EXPECT_EQ(engine->getBindingName(index), nullptr);
    EXPECT_FALSE(engine->bindingIsInput(index));
    EXPECT_EQ(engine->getBindingDimensions(index).nbDims, -1);
    EXPECT_FALSE(context->setBindingDimensions(index, Dims2{1, 3}));
  }
  engine->setErrorRecorder(nullptr);
  context->setErrorRecorder(nullptr);
  EXPECT_EQ(recorder.references, 0);
  EXPECT_EQ(of_engine.references, 0);
}

// Bytes of an engine, damaged at many places, are refused or make the same engine; nothing else happens.
TEST_F(Runtime, JunkPlansAreRefused) {
  const auto engine = dynamic_engine();
  ASSERT_TRUE(engine);
  Owned<IHostMemory> plan(engine->serialize());
  const auto* from = static_cast<const char*>(plan->data());
  for (size_t at = 0; at < plan->size(); at += 97) {
    std::vector<char> bytes(from, from + plan->size());
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    EXPECT_FALSE(Owned<ICudaEngine>(runtime->deserializeCudaEngine(bytes.data(), bytes.size()))) << at;
  }
  for (size_t size = 0; size < plan->size(); size += 131)
    EXPECT_FALSE(Owned<ICudaEngine>(runtime->deserializeCudaEngine(from, size))) << size;
  EXPECT_FALSE(Owned<ICudaEngine>(runtime->deserializeCudaEngine(std::string(4096, 'k').data(), 4096)));
}

}  // namespace
