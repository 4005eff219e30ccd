// Any bytes as a timing cache: an Error, or entries that survive writing and reading. The checksum is made right after most mutations.
#include <cstdint>
#include <cstring>
#include <random>

#include "base/error.h"
#include "tuner/timing_cache.h"

namespace {

using kiln::TimingCache;

const std::string kDevice = "x86-64 fuzzer";
constexpr std::string_view kSum = "checksum ";

std::vector<std::byte> random_cache(unsigned int seed) {
  std::mt19937 random(seed);
  TimingCache cache(kDevice);
  for (size_t i = random() % 5; i > 0; --i)
    cache.put({random(), random()}, "tactic" + std::to_string(random() % 9),
              {static_cast<double>(random()) / 1e6, static_cast<double>(random()) / 1e6});
  for (size_t i = random() % 3; i > 0; --i)
    cache.code().put({random(), random()}, std::make_shared<const std::vector<std::byte>>(
                                               1 + random() % 9, static_cast<std::byte>(random())));
  return cache.serialize();
}

std::span<const std::byte> bytes_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

// Replaces the last line; 0 when there is no room.
size_t refresh_checksum(uint8_t* data, size_t size, size_t max_size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t at = text.rfind(kSum);
  if (at == std::string_view::npos) return size;
  const std::string line = std::string(kSum) + std::to_string(kiln::checksum64(data, at)) + "\n";
  if (at + line.size() > max_size) return size;
  std::memcpy(data + at, line.data(), line.size());
  return at + line.size();
}

}  // namespace

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  if (size < 32 || seed % 64 == 0) {
    const std::vector<std::byte> cache = random_cache(seed);
    if (cache.size() <= max_size) {
      std::memcpy(data, cache.data(), cache.size());
      size = cache.size();
    }
  }
  size = LLVMFuzzerMutate(data, size, max_size);
  return seed % 8 ? refresh_checksum(data, size, max_size) : size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const TimingCache cache = TimingCache::parse(bytes_of(data, size), kDevice);
    const std::vector<std::byte> bytes = cache.serialize();
    const TimingCache again = TimingCache::parse(bytes, kDevice);
    if (again.size() != cache.size() || again.code().all().size() != cache.code().all().size() ||
        again.serialize() != bytes)
      __builtin_trap();
  } catch (const kiln::Error& e) {
    if (e.code() != kiln::Code::kMalformedCache) __builtin_trap();
  }
  return 0;
}
