// POSIX implementation of FileMap.
#include "base/file_map.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "base/error.h"

namespace kiln {
namespace {
[[noreturn]] void fail(const std::string& action, const std::string& path) {
  const int reason = errno;
  const bool full = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
  throw Error(reason == ENOENT ? Code::kNotFound : Code::kIo, "cannot " + action + " '" + path + "'")
      .cause(std::strerror(reason))
      .remedy(full ? "make room, or give a path elsewhere" : "check the path and its permissions");
}

constexpr size_t kLongestKind = 64;

struct Descriptor {
  explicit Descriptor(int descriptor = -1) : fd(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};
}  // namespace

Error about_file(const std::string& path, const Error& e) {
  return Error(e.code(), "'" + path + "': " + e.message()).node(e.node()).cause(e.cause()).remedy(e.remedy());
}

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

void InputFile::rewind() const {
  if (::lseek(descriptor_, 0, SEEK_SET) != 0) fail("read again", "a file");
}

namespace {

// Files that are mapped now: their first bytes and sizes.
struct Mapped {
  std::mutex mutex;
  std::map<const std::byte*, size_t> ranges;
};
Mapped& mapped() {
  static auto* const instance = new Mapped;  // outlives maps that are static
  return *instance;
}

}  // namespace

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
  const std::lock_guard lock(mapped().mutex);
  mapped().ranges[map->data_] = map->size_;
  return map;
}

void FileMap::let_go(const void* data, size_t size) noexcept {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto* from = static_cast<const std::byte*>(data);
  const std::lock_guard lock(mapped().mutex);
  auto it = mapped().ranges.upper_bound(from);
  if (it == mapped().ranges.begin()) return;
  --it;
  if (from + size > it->first + it->second) return;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(from) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(from) + size) / page * page;
  if (begin < end) static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED));
}

std::shared_ptr<const FileMap> FileMap::read(const std::string& path) {
  const InputFile file(path);
  std::shared_ptr<FileMap> map(new FileMap);
  if (file.size() == 0) return map;
  void* data = ::mmap(nullptr, file.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw Error(Code::kOutOfMemory, "there is no memory for '" + path + "'");
  map->data_ = static_cast<const std::byte*>(data);
  map->size_ = file.size();
  for (size_t done = 0; done < file.size();) {
    const ssize_t n =
        ::pread(file.descriptor(), static_cast<char*>(data) + done, file.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read", path);
    if (n == 0) throw Error(Code::kIo, "'" + path + "' became shorter while it was read");
    done += static_cast<size_t>(n);
  }
  return map;
}

FileMap::~FileMap() {
  {
    const std::lock_guard lock(mapped().mutex);
    mapped().ranges.erase(data_);
  }
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

namespace {

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

// Where a chain of links ends; the last name need not exist.
std::string follow_links(std::string path) {
  constexpr int kMostLinks = 40;
  const std::string given = path;
  for (int i = 0; i < kMostLinks; ++i) {
    char target[PATH_MAX];
    const ssize_t size = ::readlink(path.c_str(), target, sizeof target);
    if (size < 0) return path;
    const std::string next(target, static_cast<size_t>(size));
    path = next.starts_with('/') ? next : folder_of(path) + next;
  }
  errno = ELOOP;
  fail("follow the links of", given);
}

void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write", path);
    done += static_cast<size_t>(n);
  }
}

void close_written(Descriptor& file, const std::string& path) {
  if (::close(std::exchange(file.fd, -1)) != 0) fail("write", path);
}

bool begins_as(const std::string& path, size_t size, const FileKinds& kinds) {
  if (size == 0 || kinds.empty()) return true;
  const InputFile file(path);
  std::string start(kLongestKind, '\0');
  const ssize_t n = ::pread(file.descriptor(), start.data(), start.size(), 0);
  if (n < 0) fail("read", path);
  start.resize(static_cast<size_t>(n));
  return std::any_of(kinds.begin(), kinds.end(), [&](std::string_view kind) { return start.starts_with(kind); });
}

// A file that no one else has, and a name that no one can know before.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& beside, mode_t mode) {
    constexpr int kAttempts = 16;
    for (int i = 0; i < kAttempts; ++i) {
      uint64_t number = 0;
      if (::getrandom(&number, sizeof number, 0) != sizeof number) fail("name a temporary file for", beside);
      path_ = folder_of(beside) + ".kiln-" + std::to_string(number);
      file_.fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
      if (file_.fd >= 0) return;
      if (errno != EEXIST) break;
    }
    path_.clear();
    fail("create", beside);
  }
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  Descriptor& file() { return file_; }
  void become(const std::string& path) {
    close_written(file_, path);
    if (::rename(path_.c_str(), path.c_str()) != 0) fail("rename to", path);
    path_.clear();
  }

 private:
  Descriptor file_;
  std::string path_;
};

