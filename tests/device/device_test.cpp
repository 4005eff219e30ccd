// What every device promises: memory, copies, order, events, capture, errors. One suite for all that are there.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <numeric>

#include "backends/lent_devices.h"
#include "pretend/pretend.h"

namespace kiln {
namespace {

constexpr size_t kBytes = 3001;

class DeviceTest : public ::testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() { pretend::register_pretend(); }
  void SetUp() override {
    std::string reason;
    device_ = try_open_device(GetParam(), reason);
    if (!device_) GTEST_SKIP() << reason;
  }

  struct Block {
    Block(Allocator& from, size_t size, size_t alignment = 256)
        : allocator(from), data(from.allocate(size, alignment)) {}
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { allocator.deallocate(data); }
    Allocator& allocator;
    void* data;
  };

  static std::vector<unsigned char> counting(size_t size, int first = 0) {
    std::vector<unsigned char> bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(first + static_cast<int>(i % 251));
    return bytes;
  }

  Device* device_ = nullptr;
};

TEST_P(DeviceTest, FactsAreSound) {
  const DeviceFacts& facts = device_->facts();
  EXPECT_FALSE(facts.name.empty());
  EXPECT_FALSE(facts.fingerprint.empty());
  EXPECT_GT(facts.units, 0);
  EXPECT_GE(facts.alignment, 64);
  EXPECT_EQ(facts.alignment & (facts.alignment - 1), 0);
}

TEST_P(DeviceTest, MemoryIsAligned) {
  for (size_t alignment : {size_t{64}, static_cast<size_t>(device_->facts().alignment)}) {
    const Block block(device_->allocator(), 1000, alignment);
    ASSERT_NE(block.data, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.data) % alignment, 0u);
  }
}

TEST_P(DeviceTest, CopiesThereAndBackInOrder) {
  const Block first(device_->allocator(), kBytes), second(device_->allocator(), kBytes);
  const Block pinned(device_->staging(), kBytes);
  auto stream = device_->create_stream();
  const auto in = counting(kBytes), other = counting(kBytes, 100);
  ASSERT_TRUE(device_->copy(*stream, first.data, in.data(), kBytes, CopyKind::kHostToDevice).ok());
  ASSERT_TRUE(device_->copy(*stream, second.data, first.data, kBytes, CopyKind::kDeviceToDevice).ok());
  ASSERT_TRUE(device_->copy(*stream, first.data, other.data(), kBytes, CopyKind::kHostToDevice).ok());
  ASSERT_TRUE(device_->copy(*stream, pinned.data, second.data, kBytes, CopyKind::kDeviceToHost).ok());
  ASSERT_TRUE(stream->synchronize().ok());
  EXPECT_EQ(std::memcmp(pinned.data, in.data(), kBytes), 0);
  std::vector<unsigned char> out(kBytes);
  ASSERT_TRUE(device_->copy(*stream, out.data(), first.data, kBytes, CopyKind::kAny).ok());
  ASSERT_TRUE(stream->synchronize().ok());
  EXPECT_EQ(out, other);
}

TEST_P(DeviceTest, FillsAndCopiesNothing) {
  const Block block(device_->allocator(), kBytes);
  auto stream = device_->create_stream();
  ASSERT_TRUE(device_->fill(*stream, block.data, std::byte{7}, kBytes).ok());
  ASSERT_TRUE(device_->copy(*stream, nullptr, nullptr, 0, CopyKind::kDeviceToHost).ok());
  std::vector<unsigned char> out(kBytes);
  ASSERT_TRUE(device_->copy(*stream, out.data(), block.data, kBytes, CopyKind::kDeviceToHost).ok());
  ASSERT_TRUE(stream->synchronize().ok());
  EXPECT_EQ(out, std::vector<unsigned char>(kBytes, 7));
}

