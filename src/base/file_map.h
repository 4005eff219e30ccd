// Read-only memory map of a file, and whole-file reads and writes.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kiln {

// Keeps the mapping alive while anything borrows from it. Thread-safe to share once made.
class FileMap {
 public:
  // Throws kNotFound or kIo. An empty file gives an empty span. Only regular files are mapped.
  static std::shared_ptr<const FileMap> open(const std::string& path);
  ~FileMap();
  FileMap(const FileMap&) = delete;
  FileMap& operator=(const FileMap&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  FileMap() = default;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Writes to a temporary file beside `path` and renames it, so that a reader never sees half a file. Throws kIo.
void write_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace kiln
