// Copies between the memory of a device and that of the host: what is copied, how often, and what waits.
#include "compiler/place.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kiln::testing {
namespace {

using plan::Storage;

constexpr const char *kDevice = "card", *kHost = "host";

// A program under construction: tensors by number, steps of the device or the host.
struct Draft {
  explicit Draft(size_t tensors) {
    plan.device = kDevice;
    plan.device_memory = true;
    for (size_t i = 0; i < tensors; ++i) {
      plan::TensorInfo info;
      info.name = "t" + std::to_string(i);
      info.dtype = DType::kF32;
      info.storage = Storage::kArena;
      program.tensors.push_back(info);
    }
  }
  void step(const char* device, std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
    plan::StepInfo step;
    step.name = "s" + std::to_string(program.steps.size());
    step.device = device;
    step.kernel = "k";
    step.inputs = std::move(inputs);
    step.outputs = std::move(outputs);
    program.steps.push_back(step);
    details.emplace_back();
  }
  // "card host< card": the steps in order; '<' copies to the host, '>' to the device, '!' waits.
  std::string placed(const std::map<int32_t, int32_t>& shares = {}) {
    place_steps(program, false, details, shares, plan);
    EXPECT_EQ(program.steps.size(), details.size());
    std::string text;
    for (const plan::StepInfo& s : program.steps) {
      text += text.empty() ? "" : " ";
      text += s.is_transfer() ? (s.kernel == plan::kToHost ? "<" : ">") : s.device;
      text += s.waits ? "!" : "";
    }
    return text;
  }
  const plan::TensorInfo& tensor(int32_t t) const { return program.tensors.at(static_cast<size_t>(t)); }

  plan::Plan plan;
  plan::Program program;
  std::vector<StepDetail> details;
};

TEST(PlaceSteps, NothingIsCopiedOnOneSide) {
  Draft d(3);
  d.step(kDevice, {0}, {1});
  d.step(kDevice, {1}, {2});
  EXPECT_EQ(d.placed(), "card card");
  EXPECT_EQ(d.program.tensors.size(), 3u);
}

TEST(PlaceSteps, WhatTheHostReadsIsCopiedOnceAndWaitedForOnce) {
  Draft d(5);
  d.step(kDevice, {0}, {1});
  d.step(kDevice, {1}, {2});
  d.step(kHost, {1, 2}, {3});
  d.step(kHost, {1, 3}, {4});
  EXPECT_EQ(d.placed(), "card < card < host! host");
  EXPECT_EQ(d.tensor(3).storage, Storage::kHostArena);
  const plan::StepInfo& reader = d.program.steps[4];
  EXPECT_EQ(d.tensor(reader.inputs[0]).name, "t1.host");
  EXPECT_EQ(d.tensor(reader.inputs[0]).storage, Storage::kHostArena);
  EXPECT_EQ(d.program.steps[5].inputs[0], reader.inputs[0]);
}

TEST(PlaceSteps, WhatTheHostMakesGoesBack) {
  Draft d(4);
  d.step(kDevice, {0}, {1});
  d.step(kHost, {1}, {2});
  d.step(kDevice, {2}, {3});
  EXPECT_EQ(d.placed(), "card < host! > card");
  EXPECT_EQ(d.tensor(d.program.steps[4].inputs[0]).storage, Storage::kArena);
}

TEST(PlaceSteps, AWaitForEachCopyThatIsNotYetDone) {
  Draft d(5);
  d.step(kDevice, {0}, {1});
  d.step(kHost, {1}, {2});
  d.step(kDevice, {2}, {3});
  d.step(kHost, {3}, {4});
  EXPECT_EQ(d.placed(), "card < host! > card < host!");
}

TEST(PlaceSteps, InputsAndOutputsOfTheUserStayOnTheDevice) {
  Draft d(2);
  d.program.tensors[0].storage = Storage::kInput;
  d.program.tensors[1].storage = Storage::kOutput;
  d.program.inputs = {0};
  d.program.outputs = {1};
  d.step(kHost, {0}, {1});
  EXPECT_EQ(d.placed(), "< host! >");
  EXPECT_EQ(d.program.steps[2].outputs, std::vector<int32_t>{1});
  EXPECT_FALSE(d.tensor(0).on_host || d.tensor(1).on_host);
}

TEST(PlaceSteps, ShapesThatProfilesBoundAreGivenOnTheHost) {
  Draft d(2);
  d.program.tensors[0].storage = Storage::kInput;
  d.program.inputs = {0};
  d.plan.profiles.resize(1);
  d.plan.profiles[0].inputs.resize(1);
  d.plan.profiles[0].values = {{{1}, {2}, {3}}};
  d.step(kHost, {0}, {1});
  EXPECT_EQ(d.placed(), "host!");
  EXPECT_TRUE(d.tensor(0).on_host);
}

TEST(PlaceSteps, ConstantsLieOnBothSides) {
  Draft d(3);
  d.program.tensors[0].storage = Storage::kConstant;
  d.step(kDevice, {0}, {1});
  d.step(kHost, {0}, {2});
  EXPECT_EQ(d.placed(), "card host!");
  const int32_t host = d.program.steps[1].inputs[0];
  EXPECT_NE(host, 0);
  EXPECT_TRUE(d.tensor(host).on_host);
  EXPECT_EQ(d.tensor(host).storage, Storage::kConstant);
}

TEST(PlaceSteps, OtherNamesOfBytesAreCopiedToo) {
  Draft d(4);
  d.step(kDevice, {0}, {1});
  d.step(kHost, {2}, {3});  // tensor 2 is another name of tensor 1
  EXPECT_EQ(d.placed({{2, 1}}), "card < host!");
}

}  // namespace
}  // namespace kiln::testing