TEST_P(DeviceTest, HostFunctionsRunInOrder) {
  auto stream = device_->create_stream();
  std::vector<int> order;
  struct Note {
    std::vector<int>* list;
    int value;
  };
  std::vector<Note> notes;
  for (int i = 0; i < 5; ++i) notes.push_back({&order, i});
  for (Note& note : notes)
    ASSERT_TRUE(stream
                    ->call(
                        [](void* data) {
                          auto* n = static_cast<Note*>(data);
                          n->list->push_back(n->value);
                        },
                        &note)
                    .ok());
  ASSERT_TRUE(stream->synchronize().ok());
  EXPECT_TRUE(stream->done());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_P(DeviceTest, StreamsWaitForEventsOfOthers) {
  const Block block(device_->allocator(), kBytes), pinned(device_->staging(), kBytes);
  auto writer = device_->create_stream(), reader = device_->create_stream();
  auto event = device_->create_event();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(device_->fill(*writer, block.data, static_cast<std::byte>(i + 1), kBytes).ok());
    ASSERT_TRUE(event->record(*writer).ok());
    ASSERT_TRUE(reader->wait(*event).ok());
    ASSERT_TRUE(device_->copy(*reader, pinned.data, block.data, kBytes, CopyKind::kDeviceToHost).ok());
    ASSERT_TRUE(reader->synchronize().ok());
    EXPECT_TRUE(event->done());
    EXPECT_EQ(static_cast<unsigned char*>(pinned.data)[kBytes - 1], i + 1);
  }
}

TEST_P(DeviceTest, EventsTellTimes) {
  auto stream = device_->create_stream();
  auto start = device_->create_event(), stop = device_->create_event(), untimed = device_->create_event(false);
  EXPECT_LT(stop->milliseconds_since(*start), 0);  // not recorded yet
  const Block block(device_->allocator(), kBytes);
  ASSERT_TRUE(start->record(*stream).ok());
  ASSERT_TRUE(device_->fill(*stream, block.data, std::byte{1}, kBytes).ok());
  ASSERT_TRUE(stop->record(*stream).ok());
  ASSERT_TRUE(untimed->record(*stream).ok());
  EXPECT_GE(stop->milliseconds_since(*start), 0);
  EXPECT_LT(stop->milliseconds_since(*start), 10000);
  EXPECT_LT(untimed->milliseconds_since(*start), 0);
}

TEST_P(DeviceTest, CapturedWorkRunsWhenLaunched) {
  const Block block(device_->allocator(), kBytes), pinned(device_->staging(), kBytes);
  auto stream = device_->create_stream();
  ASSERT_TRUE(device_->fill(*stream, block.data, std::byte{1}, kBytes).ok());
  ASSERT_TRUE(stream->synchronize().ok());
  ASSERT_TRUE(stream->begin_capture().ok());
  EXPECT_TRUE(stream->capturing());
  ASSERT_TRUE(device_->fill(*stream, block.data, std::byte{2}, kBytes).ok());
  ASSERT_TRUE(device_->copy(*stream, pinned.data, block.data, kBytes, CopyKind::kDeviceToHost).ok());
  std::unique_ptr<Graph> graph;
  ASSERT_TRUE(stream->end_capture(graph).ok());
  EXPECT_FALSE(stream->capturing());
  ASSERT_NE(graph, nullptr);
  EXPECT_GE(graph->size(), 2u);
  std::memset(pinned.data, 0, kBytes);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(graph->launch(*stream).ok());
    ASSERT_TRUE(stream->synchronize().ok());
    EXPECT_EQ(static_cast<unsigned char*>(pinned.data)[kBytes - 1], 2);
    std::memset(pinned.data, 0, kBytes);
  }
}

// As when a binding changes: the graph that is ready writes elsewhere from then on.
TEST_P(DeviceTest, GraphsTakeOverAddresses) {
  const Block first(device_->allocator(), kBytes), second(device_->allocator(), kBytes),
      pinned(device_->staging(), kBytes);
  auto stream = device_->create_stream();
  const auto captured = [&](const Block& to, int fills) {
    std::unique_ptr<Graph> graph;
    EXPECT_TRUE(stream->begin_capture().ok());
    for (int i = 0; i < fills; ++i) EXPECT_TRUE(device_->fill(*stream, to.data, std::byte{7}, kBytes).ok());
    EXPECT_TRUE(stream->end_capture(graph).ok());
    return graph;
  };
  const auto last_byte = [&](const Block& of) {
    EXPECT_TRUE(device_->copy(*stream, pinned.data, of.data, kBytes, CopyKind::kDeviceToHost).ok());
    EXPECT_TRUE(stream->synchronize().ok());
    return static_cast<unsigned char*>(pinned.data)[kBytes - 1];
  };
  const auto run = [&](Graph& graph) {
    for (const Block* block : {&first, &second})
      ASSERT_TRUE(device_->fill(*stream, block->data, std::byte{1}, kBytes).ok());
    ASSERT_TRUE(graph.launch(*stream).ok());
  };
  const auto graph = captured(first, 1), moved = captured(second, 1), longer = captured(second, 2);
  run(*graph);
  EXPECT_EQ(last_byte(first), 7);
  ASSERT_TRUE(graph->update(*moved));
  run(*graph);
  EXPECT_EQ(last_byte(first), 1);
  EXPECT_EQ(last_byte(second), 7);
  EXPECT_FALSE(graph->update(*longer));
  run(*graph);
  EXPECT_EQ(last_byte(second), 7);
}

