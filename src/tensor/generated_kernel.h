// Machine code that a back end made for a step, with all that it takes to make it again.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "tensor/attributes.h"

namespace kiln {

struct GeneratedKernel {
  std::string generator;     // of the back end: "pointwise_generated"
  int64_t version = 0;       // of the generator: the same one makes the same of the same parameters
  std::string architecture;  // that the binary is for, as the back end calls it: "sm_90"
  Attributes parameters;     // of the generator
  std::span<const std::byte> binary = {};
  std::shared_ptr<const void> owner = nullptr;  // keeps the binary
};

// The same code was asked for, whatever the binaries.
inline bool is_same_request(const GeneratedKernel& a, const GeneratedKernel& b) {
  return a.generator == b.generator && a.version == b.version && a.architecture == b.architecture &&
         a.parameters == b.parameters;
}

}  // namespace kiln
