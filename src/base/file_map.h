// Files: read as a stream or mapped, and written whole.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kiln {

// An open regular file.
class InputFile {
 public:
  explicit InputFile(const std::string& path);  // throws kNotFound or kIo
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  int descriptor() const { return descriptor_; }
  size_t size() const { return size_; }

 private:
  int descriptor_;
  size_t size_ = 0;
};

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
// The same for what `produce` gives to the sink, piece by piece.
using FileSink = std::function<void(std::span<const std::byte>)>;
void write_file(const std::string& path, const std::function<void(const FileSink&)>& produce);

}  // namespace kiln