// A device, which stays what it is.
void write_through(const std::string& path, const std::function<void(const FileSink&)>& produce) {
  Descriptor file{::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY)};
  if (file.fd < 0) fail("open", path);
  produce([&](std::span<const std::byte> bytes) { write_all(file.fd, bytes, path); });
  close_written(file, path);
}

// Where a file is to be written; throws where none may be.
struct Place {
  std::string path;  // behind all links
  bool is_device;
  mode_t mode;
};
Place place_of(const std::string& given, const FileKinds& kinds) {
  struct stat info {};
  if (::stat(given.c_str(), &info) == 0 && S_ISFIFO(info.st_mode))
    throw Error(Code::kIo, "'" + given + "' is a pipe, and results are written to files, whole or not at all")
        .remedy("give the path of a file, and copy it to where the pipe leads");
  const std::string path = follow_links(given);
  if (::stat(path.c_str(), &info) != 0) return {path, false, 0666};
  if (S_ISCHR(info.st_mode)) return {path, true, 0};
  if (!S_ISREG(info.st_mode))
    throw Error(Code::kIo, "'" + given + "' is not a file that can be written").remedy("give the path of a file");
  if (!begins_as(path, static_cast<size_t>(info.st_size), kinds))
    throw Error(Code::kIo, "'" + given + "' exists and holds something else; it stays as it is")
        .remedy("give another path");
  return {path, false, info.st_mode & 0777};
}

}  // namespace

void check_writable(const std::string& path, const FileKinds& kinds) {
  const Place place = place_of(path, kinds);
  if (!place.is_device) static_cast<void>(TemporaryFile(place.path, place.mode));
  else if (::access(place.path.c_str(), W_OK) != 0) fail("open", place.path);
}

void write_file(const std::string& given, const std::function<void(const FileSink&)>& produce, const FileKinds& kinds) {
  const Place place = place_of(given, kinds);
  if (place.is_device) return write_through(place.path, produce);
  TemporaryFile file(place.path, place.mode);
  produce([&](std::span<const std::byte> bytes) { write_all(file.file().fd, bytes, place.path); });
  file.become(place.path);
}

void write_file(const std::string& path, std::span<const std::byte> bytes, const FileKinds& kinds) {
  write_file(path, [&](const FileSink& sink) { sink(bytes); }, kinds);
}

namespace {

// The file at `path`, held against other updates; made when there is none.
Descriptor lock(const std::string& path) {
  constexpr int kAttempts = 1000;
  constexpr useconds_t kPause = 10'000;
  for (int i = 0; i < kAttempts; ++i) {
    Descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666)};
    if (file.fd < 0) fail("open", path);
    struct stat held {
    }, now{};
    if (::fstat(file.fd, &held) != 0) fail("examine", path);
    if (!S_ISREG(held.st_mode))
      throw Error(Code::kIo, "'" + path + "' is not a regular file").remedy("give the path of a file");
    if (::flock(file.fd, LOCK_EX | LOCK_NB) == 0) {
      // Another update may have renamed a new file to this place since it was opened.
      if (::stat(path.c_str(), &now) == 0 && now.st_ino == held.st_ino && now.st_dev == held.st_dev) return file;
    } else if (errno != EWOULDBLOCK && errno != EINTR) {
      fail("lock", path);
    }
    ::usleep(kPause);
  }
  throw Error(Code::kIo, "'" + path + "' is locked by another process")
      .remedy("end that process, or give another path");
}

}  // namespace

void update_file(const std::string& given, const FileChange& change, const FileKinds& kinds) {
  const std::string path = follow_links(given);
  const Descriptor held = lock(path);
  const auto old = FileMap::open(path);
  write_file(path, change(old->bytes()), kinds);
}

}  // namespace kiln
