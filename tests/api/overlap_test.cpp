// Sessions whose copies run beside inferences: without races, queued and captured, and with their own memory again behind them.
#include <cstdio>
#include <fstream>

#include "api/network.h"
#include "kiln/kiln.h"
#include "pretend/pretend.h"

using namespace nvinfer1;

namespace {

using kiln::api::Engine;
using kiln::api::Failure;
using kiln::api::HostTensor;
using kiln::api::InferenceTimes;
using kiln::api::Session;

constexpr int kOverlapped = 20;

class Overlaps : public Network {
 protected:
  Overlaps() { kiln::pretend::watch_races(true); }
  ~Overlaps() override {
    kiln::pretend::watch_races(false);
    std::remove(path_.c_str());
  }
  // y = softmax(relu(a + b)).
  Engine engine() {
    const auto sum =
        network->addElementWise(*input("a", Dims2{4, 30}), *input("b", Dims2{4, 30}), ElementWiseOperation::kSUM);
    const auto relu = network->addActivation(*sum->getOutput(0), ActivationType::kRELU);
    ISoftMaxLayer* soft = network->addSoftMax(*relu->getOutput(0));
    soft->setAxes(2);
    soft->getOutput(0)->setName("y");
    network->markOutput(*soft->getOutput(0));
    const Owned<ICudaEngine> built(build());
    const Owned<IHostMemory> bytes(built->serialize());
    std::ofstream(path_, std::ios::binary)
        .write(static_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
    return Engine::load(path_);
  }
  static Session session_of(const Engine& engine, int seed) {
    Session session = engine.create_session();
    for (const char* name : {"a", "b"})
      session.set_input(name, kiln::api::random_tensor("float32", {4, 30}, static_cast<uint64_t>(seed++)));
    return session;
  }
  static HostTensor result(Session& session) {
    session.enqueue();
    return session.output("y");
  }

 private:
  const std::string path_ = ::testing::TempDir() + "kiln_overlap.plan";
};

// Times of all inferences.
std::vector<InferenceTimes> run_all(Session::Overlap& overlap, int count) {
  std::vector<InferenceTimes> all;
  for (int i = 0; i < count; ++i) {
    if (overlap.full()) all.push_back(*overlap.wait());
    overlap.queue();
  }
  while (const auto times = overlap.wait()) all.push_back(*times);
  return all;
}

TEST_F(Overlaps, QueuedAndCaptured) {
  const Engine loaded = engine();
  Session alone = session_of(loaded, 1);
  const HostTensor want = result(alone);
  for (const bool captures : {false, true}) {
    Session session = session_of(loaded, 1);
    if (captures && !session.use_graphs().empty()) continue;
    {
      Session::Overlap overlap(session);
      const std::vector<InferenceTimes> all = run_all(overlap, kOverlapped);
      ASSERT_EQ(all.size(), static_cast<size_t>(kOverlapped));
      for (const InferenceTimes& t : all) {
        EXPECT_GE(t.whole, t.compute);
        EXPECT_GE(t.upload, 0);
        EXPECT_GE(t.download, 0);
      }
    }
    EXPECT_EQ(session.graph_failure(), "");
    EXPECT_EQ(session.output("y").data, want.data);  // of the last inference by the session's own memory
    EXPECT_EQ(result(session).data, want.data);
    session.set_input("a", kiln::api::random_tensor("float32", {4, 30}, 7));
    alone.set_input("a", kiln::api::random_tensor("float32", {4, 30}, 7));
    EXPECT_EQ(result(session).data, result(alone).data);
    alone.set_input("a", kiln::api::random_tensor("float32", {4, 30}, 1));
  }
}

TEST_F(Overlaps, SeveralSessionsOneAfterAnother) {
  const Engine loaded = engine();
  Session first = session_of(loaded, 1), second = session_of(loaded, 5);
  const HostTensor wanted[] = {result(first), result(second)};
  const int64_t before = kiln::pretend::memory_in_use();
  for (int round = 0; round < 3; ++round) {
    Session::Overlap one(first), other(second);
    EXPECT_EQ(run_all(one, 7).size(), 7u);
    EXPECT_EQ(run_all(other, 2).size(), 2u);
  }
  EXPECT_EQ(kiln::pretend::memory_in_use(), before);
  EXPECT_EQ(result(first).data, wanted[0].data);
  EXPECT_EQ(result(second).data, wanted[1].data);
}

TEST_F(Overlaps, SetsAreFew) {
  const Engine loaded = engine();
  Session session = session_of(loaded, 1);
  Session::Overlap overlap(session);
  EXPECT_FALSE(overlap.wait());
  int sets = 0;
  for (; !overlap.full(); ++sets) overlap.queue();
  EXPECT_GE(sets, 2);
  EXPECT_THROW(overlap.queue(), Failure);
  for (int i = 0; i < sets; ++i) EXPECT_TRUE(overlap.wait());
  EXPECT_FALSE(overlap.wait());
}

TEST_F(Overlaps, InputsHaveShapes) {
  network->addInput("x", DataType::kFLOAT, Dims2{-1, 3});
  ISoftMaxLayer* soft = network->addSoftMax(*network->getInput(0));
  soft->getOutput(0)->setName("z");
  network->markOutput(*soft->getOutput(0));
  IOptimizationProfile* profile = builder->createOptimizationProfile();
  for (const auto select : {OptProfileSelector::kMIN, OptProfileSelector::kOPT, OptProfileSelector::kMAX})
    profile->setDimensions("x", select, Dims2{select == OptProfileSelector::kMIN ? 1 : 4, 3});
  config->addOptimizationProfile(profile);
  const Engine loaded = engine();
  Session session = session_of(loaded, 1);
  EXPECT_THROW(Session::Overlap overlap(session), Failure);
}

}  // namespace
