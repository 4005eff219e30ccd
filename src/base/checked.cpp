// Throwing forms of the checked arithmetic.
#include "base/checked.h"

#include <string>

#include "base/error.h"

namespace kiln {

int64_t add_or_throw(int64_t a, int64_t b, const char* what) {
  if (auto r = checked_add(a, b)) return *r;
  throw Error(Code::kOverflow,
              std::string(what) + ": " + std::to_string(a) + " + " + std::to_string(b) + " does not fit 64 bits");
}

int64_t mul_or_throw(int64_t a, int64_t b, const char* what) {
  if (auto r = checked_mul(a, b)) return *r;
  throw Error(Code::kOverflow,
              std::string(what) + ": " + std::to_string(a) + " * " + std::to_string(b) + " does not fit 64 bits");
}

}  // namespace kiln
