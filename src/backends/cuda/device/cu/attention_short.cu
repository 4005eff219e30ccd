// Attention over short sequences: a block has 16 or 32 queries of a head, each of its warps 32 keys at a time, which it fetches, multiplies
// and weighs without waiting for the others. At the end the warps' sums are put together.
#include "backends/cuda/device/cu/attention.cuh"

namespace kiln::cuda {
namespace {

// kChunks chunks of 64 elements hold a head; kTiles tiles of 16 queries.
template <class Math, int kChunks, int kTiles> class ShortBlock {
 public:
  __device__ ShortBlock(const AttentionArguments& arguments, char* shared)
      : a_(arguments),
        head_(arguments),
        query0_(blockIdx.x * kQueries),
        warp_(threadIdx.x / 32),
        lane_(threadIdx.x % 32),
        queries_(shared),
        own_(shared + kQueryBytes + warp_ * kWarpBytes),
        tops_(reinterpret_cast<float*>(shared + kQueryBytes + blockDim.x / 32 * kWarpBytes)),
        totals_(tops_ + kShortWarps * kQueries),
        mask_(a_, head_.mask, reinterpret_cast<char*>(totals_ + kShortWarps * kQueries) + warp_ * mask_bytes(arguments)) {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) top_[tile][0] = top_[tile][1] = -INFINITY;
  }

  __device__ void run() {
    const int end = a_.causal ? min(a_.keys, query0_ + kQueries) : a_.keys, step = blockDim.x / 32 * kShortKeys;
    wait_for_inputs();
    copy_queries();
    bool first = true;  // every warp waits once, for the queries
    for (int key0 = warp_ * kShortKeys; first || key0 < end; key0 += step, first = false) {
      if (key0 < end) copy_keys(key0);
      commit_copies();
      if (key0 < end) mask_.template fill<T>(query0_, kQueries, key0, lane_, 32);
      wait_for_copies<0>();
      if (first) __syncthreads();
      else __syncwarp();
      if (key0 < end) add_keys(key0);
      __syncwarp();
    }
    leave_sums();
    __syncthreads();
    store();
  }

 private:
  using T = typename Math::Element;
  using Mask = MaskTile<kShortKeys>;
  static constexpr int kQueries = kTiles * 16, kSteps = kChunks * 4, kSize = kChunks * 64;
  static constexpr int kKeySquares = kShortKeys / 8, kValueSquares = kChunks * 8;
  static constexpr int kQueryBytes = kQueries * kChunkBytes * kChunks;
  static constexpr int kKeyBytes = kShortKeys * kChunkBytes * kChunks;  // values lie behind keys
  static constexpr int kWarpBytes = 2 * kKeyBytes;
  static_assert(kQueries * kSize * 4 <= kWarpBytes, "the sums of a warp lie where its keys and values lay");

  template <int kRows> __device__ static uint32_t place(const char* region, uint32_t row, uint32_t piece) {
    return shared_address(region) + piece / 8 * kRows * kChunkBytes + swizzled(row, piece % 8);
  }

  static constexpr int kPieces = kChunks * 8;
  __device__ void copy_queries() const {
    copy_head_rows<kQueries, kPieces, Math>(head_.q, a_.q_at.row, query0_, a_.queries, a_.size, threadIdx.x, blockDim.x,
                                            [&](int row, int piece) { return place<kQueries>(queries_, row, piece); });
  }
  __device__ void copy_keys(int key0) const {
    copy_head_rows<kShortKeys, kPieces, Math>(head_.k, a_.k_at.row, key0, a_.keys, a_.size, lane_, 32,
                                              [&](int row, int piece) { return place<kShortKeys>(own_, row, piece); });
    copy_head_rows<kShortKeys, kPieces, Math>(head_.v, a_.v_at.row, key0, a_.keys, a_.value_size, lane_, 32,
                                              [&](int row, int piece) { return place<kShortKeys>(own_ + kKeyBytes, row, piece); });
  }

