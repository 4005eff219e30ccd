// File maps and whole-file writes, with everything that can stand at a path.
#include "base/file_map.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string_view>
#include <thread>

#include "code_of.h"

namespace kiln {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& file) const { return (folder_ / file).string(); }
  size_t file_count() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()));
  }
  static void write(const std::string& path, std::string_view text) {
    write_file(path, std::as_bytes(std::span(text)));
  }
  static std::string text(const FileMap& map) {
    return {reinterpret_cast<const char*>(map.bytes().data()), map.bytes().size()};
  }

  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("kiln_files_" + std::to_string(::getpid()));
};

// Kilobytes that a mapping has in memory, by /proc; -1 when it is none.
int64_t resident_kilobytes(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      const auto at = reinterpret_cast<uintptr_t>(address);
      inside = begin <= at && at < end;
    }
    if (inside && line.starts_with("Rss:")) return std::stoll(line.substr(4));
  }
  return -1;
}

TEST_F(Files, PagesThatAreLetGoAreReadAgain) {
  const std::string text(size_t{1} << 20, 'k');
  write(path("large"), text);
  const auto map = FileMap::open(path("large"));
  const auto bytes = map->bytes();
  const auto all = [&] {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{'k'}; });
  };
  EXPECT_TRUE(all());
  EXPECT_GE(resident_kilobytes(bytes.data()), 1000);
  FileMap::let_go(bytes.data() + 100, bytes.size() - 200);
  EXPECT_LE(resident_kilobytes(bytes.data()), 100);
  EXPECT_TRUE(all());
  // What is no part of a map stays.
  std::vector<char> own(size_t{1} << 20, 'o');
  FileMap::let_go(own.data(), own.size());
  EXPECT_EQ(std::count(own.begin(), own.end(), 'o'), 1 << 20);
  FileMap::let_go(bytes.data(), bytes.size() + 4096);
  FileMap::let_go(nullptr, 0);
}

