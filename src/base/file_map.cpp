// POSIX implementation of FileMap.
#include "base/file_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace kiln {
namespace {
[[noreturn]] void fail(const std::string& action, const std::string& path) {
  const int reason = errno;
  throw Error(reason == ENOENT ? Code::kNotFound : Code::kIo, "cannot " + action + " '" + path + "'")
      .cause(std::strerror(reason))
      .remedy("check the path and its permissions");
}

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};
}  // namespace

InputFile::InputFile(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) fail("open", path);
  Descriptor guard{descriptor_};
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) fail("examine", path);
  if (!S_ISREG(info.st_mode))
    throw Error(Code::kIo, "'" + path + "' is not a regular file").remedy("give the path of a file");
  size_ = static_cast<size_t>(info.st_size);
  guard.fd = -1;
}

InputFile::~InputFile() { ::close(descriptor_); }

std::shared_ptr<const FileMap> FileMap::open(const std::string& path) {
  const InputFile file(path);
  std::shared_ptr<FileMap> map(new FileMap);
  map->size_ = file.size();
  if (map->size_ == 0) return map;
  void* data = ::mmap(nullptr, map->size_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (data == MAP_FAILED) {
    map->size_ = 0;
    fail("map", path);
  }
  map->data_ = static_cast<const std::byte*>(data);
  return map;
}

FileMap::~FileMap() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

void write_file(const std::string& path, const std::function<void(const FileSink&)>& produce) {
  const std::string temporary = path + ".tmp" + std::to_string(::getpid());
  try {
    Descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    if (file.fd < 0) fail("create", temporary);
    produce([&](std::span<const std::byte> bytes) {
      for (size_t done = 0; done < bytes.size();) {
        const ssize_t n = ::write(file.fd, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail("write", path);
        done += static_cast<size_t>(n);
      }
    });
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail("rename to", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  write_file(path, [&](const FileSink& sink) { sink(bytes); });
}

}  // namespace kiln
