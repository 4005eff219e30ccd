// Prints what the processor reaches at most, as JSON: float32 operations per second of a loop of fused products and sums in registers, and bytes
// per second, read and written, of copies that no cache holds; with AMX also operations per second on bytes and on bfloat16 in tiles. Usage:
// peak_bench [threads]
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

namespace {

constexpr int kSums = 12;  // that do not wait for each other
constexpr int64_t kSteps = 300'000;
constexpr size_t kCopied = size_t{96} << 20;  // bytes, by all threads
constexpr double kSeconds = 0.6;              // of rounds, each of which other work on the machine may disturb

volatile float kept;  // so that no loop is left out

__attribute__((target("avx512f"))) double multiply_512() {
  __m512 sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, a, b);
  }
  for (const __m512& sum : sums) kept = _mm512_cvtss_f32(sum);
  return 2.0 * 16 * kSums * kSteps;
}

__attribute__((target("avx2,fma"))) double multiply_256() {
  __m256 sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, a, b);
  }
  for (const __m256& sum : sums) kept = _mm256_cvtss_f32(sum);
  return 2.0 * 8 * kSums * kSteps;
}

// Whether the processor has tiles, and the system lets this process use them.
bool has_tiles() {
  constexpr unsigned kNeeded = 1u << 22 | 1u << 24 | 1u << 25;
  constexpr long kAskForState = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & kNeeded) == kNeeded &&
         syscall(SYS_arch_prctl, kAskForState, kTileData) == 0;
}

// Four tiles of sums, which do not wait for each other, of two of rows and two of weights.
double multiply_tiles(bool bytes) {
  struct alignas(64) {
    unsigned char palette = 1, start = 0, reserved[14] = {};
    unsigned short bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } shape;
  constexpr int64_t kRounds = kSteps / 8;
  asm volatile("ldtilecfg %0" : : "m"(shape));
  for (int64_t i = 0; bytes && i < kRounds; ++i)
    asm volatile(
        "tdpbusd %tmm6, %tmm4, %tmm0\n\ttdpbusd %tmm7, %tmm4, %tmm1\n\t"
        "tdpbusd %tmm6, %tmm5, %tmm2\n\ttdpbusd %tmm7, %tmm5, %tmm3");
  for (int64_t i = 0; !bytes && i < kRounds; ++i)
    asm volatile(
        "tdpbf16ps %tmm6, %tmm4, %tmm0\n\ttdpbf16ps %tmm7, %tmm4, %tmm1\n\t"
        "tdpbf16ps %tmm6, %tmm5, %tmm2\n\ttdpbf16ps %tmm7, %tmm5, %tmm3");
  asm volatile("tilerelease");
  return 2.0 * 4 * 16 * 16 * (bytes ? 64 : 32) * kRounds;
}

double multiply() { return __builtin_cpu_supports("avx512f") ? multiply_512() : multiply_256(); }

// Seconds of the fastest round; all threads begin a round together.
double least_seconds(int threads, const std::function<void(int)>& work) {
  using Clock = std::chrono::steady_clock;
  double least = 1e9;
  std::atomic<bool> enough = false;
  std::barrier together(threads);
  const auto begin = Clock::now();
  std::vector<std::thread> others;
  const auto rounds = [&](int thread) {
    while (!enough) {
      together.arrive_and_wait();
      const auto start = Clock::now();
      work(thread);
      together.arrive_and_wait();
      const auto now = Clock::now();
      if (thread == 0) {
        least = std::min(least, std::chrono::duration<double>(now - start).count());
        enough = std::chrono::duration<double>(now - begin).count() > kSeconds;
      }
      together.arrive_and_wait();
    }
  };
  for (int i = 1; i < threads; ++i) others.emplace_back(rounds, i);
  rounds(0);
  for (std::thread& t : others) t.join();
  return least;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads =
      std::max(argc > 1 ? std::atoi(argv[1]) : static_cast<int>(std::thread::hardware_concurrency()), 1);
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::fprintf(stderr, "peak_bench: the processor has no AVX2 and FMA\n");
    return 1;
  }
  std::vector<double> operations(static_cast<size_t>(threads));
  const double computing = least_seconds(threads, [&](int i) { operations[static_cast<size_t>(i)] = multiply(); });
  const auto in_tiles = [&](bool bytes) {
    const double seconds =
        least_seconds(threads, [&](int i) { operations[static_cast<size_t>(i)] = multiply_tiles(bytes); });
    return operations[0] * threads / seconds;
  };
  const double floats = operations[0];
  const bool tiles = has_tiles();
  const double byte_rate = tiles ? in_tiles(true) : 0, bfloat_rate = tiles ? in_tiles(false) : 0;
  const size_t share = kCopied / static_cast<size_t>(threads);
  std::vector<char> from(kCopied, 1), to(kCopied);
  const double copying = least_seconds(threads, [&](int i) {
    const size_t at = share * static_cast<size_t>(i);
    std::memcpy(to.data() + at, from.data() + at, share);
  });
  std::printf("{\"threads\": %d, \"flops\": %.4g, \"bytes\": %.4g", threads, floats * threads / computing,
              2.0 * static_cast<double>(share) * threads / copying);
  if (tiles) std::printf(", \"tiles_int8\": %.4g, \"tiles_bfloat16\": %.4g", byte_rate, bfloat_rate);
  std::printf("}\n");
  return 0;
}
