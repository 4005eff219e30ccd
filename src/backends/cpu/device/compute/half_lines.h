// Dense lines of float16 and bfloat16 to and from float32, with vectors.
#pragma once
#include <cstdint>

namespace kiln::cpu {

void f16_to_f32(const uint16_t* in, float* out, int64_t n) noexcept;
void f32_to_f16(const float* in, uint16_t* out, int64_t n) noexcept;
void bf16_to_f32(const uint16_t* in, float* out, int64_t n) noexcept;
void f32_to_bf16(const float* in, uint16_t* out, int64_t n) noexcept;

}  // namespace kiln::cpu
