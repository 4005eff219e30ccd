// How many seeds a test takes.
#pragma once
#include <cstdint>
#include <cstdlib>

namespace kiln::operators {

// As many as the variable of the environment says, else the usual number. Slow builds take fewer, long runs more.
inline uint64_t seeds_wanted(const char* variable, uint64_t usual) {
  const char* wanted = std::getenv(variable);
  return wanted ? std::strtoull(wanted, nullptr, 10) : usual;
}

}  // namespace kiln::operators
