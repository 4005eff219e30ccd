// kiln/kiln.h called at random, and builds and inferences that are ended early: what is refused says why, and nothing breaks.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <limits>
#include <random>

#include "kiln/kiln.h"

namespace kiln::api {
namespace {

constexpr uint64_t kSeeds = 60;
constexpr int kCalls = 60;

class Model {
 public:
  Model(const std::string& name, const std::string& text) : path_(::testing::TempDir() + "kiln_contract_" + name) {
    std::ofstream(path_) << text;
  }
  ~Model() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr const char* kSmall = R"(graph main(%x: float32[n,3], %k: float32[4]) {
  %w = constant float32[3,2]:{1,2,3,4,5,6}
  %a = MatMul(%x, %w)
  %y = Softmax(%a)
  %late = NonZero(%k)
  return %y, %late
})";

constexpr const char* kEndless = R"(graph main(%x: float32[2]) {
  %y = Loop(_, _, %x) regions {
    graph body(%i: int64[], %c: bool[], %s: float32[2]) {
      %c2 = Identity(%c)
      %t = Neg(%s)
      return %c2, %t
    }
  }
  return %y
})";

std::string failure(const std::function<void()>& action) {
  try {
    action();
  } catch (const Failure& e) {
    return e.what();
  }
  return "";
}

class Caller {
 public:
  Caller(const Engine& engine, uint64_t seed) : engine_(engine), random_(seed), session_(engine.create_session()) {}

  // Some call; the text of its refusal, or nothing.
  std::string call() {
    return failure([&] {
      switch (pick(20)) {
        case 0: return session_.set_profile(static_cast<int>(number()));
        case 1: return session_.set_shape(name(), dims());
        case 2: return session_.set_input(name(), tensor());
        case 3: return session_.set_value(name(), {HostValue::Kind(pick(4)), tensor(), dims(), {"a"}, type(), {}});
        case 4: return session_.bind(name(), pick(2) ? memory_ : nullptr, static_cast<size_t>(number()));
        case 5: return static_cast<void>(session_.use_graphs());
        case 6:
        case 7: return session_.enqueue();
        case 8: return session_.stop();
        case 9: return session_.synchronize();
        case 10: return static_cast<void>(session_.output(name()));
        case 11: return static_cast<void>(session_.value(name()));
        case 12: return static_cast<void>(session_.shape(name()));
        case 13: return static_cast<void>(session_.timed(pick(2)));
        case 14: return session_.set_time_limit(pick(2) ? 60 : static_cast<double>(number()));
        case 15: return static_cast<void>(pick(2) ? session_.record_start() : void(session_.record_stop_ms()));
        case 16: return static_cast<void>(session_.profile());
        case 17: return session_.set_debug_sync(pick(2));
        case 18: return overlap();
        default: session_ = engine_.create_session(static_cast<int>(number() % 3));
      }
    });
  }

 private:
  void overlap() {
    Session::Overlap overlap(session_);
    for (size_t i = pick(5); i > 0; --i) {
      if (pick(2)) overlap.wait();
      overlap.queue();
    }
  }
  size_t pick(size_t n) { return random_() % n; }
  template <class T> T one_of(std::initializer_list<T> list) { return *(list.begin() + pick(list.size())); }
  int64_t number() {
    return one_of<int64_t>(
        {0, 1, 2, 3, -1, 24, 64, 4096, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()});
  }
  std::string name() {
    return one_of<std::string>({"x", "x", "k", "y", "late", "", "nothing", std::string(5000, 'n')});
  }
  std::string type() { return one_of<std::string>({"float32", "float32", "int64", "bool", "string", "", "float33"}); }
  std::vector<int64_t> dims() {
    return one_of<std::vector<int64_t>>(
        {{2, 3}, {1, 3}, {4, 3}, {4}, {}, {0, 3}, {9, 3}, {-1, 3}, {2, 3, 1}, {int64_t{1} << 40, int64_t{1} << 40}});
  }
  HostTensor tensor() {
    if (pick(3) == 0) return {type(), dims(), std::vector<std::byte>(pick(64))};
    const std::vector<int64_t> shape = one_of<std::vector<int64_t>>({{2, 3}, {1, 3}, {4}, {4, 3}, {0, 3}, {7, 7}});
    return random_tensor(one_of<std::string>({"float32", "float32", "int64"}), shape, random_());
  }

  const Engine& engine_;
  std::mt19937_64 random_;
  alignas(64) std::byte memory_[4096] = {};
  Session session_;
};

