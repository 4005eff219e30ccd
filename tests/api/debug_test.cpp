// Debug tensors, assertions, debug synchronisation, memory for late workspaces.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

#include "api/network.h"
#include "kiln/kiln.h"
#include "pretend/pretend.h"

using namespace nvinfer1;

namespace {

class Listener : public IDebugListener {
 public:
  bool processDebugTensor(void const* addr, TensorLocation location, DataType type, Dims const& shape, char const* name,
                          cudaStream_t) override {
    EXPECT_EQ(location, TensorLocation::kHOST);
    types[name] = type;
    const auto* x = static_cast<const float*>(addr);
    if (type == DataType::kFLOAT) seen[name].assign(x, x + volume(shape));
    return go_on;
  }
  std::map<std::string, std::vector<float>> seen;
  std::map<std::string, DataType> types;
  bool go_on = true;
};

class Debug : public Network {
 protected:
  // y = relu(x + 1) * 2 of shape [1, n], n from 1 to 4: one step when nothing is marked.
  void chain() {
    ITensor* x = input("x", Dims2{1, -1});
    sum = network->addElementWise(*x, *constant(Dims2{1, 1}, {1}), ElementWiseOperation::kSUM)->getOutput(0);
    sum->setName("sum");
    relu = network->addActivation(*sum, ActivationType::kRELU)->getOutput(0);
    relu->setName("relu");
    ITensor* y = network->addElementWise(*relu, *constant(Dims2{1, 1}, {2}), ElementWiseOperation::kPROD)->getOutput(0);
    y->setName("y");
    network->markOutput(*y);
    bound("x", 1, 4);
  }
  void bound(const char* name, int64_t min, int64_t max) {
    IOptimizationProfile* profile = builder->createOptimizationProfile();
    profile->setDimensions(name, OptProfileSelector::kMIN, Dims2{1, min});
    profile->setDimensions(name, OptProfileSelector::kOPT, Dims2{1, max});
    profile->setDimensions(name, OptProfileSelector::kMAX, Dims2{1, max});
    config->addOptimizationProfile(profile);
  }
  bool run_on(IExecutionContext& context, const std::vector<float>& x, std::vector<float>& y) {
    const OnDevice<float> in(x), out(y);
    const bool good = context.setInputShape("x", Dims2{1, static_cast<int64_t>(x.size())}) &&
                      context.setTensorAddress("x", in.data()) && context.setTensorAddress("y", out.data()) &&
                      context.enqueueV3(nullptr);
    y = out.get();
    return good;
  }
  ITensor *sum = nullptr, *relu = nullptr;
  std::vector<float> x{-3, 0, 2}, y = std::vector<float>(3);
};

TEST_F(Debug, MarkedTensorsAreShownAndNotFusedAway) {
  chain();
  const auto fused = build();
  ASSERT_TRUE(fused);
  EXPECT_FALSE(network->isDebugTensor(*relu));
  ASSERT_TRUE(network->markDebug(*relu));
  ASSERT_TRUE(network->markDebug(*network->getOutput(0)));
  ASSERT_TRUE(network->markDebug(*sum));
  ASSERT_TRUE(network->unmarkDebug(*sum));
  EXPECT_FALSE(network->unmarkDebug(*sum));
  EXPECT_TRUE(network->isDebugTensor(*relu));
  EXPECT_FALSE(network->markDebug(*network->getInput(0)));
  const auto engine = build();
  ASSERT_TRUE(engine) << logger.errors;
  EXPECT_GT(engine->getNbLayers(), fused->getNbLayers());
  EXPECT_EQ(engine->getNbIOTensors(), 2);  // a debug tensor is no output
  EXPECT_TRUE(engine->isDebugTensor("relu"));
  EXPECT_TRUE(engine->isDebugTensor("y"));
  EXPECT_FALSE(engine->isDebugTensor("sum"));
  EXPECT_FALSE(fused->isDebugTensor("relu"));
  Owned<IExecutionContext> context(engine->createExecutionContext());
  Listener listener;
  ASSERT_TRUE(context->setDebugListener(&listener));
  EXPECT_EQ(context->getDebugListener(), &listener);
  ASSERT_TRUE(run_on(*context, x, y)) << logger.errors;
  EXPECT_TRUE(listener.seen.empty());  // nothing is on at first
  EXPECT_FALSE(context->getDebugState("relu"));
  ASSERT_TRUE(context->setTensorDebugState("relu", true));
  EXPECT_TRUE(context->getDebugState("relu"));
  EXPECT_FALSE(context->setTensorDebugState("sum", true));
  ASSERT_TRUE(run_on(*context, x, y)) << logger.errors;
  EXPECT_EQ(listener.seen.size(), 1u);
  EXPECT_EQ(listener.seen["relu"], (std::vector<float>{0, 1, 3}));
  EXPECT_EQ(y, (std::vector<float>{0, 2, 6}));
  ASSERT_TRUE(context->setAllTensorsDebugState(true));
  x = {4};
  ASSERT_TRUE(run_on(*context, x, y)) << logger.errors;
  EXPECT_EQ(listener.seen["relu"], (std::vector<float>{5}));
  EXPECT_EQ(listener.seen["y"], (std::vector<float>{10}));
  listener.go_on = false;
  EXPECT_FALSE(run_on(*context, x, y));
  EXPECT_NE(logger.errors.find("the debug listener ended"), std::string::npos) << logger.errors;
  ASSERT_TRUE(context->setDebugListener(nullptr));
  EXPECT_TRUE(run_on(*context, x, y));
}

TEST_F(Debug, LayoutsAndConstantsAreShownAsTheNetworkHasThem) {
  ITensor* image = input("x", Dims4{1, 3, 5, 7});
  std::vector<float> kernel(8 * 3 * 9);
  for (size_t i = 0; i < kernel.size(); ++i) kernel[i] = static_cast<float>(i % 7) - 3;
  ITensor* conv =
      network->addConvolutionNd(*image, 8, Dims2{3, 3}, weights(kernel), {DataType::kFLOAT, nullptr, 0})->getOutput(0);
  conv->setName("conv");
  ITensor* one = network->addActivation(*constant(Dims4{1, 1, 1, 2}, {-1, 1}), ActivationType::kRELU)->getOutput(0);
  one->setName("one");
  ITensor* pool = network->addReduce(*conv, ReduceOperation::kAVG, 12, true)->getOutput(0);
  pool->setName("y");
  network->markOutput(*pool);
  ASSERT_TRUE(network->markDebug(*conv));
  ASSERT_TRUE(network->markDebug(*one));
  const auto engine = build();
  ASSERT_TRUE(engine) << logger.errors;
  Owned<IExecutionContext> context(engine->createExecutionContext());
  Listener listener;
  context->setDebugListener(&listener);
  context->setAllTensorsDebugState(true);
  std::vector<float> in(3 * 35);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i % 5);
  const OnDevice<float> image_data(in), out(8);
  context->setTensorAddress("x", image_data.data());
  context->setTensorAddress("y", out.data());
  ASSERT_TRUE(context->enqueueV3(nullptr)) << logger.errors;
  EXPECT_EQ(listener.seen["one"], (std::vector<float>{0, 1}));
  const std::vector<float>& seen = listener.seen["conv"];
  ASSERT_EQ(seen.size(), 8u * 15);
  for (size_t c = 0; c < 8; ++c)
    for (size_t h = 0; h < 3; ++h)
      for (size_t w = 0; w < 5; ++w) {
        float expected = 0;
        for (size_t i = 0; i < 27; ++i)
          expected += kernel[c * 27 + i] * in[i / 9 * 35 + (h + i % 9 / 3) * 7 + w + i % 3];
        EXPECT_NEAR(seen[c * 15 + h * 5 + w], expected, 1e-4);
      }
}

