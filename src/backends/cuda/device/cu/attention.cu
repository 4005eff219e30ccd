// Attention: blocks of 64 queries on tensor cores with a running softmax, or a block for each query for every type and size.
#include "backends/cuda/device/cu/attention.cuh"

namespace kiln::cuda {
namespace {

// kChunks chunks of 64 elements hold a head.
template <class Math, int kChunks> class AttentionBlock {
 public:
  __device__ AttentionBlock(const AttentionArguments& arguments, char* shared)
      : a_(arguments), head_(arguments), shared_(shared), query0_(blockIdx.x * kQueryRows), mask_(a_, head_.mask, region(5)) {}

  __device__ void run() {
    const int keys = a_.causal ? min(a_.keys, query0_ + kQueryRows) : a_.keys;
    const int blocks = (keys + kKeyRows - 1) / kKeyRows;
    copy_rows(0, head_.q, a_.q_at.row, query0_, a_.queries, a_.size);
    copy_keys(0, 0);
    commit_copies();
    for (int block = 0; block < blocks; ++block) {
      if (block + 1 < blocks) copy_keys(block + 1, (block + 1) % 2);
      commit_copies();
      mask_.template fill<T>(query0_, kQueryRows, block * kKeyRows, threadIdx.x, kAttentionThreads);
      wait_for_copies<1>();
      __syncthreads();
      if (kKeeps && block == 0)
#pragma unroll
        for (int step = 0; step < kSteps; ++step) load_queries(queries_[kKeeps ? step : 0], step);
      add_block(block);
      __syncthreads();
    }
    store();
  }

 private:
  using T = typename Math::Element;
  static constexpr int kRowsBytes = kQueryRows * kChunkBytes * kChunks;  // of a block of queries, keys or values
  static constexpr int kSteps = kChunks * 4;                             // of 32 bytes of a head
  static constexpr bool kKeeps = kChunks <= 2;                           // the queries, in registers
  static constexpr int kKeySquares = kKeyRows / 8, kValueSquares = kChunks * 8;

  // Regions of shared memory: queries, then keys and values, twice.
  __device__ char* region(int index) const { return shared_ + index * kRowsBytes; }
  __device__ static uint32_t place(const char* region, uint32_t row, uint32_t piece) {
    return shared_address(region) + piece / 8 * kQueryRows * kChunkBytes + swizzled(row, piece % 8);
  }

  __device__ void copy_rows(int to, const T* from, int64_t stride, int row0, int rows, int size) const {
    copy_head_rows<kQueryRows, kChunks * 8, Math>(from, stride, row0, rows, size, threadIdx.x, kAttentionThreads,
                                                  [&](int row, int piece) { return place(region(to), row, piece); });
  }
  __device__ void copy_keys(int block, int half) const {
    copy_rows(1 + 2 * half, head_.k, a_.k_at.row, block * kKeyRows, a_.keys, a_.size);
    copy_rows(2 + 2 * half, head_.v, a_.v_at.row, block * kKeyRows, a_.keys, a_.value_size);
  }

  __device__ void load_queries(uint32_t (&to)[4], int step) const {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    load_squares(to, SquareAddress(region(0), warp * 16 + lane % 16, lane / 16).at<kQueryRows>(0, step * 2));
  }

  __device__ ScorePlace score_place(int block) const {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    return {query0_ + warp * 16 + lane / 4, block * kKeyRows + lane % 4 * 2};
  }

  // Scores of pairs of squares of keys: of all, or of the first so many.
  template <bool kAll> __device__ void multiply_keys(float (&scores)[kKeySquares][4], const SquareAddress& keys, int pairs) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint32_t(&left)[4] = queries_[kKeeps ? step : 0];
      if (!kKeeps) load_queries(left, step);
#pragma unroll
      for (int j = 0; j < kKeySquares / 2; ++j) {
        if (!kAll && j >= pairs) continue;
        uint32_t squares[4];
        load_squares(squares, keys.at<kKeyRows>(j * 16, step * 2));
        multiply<Math>(scores[j * 2], left, squares[0], squares[1]);
        multiply<Math>(scores[j * 2 + 1], left, squares[2], squares[3]);
      }
    }
  }

  __device__ void add_block(int block) {
    const int lane = threadIdx.x % 32;
    const SquareAddress keys(region(1 + block % 2 * 2), lane % 8 + lane / 16 * 8, lane / 8 % 2);
    const SquareAddress values(region(2 + block % 2 * 2), lane % 16, lane / 16);
    const int pairs = min(kKeySquares / 2, (a_.keys - block * kKeyRows + 15) / 16);  // that there are
    Scores<1, kKeySquares> all;
    mask_.template begin<1>(all, threadIdx.x / 32 * 16);
    float(&scores)[kKeySquares][4] = all[0];
    if (pairs == kKeySquares / 2) multiply_keys<true>(scores, keys, pairs);
    else multiply_keys<false>(scores, keys, pairs);
    if (a_.causal) hide(scores, score_place(block));
    float factor[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float top = top_[half];
#pragma unroll
      for (int j = 0; j < kKeySquares; ++j) top = larger(top, larger(scores[j][half * 2], scores[j][half * 2 + 1]));
      for (int step = 1; step < 4; step *= 2) top = larger(top, __shfl_xor_sync(kAllLanes, top, step));
      const Weights weights(a_, top);
      factor[half] = weights.of(top_[half]);
      top_[half] = top;
      sum_[half] *= factor[half];
#pragma unroll
      for (int j = 0; j < kKeySquares; ++j)
#pragma unroll
        for (int i = half * 2; i < half * 2 + 2; ++i) sum_[half] += scores[j][i] = weights.of(scores[j][i]);
    }
    if (block > 0)  // else there is nothing yet
#pragma unroll
      for (int j = 0; j < kValueSquares; ++j)
#pragma unroll
        for (int i = 0; i < 4; ++i) results_[j][i] *= factor[i / 2];
#pragma unroll
    for (int t = 0; t < kKeySquares / 2; ++t) {  // sixteen keys
      if (t >= pairs) break;
      const float(&s)[4] = scores[2 * t], (&u)[4] = scores[2 * t + 1];
      const uint32_t left[4] = {packed<T>(s[0], s[1]), packed<T>(s[2], s[3]), packed<T>(u[0], u[1]), packed<T>(u[2], u[3])};
#pragma unroll
      for (int j = 0; j < kValueSquares / 2; ++j) {
        uint32_t squares[4];
        load_squares_transposed(squares, values.at<kKeyRows>(t * 16, j * 2));
        multiply<Math>(results_[j * 2], left, squares[0], squares[1]);
        multiply<Math>(results_[j * 2 + 1], left, squares[2], squares[3]);
      }
    }
  }

