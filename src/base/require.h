// Conditions of what follows, with errors that need no more than a line of text.
#pragma once
#include "base/error.h"

namespace kiln {

// For texts that cost nothing to make: they are made whether the condition holds or not.
inline void require(bool condition, Code code, const char* message) {
  if (!condition) throw Error(code, message);
}

}  // namespace kiln
