// Exceptions as statuses.
#include "base/guarded.h"

#include <algorithm>
#include <new>
#include <string_view>

namespace kiln {
namespace {

Status kept(Code code, std::string_view text) noexcept {
  thread_local char kept_text[512];
  const size_t length = std::min(text.size(), sizeof kept_text - 1);
  std::copy_n(text.data(), length, kept_text);
  kept_text[length] = 0;
  return {code, kept_text};
}

}  // namespace

Status status_of_exception() noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return kept(e.code(), e.message());
  } catch (const std::bad_alloc&) {
    return {Code::kOutOfMemory, "there is no memory for what the layer computes with"};
  } catch (const std::exception& e) {
    return kept(Code::kExecution, e.what());
  } catch (...) {
    return {Code::kInternal, "something that is not an error was thrown"};
  }
}

}  // namespace kiln
