// What the convolutions by boxes of pixels whose terms may be split over a cluster share: which part a block does, and how it ends.
#pragma once
#include "backends/cuda/device/cu/conv_boxes.cuh"

namespace kiln::cuda {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

// What this block does: chunks from `begin` to `end` of the terms of a tile.
struct ConvWork {
  uint32_t split, column_tile, begin, end;
  TileOrigin origin;

  __device__ explicit ConvWork(const ConvWgmmaArguments& a) {
    split = blockIdx.x % a.splits;
    const uint32_t tile = blockIdx.x / a.splits;
    column_tile = a.row_tiles.quotient(tile);
    origin = origin_of(a, tile - column_tile * a.row_tiles.divisor);
    begin = a.chunks * split / a.splits;
    end = a.chunks * (split + 1) / a.splits;
  }
};

// `Feed` brings the operands of the block and multiplies them.
template <class Math, int kTile, class Feed> class ConvBlock {
 public:
  __device__ ConvBlock(const CUtensorMap& map, const typename Feed::Arguments& arguments, char* shared)
      : map_(map), a_(arguments), work_(arguments), feed_(map, arguments, work_, shared) {}

  __device__ void run() {
    __shared__ __align__(8) uint64_t barriers[Feed::kBarriers], parts;
    parts_ = &parts;
    let_next_start();
    if (threadIdx.x == kThreads) fetch_map(map_);
    feed_.place_barriers(barriers, threadIdx.x == kThreads);
    if (threadIdx.x == kThreads) {
      init_barrier(&parts, 1);
      publish_barriers();
    }
    __syncthreads();
    if (a_.splits > 1) arrive_at_cluster();
    if (threadIdx.x >= kThreads) produce();
    else consume();
  }

 private:
  using T = typename Math::Element;
  static constexpr GroupTile kShape = kGroupTiles[kTile];
  static constexpr int kThreads = kShape.groups * 128;  // that multiply
  static constexpr int kSums = kShape.columns / 2;      // of a thread
  static constexpr int kOctets = kSums / 16;            // runs of eight adjacent results of a thread, in each of two rows
  static constexpr int kPartBytes = 16;                 // four results travel at once

  // One thread keeps the copy engine busy.
  __device__ void produce() const {
    const bool leads = threadIdx.x == kThreads;
    if (leads && a_.splits > 1) arrive_expecting(parts_, a_.splits * own_runs() * kOctets * 2 * 32 * kPartBytes);
    if (leads) feed_.fetch();
    __syncwarp();
    if (a_.splits > 1) wait_for_cluster();
  }

  // Where in the result row `row` of the tile lies, in pixels; negative: nowhere.
  __device__ int64_t pixel_of(uint32_t row) const {
    const uint32_t line = a_.box_w.quotient(row), plane = a_.box_h.quotient(line);
    const uint32_t w = work_.origin.w + row - line * a_.box_w.divisor, h = work_.origin.h + line - plane * a_.box_h.divisor, n = work_.origin.n + plane;
    if (plane >= a_.box_n || w >= static_cast<uint32_t>(a_.width) || h >= static_cast<uint32_t>(a_.height) ||
        n >= static_cast<uint32_t>(a_.batch))
      return -1;
    return (int64_t{n} * a_.height + h) * a_.width + w;
  }

  // Runs of the residual are fetched while the products are under way: in whole words, by kernels that have registers left for them.
  static constexpr bool kFetchesEarly = sizeof(T) == 2 && kSums * kShape.groups <= (kRunsPrograms ? 64 : 128);

  __device__ void fetch(int64_t pixel, uint32_t column, EarlyRun& early) const {
    if constexpr (kFetchesEarly)
      if (fetches_early(a_.epilogue) && pixel >= 0 && column < a_.g.columns) fetch_early<T>(a_.epilogue, pixel, column, early);
  }

  __device__ void store(int64_t pixel, uint32_t column, const Eight& v, const EarlyRun& early) const {
    if (pixel < 0 || column >= a_.g.columns) return;
    T* y = static_cast<T*>(a_.y) + pixel * a_.g.to_pixel + column;
    if (kFetchesEarly && finishes_early(a_.epilogue)) {
      store_run(y, finished_early<T>(a_.epilogue, v, early), true, 8);
      return;
    }
    const T* residual = static_cast<const T*>(a_.epilogue.residual);
    finish<T>(a_.epilogue, v, residual ? residual + pixel * a_.epilogue.residual_stride + column : nullptr, y,
              {static_cast<uint32_t>(pixel), column, static_cast<int>(a_.g.columns - column)});
  }

  // The products stand in one place for both ways to end: the compiler would wait for each of them were there two.
  __device__ void consume() const {
    float sums[kSums];
    if (!a_.epilogue.bias_is_constant) wait_for_inputs();
    begin_sums(sums, work_.split == 0 ? a_.epilogue.bias : nullptr, work_.column_tile * kShape.columns, a_.g.columns);
    if (a_.splits > 1) wait_for_cluster();
    wait_for_inputs();
    EarlyRun early[2][kOctets] = {};
    if (a_.splits > 1) fetch_shared(early[0]);
    else fetch_own(early);
    feed_.multiply(sums);
    if (a_.splits > 1) finish_shared(sums, early[0]);
    else finish_own(sums, early);
  }

  // The pixel of the thread's first or second row.
  __device__ int64_t own_pixel(int half) const { return pixel_of(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + half * 8); }
  __device__ uint32_t column_at(uint32_t octet) const { return work_.column_tile * kShape.columns + column_of_octet(octet); }

  __device__ void fetch_own(EarlyRun (&early)[2][kOctets]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t pixel = own_pixel(half);
#pragma unroll
      for (int octet = 0; octet < kOctets; ++octet) fetch(pixel, column_at(octet), early[half][octet]);
    }
  }

