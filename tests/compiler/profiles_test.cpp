// Engines of several profiles: each step runs as it was tuned for the profile that a context uses.
#include <cstring>

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

const char* const kProfiles = R"(graph main(%x: float32[n,8,6,6]) {
  %w = random float32[16,8,3,3] seed 1
  %m = Conv "product"(%x, %w) {pads=[1,1,1,1]}
  %y = Relu "act"(%m)
  return %y
})";

ProfileBounds rows(int64_t min, int64_t opt, int64_t max) {
  return {{"x", {{min, 8, 6, 6}, {opt, 8, 6, 6}, {max, 8, 6, 6}}}};
}

// Behind a step that turns the images.
template <class Program> auto& product_of(Program& program) {
  return *std::find_if(program.steps.begin(), program.steps.end(),
                       [](const plan::StepInfo& s) { return s.op == "Conv"; });
}

CompileOptions two_profiles(const std::string& target, int level) {
  CompileOptions o = options_of(target, level, {rows(1, 1, 4), rows(4, 200, 256)});
  o.tuner.own_only = true;
  return o;
}

// Makes a variant of the product by hand for profile 1: whichever other tactic takes it.
plan::Plan with_variant(const std::string& target) {
  CompileOptions first = two_profiles(target, 0), second = first;
  plan::Plan plan = build(kProfiles, first);
  const std::string taken = product_of(plan.programs[0]).tactic;
  second.passes.disabled.insert(taken);
  plan::Plan other = build(kProfiles, second);
  plan::StepInfo& step = product_of(plan.programs[0]);
  plan::StepInfo changed = product_of(other.programs[0]);
  EXPECT_NE(changed.tactic, taken);
  for (int32_t& t : changed.inputs) {
    if (t < 0) continue;
    const plan::TensorInfo& info = other.programs[0].tensors[static_cast<size_t>(t)];
    if (info.storage != plan::Storage::kConstant) continue;
    plan::TensorInfo moved = info;
    auto bytes = std::make_shared<Tensor>(Tensor::allocate(DType::kU8, {static_cast<int64_t>(info.size)}));
    std::memcpy(bytes->mutable_data(), other.constants.at(info.offset, info.size), info.size);
    moved.offset = plan.constants.add({static_cast<const std::byte*>(bytes->data()), info.size}, bytes);
    moved.dims.clear();
    for (uint32_t d : info.dims) {
      plan.dims.push_back(other.dims[d]);
      moved.dims.push_back(static_cast<uint32_t>(plan.dims.size()) - 1);
    }
    plan.programs[0].tensors.push_back(std::move(moved));
    t = static_cast<int32_t>(plan.programs[0].tensors.size()) - 1;
  }
  changed.outputs = step.outputs;
  changed.name = step.name;
  changed.waits = step.waits;
  step.workspace_size = changed.workspace_size = std::max(step.workspace_size, changed.workspace_size);
  step.workspace_offset = changed.workspace_offset = plan.arena_size;
  plan.arena_size += step.workspace_size + 4096;
  step.sharing = changed.sharing = Sharing::kNothing;
  step.variants.push_back({{1}, changed});
  return plan;
}

void expect_profile(Context& context, int32_t profile, int64_t n) {
  ASSERT_TRUE(context.set_profile(profile).ok());
  const Tensor x = random_f32({n, 8, 6, 6}, static_cast<uint32_t>(n));
  expect_close(run(context, {x})[0], reference(kProfiles, {x})[0], "profile " + std::to_string(profile));
}

TEST(Profiles, AStepRunsAsTheProfileSays) {
  for (const char* target : {"cpu", "pretend"}) {
    SCOPED_TRACE(target);
    pretend::register_pretend();
    const plan::Plan plan = with_variant(target);
    const auto engine = reload(plan);
    const plan::StepInfo& step = product_of(engine->main());
    ASSERT_EQ(step.variants.size(), 1u);
    EXPECT_NE(step.variants[0].step.tactic, step.tactic);
    EXPECT_EQ(step.variants[0].profiles, std::vector<uint32_t>{1});
    const auto context = engine->create_context();
    for (int repeat = 0; repeat < 2; ++repeat) {
      expect_profile(*context, 0, 1);
      expect_profile(*context, 0, 4);
      expect_profile(*context, 1, 200);
      expect_profile(*context, 1, 5);
    }
  }
}

TEST(Profiles, EachIsTuned) {
  pretend::register_pretend();
  for (const char* target : {"cpu", "pretend"}) {
    SCOPED_TRACE(target);
    CompileOptions options = two_profiles(target, 5);
    options.profiles.push_back(rows(1, 31, 64));
    size_t last = 0, total = 0;
    options.tuner.progress = [&](size_t done, size_t all, const std::string&) {
      EXPECT_GE(done, last);
      EXPECT_LE(done, all);
      last = done, total = all;
      return true;
    };
    const auto engine = reload(build(kProfiles, options));
    EXPECT_EQ(last, total);
    EXPECT_EQ(total % 3, 0u);
    const auto context = engine->create_context();
    expect_profile(*context, 0, 3);
    expect_profile(*context, 1, 256);
    expect_profile(*context, 2, 64);
  }
}

TEST(Profiles, EqualChoicesAreKeptOnce) {
  CompileOptions options = two_profiles("cpu", 0);
  const plan::Plan plan = build(kProfiles, options);
  for (const plan::StepInfo& step : plan.programs[0].steps) EXPECT_TRUE(step.variants.empty());
}

// What a file may say about variants.
TEST(Profiles, UnsoundVariantsAreRefused) {
  const plan::Plan good = with_variant("cpu");
  plan::verify(good);
  using Change = std::function<void(plan::StepInfo & step)>;
  const std::vector<std::pair<const char*, Change>> changes{
      {"no such profile", [](auto& s) { s.variants[0].profiles = {2}; }},
      {"a profile twice", [](auto& s) { s.variants[0].profiles = {1, 1}; }},
      {"of two variants", [](auto& s) { s.variants.push_back(s.variants[0]); }},
      {"other results", [](auto& s) { s.variants[0].step.outputs[0] = 0; }},
      {"no results", [](auto& s) { s.variants[0].step.outputs.clear(); }},
      {"more workspace", [](auto& s) { s.variants[0].step.workspace_size += 64; }},
      {"other workspace", [](auto& s) { s.variants[0].step.workspace_offset += 64; }},
      {"a tensor that does not exist", [](auto& s) { s.variants[0].step.inputs.push_back(1000); }},
      {"a variant in a variant", [](auto& s) { s.variants[0].step.variants.push_back(s.variants[0]); }},
      {"no kernel", [](auto& s) { s.variants[0].step.kernel.clear(); }},
      {"a body", [](auto& s) { s.variants[0].step.bodies = {1}; }},
      {"another name", [](auto& s) { s.variants[0].step.name = "x"; }},
      {"a transfer", [](auto& s) { s.variants[0].step.device.clear(), s.variants[0].step.kernel = plan::kToHost; }}};
  for (const auto& [what, change] : changes) {
    plan::Plan bad = good;
    change(product_of(bad.programs[0]));
    try {
      plan::verify(bad);
      ADD_FAILURE() << what << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kMalformedPlan) << what;
    }
  }
}

}  // namespace
}  // namespace kiln::testing
