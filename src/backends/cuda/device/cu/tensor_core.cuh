// Instructions of tensor cores and what feeds them, for compute capability 8.0 and later.
#pragma once
#include "backends/cuda/device/cu/common.cuh"

namespace kiln::cuda {

// A type that matrices are multiplied in: how elements lie in memory, 16 bytes ("a piece") at a time.
template <class T> struct FloatMath {
  using Element = T;
  using Sum = float;
  static constexpr bool kIsBytes = false;
};
struct MathF16 : FloatMath<__half> {};
struct MathBF16 : FloatMath<__nv_bfloat16> {};
struct MathTF32 : FloatMath<float> {};  // float32 of which 10 bits of the mantissa count
struct MathF32 : FloatMath<float> {};   // float32 as the sum of two numbers of TF32: three products for one, and all but the last bits count
// Bytes, of which the right ones are signed, with exact sums.
struct ByteMath {
  using Element = int8_t;
  using Sum = int32_t;
  static constexpr bool kIsBytes = true;
};
struct MathS8 : ByteMath {};
struct MathU8 : ByteMath {};

inline constexpr int kPieceBytes = 16;
inline constexpr int kChunkBytes = 128;  // of a row that is multiplied at a time
template <class Math> constexpr int kPieceElements = kPieceBytes / sizeof(typename Math::Element);
template <class Math> constexpr int kChunkElements = kChunkBytes / sizeof(typename Math::Element);

__device__ inline uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// Where piece `piece` of row `row` lies among rows of kChunkBytes, such that a column of pieces meets all banks.
__device__ inline uint32_t swizzled(uint32_t row, uint32_t piece) {
  return row * kChunkBytes + ((piece ^ (row & 7)) * kPieceBytes);
}

// Copies a piece to shared memory while the thread goes on; zeros when it is not `wanted`.
__device__ inline void copy_piece(uint32_t to, const void* from, bool wanted) {
#if __CUDA_ARCH__ >= 800
  const int bytes = wanted ? kPieceBytes : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
#endif
}
// Four times the word, at once.
__device__ inline void store_piece(uint32_t to, uint32_t word) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %1, %1, %1};" ::"r"(to), "r"(word) : "memory");
}
__device__ inline void commit_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Until all but the last kLeft commits have arrived.
template <int kLeft> __device__ inline void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#endif
}

// Four squares of 8 rows x 16 bytes: lane i gives the address of row i % 8 of square i / 8.
__device__ inline void load_squares(uint32_t (&to)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}
__device__ inline void load_squares_transposed(uint32_t (&to)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}

// sum[16 rows x 8 columns] += a[16 x 32 bytes] * b[8 x 32 bytes]^T.
template <class Math> __device__ inline void multiply(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
template <> __device__ inline void multiply<MathF16>(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}
template <> __device__ inline void multiply<MathBF16>(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}
template <> __device__ inline void multiply<MathTF32>(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

template <class Math> __device__ inline void multiply(int32_t (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
template <> __device__ inline void multiply<MathS8>(int32_t (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}
template <> __device__ inline void multiply<MathU8>(int32_t (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

// What TF32 has of float32, and the rest, rounded to TF32. What is not finite has no rest, and nothing that meets the other's rest.
struct Halves {
  uint32_t high, finite, low;
};
__device__ inline Halves halves_of(uint32_t bits) {
#if __CUDA_ARCH__ >= 800
  constexpr uint32_t kBitsOfTF32 = 0xffffe000u, kExponent = 0x7f800000u;
  const uint32_t high = bits & kBitsOfTF32;
  if ((bits & kExponent) == kExponent) return {high, 0, 0};
  const float rest = __uint_as_float(bits) - __uint_as_float(high);
  uint32_t low;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(low) : "f"(rest));
  return {high, high, low};
#else
  return {bits, bits, 0};
#endif
}
// Tensor cores cut off what does not fit a sum; few products are therefore summed there, and the sums rounded as float32 is.
template <> __device__ inline void multiply<MathF32>(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  uint32_t high[4], finite[4], low[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const Halves half = halves_of(a[i]);
    high[i] = half.high;
    finite[i] = half.finite;
    low[i] = half.low;
  }
  const Halves first = halves_of(b0), second = halves_of(b1);
  float part[4] = {};
  multiply<MathTF32>(part, low, first.finite, second.finite);
  multiply<MathTF32>(part, finite, first.low, second.low);
  multiply<MathTF32>(part, high, first.high, second.high);
#pragma unroll
  for (int i = 0; i < 4; ++i) sum[i] += part[i];
}

}  // namespace kiln::cuda
