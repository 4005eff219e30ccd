// The code of the error that an action throws.
#pragma once
#include <functional>

#include "base/error.h"

namespace kiln {

// kOk when it throws none.
inline Code code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.code();
  }
  return Code::kOk;
}

}  // namespace kiln
