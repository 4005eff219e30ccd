// Long work in pieces, so that it can end in between.
#pragma once
#include "backends/cpu/device/compute/parallel.h"

namespace kiln::cpu {

// Whether the work that the calling thread does, or helps with, is to end. What is not computed then is never read.
bool work_ended() noexcept;

// Between two looks at whether the work is to end.
inline constexpr double kNanosecondsPerPiece = 50e6;
// Of a product of float32.
inline constexpr double kNanosecondsPerTerm = 0.03;

// Looks now and then within long work.
class Looks {
 public:
  explicit Looks(double nanoseconds_per_round) : each_(nanoseconds_per_round) {}
  // Before so many more rounds: whether the work has ended.
  bool before(double rounds) noexcept {
    const bool look = nanoseconds_ > kNanosecondsPerPiece;
    nanoseconds_ = (look ? 0 : nanoseconds_) + each_ * rounds;
    return look && work_ended();
  }

 private:
  double each_, nanoseconds_ = 0;
};

// As parallel_ranges for work of so many nanoseconds in all, by as many of the threads as it is worth; each part comes in several ranges
// when it takes long.
template <class Body> void parallel_pieces(int threads, double nanoseconds, int64_t count, Body&& body) noexcept {
  threads = useful_threads(threads, nanoseconds);
  parallel_ranges(threads, count, [&](int64_t first, int64_t last, int part) {
    const double wanted = nanoseconds / threads / kNanosecondsPerPiece;
    const auto pieces = static_cast<int64_t>(std::clamp<double>(wanted, 1, static_cast<double>(last - first)));
    for (int64_t i = 0; i < pieces; ++i) {
      if (i > 0 && work_ended()) return;
      const int64_t begin = first + (last - first) * i / pieces, end = first + (last - first) * (i + 1) / pieces;
      if constexpr (std::is_invocable_v<Body&, int64_t, int64_t, int>) body(begin, end, part);
      else body(begin, end);
    }
  });
}

}  // namespace kiln::cpu
