// Counts the allocations of this process: stands before the C library's functions.
#include "runtime/counting_malloc.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KILN_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KILN_SANITIZED
#endif

namespace {
std::atomic<int64_t> count{0}, bytes{0};

[[maybe_unused]] void note(size_t size) {
  ++count;
  bytes += static_cast<int64_t>(size);
}
}  // namespace

namespace kiln::testing {
int64_t allocation_count() { return count.load(); }
int64_t allocated_bytes() { return bytes.load(); }
#ifdef KILN_SANITIZED
bool can_count_allocations() { return false; }
#else
bool can_count_allocations() { return true; }
#endif
}  // namespace kiln::testing

#ifndef KILN_SANITIZED
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): glibc's names
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
// NOLINTEND(bugprone-reserved-identifier)

void* malloc(size_t size) {
  note(size);
  return __libc_malloc(size);
}
void* calloc(size_t items, size_t size) {
  note(items * size);
  return __libc_calloc(items, size);
}
void* realloc(void* memory, size_t size) {
  note(size);
  return __libc_realloc(memory, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  note(size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) {
  note(size);
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}
}
#endif
