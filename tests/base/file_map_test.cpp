// File maps and whole-file writes, with everything that can stand at a path.
#include "base/file_map.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string_view>

#include "base/error.h"

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
  static Code code_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& e) {
      return e.code();
    }
    return Code::kOk;
  }

  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("kiln_files_" + std::to_string(::getpid()));
};

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

}  // namespace
}  // namespace kiln
