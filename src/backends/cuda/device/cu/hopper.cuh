// Instructions of compute capability 9.0: barriers in shared memory, the copy engine, products by a group of four warps, clusters.
#pragma once
#include <cuda.h>

#include "backends/cuda/device/cu/tensor_core.cuh"

namespace kiln::cuda {

#if __CUDA_ARCH__ >= 900

__device__ inline void init_barrier(uint64_t* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals));
}
// What was initialised is seen by the copy engine and by the other blocks of the cluster.
__device__ inline void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;");
  asm volatile("fence.proxy.async.shared::cta;");
}
__device__ inline void arrive(uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
// At a barrier of a block of the cluster, whose shared address there is given.
__device__ inline void arrive_there(uint32_t barrier) {
  asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// Arrives; the phase ends when so many bytes have come too.
__device__ inline void arrive_expecting(uint64_t* barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
}
__device__ inline void wait(uint64_t* barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again_%=:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again_%=;\n"
      "}\n" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}

// A place in a ring, and the parity of the phase of its barriers.
struct Turn {
  uint32_t index = 0, parity = 0;
  __device__ void next(uint32_t count) {
    if (++index == count) index = 0, parity ^= 1;
  }
};

// Adjacent bytes, in multiples of 16.
__device__ inline void copy_bulk(void* to, const void* from, uint32_t bytes, uint64_t* barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared_address(to)),
               "l"(from), "r"(bytes), "r"(shared_address(barrier))
               : "memory");
}
// The map will be used soon. It is an argument of the kernel.
__device__ inline void fetch_map(const CUtensorMap& map) { asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory"); }
// A box of a tensor of four dimensions, beginning at these coordinates, innermost first. Outside of the tensor there are zeros.
__device__ inline void copy_box(void* to, const CUtensorMap& map, int c0, int c1, int c2, int c3, uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(
          shared_address(to)),
      "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
      : "memory");
}

// The same box for several blocks of the cluster, a bit of `blocks` each: it lies at the same place in each, and ends a phase there.
__device__ inline void copy_box_to(uint16_t blocks, void* to, const CUtensorMap& map, int c0, int c1, int c2, int c3, uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%3, %4, %5, %6}], "
      "[%2], %7;" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "h"(blocks)
      : "memory");
}

// Stores a box; what lies outside of the tensor is left out. The thread's stores up to a commit are waited for together.
__device__ inline void store_box(const CUtensorMap& map, const void* from, int c0, int c1, int c2, int c3) {
  asm volatile("cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map),
               "r"(shared_address(from)), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
               : "memory");
}
__device__ inline void commit_stores() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
// Until the shared memory that is being stored may be written again.
__device__ inline void wait_for_stores_to_read() { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }
// What this thread wrote to shared memory is seen by the copy engine, after a barrier.
__device__ inline void publish_to_copy_engine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Waits for the four warps of the calling thread's group.
__device__ inline void join_group() { asm volatile("bar.sync %0, 128;" ::"r"(1 + threadIdx.x / 128) : "memory"); }

// Registers move from groups of warps that need few to those that need many.
template <int kRegisters> __device__ inline void keep_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters)); }
template <int kRegisters> __device__ inline void take_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters)); }

__device__ inline void arrive_at_cluster() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
__device__ inline void wait_for_cluster() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
// The address in block `rank` of the cluster that `address` is in this one.
__device__ inline uint32_t in_block(uint32_t address, int rank) {
  uint32_t there;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
  return there;
}
// Stores to a block of the cluster, for whom waits for the cluster.
__device__ inline void send_float(uint32_t to, float value) {
  asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(to), "f"(value) : "memory");
}
__device__ inline void send_word(uint32_t to, int32_t value) {
  asm volatile("st.shared::cluster.b32 [%0], %1;" ::"r"(to), "r"(value) : "memory");
}
// Stores to a block of the cluster; its barrier counts the 16 bytes.
__device__ inline void send(uint32_t to, float a, float b, float c, float d, uint32_t barrier) {
  asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(to), "f"(a),
               "f"(b), "f"(c), "f"(d), "r"(barrier)
               : "memory");
}

// A matrix in shared memory as rows of kChunkBytes, swizzled by 128 bytes as the copy engine does it: by bits of the address, so that any
// row may be the first. Runs of eight rows lie so many bytes apart.
__device__ inline uint64_t window_at(uint32_t address, uint32_t eight_rows) {
  constexpr uint64_t kSwizzle128 = 1;
  return static_cast<uint64_t>((address & 0x3ffff) >> 4) | uint64_t{1} << 16 | static_cast<uint64_t>(eight_rows >> 4) << 32 |
         kSwizzle128 << 62;
}
__device__ inline uint64_t matrix_at(uint32_t address) { return window_at(address, 8 * kChunkBytes); }

__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kLeft> __device__ inline void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLeft) : "memory");
}
// The sums are in their registers: the compiler moves no use or change of them to the other side.
template <int kSums> __device__ inline void settle(float (&sums)[kSums]) {
#pragma unroll
  for (int i = 0; i < kSums; ++i) asm volatile("" : "+f"(sums[i])::"memory");
}

