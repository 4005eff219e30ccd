// Kernels by other instruction sets than the best that the processor has.
#pragma once
#include <functional>

namespace kiln::testing {

// Calls body for each but the best of those that the kernels of bytes were compiled for and the processor has.
void for_each_lesser_set(const std::function<void()>& body);

}  // namespace kiln::testing
