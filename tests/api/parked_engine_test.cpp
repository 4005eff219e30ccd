// Engines that wait: when their weights are in memory, and where they lie meanwhile.
#include "api/parked_engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "api/int8_choice.h"

namespace kiln::api {
namespace {

constexpr int64_t kKilobytes = 4 << 10;  // of the weights

// Of each file of the folder that is mapped: kilobytes in memory.
std::vector<int64_t> resident_kilobytes(const std::string& folder) {
  std::ifstream maps("/proc/self/smaps");
  std::vector<int64_t> list;
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) inside = line.find(folder) != std::string::npos;
    if (inside && line.starts_with("Rss:")) list.push_back(std::stoll(line.substr(4)));
  }
  return list;
}

const char* const kFloats = R"(graph main(%x: float32[1,1024]) {
  %w = random float32[1024,1024] seed 1
  %y = MatMul "product"(%x, %w)
  return %y
})";

const char* const kQuantized = R"(graph main(%x: float32[1,1024]) {
  %s = constant float32[]:{0.02}
  %z = constant int8[]:{0}
  %w = random int8[1024,1024] seed 1
  %q = QuantizeLinear(%x, %s, %z)
  %d = DequantizeLinear(%q, %s, %z)
  %v = DequantizeLinear(%w, %s, %z)
  %y = MatMul "product"(%d, %v)
  return %y
})";

class ParkedEngines : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    use_folder(folder_);
  }
  void TearDown() override {
    if (before_) ::setenv("TMPDIR", before_->c_str(), 1);
    else ::unsetenv("TMPDIR");
    std::filesystem::remove_all(folder_);
    std::filesystem::remove(model_);
  }
  static void use_folder(const std::string& path) { ::setenv("TMPDIR", path.c_str(), 1); }
  size_t files() const {
    return static_cast<size_t>(std::distance(std::filesystem::recursive_directory_iterator(folder_),
                                             std::filesystem::recursive_directory_iterator()));
  }
  BuildOptions options_of(const char* text, int level) const {
    std::ofstream(model_) << text;
    BuildOptions options;
    options.onnx = model_;
    options.optimization_level = level;
    return options;
  }
  std::shared_ptr<Engine::State> build() const {
    BuildMemory memory;
    return build_once(options_of(kFloats, 0), memory);
  }
  static HostTensor result(const Engine& engine) {
    Session session = engine.create_session(1);
    session.set_input("x", random_tensor("float32", {1, 1024}, 7));
    session.enqueue();
    return session.output("y");
  }

  const std::string folder_ = ::testing::TempDir() + "kiln_parked_" + std::to_string(::getpid());
  const std::string model_ = folder_ + ".kir";
  const std::optional<std::string> before_ =
      std::getenv("TMPDIR") ? std::optional<std::string>(std::getenv("TMPDIR")) : std::nullopt;
};

TEST_F(ParkedEngines, NeedMemoryOnlyWhileTheyRun) {
  const auto state = build();
  const HostTensor expected = result(Engine(state));
  const std::string report = state->report;
  const ParkedEngine parked(state);
  if (!parked.engine().on_host()) GTEST_SKIP() << "the device has memory of its own";
  EXPECT_EQ(files(), 2u);  // a folder with one file
  for (int i = 0; i < 2; ++i) {
    EXPECT_LT(resident_kilobytes(folder_).at(0), kKilobytes / 8);
    EXPECT_EQ(result(parked.engine()).data, expected.data);
    EXPECT_GE(resident_kilobytes(folder_).at(0), kKilobytes);
    parked.let_go();
  }
  EXPECT_EQ(parked.engine().build_report(), report);
}

TEST_F(ParkedEngines, LeaveNoFileAndAreAsTheyWereBuilt) {
  const auto state = build();
  const HostTensor expected = result(Engine(state));
  const std::vector<std::byte> bytes = plan::write(state->engine->plan());
  std::optional<ParkedEngine> parked(state);
  const Engine back = parked->unparked();
  parked.reset();
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(result(back).data, expected.data);
  EXPECT_EQ(plan::write(state->engine->plan()), bytes);
}

TEST_F(ParkedEngines, StayInMemoryWhereThereIsNoFolder) {
  use_folder(folder_ + "/missing");
  const auto state = build();
  const HostTensor expected = result(Engine(state));
  const auto* engine = state->engine.get();
  const ParkedEngine parked(state);
  parked.let_go();
  EXPECT_EQ(state->engine.get(), engine);
  EXPECT_EQ(result(parked.unparked()).data, expected.data);
}

TEST_F(ParkedEngines, AreAllThatComparesFormsOfAQuantizedNetwork) {
  BuildOptions options = options_of(kQuantized, 1);
  std::vector<int64_t> kilobytes;
  options.log = [&](Level, const std::string& text) {
    if (text.starts_with("in int8 ")) kilobytes = resident_kilobytes(folder_);
  };
  const Engine engine = Engine::build(options);
  if (!engine.on_host()) GTEST_SKIP() << "the device has memory of its own";
  EXPECT_GE(kilobytes.size(), 1u);  // in int8, and in float32 where that was built whole
  for (int64_t each : kilobytes) EXPECT_LT(each, 512);
  EXPECT_EQ(files(), 0u);
  EXPECT_TRUE(resident_kilobytes(folder_).empty());
}

}  // namespace
}  // namespace kiln::api