// The registers of the sums, as text and as operands.
#define KILN_TEXT_0 "%0, %1, %2, %3, %4, %5, %6, %7"
#define KILN_TEXT_8 "%8, %9, %10, %11, %12, %13, %14, %15"
#define KILN_TEXT_16 "%16, %17, %18, %19, %20, %21, %22, %23"
#define KILN_TEXT_24 "%24, %25, %26, %27, %28, %29, %30, %31"
#define KILN_TEXT_32 "%32, %33, %34, %35, %36, %37, %38, %39"
#define KILN_TEXT_40 "%40, %41, %42, %43, %44, %45, %46, %47"
#define KILN_TEXT_48 "%48, %49, %50, %51, %52, %53, %54, %55"
#define KILN_TEXT_56 "%56, %57, %58, %59, %60, %61, %62, %63"
#define KILN_TEXT_64 "%64, %65, %66, %67, %68, %69, %70, %71"
#define KILN_TEXT_72 "%72, %73, %74, %75, %76, %77, %78, %79"
#define KILN_TEXT_80 "%80, %81, %82, %83, %84, %85, %86, %87"
#define KILN_TEXT_88 "%88, %89, %90, %91, %92, %93, %94, %95"
#define KILN_TEXT_96 "%96, %97, %98, %99, %100, %101, %102, %103"
#define KILN_TEXT_104 "%104, %105, %106, %107, %108, %109, %110, %111"
#define KILN_TEXT_112 "%112, %113, %114, %115, %116, %117, %118, %119"
#define KILN_TEXT_120 "%120, %121, %122, %123, %124, %125, %126, %127"
#define KILN_SUMS_16 KILN_TEXT_0 ", " KILN_TEXT_8
#define KILN_SUMS_32 KILN_SUMS_16 ", " KILN_TEXT_16 ", " KILN_TEXT_24
#define KILN_SUMS_64 KILN_SUMS_32 ", " KILN_TEXT_32 ", " KILN_TEXT_40 ", " KILN_TEXT_48 ", " KILN_TEXT_56
#define KILN_SUMS_128                                                                                                        \
  KILN_SUMS_64 ", " KILN_TEXT_64 ", " KILN_TEXT_72 ", " KILN_TEXT_80 ", " KILN_TEXT_88 ", " KILN_TEXT_96 ", " KILN_TEXT_104 \
               ", " KILN_TEXT_112 ", " KILN_TEXT_120
#define KILN_OPERANDS_4(i) "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3])
#define KILN_OPERANDS_16(i) KILN_OPERANDS_4(i), KILN_OPERANDS_4(i + 4), KILN_OPERANDS_4(i + 8), KILN_OPERANDS_4(i + 12)
#define KILN_OPERANDS_32(i) KILN_OPERANDS_16(i), KILN_OPERANDS_16(i + 16)
#define KILN_OPERANDS_64(i) KILN_OPERANDS_32(i), KILN_OPERANDS_32(i + 32)
#define KILN_OPERANDS_128(i) KILN_OPERANDS_64(i), KILN_OPERANDS_64(i + 64)

// sums[64 rows x kColumns] += a[64 x 32 bytes] * b[kColumns x 32 bytes]^T, by a group of four warps, all from shared memory.
template <class Math, int kColumns> struct GroupProduct;
#define KILN_GROUP_PRODUCT(math, columns, count, a, b, shape, tail)                                            \
  template <> struct GroupProduct<math, columns> {                                                            \
    __device__ static void add(float (&sums)[count], uint64_t left, uint64_t right) {                         \
      asm volatile("wgmma.mma_async.sync.aligned.m64n" #columns shape " {" KILN_SUMS_##count "}, " a ", " b  \
                   ", 1, 1, 1" tail ";"                                                                       \
                   : KILN_OPERANDS_##count(0)                                                                 \
                   : "l"(left), "l"(right));                                                                  \
    }                                                                                                         \
  };
#define KILN_GROUP_PRODUCTS(math, shape, tail)                             \
  KILN_GROUP_PRODUCT(math, 32, 16, "%16", "%17", shape, tail)             \
  KILN_GROUP_PRODUCT(math, 64, 32, "%32", "%33", shape, tail)             \
  KILN_GROUP_PRODUCT(math, 128, 64, "%64", "%65", shape, tail)            \
  KILN_GROUP_PRODUCT(math, 256, 128, "%128", "%129", shape, tail)

// sums[64 rows x 64] += a[64 x 16] * b[16 x 64]: each lane has its part of a in registers, as the sums of two squares lie; rows of b lie
// behind each other in shared memory, swizzled.
template <class Math> struct RegisterProduct;
#define KILN_REGISTER_PRODUCT(math, shape)                                                                     \
  template <> struct RegisterProduct<math> {                                                                  \
    __device__ static void add(float (&sums)[32], const uint32_t (&left)[4], uint64_t right) {                \
      asm volatile("wgmma.mma_async.sync.aligned.m64n64" shape " {" KILN_SUMS_32                              \
                   "}, {%32, %33, %34, %35}, %36, 1, 1, 1, 1;"                                                \
                   : KILN_OPERANDS_32(0)                                                                      \
                   : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right));                     \
    }                                                                                                         \
  };

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
KILN_REGISTER_PRODUCT(MathF16, "k16.f32.f16.f16")
KILN_REGISTER_PRODUCT(MathBF16, "k16.f32.bf16.bf16")
KILN_GROUP_PRODUCTS(MathF16, "k16.f32.f16.f16", ", 0, 0")
KILN_GROUP_PRODUCTS(MathBF16, "k16.f32.bf16.bf16", ", 0, 0")
KILN_GROUP_PRODUCTS(MathTF32, "k8.f32.tf32.tf32", "")
#endif

#endif  // compute capability 9.0

}  // namespace kiln::cuda