  // Of the part of a warp.
  __device__ static int mask_bytes(const AttentionArguments& a) {
    return (a.mask_at.row == 0 ? 1 : kQueries) * Mask::kStride * static_cast<int>(sizeof(float));
  }

  __device__ void add_keys(int key0) {
    Scores<kTiles, kKeySquares> scores;
    mask_.template begin<kTiles>(scores, 0);
    multiply_queries(scores);
    if (a_.causal) hide(scores, score_place(key0));
    weigh(scores, key0);
    add_values(scores);
  }

  __device__ ScorePlace score_place(int key0) const { return {query0_ + lane_ / 4, key0 + lane_ % 4 * 2}; }

  __device__ void multiply_queries(Scores<kTiles, kKeySquares>& scores) const {
    const SquareAddress queries(queries_, lane_ % 16, lane_ / 16), keys(own_, lane_ % 8 + lane_ / 16 * 8, lane_ / 8 % 2);
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint32_t left[kTiles][4];
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile)
        load_squares(left[tile], queries.at<kQueries>(tile * 16, step * 2));
#pragma unroll
      for (int j = 0; j < kKeySquares / 2; ++j) {
        uint32_t right[4];
        load_squares(right, keys.at<kShortKeys>(j * 16, step * 2));
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
          multiply<Math>(scores[tile][j * 2], left[tile], right[0], right[1]);
          multiply<Math>(scores[tile][j * 2 + 1], left[tile], right[2], right[3]);
        }
      }
    }
  }

  // Scores become weights; what was summed up before is scaled down to them.
  __device__ void weigh(Scores<kTiles, kKeySquares>& scores, int key0) {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float top = top_[tile][half];
#pragma unroll
        for (int j = 0; j < kKeySquares; ++j) top = larger(top, larger(scores[tile][j][half * 2], scores[tile][j][half * 2 + 1]));
        for (int step = 1; step < 4; step *= 2) top = larger(top, __shfl_xor_sync(kAllLanes, top, step));
        const Weights weights(a_, top);
        const float factor = weights.of(top_[tile][half]);
        top_[tile][half] = top;
        float sum = sum_[tile][half] * factor;
#pragma unroll
        for (int j = 0; j < kKeySquares; ++j)
#pragma unroll
          for (int i = half * 2; i < half * 2 + 2; ++i) sum += scores[tile][j][i] = weights.of(scores[tile][j][i]);
        sum_[tile][half] = sum;
        if (key0 >= kShortWarps * kShortKeys)  // else there is nothing yet
#pragma unroll
          for (int j = 0; j < kValueSquares; ++j)
#pragma unroll
            for (int i = half * 2; i < half * 2 + 2; ++i) results_[tile][j][i] *= factor;
      }
  }

  // What comes later than a query.
  __device__ void hide(Scores<kTiles, kKeySquares>& scores, const ScorePlace& at) const {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
      for (int j = 0; j < kKeySquares; ++j)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          if (at.key_of(j, i) > at.query_of(tile, i)) scores[tile][j][i] = -INFINITY;
  }

  __device__ void add_values(const Scores<kTiles, kKeySquares>& scores) {
    const SquareAddress values(own_ + kKeyBytes, lane_ % 16, lane_ / 16);
#pragma unroll
    for (int t = 0; t < kKeySquares / 2; ++t) {  // sixteen keys
      uint32_t left[kTiles][4];
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        const float(&s)[4] = scores[tile][2 * t], (&u)[4] = scores[tile][2 * t + 1];
        left[tile][0] = packed<T>(s[0], s[1]), left[tile][1] = packed<T>(s[2], s[3]);
        left[tile][2] = packed<T>(u[0], u[1]), left[tile][3] = packed<T>(u[2], u[3]);
      }
#pragma unroll
      for (int j = 0; j < kValueSquares / 2; ++j) {
        uint32_t right[4];
        load_squares_transposed(right, values.at<kShortKeys>(t * 16, j * 2));
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
          multiply<Math>(results_[tile][j * 2], left[tile], right[0], right[1]);
          multiply<Math>(results_[tile][j * 2 + 1], left[tile], right[2], right[3]);
        }
      }
    }
  }

  // Element `at` of row `row` of a warp's sums, such that rows beside each other meet all banks.
  __device__ static int sum_place(int row, int at) { return row * kSize + (at ^ (row & 7) << 3); }

  __device__ void leave_sums() const {
    auto* sums = reinterpret_cast<float*>(own_);
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = tile * 16 + lane_ / 4 + half * 8;
        float total = sum_[tile][half];
        for (int step = 1; step < 4; step *= 2) total += __shfl_xor_sync(kAllLanes, total, step);
        if (lane_ % 4 == 0) {
          tops_[warp_ * kQueries + row] = top_[tile][half];
          totals_[warp_ * kQueries + row] = total;
        }
#pragma unroll
        for (int j = 0; j < kValueSquares; ++j)
          *reinterpret_cast<float2*>(sums + sum_place(row, j * 8 + lane_ % 4 * 2)) =
              make_float2(results_[tile][j][half * 2], results_[tile][j][half * 2 + 1]);
      }
  }

  // Four adjacent results of a query a thread.
  __device__ void store() const {
    const int warps = blockDim.x / 32;
#pragma unroll 1
    for (int item = threadIdx.x; item < kQueries * kSize / 4; item += blockDim.x) {
      const int row = item / (kSize / 4), at = item % (kSize / 4) * 4, query = query0_ + row;
      if (query >= a_.queries || at >= a_.value_size) continue;
      float top = -INFINITY, total = 0, sums[4] = {};
      for (int w = 0; w < warps; ++w) top = larger(top, tops_[w * kQueries + row]);
      const Weights weights(a_, top);
      for (int w = 0; w < warps; ++w) {
        const float factor = weights.of(tops_[w * kQueries + row]);
        total += factor * totals_[w * kQueries + row];
        const auto* region = reinterpret_cast<const float*>(queries_ + kQueryBytes + w * kWarpBytes);
        const float4 from = *reinterpret_cast<const float4*>(region + sum_place(row, at));
        sums[0] += factor * from.x, sums[1] += factor * from.y, sums[2] += factor * from.z, sums[3] += factor * from.w;
      }
      const float share = __fdividef(1.0f, total);
      Pack<T, 4> pack;
#pragma unroll
      for (int i = 0; i < 4; ++i) pack.at[i] = from_float<T>(sums[i] * share);
      *reinterpret_cast<Pack<T, 4>*>(head_.y + query * a_.y_at.row + at) = pack;
    }
  }

  const AttentionArguments& a_;
  const HeadPointers<T> head_;
  const int query0_, warp_, lane_;
  char *const queries_, *const own_;
  float *const tops_, *const totals_;  // [warp][query]
  Mask mask_;
  float top_[kTiles][2], sum_[kTiles][2] = {};
  float results_[kTiles][kValueSquares][4] = {};
};

template <class Math, int kChunks, int kTiles> __device__ void attend_short(const AttentionArguments& a) {
  let_next_start();
  extern __shared__ __align__(128) char shared[];
  ShortBlock<Math, kChunks, kTiles>(a, shared).run();
}

}  // namespace

#define KILN_SHORT(name, math, chunks, tiles)                                                                \
  extern "C" __global__ void __launch_bounds__(kShortWarps * 32, 3 - tiles)                                        \
      attention_short_##name##_##chunks##_##tiles(const __grid_constant__ AttentionArguments a) {           \
    attend_short<math, chunks, tiles>(a);                                                                   \
  }
KILN_SHORT(f16, MathF16, 1, 1)
KILN_SHORT(f16, MathF16, 1, 2)
KILN_SHORT(f16, MathF16, 2, 1)
KILN_SHORT(bf16, MathBF16, 1, 1)
KILN_SHORT(bf16, MathBF16, 1, 2)
KILN_SHORT(bf16, MathBF16, 2, 1)

}  // namespace kiln::cuda
