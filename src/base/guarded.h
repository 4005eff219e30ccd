// The bridge from what throws (Error) to what the run side returns (Status).
#pragma once
#include <utility>

#include "base/error.h"

namespace kiln {

// The exception that is being handled, as a status. Its text, cut to 511 bytes, lives until the next one of this thread.
Status status_of_exception() noexcept;

// What `function` returns, or what it throws.
template <class Function> Status guarded(Function&& function) noexcept {
  try {
    return std::forward<Function>(function)();
  } catch (...) {
    return status_of_exception();
  }
}

}  // namespace kiln