TEST_F(Debug, WhatFusionLeavesIsShownOnDemand) {
  chain();
  const auto closed = build();
  ASSERT_TRUE(network->markUnfusedTensorsAsDebugTensors());
  const auto engine = build();
  ASSERT_TRUE(engine && closed) << logger.errors;
  EXPECT_EQ(engine->getNbLayers(), closed->getNbLayers());
  Owned<IExecutionContext> context(engine->createExecutionContext()), other(closed->createExecutionContext());
  Listener listener;
  context->setDebugListener(&listener);
  EXPECT_TRUE(context->setUnfusedTensorsDebugState(true));
  EXPECT_TRUE(context->getUnfusedTensorsDebugState());
  EXPECT_FALSE(other->setUnfusedTensorsDebugState(true));
  ASSERT_TRUE(run_on(*context, x, y)) << logger.errors;
  EXPECT_EQ(listener.seen["y"], (std::vector<float>{0, 2, 6}));
}

TEST_F(Debug, AssertionsAreCheckedWhenRunning) {
  chain();
  ITensor* limit =
      network->addElementWise(*relu, *constant(Dims2{1, 1}, {10}), ElementWiseOperation::kLESS)->getOutput(0);
  IAssertionLayer* assertion = network->addAssertion(*limit, "to be replaced");
  ASSERT_TRUE(assertion);
  EXPECT_EQ(assertion->getNbOutputs(), 0);
  EXPECT_EQ(assertion->getType(), LayerType::kASSERTION);
  assertion->setMessage("relu stays below ten");
  EXPECT_STREQ(assertion->getMessage(), "relu stays below ten");
  const auto engine = build();
  ASSERT_TRUE(engine) << logger.errors;
  EXPECT_EQ(engine->getNbIOTensors(), 2);
  Owned<IExecutionContext> context(engine->createExecutionContext());
  ASSERT_TRUE(run_on(*context, x, y)) << logger.errors;
  EXPECT_EQ(y, (std::vector<float>{0, 2, 6}));
  x[1] = 9;
  EXPECT_FALSE(run_on(*context, x, y));
  EXPECT_NE(logger.errors.find("relu stays below ten"), std::string::npos) << logger.errors;
  x[1] = 0;
  EXPECT_TRUE(run_on(*context, x, y));
}

