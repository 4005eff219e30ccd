// What the processor has beyond the instruction sets that the kernels are compiled for.
#pragma once
#include <optional>

namespace kiln::cpu {

// Whether kernels for AVX2 add four products of bytes by one instruction (AVX-VNNI). KILN_AVX_VNNI=0 in the environment leaves it out.
bool adds_four_products() noexcept;

// What adds_four_products() says from now on, whatever the processor has; nothing: what it has. For tests, while no kernel runs.
void pretend_adding_four(std::optional<bool> adds) noexcept;

}  // namespace kiln::cpu
