// Names of layers for `perf`: each step is called through a piece of code of its own, and /tmp/perf-PID.map says what it is called.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace kiln {

class StepFrames {
 public:
  // Null unless the environment holds KILN_PERF_MAP=1, and where the code or the file cannot be made. The code stays as long as the
  // process, since samples name it later.
  static std::unique_ptr<StepFrames> make(const std::vector<std::string>& names);
  using Body = Status (*)(void* data) noexcept;
  // Calls the body with that step's code between.
  Status call(size_t step, Body body, void* data) const noexcept;

 private:
  StepFrames(const std::byte* code, size_t size) : code_(code), size_(size) {}
  const std::byte* code_;
  size_t size_;  // bytes of one step's code
};

}  // namespace kiln
