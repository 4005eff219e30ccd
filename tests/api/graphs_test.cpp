// Sessions that capture their inferences: once, again where shapes, memory or the values that give shapes change, and not where that fails. On
// a device of the host's memory there is nothing to capture.
#include <cstdio>
#include <cstring>
#include <fstream>

#include "api/network.h"
#include "kiln/kiln.h"
#include "pretend/pretend.h"

using namespace nvinfer1;

namespace {

using kiln::api::Engine;
using kiln::api::HostTensor;
using kiln::api::Session;

constexpr int kInferences = 3;  // of which the first is queued, and the second captured

class Graphs : public Network {
 protected:
  ~Graphs() override { std::remove(path_.c_str()); }
  // y = softmax(x), of shape [n, 3], n from 1 to 4.
  Engine softmax_engine() {
    auto* soft = network->addSoftMax(*input("x", Dims2{-1, 3}));
    soft->setAxes(2);
    soft->getOutput(0)->setName("y");
    network->markOutput(*soft->getOutput(0));
    IOptimizationProfile* profile = builder->createOptimizationProfile();
    for (auto [select, n] :
         {std::pair{OptProfileSelector::kMIN, 1}, {OptProfileSelector::kOPT, 2}, {OptProfileSelector::kMAX, 4}})
      profile->setDimensions("x", select, Dims2{n, 3});
    config->addOptimizationProfile(profile);
    return saved(build());
  }
  // y: the largest of the softmax over the rows of x in the shape that `dims` gives.
  Engine reshaping_engine() {
    auto* shuffle = network->addShuffle(*input("x", Dims{1, {12}}));
    shuffle->setInput(1, *network->addInput("dims", DataType::kINT64, Dims{1, {2}}));
    auto* soft = network->addSoftMax(*shuffle->getOutput(0));
    soft->setAxes(2);
    ITensor* y = network->addReduce(*soft->getOutput(0), ReduceOperation::kMAX, 3, false)->getOutput(0);
    y->setName("y");
    network->markOutput(*y);
    IOptimizationProfile* profile = builder->createOptimizationProfile();
    const int64_t min[] = {1, 1}, opt[] = {3, 4}, max[] = {12, 12};
    EXPECT_TRUE(profile->setShapeValuesV2("dims", OptProfileSelector::kMIN, min, 2));
    EXPECT_TRUE(profile->setShapeValuesV2("dims", OptProfileSelector::kOPT, opt, 2));
    EXPECT_TRUE(profile->setShapeValuesV2("dims", OptProfileSelector::kMAX, max, 2));
    EXPECT_EQ(config->addOptimizationProfile(profile), 0);
    return saved(build());
  }
  static HostTensor run(Session& session) {
    for (int i = 0; i < kInferences; ++i) session.enqueue();
    return session.output("y");
  }
  static HostTensor random(std::vector<int64_t> dims, int seed) {
    return kiln::api::random_tensor("float32", dims, static_cast<uint64_t>(seed));
  }

