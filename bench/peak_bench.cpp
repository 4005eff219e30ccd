// Prints what the processor reaches at most, as JSON: float32 operations per second of a loop of fused products and sums in registers, and bytes
// per second, read and written, of copies that no cache holds. Usage: peak_bench [threads]
#include <immintrin.h>

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
  const size_t share = kCopied / static_cast<size_t>(threads);
  std::vector<char> from(kCopied, 1), to(kCopied);
  const double copying = least_seconds(threads, [&](int i) {
    const size_t at = share * static_cast<size_t>(i);
    std::memcpy(to.data() + at, from.data() + at, share);
  });
  std::printf("{\"threads\": %d, \"flops\": %.4g, \"bytes\": %.4g}\n", threads, operations[0] * threads / computing,
              2.0 * static_cast<double>(share) * threads / copying);
  return 0;
}
