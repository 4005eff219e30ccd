// Files: read as a stream or mapped, and written whole.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

class Error;
// The error with the file that it is about before its message.
Error about_file(const std::string& path, const Error& e);

// An open regular file.
class InputFile {
 public:
  explicit InputFile(const std::string& path);  // throws kNotFound or kIo
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  int descriptor() const { return descriptor_; }
  size_t size() const { return size_; }
  void rewind() const;  // to the beginning; throws kIo

 private:
  int descriptor_;
  size_t size_ = 0;
};

// Keeps the mapping alive while anything borrows from it. Thread-safe to share once made.
class FileMap {
 public:
  // Throws kNotFound or kIo. An empty file gives an empty span. Only regular files are mapped.
  static std::shared_ptr<const FileMap> open(const std::string& path);
  // The same bytes in memory of their own, which a change of the file does not reach.
  static std::shared_ptr<const FileMap> read(const std::string& path);
  ~FileMap();
  FileMap(const FileMap&) = delete;
  FileMap& operator=(const FileMap&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // The pages of a mapped file that lie in the range need no memory of the process until they are read again. Other memory stays as it
  // is.
  static void let_go(const void* data, size_t size) noexcept;

 private:
  FileMap() = default;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Writes to a new file in the folder of `path` and renames it, so that a reader never sees half a file and a failure leaves what was
// there. Links are followed and stay. Devices are written to, pipes refused. A file that is not empty is replaced only when it begins with
// one of the `kinds`; none given: always. Throws kIo, or kNotFound when there is no such folder.
using FileKinds = std::vector<std::string_view>;
void write_file(const std::string& path, std::span<const std::byte> bytes, const FileKinds& kinds = {});
// The same for what `produce` gives to the sink, piece by piece.
using FileSink = std::function<void(std::span<const std::byte>)>;
void write_file(const std::string& path, const std::function<void(const FileSink&)>& produce,
                const FileKinds& kinds = {});
// Throws what write_file would throw before it asks for the first byte; leaves everything as it is.
void check_writable(const std::string& path, const FileKinds& kinds = {});
// Replaces the content by what `change` makes of it, nothing when there is no file yet, while no other update of the file runs.
// Waits for one that runs for some seconds, then throws kIo.
using FileChange = std::function<std::vector<std::byte>(std::span<const std::byte>)>;
void update_file(const std::string& path, const FileChange& change, const FileKinds& kinds);

}  // namespace kiln