 private:
  Engine saved(Owned<ICudaEngine> built) {
    const Owned<IHostMemory> bytes(built->serialize());
    std::ofstream(path_, std::ios::binary)
        .write(static_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
    return Engine::load(path_);
  }
  const std::string path_ = ::testing::TempDir() + "kiln_graphs.plan";
};

TEST_F(Graphs, AreCapturedAnewForOtherShapes) {
  const Engine engine = softmax_engine();
  Session queued = engine.create_session(), captured = engine.create_session();
  if (const std::string reason = captured.use_graphs(); !reason.empty()) GTEST_SKIP() << reason;
  for (const int64_t n : {2, 4, 2}) {
    const HostTensor x = random({n, 3}, static_cast<int>(n));
    queued.set_input("x", x);
    captured.set_input("x", x);
    EXPECT_EQ(run(captured).data, run(queued).data) << n;
    const HostTensor other = random({n, 3}, 9);  // of the same shape, by the same graph
    queued.set_input("x", other);
    captured.set_input("x", other);
    EXPECT_EQ(run(captured).data, run(queued).data) << n;
  }
  EXPECT_EQ(captured.graph_failure(), "");
}

// Who changes the shape each time waits for no capture.
TEST_F(Graphs, TheFirstInferenceOfAShapeIsQueued) {
  const Engine engine = softmax_engine();
  Session session = engine.create_session();
  if (engine.backend() != "pretend") GTEST_SKIP() << "captures fail on the pretend device only";
  ASSERT_EQ(session.use_graphs(), "");
  kiln::pretend::refuse_captures(true);
  for (const int64_t n : {2, 4, 1, 2, 3}) {
    session.set_input("x", random({n, 3}, static_cast<int>(n)));
    session.enqueue();
    session.synchronize();
    EXPECT_EQ(session.graph_failure(), "") << n;
  }
  session.enqueue();
  kiln::pretend::refuse_captures(false);
  EXPECT_NE(session.graph_failure(), "");
}

TEST_F(Graphs, TakeOverOtherMemory) {
  const Engine engine = softmax_engine();
  Session session = engine.create_session();
  if (const std::string reason = session.use_graphs(); !reason.empty()) GTEST_SKIP() << reason;
  session.set_input("x", random({2, 3}, 1));
  const HostTensor want = run(session);
  const std::vector<float> nothing(6, -1);
  const OnDevice<float> first(nothing), second(nothing);
  const int64_t updates = kiln::pretend::graph_updates();
  for (const OnDevice<float>* memory : {&first, &second}) {
    session.bind("y", memory->data(), memory->bytes());
    EXPECT_EQ(run(session).data, want.data);
    EXPECT_EQ(std::memcmp(memory->get().data(), want.data.data(), want.data.size()), 0);
    if (memory == &first) {
      EXPECT_EQ(second.get(), nothing);
    }
  }
  if (engine.backend() == "pretend") {
    EXPECT_EQ(kiln::pretend::graph_updates(), updates + 2);
  }
}

// Neither the input's shape nor the result's tells that the graph is of other shapes.
TEST_F(Graphs, AreCapturedAnewForValuesThatGiveOtherShapes) {
  const Engine engine = reshaping_engine();
  Session queued = engine.create_session(), captured = engine.create_session();
  if (const std::string reason = captured.use_graphs(); !reason.empty()) GTEST_SKIP() << reason;
  const int64_t updates = kiln::pretend::graph_updates();
  const HostTensor x = random({12}, 1);
  queued.set_input("x", x);
  captured.set_input("x", x);
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{3, 4}, {6, 2}, {3, 4}}) {
    HostTensor shape{"int64", {2}, std::vector<std::byte>(2 * sizeof(int64_t))};
    std::memcpy(shape.data.data(), dims.data(), shape.data.size());
    queued.set_input("dims", shape);
    captured.set_input("dims", shape);
    EXPECT_EQ(run(captured).data, run(queued).data) << dims[0];
  }
  // The pretend device replays kernels as they were prepared last, and so with the right shapes.
  if (engine.backend() == "pretend") {
    EXPECT_EQ(kiln::pretend::graph_updates(), updates + 2);
  }
}

TEST_F(Graphs, WhatIsNotCapturedIsQueued) {
  const Engine engine = softmax_engine();
  Session session = engine.create_session();
  if (engine.backend() != "pretend") GTEST_SKIP() << "captures fail on the pretend device only";
  ASSERT_EQ(session.use_graphs(), "");
  session.set_input("x", random({2, 3}, 1));
  const HostTensor want = run(session);
  kiln::pretend::refuse_captures(true);
  session.set_input("x", random({4, 3}, 2));
  const HostTensor other = run(session);
  kiln::pretend::refuse_captures(false);
  EXPECT_NE(session.graph_failure().find("could not be noted"), std::string::npos) << session.graph_failure();
  Session queued = engine.create_session();
  queued.set_input("x", random({4, 3}, 2));
  EXPECT_EQ(other.data, run(queued).data);
  EXPECT_EQ(session.use_graphs(), "");
  session.set_input("x", random({2, 3}, 1));
  EXPECT_EQ(run(session).data, want.data);
  EXPECT_EQ(session.graph_failure(), "");
}

}  // namespace
