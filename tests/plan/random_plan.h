// Random plans that verify() accepts, for the tests and the fuzzer of the engine file.
#pragma once
#include <cstdint>
#include <span>

#include "plan/plan.h"

namespace kiln::plan {

// The same seed gives the same plan.
Plan random_plan(uint32_t seed);
// Makes the checksums of a file right again after its bytes were changed, as far as its table can be followed.
void refresh_checksums(std::span<std::byte> file);

}  // namespace kiln::plan
