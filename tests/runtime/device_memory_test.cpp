// Engines of a device with memory of its own: addresses of the host, memory that is not aligned, ranges for tools.
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

constexpr const char* kNetwork = R"(graph main(%x: float32[4,8]) {
  %w = random float32[8,8] seed 1
  %a = MatMul(%x, %w)
  %y = Softmax(%a)
  return %y
})";

std::shared_ptr<Engine> pretend_engine() {
  pretend::register_pretend();
  return reload(build(kNetwork, options_of("pretend", 0)));
}

TEST(DeviceMemory, AddressesOfTheHostAreRefused) {
  const auto engine = pretend_engine();
  const auto context = engine->create_context();
  const Tensor host = random_f32({4, 8}, 1);
  for (const char* name : {"x", "y"}) {
    const Status status = context->set_address(*engine->find_io(name), const_cast<void*>(host.data()));
    EXPECT_EQ(status.code, Code::kInvalidArgument);
    EXPECT_NE(std::string(status.detail).find(std::string("'") + name + "'"), std::string::npos) << status.detail;
  }
  EXPECT_EQ(context->address(*engine->find_io("x")), nullptr);
  alignas(256) static std::byte memory[1 << 16];
  EXPECT_EQ(context->set_arena(memory).code, Code::kInvalidArgument);
  expect_close(run(*context, {host})[0], reference(kNetwork, {host})[0], "after refusals");
}

// Gives memory a few bytes behind where it was asked for.
class Askew final : public Allocator {
 public:
  explicit Askew(Allocator& from) : from_(from) {}
  void* allocate(size_t size, size_t alignment) noexcept override {
    auto* memory = static_cast<std::byte*>(from_.allocate(size + alignment, alignment));
    held += memory != nullptr;
    return memory ? memory + 8 : nullptr;
  }
  void deallocate(void* memory) noexcept override {
    --held;
    from_.deallocate(static_cast<std::byte*>(memory) - 8);
  }
  int held = 0;

 private:
  Allocator& from_;
};

TEST(DeviceMemory, MemoryThatIsNotAlignedIsAnError) {
  const auto engine = pretend_engine();
  Askew askew(engine->device().allocator());
  const auto code_of = [](auto make) {
    try {
      make();
    } catch (const Error& e) {
      return e.code();
    }
    return Code::kOk;
  };
  EXPECT_EQ(code_of([&] { engine->create_context(&askew); }), Code::kInvalidArgument);
  auto bytes = std::make_shared<std::vector<std::byte>>(plan::write(build(kNetwork, options_of("pretend", 0))));
  EXPECT_EQ(code_of([&] { Engine::load(*bytes, bytes, {.allocator = &askew}); }), Code::kInvalidArgument);
  EXPECT_EQ(askew.held, 0);
}

TEST(DeviceMemory, BuildsAndLoadsAreRangesOfTheirOwn) {
  pretend::register_pretend();
  pretend::watch_ranges(true);
  const plan::Plan plan = build(kNetwork, options_of("pretend", 0));
  const std::vector<std::string> built = pretend::seen_ranges();
  pretend::watch_ranges(true);
  reload(plan);
  const std::vector<std::string> loaded = pretend::seen_ranges();
  pretend::watch_ranges(false);
  EXPECT_EQ(built.front(), "build");
  EXPECT_EQ(built.back(), "end");
  EXPECT_EQ(loaded, (std::vector<std::string>{"load", "end"}));
}

TEST(DeviceMemory, RangesNameStepsAsMuchAsIsAskedFor) {
  const auto engine = pretend_engine();
  const auto context = engine->create_context();
  const auto ranges = [&] {
    pretend::watch_ranges(true);
    run(*context, {random_f32({4, 8}, 1)});
    const std::vector<std::string> seen = pretend::seen_ranges();
    pretend::watch_ranges(false);
    return seen;
  };
  const auto& steps = engine->main().steps;
  const std::vector<std::string> named = ranges();
  ASSERT_EQ(named.size(), 2 + 2 * steps.size());
  EXPECT_EQ(named.front(), "enqueue");
  EXPECT_EQ(named.back(), "end");
  EXPECT_EQ(named[1], steps[0].name);
  context->set_ranges(Context::Ranges::kDetails);
  const std::vector<std::string> detailed = ranges();
  ASSERT_EQ(detailed.size(), named.size());
  EXPECT_EQ(detailed[1], steps[0].name + " (" + steps[0].op + ", " + steps[0].tactic + ")");
  context->set_ranges(Context::Ranges::kNone);
  EXPECT_EQ(ranges(), (std::vector<std::string>{"enqueue", "end"}));
}

}  // namespace
}  // namespace kiln::testing
