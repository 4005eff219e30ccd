// Runs a fuzzer of this folder without libFuzzer: over the files that are given and over a fixed number of mutations of each, which
// depend on the file's name and bytes alone, so that every machine runs the same inputs.
// Usage: NAME_replay [--mutations=N] [--find=FILE] [FILE|FOLDER]...   Without files: from the empty input.
// What ends the program is described on stderr and written to FILE.
#include <sanitizer/common_interface_defs.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/hash.h"

extern "C" {
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
__attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed);
__attribute__((weak)) size_t LLVMFuzzerCustomCrossOver(const uint8_t* first, size_t first_size, const uint8_t* second,
                                                       size_t second_size, uint8_t* data, size_t max_size,
                                                       unsigned int seed);
}

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

constexpr size_t kMostBytes = 65536;  // of a mutated input
constexpr unsigned kMostRounds = 4;   // mutations on top of each other

struct Seed {
  std::string name;
  Bytes bytes;
};

struct Options {
  unsigned mutations = 0;
  std::string find = "replay.find";
  std::vector<fs::path> paths;
};

std::mt19937 generator;  // of LLVMFuzzerMutate, which takes none

// What runs now, for the report of a find.
struct Current {
  std::string name;
  unsigned mutation = 0;
  const Bytes* bytes = nullptr;
  std::string find;
} current;

void report_find() {
  if (!current.bytes) return;
  std::fprintf(stderr, "replay: ended by %s, mutation %u; the input is in %s\n", current.name.c_str(), current.mutation,
               current.find.c_str());
  std::ofstream(current.find, std::ios::binary)
      .write(reinterpret_cast<const char*>(current.bytes->data()), static_cast<std::streamsize>(current.bytes->size()));
}

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (text.starts_with("--mutations=")) o.mutations = static_cast<unsigned>(std::stoul(text.substr(12)));
    else if (text.starts_with("--find=")) o.find = text.substr(7);
    else o.paths.emplace_back(text);
  }
  return o;
}

Bytes read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw fs::filesystem_error("cannot be read", path, std::make_error_code(std::errc::io_error));
  return {std::istreambuf_iterator<char>(file), {}};
}

// In the order of their names.
std::vector<Seed> read_seeds(const std::vector<fs::path>& paths) {
  std::vector<Seed> seeds;
  for (const fs::path& path : paths) {
    if (!fs::is_directory(path)) {
      seeds.push_back({path.filename().string(), read_file(path)});
      continue;
    }
    for (const auto& entry : fs::directory_iterator(path))
      seeds.push_back({entry.path().filename().string(), read_file(entry.path())});
  }
  if (paths.empty()) seeds.push_back({"nothing", {}});
  std::sort(seeds.begin(), seeds.end(), [](const Seed& a, const Seed& b) { return a.name < b.name; });
  return seeds;
}

Bytes mutated(const Seed& seed, const Seed& other, unsigned number) {
  std::mt19937 random(static_cast<unsigned>(kiln::checksum64(seed.name.data(), seed.name.size())) + number);
  generator.seed(random());
  Bytes data = seed.bytes;
  size_t size = std::min(data.size(), kMostBytes);
  data.resize(kMostBytes);
  if (LLVMFuzzerCustomCrossOver && number % 8 == 7) {
    size = LLVMFuzzerCustomCrossOver(seed.bytes.data(), seed.bytes.size(), other.bytes.data(), other.bytes.size(),
                                     data.data(), kMostBytes, static_cast<unsigned>(random()));
  } else {
    for (unsigned round = 0; round <= number % kMostRounds; ++round)
      size = LLVMFuzzerCustomMutator
                 ? LLVMFuzzerCustomMutator(data.data(), size, kMostBytes, static_cast<unsigned>(random()))
                 : LLVMFuzzerMutate(data.data(), size, kMostBytes);
  }
  data.resize(size);
  data.shrink_to_fit();  // so that the sanitizer sees what reads behind the end
  return data;
}

void run(const Bytes& bytes) {
  current.bytes = &bytes;
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  current.bytes = nullptr;
}

}  // namespace

// One change to some bytes. libFuzzer's has more kinds, and learns from the code that is reached.
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size) {
  constexpr uint8_t kBytes[] = {0, 1, 2, 7, 8, 16, 32, 64, 100, 127, 128, 254, 255};
  const auto pick = [](size_t n) { return generator() % n; };
  const auto byte = [&] { return pick(2) ? kBytes[pick(std::size(kBytes))] : static_cast<uint8_t>(generator()); };
  const size_t kind = size == 0 ? 0 : pick(7);
  if (kind == 0) {  // insert
    if (size == max_size) return size;
    const size_t at = pick(size + 1), count = 1 + pick(std::min<size_t>(max_size - size, 16));
    std::memmove(data + at + count, data + at, size - at);
    std::generate_n(data + at, count, byte);
    return size + count;
  }
  const size_t at = pick(size), count = 1 + pick(std::min<size_t>(size - at, 16));
  switch (kind) {
    case 1: data[at] ^= static_cast<uint8_t>(1u << pick(8)); break;
    case 2: data[at] = byte(); break;
    case 3: std::fill_n(data + at, count, byte()); break;
    case 4: std::memmove(data + at, data + pick(size - count + 1), count); break;
    case 5: data[at] = static_cast<uint8_t>(data[at] + (pick(2) ? 1 : 255)); break;
    default:  // erase
      if (size == 1) return size;
      std::memmove(data + at, data + at + count, size - at - count);
      return std::max<size_t>(size - count, 1);
  }
  return size;
}

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (LLVMFuzzerInitialize) LLVMFuzzerInitialize(&argc, &argv);
  __sanitizer_set_death_callback(report_find);
  current.find = options.find;
  const std::vector<Seed> seeds = read_seeds(options.paths);
  size_t runs = 0;
  for (size_t i = 0; i < seeds.size(); ++i) {
    current.name = seeds[i].name;
    for (current.mutation = 0; current.mutation <= options.mutations; ++current.mutation, ++runs)
      run(current.mutation == 0 ? seeds[i].bytes
                                : mutated(seeds[i], seeds[(i + current.mutation) % seeds.size()], current.mutation));
  }
  std::printf("%zu files, %zu inputs, no problem\n", seeds.size(), runs);
  return runs > 0 ? 0 : 1;
}