  __device__ void finish_own(const float (&sums)[kSums], const EarlyRun (&early)[2][kOctets]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t pixel = own_pixel(half);
#pragma unroll
      for (int octet = 0; octet < kOctets; ++octet) store(pixel, column_at(octet), octet_of(sums, octet, half), early[half][octet]);
    }
  }

  // Each block of the cluster finishes some runs of eight rows. A warp has items of them, runs of 32 columns: at most kOctets, for the
  // rows are halved at least.
  __device__ uint32_t own_runs() const { return kShape.groups * 8 / a_.splits; }
  __device__ uint32_t item_of(int i) const { return threadIdx.x / 32 + i * (kThreads / 32); }
  __device__ int64_t pixel_of_item(uint32_t item) const {
    return pixel_of((work_.split * own_runs() + item / kOctets) * 8 + threadIdx.x % 32 / 4);
  }

  __device__ void fetch_shared(EarlyRun (&early)[kOctets]) const {
#pragma unroll
    for (int i = 0; i < kOctets; ++i)
      if (item_of(i) < own_runs() * kOctets) fetch(pixel_of_item(item_of(i)), column_at(item_of(i) % kOctets), early[i]);
  }

  // All blocks send it their sums, and it adds them up.
  __device__ void finish_shared(const float (&sums)[kSums], const EarlyRun (&early)[kOctets]) const {
    const uint32_t lane = threadIdx.x % 32, runs = own_runs();
    char* parts = feed_.behind();  // [split][run][octet][half of an octet][lane]
    const uint32_t bytes_of_split = runs * kOctets * 2 * 32 * kPartBytes;
    send_sums(sums, parts, runs, bytes_of_split);
    wait(parts_, 0);
#pragma unroll
    for (int i = 0; i < kOctets; ++i) {
      const uint32_t item = item_of(i);
      if (item >= runs * kOctets) break;
      Eight v = {};
      for (uint32_t split = 0; split < a_.splits; ++split) {
        const auto* from = reinterpret_cast<const float4*>(parts + split * bytes_of_split + (item * 2 * 32 + lane) * kPartBytes);
        const float4 low = from[0], high = from[32];
        v.at[0] += low.x, v.at[1] += low.y, v.at[2] += low.z, v.at[3] += low.w;
        v.at[4] += high.x, v.at[5] += high.y, v.at[6] += high.z, v.at[7] += high.w;
      }
      store(pixel_of_item(item), column_at(item % kOctets), v, early[i]);
    }
  }

  __device__ void send_sums(const float (&sums)[kSums], char* parts, uint32_t runs, uint32_t bytes_of_split) const {
    const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint32_t run = warp * 2 + half, owner = run / runs;
      const uint32_t own = shared_address(parts) + work_.split * bytes_of_split + (run % runs * kOctets * 2 * 32 + lane) * kPartBytes;
      const uint32_t to = in_block(own, owner), barrier = in_block(shared_address(parts_), owner);
#pragma unroll
      for (int part = 0; part < kOctets * 2; ++part) {
        const int at = part * 8 + half * 2;
        send(to + part * 32 * kPartBytes, sums[at], sums[at + 1], sums[at + 4], sums[at + 5], barrier);
      }
    }
  }

  const CUtensorMap& map_;
  const typename Feed::Arguments& a_;
  const ConvWork work_;
  Feed feed_;
  uint64_t* parts_;
};

#endif

}  // namespace kiln::cuda