TEST_P(DeviceTest, WaitingBreaksACapture) {
  auto stream = device_->create_stream();
  ASSERT_TRUE(stream->begin_capture().ok());
  EXPECT_FALSE(stream->begin_capture().ok());
  EXPECT_FALSE(stream->synchronize().ok());
  std::unique_ptr<Graph> graph;
  EXPECT_FALSE(stream->end_capture(graph).ok());
  EXPECT_EQ(graph, nullptr);
  EXPECT_TRUE(stream->synchronize().ok());  // usable afterwards
}

// Work of a stream that waits for one that captures is noted with it, and runs in the order of the waits.
TEST_P(DeviceTest, StreamsCaptureTogether) {
  if (device_->edge_milliseconds() == 0) GTEST_SKIP() << "work of several streams does not run side by side";
  const auto stream = device_->create_stream(), beside = device_->create_stream();
  const auto fork = device_->create_event(false), join = device_->create_event(false);
  Block a(device_->allocator(), kBytes), b(device_->allocator(), kBytes);
  std::unique_ptr<Graph> graph;
  ASSERT_TRUE(stream->begin_capture().ok());
  EXPECT_TRUE(device_->fill(*stream, a.data, std::byte{1}, kBytes).ok());
  EXPECT_TRUE(fork->record(*stream).ok());
  EXPECT_TRUE(beside->wait(*fork).ok());
  EXPECT_TRUE(beside->capturing());
  EXPECT_TRUE(device_->copy(*beside, b.data, a.data, kBytes, CopyKind::kDeviceToDevice).ok());
  EXPECT_TRUE(join->record(*beside).ok());
  EXPECT_TRUE(stream->wait(*join).ok());
  EXPECT_TRUE(device_->fill(*stream, a.data, std::byte{2}, kBytes).ok());
  ASSERT_TRUE(stream->end_capture(graph).ok());
  EXPECT_FALSE(beside->capturing());
  EXPECT_GE(graph->size(), 3u);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(graph->launch(*stream).ok());
  std::vector<unsigned char> got(kBytes);
  EXPECT_TRUE(device_->copy(*stream, got.data(), b.data, kBytes, CopyKind::kDeviceToHost).ok());
  ASSERT_TRUE(stream->synchronize().ok());
  EXPECT_EQ(got, std::vector<unsigned char>(kBytes, 1));
  // What nobody waits for.
  ASSERT_TRUE(stream->begin_capture().ok());
  EXPECT_TRUE(fork->record(*stream).ok());
  EXPECT_TRUE(beside->wait(*fork).ok());
  EXPECT_TRUE(device_->fill(*beside, b.data, std::byte{3}, kBytes).ok());
  EXPECT_FALSE(stream->end_capture(graph).ok());
  EXPECT_FALSE(graph);
  EXPECT_TRUE(device_->fill(*stream, b.data, std::byte{3}, kBytes).ok());
  EXPECT_TRUE(stream->synchronize().ok());
}

TEST_P(DeviceTest, HandlesAreAdopted) {
  auto stream = device_->create_stream();
  auto event = device_->create_event();
  Stream* adopted = device_->adopt_stream(stream->native());
  ASSERT_NE(adopted, nullptr);
  EXPECT_EQ(adopted->native(), stream->native());
  EXPECT_NE(device_->adopt_stream(nullptr), nullptr);
  Event* same = device_->adopt_event(event->native());
  ASSERT_NE(same, nullptr);
  ASSERT_TRUE(same->record(*adopted).ok());
  EXPECT_TRUE(same->synchronize().ok());
}

TEST_P(DeviceTest, MemoryOrderedInAStream) {
  auto stream = device_->create_stream();
  void* memory = device_->allocator().allocate_in(*stream, kBytes, 256);
  ASSERT_NE(memory, nullptr);
  ASSERT_TRUE(device_->fill(*stream, memory, std::byte{3}, kBytes).ok());
  device_->allocator().deallocate_in(*stream, memory);
  EXPECT_TRUE(stream->synchronize().ok());
}

