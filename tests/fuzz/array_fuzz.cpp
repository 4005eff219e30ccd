// Any bytes as an array of numpy: an Error, or a value that survives writing and reading.
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kiln/kiln.h"

namespace {

using namespace kiln::api;

constexpr const char* kTypes[] = {"<f4", ">f4", "<f8", "<f2", "|i1", "|u1", "<i8", ">i2",
                                  "|b1", "<c8", "<U3", ">U2", "|S4", "|O",  "<V2"};
constexpr const char* kShapes[] = {
    "()", "(0,)", "(3,)", "(2, 3)", "(1, 0, 4)", "(-1,)", "(9223372036854775807, 2)", "(4294967296, 4294967296)"};

std::string random_array(std::mt19937& random) {
  const auto pick = [&](const auto& list) { return std::string(list[random() % std::size(list)]); };
  std::string header = "{'descr': '" + pick(kTypes) + "', 'fortran_order': " + (random() % 2 ? "True" : "False") +
                       ", 'shape': " + pick(kShapes) + ", }";
  header.resize((header.size() + 10 + 64) / 64 * 64 - 10, ' ');
  header.back() = '\n';
  std::string bytes = "\x93NUMPY";
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  bytes += header;
  for (size_t i = random() % 100; i > 0; --i) bytes += static_cast<char>(random());
  return bytes;
}

}  // namespace

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  std::mt19937 random(seed);
  if (size < 32 || seed % 16 == 0) {
    const std::string bytes = random_array(random);
    if (bytes.size() <= max_size) {
      std::memcpy(data, bytes.data(), bytes.size());
      size = bytes.size();
    }
  }
  return seed % 4 ? LLVMFuzzerMutate(data, size, max_size) : size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* first = reinterpret_cast<const std::byte*>(data);
  try {
    const HostValue value = parse_npy_value({first, first + size}, "the array");
    const std::vector<std::byte> bytes = npy_bytes(value);
    if (npy_bytes(parse_npy_value(bytes, "the array again")) != bytes) __builtin_trap();
  } catch (const Failure& e) {
    if (std::string(e.what()).find("K1000") != std::string::npos) __builtin_trap();
  }
  return 0;
}