TEST(Contract, CallsAtRandom) {
  const Model model("small.kir", kSmall);
  BuildOptions options;
  options.onnx = model.path();
  options.optimization_level = 0;
  options.profiles = {{{"x", {{1, 3}, {2, 3}, {4, 3}}}}};
  const Engine engine = Engine::build(options);
  size_t refused = 0, done = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Caller caller(engine, seed);
    for (int i = 0; i < kCalls; ++i) {
      const std::string text = caller.call();
      ++(text.empty() ? done : refused);
      ASSERT_TRUE(text.empty() || text.starts_with("error[K")) << "seed " << seed << " call " << i << ": " << text;
      ASSERT_EQ(text.find("error[K1000]"), std::string::npos) << "seed " << seed << " call " << i << ": " << text;
      ASSERT_LT(text.size(), 4000u) << text;
    }
  }
  EXPECT_GT(refused, 100u);
  EXPECT_GT(done, 100u);
}

TEST(Contract, OptionsAtRandom) {
  const Model model("small.kir", kSmall);
  std::mt19937_64 random(1);
  const auto number = [&] {
    constexpr double kNumbers[] = {0, 1, -1, 3, 1e9, 1e300, -1e300, std::numeric_limits<double>::quiet_NaN()};
    return kNumbers[random() % std::size(kNumbers)];
  };
  const auto text = [&] {
    const std::string kTexts[] = {
        "", "x", "float16", "onednn", "ref", "/", std::string(3, '\0'), std::string(9000, 'a')};
    return kTexts[random() % std::size(kTexts)];
  };
  const auto integer = [&] { return static_cast<int>(random() % 9) - 2; };
  for (int i = 0; i < 150; ++i) {
    BuildOptions options;
    options.onnx = model.path();
    options.optimization_level = 0;
    options.profiles = {{{"x", {{1, 3}, {2, 3}, {4, 3}}}}};
    switch (random() % 12) {
      case 0: options.optimization_level = integer(); break;
      case 1: options.time_budget_s = number(); break;
      case 2: options.average_iterations = integer(); break;
      case 3: options.disabled = {text()}; break;
      case 4: options.precision = text(); break;
      case 5: options.layer_precisions = {{text(), text()}}; break;
      case 6: options.workspace = integer(); break;
      case 7: options.ranges = {{text(), number()}}; break;
      case 8: options.profiles[0][text()] = {{integer()}, {integer(), integer()}, {}}; break;
      case 9: options.debug_tensors = {text()}; break;
      case 10: options.time_limit_s = number(); break;
      default: options.backend = text();
    }
    const std::string refusal = failure([&] { Engine::build(options); });
    EXPECT_TRUE(refusal.empty() || refusal.starts_with("error[K")) << i << ": " << refusal;
    EXPECT_EQ(refusal.find("error[K1000]"), std::string::npos) << i << ": " << refusal;
  }
}

TEST(Contract, ABuildCanBeEndedEarly) {
  const Model model("small.kir", kSmall);
  BuildOptions options;
  options.onnx = model.path();
  options.optimization_level = 0;
  options.profiles = {{{"x", {{1, 3}, {2, 3}, {4, 3}}}}};
  size_t asked = 0;
  options.stop = [&] { return ++asked, false; };
  Engine::build(options);
  ASSERT_GT(asked, 10u) << "in every stage";
  for (const size_t last : {size_t{1}, asked / 2, asked}) {
    size_t count = 0;
    options.stop = [&] { return ++count == last; };
    EXPECT_NE(failure([&] { Engine::build(options); }).find("the build was stopped"), std::string::npos) << last;
  }
  options.stop = nullptr;
  options.time_limit_s = 1e-9;
  EXPECT_NE(failure([&] { Engine::build(options); }).find("took longer than"), std::string::npos);
  options.time_limit_s = 3600;
  options.memory_limit = 16;
  const std::string refusal = failure([&] { Engine::build(options); });
  EXPECT_NE(refusal.find("K1003"), std::string::npos) << refusal;
}

TEST(Contract, AnInferenceHasALimitOfTime) {
  const Model model("endless.kir", kEndless);
  for (const char* backend : {"cpu", "ref"}) {
    BuildOptions options;
    options.onnx = model.path();
    options.backend = backend;
    options.optimization_level = 0;
    Session session = Engine::build(options).create_session();
    session.set_input("x", random_tensor("float32", {2}, 1));
    session.set_time_limit(0.05);
    EXPECT_NE(failure([&] { session.enqueue(); }).find("took longer than"), std::string::npos) << backend;
    EXPECT_NE(failure([&] { session.enqueue(); }).find("K1002"), std::string::npos) << "each has the limit of its own";
  }
}

}  // namespace
}  // namespace kiln::api