TEST_F(Debug, AssertionsAreCheckedWhenBuilding) {
  ITensor* x = input("x", Dims2{2, 3});
  ITensor* shape = network->addShape(*x)->getOutput(0);
  auto holds = [&](std::vector<int32_t> dims) {
    ITensor* expected = network->addCast(*int_constant(Dims{1, {2}}, std::move(dims)), shape->getType())->getOutput(0);
    return network->addElementWise(*shape, *expected, ElementWiseOperation::kEQUAL)->getOutput(0);
  };
  network->addAssertion(*holds({2, 3}), "two rows of three");
  ITensor* y = network->addUnary(*x, UnaryOperation::kABS)->getOutput(0);
  y->setName("y");
  network->markOutput(*y);
  const auto engine = build();
  ASSERT_TRUE(engine) << logger.errors;
  EXPECT_EQ(engine->getNbLayers(), 1);
  EXPECT_EQ(run(*engine, {{-1, 2, 3, 4, 5, 6}})[0], 1);
  network->addAssertion(*holds({3, 3}), "three rows of three")->setName("the check");
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("three rows of three"), std::string::npos) << logger.errors;
  EXPECT_NE(logger.errors.find("the check"), std::string::npos) << logger.errors;
}

TEST_F(Debug, AssertionsTakeBooleans) {
  ITensor* x = input("x", Dims2{2, 3});
  network->addAssertion(*x, "no boolean");
  network->markOutput(*network->addUnary(*x, UnaryOperation::kABS)->getOutput(0));
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("kBOOL"), std::string::npos) << logger.errors;
}

TEST_F(Debug, StepByStepGivesTheSame) {
  chain();
  const auto engine = build();
  Owned<IExecutionContext> context(engine->createExecutionContext());
  EXPECT_FALSE(context->getDebugSync());
  context->setDebugSync(true);
  EXPECT_TRUE(context->getDebugSync());
  ASSERT_TRUE(run_on(*context, x, y)) << logger.errors;
  EXPECT_EQ(y, (std::vector<float>{0, 2, 6}));
}

