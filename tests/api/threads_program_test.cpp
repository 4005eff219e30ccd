// A server's program: builds on several threads with one logger, then one engine for four threads with a context each, in several profiles.
#include <atomic>
#include <cmath>
#include <thread>

#include "api/network.h"

using namespace nvinfer1;

namespace {

class Server : public Network {
 protected:
  // y = softmax(x * W) for x [n, 6]; W = `scale` on the diagonal.
  Owned<IHostMemory> build_scaled(float scale) {
    Owned<IBuilder> b(createInferBuilder(logger));
    Owned<INetworkDefinition> n(b->createNetworkV2(0));
    Owned<IBuilderConfig> c(b->createBuilderConfig());
    std::vector<float> w(36);
    for (size_t i = 0; i < 6; ++i) w[i * 7] = scale;
    ITensor* x = n->addInput("x", DataType::kFLOAT, Dims2{-1, 6});
    ITensor* m = n->addConstant(Dims2{6, 6}, {DataType::kFLOAT, w.data(), 36})->getOutput(0);
    ITensor* p = n->addMatrixMultiply(*x, MatrixOperation::kNONE, *m, MatrixOperation::kNONE)->getOutput(0);
    auto* soft = n->addSoftMax(*p);
    soft->setAxes(2);
    soft->getOutput(0)->setName("y");
    n->markOutput(*soft->getOutput(0));
    for (int64_t most : {1, 8, 64}) {
      IOptimizationProfile* profile = b->createOptimizationProfile();
      profile->setDimensions("x", OptProfileSelector::kMIN, Dims2{1, 6});
      profile->setDimensions("x", OptProfileSelector::kOPT, Dims2{most, 6});
      profile->setDimensions("x", OptProfileSelector::kMAX, Dims2{most, 6});
      EXPECT_GE(c->addOptimizationProfile(profile), 0);
    }
    c->setAvgTimingIterations(1);
    c->clearFlag(BuilderFlag::kTF32);
    return Owned<IHostMemory>(b->buildSerializedNetwork(*n, *c));
  }
};

std::vector<float> expected_row(const std::vector<float>& x, size_t row, float scale) {
  std::vector<float> y(6);
  float total = 0, most = -1e30f;
  for (size_t i = 0; i < 6; ++i) most = std::max(most, scale * x[row * 6 + i]);
  for (size_t i = 0; i < 6; ++i) total += y[i] = std::exp(scale * x[row * 6 + i] - most);
  for (float& v : y) v /= total;
  return y;
}

TEST_F(Server, BuildsAtOnceAndServesOnThreads) {
  constexpr size_t kThreads = 4;
  std::vector<Owned<IHostMemory>> plans(kThreads);
  {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] { plans[i] = build_scaled(static_cast<float>(i + 1)); });
    for (std::thread& t : threads) t.join();
  }
  for (const auto& plan : plans) ASSERT_TRUE(plan) << logger.errors;
  Owned<ICudaEngine> engine(runtime->deserializeCudaEngine(plans[2]->data(), plans[2]->size()));
  ASSERT_TRUE(engine);
  ASSERT_EQ(engine->getNbOptimizationProfiles(), 3);
  std::atomic<int> wrong = 0;
  auto serve = [&](size_t thread) {
    Owned<IExecutionContext> context(engine->createExecutionContext());
    cudaStream_t stream;
    if (!context || cudaStreamCreate(&stream) != cudaSuccess) return void(++wrong);
    for (int round = 0; round < 12; ++round) {
      const auto profile = static_cast<int32_t>((thread + static_cast<size_t>(round)) % 3);
      const int64_t most = profile == 0 ? 1 : profile == 1 ? 8 : 64, n = 1 + (round * 5) % most;
      std::vector<float> x(static_cast<size_t>(n) * 6);
      for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 7 + thread) % 5) / 5;
      const OnDevice<float> in(x), out(x.size());
      if (!context->setOptimizationProfileAsync(profile, stream) || cudaStreamSynchronize(stream) != cudaSuccess ||
          !context->setInputShape("x", Dims2{n, 6}) || !context->setTensorAddress("x", in.data()) ||
          !context->setTensorAddress("y", out.data()) || !context->enqueueV3(stream) ||
          cudaStreamSynchronize(stream) != cudaSuccess)
        return void(++wrong);
      const std::vector<float> y = out.get();
      for (size_t row = 0; row < static_cast<size_t>(n); ++row) {
        const std::vector<float> want = expected_row(x, row, 3);
        for (size_t i = 0; i < 6; ++i)
          if (std::abs(want[i] - y[row * 6 + i]) > 1e-5f) ++wrong;
      }
    }
    cudaStreamDestroy(stream);
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) threads.emplace_back(serve, i);
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0) << logger.errors;
}

}  // namespace