TEST_P(DeviceTest, UnknownKernelsAreNone) {
  EXPECT_EQ(device_->load({"no such kernel", {}}), nullptr);
  EXPECT_EQ(device_->create_kernel("no such kernel", {}), nullptr);
}

TEST_P(DeviceTest, PointersOfTheOtherSideAreErrors) {
  if (device_->host_memory()) GTEST_SKIP() << "the device's memory is the host's";
  const Block block(device_->allocator(), kBytes);
  auto stream = device_->create_stream();
  std::vector<unsigned char> host(kBytes);
  Status queued = device_->copy(*stream, host.data(), block.data, kBytes, CopyKind::kHostToDevice);
  if (queued.ok()) queued = stream->synchronize();
  EXPECT_FALSE(queued.ok());
  EXPECT_NE(std::string(queued.detail), "");
}

TEST_P(DeviceTest, TooMuchMemoryIsRefused) { EXPECT_EQ(device_->allocator().allocate(size_t{1} << 60, 256), nullptr); }

// Two streams that use the same bytes with no order between, which tests of other rooms watch for.
TEST(Pretend, RacesAreFound) {
  pretend::register_pretend();
  Device& device = open_device("pretend");
  const auto one = device.create_stream(), other = device.create_stream();
  const auto event = device.create_event(false);
  void* const block = device.allocator().allocate(kBytes, 256);
  auto* const bytes = static_cast<std::byte*>(block);
  pretend::watch_races(true);
  EXPECT_TRUE(device.fill(*one, bytes, std::byte{1}, 100).ok());
  EXPECT_TRUE(device.fill(*other, bytes + 100, std::byte{1}, 100).ok());  // beside
  EXPECT_EQ(device.fill(*other, bytes + 99, std::byte{1}, 1).code, Code::kExecution);
  EXPECT_EQ(device.copy(*other, bytes + 500, bytes, 10, CopyKind::kDeviceToDevice).code, Code::kExecution);
  EXPECT_TRUE(event->record(*one).ok());
  EXPECT_TRUE(other->wait(*event).ok());
  EXPECT_TRUE(device.fill(*other, bytes + 99, std::byte{1}, 1).ok());
  EXPECT_EQ(device.copy(*one, bytes + 500, bytes + 99, 1, CopyKind::kDeviceToDevice).code, Code::kExecution);
  EXPECT_TRUE(other->synchronize().ok());
  EXPECT_TRUE(device.copy(*one, bytes + 500, bytes + 99, 1, CopyKind::kDeviceToDevice).ok());    // the host has waited
  EXPECT_TRUE(device.copy(*other, bytes + 600, bytes + 99, 1, CopyKind::kDeviceToDevice).ok());  // both read
  EXPECT_TRUE(one->synchronize().ok() && other->synchronize().ok());
  pretend::watch_races(false);
  device.allocator().deallocate(block);
}

TEST(Devices, NamesThatAreNone) {
  std::string reason;
  for (const char* name : {"", ":", "cpu:", "cpu:x", "cpu:-1", "CPU", "../cpu", "cpu:0:0", "cpu:99999"}) {
    reason.clear();
    EXPECT_EQ(try_open_device(name, reason), nullptr) << name;
    EXPECT_NE(reason, "") << name;
  }
  EXPECT_EQ(try_open_device("cpu:1", reason), nullptr);
  EXPECT_EQ(try_open_device("cpu:0", reason), try_open_device("cpu", reason));
}

TEST(Devices, Ordinals) {
  pretend::register_pretend();
  Device &first = open_device("pretend"), &second = open_device("pretend:1");
  EXPECT_NE(&first, &second);
  EXPECT_EQ(second.ordinal(), 1);
  EXPECT_THROW(open_device("pretend:2"), Error);
}

std::vector<std::string> names_of_devices() {
  std::vector<std::string> names = lent_devices();
  for (const Target* target : all_targets()) names.emplace_back(target->name());
  names.insert(names.end(), {"pretend", "pretend:1"});
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, DeviceTest, ::testing::ValuesIn(names_of_devices()), [](const auto& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), ':', '_');
  return name;
});

}  // namespace
}  // namespace kiln
