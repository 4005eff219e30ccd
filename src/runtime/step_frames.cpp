// Pieces of code that only call on, and their names.
#include "runtime/step_frames.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>

namespace kiln {
namespace {

// push rbp; mov rbp, rsp; mov rax, rdi; mov rdi, rsi; call rax; pop rbp; ret; padding
constexpr unsigned char kCode[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8, 0x48,
                                   0x89, 0xf7, 0xff, 0xd0, 0x5d, 0xc3, 0xcc, 0xcc};

bool wanted() {
#ifdef __x86_64__
  const char* text = std::getenv("KILN_PERF_MAP");
  return text && std::string_view(text) == "1";
#else
  return false;
#endif
}

// A new file of this process, into which all its engines write; null when one of that name is there already.
std::FILE* map_file() {
  static std::FILE* const file = [] {
    const std::string path = "/tmp/perf-" + std::to_string(getpid()) + ".map";
    const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return descriptor < 0 ? nullptr : fdopen(descriptor, "w");
  }();
  return file;
}

// One line is one name.
std::string line_of(std::string name) {
  for (char& c : name)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return name;
}

}  // namespace

std::unique_ptr<StepFrames> StepFrames::make(const std::vector<std::string>& names) {
  if (names.empty() || !wanted()) return nullptr;
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::FILE* const file = map_file();
  if (!file) return nullptr;
  const size_t size = names.size() * sizeof(kCode);
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* const code = static_cast<std::byte*>(memory);
  for (size_t i = 0; i < names.size(); ++i) std::memcpy(code + i * sizeof(kCode), kCode, sizeof(kCode));
  if (mprotect(memory, size, PROT_READ | PROT_EXEC) != 0) {
    munmap(memory, size);
    return nullptr;
  }
  for (size_t i = 0; i < names.size(); ++i)
    std::fprintf(file, "%zx %zx %s\n", reinterpret_cast<size_t>(code + i * sizeof(kCode)), sizeof(kCode),
                 line_of(names[i]).c_str());
  std::fflush(file);
  return std::unique_ptr<StepFrames>(new StepFrames(code, sizeof(kCode)));
}

Status StepFrames::call(size_t step, Body body, void* data) const noexcept {
  using Frame = Status (*)(Body body, void* data) noexcept;
  return reinterpret_cast<Frame>(reinterpret_cast<uintptr_t>(code_ + step * size_))(body, data);
}

}  // namespace kiln