// A device that works beside the host says later that a layer failed, and not which.
TEST_F(Debug, StepByStepNamesTheLayerThatFails) {
  ITensor* scores = network->addActivation(*input("x", Dims2{4, 8}), ActivationType::kTANH)->getOutput(0);
  for (const char* name : {"first", "second"}) {
    ISoftMaxLayer* soft = network->addSoftMax(*scores);
    soft->setAxes(name[0] == 'f' ? 1 : 2);
    soft->setName(name);
    scores = soft->getOutput(0);
  }
  scores->setName("y");
  network->markOutput(*scores);
  const std::string path = ::testing::TempDir() + "kiln_steps.plan";
  {
    const Owned<IHostMemory> bytes(Owned<ICudaEngine>(build())->serialize());
    std::ofstream(path, std::ios::binary)
        .write(static_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
  }
  const kiln::api::Engine engine = kiln::api::Engine::load(path);
  std::remove(path.c_str());
  if (engine.backend() != "pretend") GTEST_SKIP() << "the pretend device alone can be lost and found";
  kiln::api::Session session = engine.create_session();
  session.set_input("x", kiln::api::random_tensor("float32", {4, 8}, 1));
  const auto failure = [&](int64_t after) {
    kiln::pretend::lose_device_after(after);
    std::string text;
    try {
      session.enqueue();
      session.synchronize();
    } catch (const kiln::api::Failure& e) {
      text = e.what();
    }
    kiln::pretend::lose_device(false);
    session.enqueue();
    session.synchronize();
    return text;
  };
  const size_t layers = engine.layers().size();
  ASSERT_GE(layers, 2u);
  session.set_debug_sync(true);
  for (size_t i = 0; i < layers; ++i) {
    const std::string text = failure(static_cast<int64_t>(i));
    EXPECT_NE(text.find("step '" + engine.layers()[i].name + "'"), std::string::npos) << i << ": " << text;
  }
  session.set_debug_sync(false);
  EXPECT_NE(failure(static_cast<int64_t>(layers) - 1), "");
}

TEST_F(Debug, NvtxSaysAsMuchAsTheEngineKept) {
  chain();
  config->setProfilingVerbosity(ProfilingVerbosity::kLAYER_NAMES_ONLY);
  const auto engine = build();
  Owned<IExecutionContext> context(engine->createExecutionContext());
  EXPECT_EQ(context->getNvtxVerbosity(), ProfilingVerbosity::kLAYER_NAMES_ONLY);
  EXPECT_TRUE(context->setNvtxVerbosity(ProfilingVerbosity::kNONE));
  EXPECT_EQ(context->getNvtxVerbosity(), ProfilingVerbosity::kNONE);
  EXPECT_FALSE(context->setNvtxVerbosity(ProfilingVerbosity::kDETAILED));
  EXPECT_NE(logger.errors.find("setNvtxVerbosity"), std::string::npos) << logger.errors;
  EXPECT_EQ(context->getNvtxVerbosity(), ProfilingVerbosity::kNONE);
  ASSERT_TRUE(run_on(*context, x, y)) << logger.errors;
  EXPECT_EQ(y, (std::vector<float>{0, 2, 6}));
}

TEST_F(Debug, LateWorkspacesComeFromTheUsersAllocator) {
  struct Allocator : IGpuAllocator {
    void* allocate(uint64_t size, uint64_t, AllocatorFlags) noexcept override {
      ++taken;
      if (refuses) return nullptr;
      auto* memory = static_cast<char*>(device_memory(size + 8));
      return memory ? memory + askew : nullptr;
    }
    bool deallocate(void* memory) noexcept override {
      return ++given_back, cudaFree(static_cast<char*>(memory) - askew) == cudaSuccess;
    }
    int taken = 0, given_back = 0;
    bool refuses = false;
    size_t askew = 0;  // bytes behind where memory would be aligned
  } allocator;
  // The best of the elements that are not zero: only running tells how many there are.
  ITensor* x = input("x", Dims{1, {64}});
  ITensor* where = network->addNonZero(*x)->getOutput(0);
  auto* shuffle = network->addShuffle(*where);
  shuffle->setReshapeDimensions(Dims{1, {-1}});
  ITensor* found = network->addGather(*x, *shuffle->getOutput(0), 0)->getOutput(0);
  ITensor* best = network->addTopK(*found, TopKOperation::kMAX, 1, 1)->getOutput(0);
  best->setName("y");
  network->markOutput(*best);
  const auto engine = build();
  ASSERT_TRUE(engine) << logger.errors;
  Owned<IExecutionContext> context(engine->createExecutionContext());
  EXPECT_EQ(context->getTemporaryStorageAllocator(), nullptr);
  ASSERT_TRUE(context->setTemporaryStorageAllocator(&allocator));
  EXPECT_EQ(context->getTemporaryStorageAllocator(), &allocator);
  std::vector<float> values(64);
  values[5] = 3, values[9] = 7, values[40] = -1;
  OnDevice<float> in(values), out(1);
  context->setTensorAddress("x", in.data());
  context->setTensorAddress("y", out.data());
  ASSERT_TRUE(context->enqueueV3(nullptr)) << logger.errors;
  EXPECT_EQ(out.get()[0], 7);
  EXPECT_GT(allocator.taken, 0);
  allocator.refuses = true;
  values[11] = 9;
  in.set(values);
  EXPECT_FALSE(context->enqueueV3(nullptr));
  EXPECT_NE(logger.errors.find("refused a workspace"), std::string::npos) << logger.errors;
  EXPECT_EQ(allocator.given_back + 1, allocator.taken);
  allocator.refuses = false;
  allocator.askew = 8;
  EXPECT_FALSE(context->enqueueV3(nullptr));
  EXPECT_NE(logger.errors.find("does not begin at a multiple of"), std::string::npos) << logger.errors;
  EXPECT_EQ(allocator.given_back + 1, allocator.taken);
  ASSERT_TRUE(context->setTemporaryStorageAllocator(nullptr));
  EXPECT_EQ(allocator.given_back + 1, allocator.taken);
  ASSERT_TRUE(context->enqueueV3(nullptr)) << logger.errors;
  EXPECT_EQ(out.get()[0], 9);
}

}  // namespace