TEST_F(Files, WriteAndMap) {
  const std::string large(3 << 20, 'x');
  for (const std::string& content : {std::string("hello"), std::string("a\0b", 3), large}) {
    write(path("file"), content);
    EXPECT_EQ(text(*FileMap::open(path("file"))), content);
  }
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(Files, MapOutlivesItsFile) {
  write(path("file"), "old");
  const auto map = FileMap::open(path("file"));
  write(path("file"), "new text");
  EXPECT_EQ(text(*map), "old");
  std::filesystem::remove(path("file"));
  EXPECT_EQ(text(*map), "old");
}

TEST_F(Files, EmptyFile) {
  write(path("empty"), "");
  EXPECT_TRUE(FileMap::open(path("empty"))->bytes().empty());
}

TEST_F(Files, WhatIsNoFileIsRefused) {
  EXPECT_EQ(code_of([&] { FileMap::open(path("missing")); }), Code::kNotFound);
  EXPECT_EQ(code_of([&] { FileMap::open(path("")); }), Code::kIo);
  EXPECT_EQ(code_of([&] { FileMap::open(""); }), Code::kNotFound);
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(code_of([&] { FileMap::open(path("fifo")); }), Code::kIo);
  EXPECT_EQ(code_of([&] { FileMap::open("/dev/null"); }), Code::kIo);
  std::filesystem::create_symlink("loop", path("loop"));
  EXPECT_EQ(code_of([&] { FileMap::open(path("loop")); }), Code::kIo);
}

TEST_F(Files, FailedWritesLeaveNothing) {
  EXPECT_EQ(code_of([&] { write(path("no/such/file"), "x"); }), Code::kNotFound);
  std::filesystem::create_directories(path("folder/inner"));
  EXPECT_EQ(code_of([&] { write(path("folder"), "x"); }), Code::kIo);
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(Files, LinksAreFollowedAndStay) {
  write(path("target"), "old");
  std::filesystem::create_symlink("target", path("link"));
  write(path("link"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_EQ(text(*FileMap::open(path("target"))), "new");
  std::filesystem::create_symlink("later", path("open link"));
  write(path("open link"), "made");
  EXPECT_TRUE(std::filesystem::is_symlink(path("open link")));
  EXPECT_EQ(text(*FileMap::open(path("later"))), "made");
  std::filesystem::create_symlink("loop", path("loop"));
  EXPECT_EQ(code_of([&] { write(path("loop"), "x"); }), Code::kIo);
}

TEST_F(Files, DevicesAreWrittenToAndPipesRefused) {
  // Devices of our own where we may make some: who may do that may also lose those of the system.
  const auto device = [&](const char* name, unsigned minor) {
    const std::string own = path(name);
    const bool made = ::mknod(own.c_str(), S_IFCHR | 0600, makedev(1, minor)) == 0 && std::ofstream(own).is_open();
    return made ? own : std::string("/dev/") + name;
  };
  const std::string null = device("null", 3), full = device("full", 7);
  write(null, "nothing");
  EXPECT_TRUE(std::filesystem::is_character_file(null));
  EXPECT_EQ(code_of([&] { write(full, "x"); }), Code::kIo);
  EXPECT_TRUE(std::filesystem::is_character_file(full));
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(code_of([&] { write(path("fifo"), "nobody reads"); }), Code::kIo);
  EXPECT_TRUE(std::filesystem::is_fifo(path("fifo")));
}

TEST_F(Files, AnotherKindOfFileStays) {
  write(path("model"), "a model");
  const auto save = [&](const char* file) {
    return code_of([&] { write_file(path(file), std::as_bytes(std::span("KILN 2", 6)), {"KILN ", "[kiln"}); });
  };
  EXPECT_EQ(save("model"), Code::kIo);
  EXPECT_EQ(text(*FileMap::open(path("model"))), "a model");
  write(path("short"), "KIL");
  EXPECT_EQ(save("short"), Code::kIo);
  for (const char* before : {"", "KILN 1", "[kiln]"}) {
    write(path("file"), before);
    EXPECT_EQ(save("file"), Code::kOk) << before;
    EXPECT_EQ(text(*FileMap::open(path("file"))), "KILN 2");
  }
  EXPECT_EQ(save("fresh"), Code::kOk);
}

TEST_F(Files, WhatCanBeWrittenIsKnownBefore) {
  const FileKinds kinds = {"KILN "};
  const auto check = [&](const std::string& file) { return code_of([&] { check_writable(path(file), kinds); }); };
  write(path("model"), "a model");
  write(path("engine"), "KILN 1");
  std::filesystem::create_directories(path("folder"));
  std::filesystem::create_symlink("model", path("link"));
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  const size_t files = file_count();
  for (const char* file : {"model", "link", "folder", "model/engine", "fifo"})
    EXPECT_EQ(check(file), Code::kIo) << file;
  EXPECT_EQ(check("no/such/file"), Code::kNotFound);
  for (const char* file : {"engine", "fresh"}) EXPECT_EQ(check(file), Code::kOk) << file;
  EXPECT_NE(code_of([&] { check_writable("/proc/none", kinds); }), Code::kOk);  // a folder in which none are made
  EXPECT_EQ(file_count(), files);
  EXPECT_EQ(text(*FileMap::open(path("engine"))), "KILN 1");
}

TEST_F(Files, RightsAreKept) {
  write(path("file"), "old");
  ASSERT_EQ(::chmod(path("file").c_str(), 0600), 0);
  write(path("file"), "new");
  EXPECT_EQ(std::filesystem::status(path("file")).permissions(), std::filesystem::perms(0600));
}

TEST_F(Files, WhatAProducerThrowsLeavesTheOldFile) {
  write(path("file"), "old");
  EXPECT_THROW(write_file(path("file"),
                          [](const FileSink& sink) {
                            sink(std::as_bytes(std::span("half", 4)));
                            throw Error(Code::kInternal, "stop");
                          }),
               Error);
  EXPECT_EQ(text(*FileMap::open(path("file"))), "old");
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(Files, UpdatesDoNotLoseEachOther) {
  constexpr int kThreads = 4, kEach = 25;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i)
        update_file(path("count"),
                    [](std::span<const std::byte> old) {
                      std::vector<std::byte> longer(old.begin(), old.end());
                      longer.push_back(std::byte{'+'});
                      return longer;
                    },
                    {"+"});
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(text(*FileMap::open(path("count"))), std::string(kThreads * kEach, '+'));
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(Files, ACopyOutlivesWhatHappensToItsFile) {
  const std::string content(100000, 'c');
  write(path("file"), content);
  const auto copy = FileMap::read(path("file"));
  std::filesystem::resize_file(path("file"), 10);
  EXPECT_EQ(text(*copy), content);
  write(path("empty"), "");
  EXPECT_TRUE(FileMap::read(path("empty"))->bytes().empty());
  EXPECT_EQ(code_of([&] { FileMap::read(path("missing")); }), Code::kNotFound);
}

}  // namespace
}  // namespace kiln
