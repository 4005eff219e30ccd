// Contexts: no allocation after warm-up, equal bits, threads, memory of the user, events, profiler.
#include "runtime/context.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <set>
#include <thread>

#include "compiler/engine_testing.h"
#include "runtime/counting_malloc.h"

namespace kiln::testing {
namespace {

constexpr const char* kImageNetwork = R"(graph main(%x: float32[n,3,16,16]) {
  %w1 = random float32[16,3,3,3] seed 1
  %w2 = random float32[16,16,3,3] seed 2
  %w3 = random float32[16,8] seed 3
  %a = Conv(%x, %w1) {pads=[1,1,1,1]}
  %b = Relu(%a)
  %c = Conv(%b, %w2) {pads=[1,1,1,1]}
  %d = Add(%c, %b)
  %e = MaxPool(%d) {kernel_shape=[2,2],strides=[2,2]}
  %g = GlobalAveragePool(%e)
  %f = Flatten(%g)
  %h = MatMul(%f, %w3)
  %y = Softmax(%h)
  return %y, %e
})";

std::shared_ptr<Engine> make_engine() {
  static const plan::Plan plan =
      build(kImageNetwork, options_of("cpu", 0, {{{"x", {{1, 3, 16, 16}, {2, 3, 16, 16}, {4, 3, 16, 16}}}}}));
  return reload(plan);
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (!a[i].identical(b[i])) return false;
  return a.size() == b.size();
}

TEST(Context, NoAllocationAfterWarmUp) {
  if (!can_count_allocations()) GTEST_SKIP() << "a sanitizer owns malloc";
  const auto engine = make_engine();
  auto context = engine->create_context();
  const Bound bound = bind(*context, {random_f32({3, 3, 16, 16}, 1)});
  Tensor other = random_f32({3, 3, 16, 16}, 2);
  const int32_t x = *engine->find_io("x");
  auto stream = engine->device().create_stream();
  auto event = engine->device().create_event();
  context->set_input_consumed_event(event.get());
  ASSERT_TRUE(context->enqueue(*stream).ok());
  ASSERT_TRUE(context->set_address(x, other.mutable_data()).ok());
  ASSERT_TRUE(context->enqueue(*stream).ok());
  bool ok = true;
  int64_t before = 0;
  for (int i = 0; i < 20; ++i) {
    if (i == 10) before = allocation_count();  // a driver may make room for what is queued
    const Tensor& in = i % 2 ? bound.inputs[0] : other;
    ok = ok && context->set_input_dims(x, in.dims()).ok();
    ok = ok && context->set_address(x, const_cast<void*>(in.data())).ok();
    ok = ok && context->enqueue(*stream).ok();
  }
  EXPECT_EQ(allocation_count() - before, 0);
  EXPECT_TRUE(ok);
  auto* probe = new int(1);
  EXPECT_GT(allocation_count(), before);  // the counter counts
  delete probe;
}

TEST(Context, EqualBitsInEveryRun) {
  const auto engine = make_engine();
  auto context = engine->create_context();
  const std::vector<Tensor> in{random_f32({3, 3, 16, 16}, 3)};
  const std::vector<Tensor> first = run(*context, in);
  for (int i = 0; i < 20; ++i) {
    run(*context, {random_f32({1 + i % 4, 3, 16, 16}, 4)});
    ASSERT_TRUE(same_bits(run(*context, in), first)) << "run " << i;
  }
}

TEST(Context, ThreadsShareAnEngine) {
  const auto engine = make_engine();
  constexpr int kThreads = 4;
  std::vector<std::vector<Tensor>> expected(kThreads);
  auto input = [](int t) { return std::vector<Tensor>{random_f32({1 + t, 3, 16, 16}, static_cast<uint64_t>(t))}; };
  for (int t = 0; t < kThreads; ++t) expected[static_cast<size_t>(t)] = run(*engine->create_context(), input(t));
  std::vector<int> wrong(kThreads, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      auto context = engine->create_context();
      const auto in = input(t);
      for (int i = 0; i < 10; ++i)
        wrong[static_cast<size_t>(t)] += !same_bits(run(*context, in), expected[static_cast<size_t>(t)]);
    });
  for (std::thread& t : threads) t.join();
  for (int w : wrong) EXPECT_EQ(w, 0);
}