  // What comes later than a query.
  __device__ void hide(float (&scores)[kKeySquares][4], const ScorePlace& at) const {
#pragma unroll
    for (int j = 0; j < kKeySquares; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (at.key_of(j, i) > at.query_of(0, i)) scores[j][i] = -INFINITY;
  }

  __device__ void store() {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = sum_[half];
      for (int step = 1; step < 4; step *= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
      const float share = __fdividef(1.0f, sum);
      const int query = query0_ + warp * 16 + lane / 4 + half * 8;
      if (query >= a_.queries) continue;
      T* to = head_.y + query * a_.y_at.row + lane % 4 * 2;
#pragma unroll
      for (int j = 0; j < kValueSquares; ++j)
        if (j * 8 + lane % 4 * 2 < a_.value_size)
          *reinterpret_cast<uint32_t*>(to + j * 8) = packed<T>(results_[j][half * 2] * share, results_[j][half * 2 + 1] * share);
    }
  }

  const AttentionArguments& a_;
  const HeadPointers<T> head_;
  char* const shared_;
  const int query0_;
  MaskTile<kKeyRows> mask_;
  uint32_t queries_[kKeeps ? kSteps : 1][4];
  float top_[2] = {-INFINITY, -INFINITY}, sum_[2] = {0, 0};
  float results_[kValueSquares][4] = {};
};

template <class Math, int kChunks> __device__ void attend(const AttentionArguments& a) {
  begin_kernel();
  extern __shared__ __align__(128) char shared[];
  AttentionBlock<Math, kChunks>(a, shared).run();
}

// One query of one head; the scores lie in shared memory.
template <class T> __device__ void attend_any(const AttentionArguments& a) {
  begin_kernel();
  extern __shared__ float scores[];
  __shared__ float shared[32];
  const HeadPointers<T> head(a);
  const int query = blockIdx.x;
  const T *q = head.q + query * a.q_at.row, *k = head.k, *v = head.v;
  T* y = head.y + query * a.y_at.row;
  float top = -INFINITY, sum = 0;
  for (int key = threadIdx.x; key < a.keys; key += kAttentionThreads) {
    float score = 0;
    for (int i = 0; i < a.size; ++i) score += to_float(q[i]) * to_float(k[key * a.k_at.row + i]);
    scores[key] = score = a.causal && key > query ? -INFINITY : score * a.scale + mask_of<T>(a, head.mask, query, key);
    top = Largest()(score, top);
  }
  top = combine_block(top, -INFINITY, shared, Largest());
  for (int key = threadIdx.x; key < a.keys; key += kAttentionThreads) sum += scores[key] = expf(scores[key] - top);
  sum = combine_block(sum, 0.0f, shared, Sum());
  __syncthreads();
  for (int i = threadIdx.x; i < a.value_size; i += kAttentionThreads) {
    float result = 0;
    for (int key = 0; key < a.keys; ++key) result += scores[key] * to_float(v[key * a.v_at.row + i]);
    y[i] = from_float<T>(a.keys == 0 ? 0.0f : result / sum);
  }
}

}  // namespace

#define KILN_ATTENTION(name, math, chunks)                                                                  \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads)                                          \
      attention_##name##_##chunks(const __grid_constant__ AttentionArguments a) {                          \
    attend<math, chunks>(a);                                                                               \
  }
KILN_ATTENTION(f16, MathF16, 1)
KILN_ATTENTION(f16, MathF16, 2)
KILN_ATTENTION(f16, MathF16, 4)
KILN_ATTENTION(bf16, MathBF16, 1)
KILN_ATTENTION(bf16, MathBF16, 2)
KILN_ATTENTION(bf16, MathBF16, 4)

#define KILN_ATTENTION_ANY(name, type)                                                                      \
  extern "C" __global__ void __launch_bounds__(kAttentionThreads)                                          \
      attention_any_##name(const __grid_constant__ AttentionArguments a) {                                 \
    attend_any<type>(a);                                                                                   \
  }
KILN_ATTENTION_ANY(f16, __half)
KILN_ATTENTION_ANY(bf16, __nv_bfloat16)
KILN_ATTENTION_ANY(f32, float)

}  // namespace kiln::cuda