class BookedAllocator final : public Allocator {
 public:
  void* allocate(size_t size, size_t alignment) noexcept override {
    if (refuse) return nullptr;
    void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    held.insert(memory);
    total += size;
    return memory;
  }
  void deallocate(void* memory) noexcept override {
    EXPECT_EQ(held.erase(memory), 1u);
    std::free(memory);
  }
  std::set<void*> held;
  size_t total = 0;
  bool refuse = false;
};

TEST(Context, MemoryComesFromTheUsersAllocator) {
  const auto engine = make_engine();
  ASSERT_GT(engine->context_memory(), 0u);
  BookedAllocator allocator;
  auto first = engine->create_context(&allocator), second = engine->create_context(&allocator);
  run(*first, {random_f32({4, 3, 16, 16}, 5)});
  EXPECT_EQ(allocator.total, 2 * engine->context_memory());
  EXPECT_EQ(allocator.held.size(), 2u);
  first.reset();
  EXPECT_EQ(allocator.held.size(), 1u);
  second.reset();
  EXPECT_TRUE(allocator.held.empty());
  allocator.refuse = true;
  try {
    engine->create_context(&allocator);
    FAIL() << "no memory, and a context";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kOutOfMemory);
  }
}

TEST(Context, MemoryOfTheUserIsEnough) {
  const auto engine = make_engine();
  const size_t size = engine->context_memory();
  constexpr size_t kGuard = 4096;
  auto* memory = static_cast<unsigned char*>(std::aligned_alloc(64, (size + 2 * kGuard + 63) / 64 * 64));
  std::memset(memory, 0xA5, size + 2 * kGuard);
  BookedAllocator allocator;
  {
    auto context = engine->create_context(&allocator, memory + kGuard);
    const std::vector<Tensor> in{random_f32({4, 3, 16, 16}, 6)};
    EXPECT_TRUE(same_bits(run(*context, in), run(*engine->create_context(), in)));
  }
  EXPECT_EQ(allocator.total, 0u);
  for (size_t i = 0; i < kGuard; ++i) {
    ASSERT_EQ(memory[i], 0xA5) << i;
    ASSERT_EQ(memory[kGuard + size + i], 0xA5) << i;
  }
  std::free(memory);
}

class CountingEvent final : public Event {
 public:
  Status record(Stream&) noexcept override {
    ++records;
    std::memset(overwrite, 0xFF, size);
    return kOkStatus;
  }
  Status synchronize() noexcept override { return kOkStatus; }
  bool done() noexcept override { return true; }
  double milliseconds_since(Event&) noexcept override { return 0; }
  void* native() noexcept override { return this; }
  int records = 0;
  void* overwrite = nullptr;
  size_t size = 0;
};

TEST(Context, InputsMayBeOverwrittenOnceConsumed) {
  const auto engine = make_engine();
  auto context = engine->create_context();
  const std::vector<Tensor> in{random_f32({2, 3, 16, 16}, 7)};
  const std::vector<Tensor> expected = run(*context, in);
  Tensor mine = in[0].clone();
  CountingEvent event;
  event.overwrite = mine.mutable_data();
  event.size = static_cast<size_t>(mine.bytes());
  context->set_input_consumed_event(&event);
  EXPECT_TRUE(same_bits(run(*context, {std::move(mine)}), expected));
  EXPECT_EQ(event.records, 1);
}

TEST(Context, ProfilerSeesEveryStepOnce) {
  struct Profiler final : StepProfiler {
    void report(const plan::StepInfo& step, double milliseconds) noexcept override {
      names.push_back(step.name);
      negative = negative || milliseconds < 0;
    }
    std::vector<std::string> names;
    bool negative = false;
  } profiler;
  const auto engine = make_engine();
  auto context = engine->create_context();
  context->set_profiler(&profiler);
  const std::vector<Tensor> in{random_f32({2, 3, 16, 16}, 8)};
  const std::vector<Tensor> profiled = run(*context, in);
  std::vector<std::string> expected;
  for (const plan::StepInfo& step : engine->main().steps) expected.push_back(step.name);
  EXPECT_EQ(profiler.names, expected);
  EXPECT_FALSE(profiler.negative);
  context->set_profiler(nullptr);
  EXPECT_TRUE(same_bits(run(*context, in), profiled));
  EXPECT_EQ(profiler.names.size(), expected.size());
}

}  // namespace
}  // namespace kiln::testing
