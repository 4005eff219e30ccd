// LSTM, GRU and RNN on products of the inputs, all steps in one launch: a cluster has one direction of some sequences. Its blocks share the
// units; each keeps its rows of the recurrent weights in shared memory, as many as fit, and reads the others again at each step. After a
// step a block sends its units' states to the others, into the buffer that the step did not read, and waits for theirs at a barrier that
// counts bytes. Nobody can be ahead by more than one step, so two buffers do.
#include "backends/cuda/device/cu/hopper.cuh"
#include "backends/cuda/device/cu/recurrent.cuh"

namespace kiln::cuda {
namespace {

constexpr int kWarps = kChipThreads / 32;

// sums[sequence] of a row for each lane, from chunks of four terms.
template <int kSequences> class FloatRows {
 public:
  static constexpr int kTile = 32;  // rows of a warp
  using Word = float4;
  static constexpr int kWords = 1;  // of a lane and chunk
  __device__ void add(const Word* weights, const float* states, int stride, int chunk) {
    const float4 w = weights[threadIdx.x % 32];
#pragma unroll
    for (int s = 0; s < kSequences; ++s) {
      const float4 h = *reinterpret_cast<const float4*>(states + s * stride + chunk * 4);
      even_[s] += w.x * h.x;
      odd_[s] += w.y * h.y;
      even_[s] += w.z * h.z;
      odd_[s] += w.w * h.w;
    }
  }
  __device__ void store(float* sums, int stride) const {
#pragma unroll
    for (int s = 0; s < kSequences; ++s) sums[s * stride + threadIdx.x % 32] = even_[s] + odd_[s];
  }

 private:
  float even_[kSequences] = {}, odd_[kSequences] = {};
};

// The same on tensor cores, from chunks of 32 terms: a lane has its operands of two products behind each other.
template <class Math, int kSequences> class TensorRows {
 public:
  static constexpr int kTile = 16;
  using Word = uint4;
  static constexpr int kWords = 2;
  using Element = typename Math::Element;
  __device__ void add(const Word* weights, const Element* states, int stride, int chunk) {
    const int lane = threadIdx.x % 32;
    const uint4 first = weights[lane], second = weights[32 + lane];
    const uint32_t a[4] = {first.x, first.y, first.z, first.w}, b[4] = {second.x, second.y, second.z, second.w};
#pragma unroll
    for (int n = 0; n < kColumns; ++n) {
      const uint4 h = *reinterpret_cast<const uint4*>(states + (n * 8 + lane / 4) * stride + chunk * 32 + lane % 4 * 8);
      multiply<Math>(even_[n], a, h.x, h.y);
      multiply<Math>(odd_[n], b, h.z, h.w);
    }
  }
  __device__ void store(float* sums, int stride) const {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < kColumns; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        sums[(n * 8 + lane % 4 * 2 + i % 2) * stride + lane / 4 + i / 2 * 8] = even_[n][i] + odd_[n][i];
  }

 private:
  static constexpr int kColumns = kSequences / 8;
  float even_[kColumns][4] = {}, odd_[kColumns][4] = {};
};

template <class T, int kSequences> struct RowsOf;
template <int kSequences> struct RowsOf<float, kSequences> { using Type = FloatRows<kSequences>; };
template <int kSequences> struct RowsOf<__half, kSequences> { using Type = TensorRows<MathF16, kSequences>; };
template <int kSequences> struct RowsOf<__nv_bfloat16, kSequences> { using Type = TensorRows<MathBF16, kSequences>; };

template <class T, int kSequences> class ChipBlock {
 public:
  __device__ ChipBlock(const ChipArguments& arguments, char* shared)
      : a_(arguments),
        layer_(arguments.layer),
        shared_(shared),
        direction_(blockIdx.z),
        rank_(blockIdx.x),
        unit0_(rank_ * a_.units),
        sequence0_(blockIdx.y * kSequences),
        sequences_(min(kSequences, layer_.batch - sequence0_)),
        gates_(layer_.rules.cell == Cell::kLstm  ? 4
               : layer_.rules.cell == Cell::kGru ? 3
                                                 : 1),
        places_(layer_, direction_),
        math_(layer_.rules, direction_) {}

  __device__ void run() {
    let_next_start();
    if (!a_.weights_are_constant) wait_for_inputs();
    copy_weights();
    wait_for_inputs();
    find_pairs();
    begin_states();
    begin_numbers();
    fetch_products(0);
    wait_for_copies<0>();
    meet();
    const int turns_of_step = resets_first() ? 2 : 1, turns = layer_.steps * turns_of_step;
    for (int turn = 0; turn < turns; ++turn) {
      const int step = turn / turns_of_step;
      const bool is_reset = turns_of_step == 2 && turn % 2 == 0, is_candidate = turns_of_step == 2 && !is_reset;
      multiply_rows(is_candidate ? 2 * a_.units : 0, (is_reset ? 2 : gates_) * a_.units, states(is_candidate ? kReset : step % 2));
      __syncthreads();
      const int buffer = is_reset ? kReset : 1 - step % 2;
#pragma unroll
      for (int j = 0; j < kPairs; ++j) {
        if (pairs_[j].unit < 0) continue;
        if (is_reset) reset(pairs_[j], step);
        else advance(pairs_[j], step, states(buffer));
      }
      if (turn + 1 == turns) break;
      if (!is_reset) fetch_products(step + 1);
      hand_over(buffer, is_reset ? step % 2 : step / 2 % 2);
    }
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const Pair& pair = pairs_[j];
      if (pair.unit < 0) continue;
      const int64_t at = places_.state(sequence0_ + pair.sequence, unit0_ + pair.unit);
      places_.store(layer_.y_h, at, pair.h);
      places_.store(layer_.y_c, at, pair.c);
    }
  }

 private:
  using Rows = typename RowsOf<T, kSequences>::Type;
  using Word = typename Rows::Word;
  static constexpr int kPairs = chip_pairs(kSequences), kMostGates = 4;
  static constexpr int kReset = 2;  // the buffer of states times reset gates

  // A unit of a sequence; both count from the block's first.
  struct Pair {
    int unit, sequence, length;  // no unit: -1
    float h, c, update;
    T products[kMostGates];  // of the inputs, of the next step
  };

  __device__ bool resets_first() const { return layer_.rules.cell == Cell::kGru && !layer_.rules.linear; }
  __device__ T* states(int buffer) const {
    return reinterpret_cast<T*>(shared_ + a_.states_at) + buffer * kSequences * a_.state_stride;
  }
  __device__ float* sums() const { return reinterpret_cast<float*>(shared_ + a_.sums_at); }
  __device__ float& number(int row, int unit) const {
    return reinterpret_cast<float*>(shared_ + a_.numbers_at)[row * a_.units + unit];
  }
  __device__ const Word* weights() const {
    const int64_t words = int64_t{a_.chunks} * a_.rows / Rows::kTile * 32 * Rows::kWords;
    return static_cast<const Word*>(a_.r) + (int64_t{direction_} * gridDim.x + rank_) * words;
  }

  __device__ void copy_weights() const {
    const int words = a_.kept * (a_.rows / Rows::kTile) * 32 * Rows::kWords;
    const Word* from = weights();
    Word* to = reinterpret_cast<Word*>(shared_ + a_.weights_at);
    for (int i = threadIdx.x; i < words; i += kChipThreads) {
#if __CUDA_ARCH__ >= 800
      copy_piece(shared_address(to + i), from + i, true);
#else
      to[i] = from[i];
#endif
    }
    commit_copies();
  }

  __device__ void find_pairs() {
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      Pair& pair = pairs_[j];
      const int place = threadIdx.x + j * kChipThreads;
      pair.sequence = place / a_.units;
      pair.unit = place - pair.sequence * a_.units;
      if (pair.sequence >= sequences_ || unit0_ + pair.unit >= layer_.hidden) pair.unit = -1;
      if (pair.unit < 0) continue;
      const int sequence = sequence0_ + pair.sequence, unit = unit0_ + pair.unit;
      pair.length = places_.length(sequence);
      pair.h = places_.given(layer_.initial_h, sequence, unit);
      pair.c = places_.given(layer_.initial_c, sequence, unit);
    }
  }

  // Of all units, and zeros where there is no unit or sequence.
  __device__ void begin_states() const {
    for (int buffer = resets_first() ? kReset : 1; buffer >= 0; --buffer)
      for (int s = 0; s < kSequences; ++s)
        for (int unit = threadIdx.x; unit < a_.state_stride; unit += kChipThreads) {
          const bool is_there = buffer == 0 && s < sequences_ && unit < layer_.hidden;
          states(buffer)[s * a_.state_stride + unit] =
              from_float<T>(is_there ? places_.given(layer_.initial_h, sequence0_ + s, unit) : 0.0f);
        }
  }

  __device__ void begin_numbers() const {
    const bool apart = layer_.rules.cell == Cell::kGru && layer_.rules.linear;
    for (int i = threadIdx.x; i < a_.units; i += kChipThreads) {
      const int unit = unit0_ + i;
      if (unit >= layer_.hidden) continue;
      for (int g = 0; g < gates_; ++g)
        number(kBiases + g, i) =
            places_.bias(gates_, g, unit) + (apart && g == 2 ? 0.0f : places_.bias(gates_, gates_ + g, unit));
      number(kCandidateBias, i) = apart ? places_.bias(gates_, gates_ + 2, unit) : 0.0f;
      if (layer_.rules.cell == Cell::kLstm)
        for (int g = 0; g < 3; ++g) number(kPeepholes + g, i) = places_.peephole(g, unit);
    }
  }

  // All blocks are there to be written to, and have their barriers.
  __device__ void meet() const {
#if __CUDA_ARCH__ >= 900
    if (gridDim.x > 1) {
      if (threadIdx.x == 0) {
        for (int i = 0; i < kChipBarriers; ++i) init_barrier(barrier(i), 1);
        publish_barriers();
      }
      arrive_at_cluster();
      wait_for_cluster();
      return;
    }
#endif
    __syncthreads();
  }

  // Loads that are not waited for before `advance`.
  __device__ void fetch_products(int step) {
    const int64_t width = int64_t{layer_.directions} * gates_ * layer_.hidden;
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      Pair& pair = pairs_[j];
      const bool wanted = pair.unit >= 0 && step < pair.length;
      const int64_t row = wanted ? places_.x_row(places_.time(step, pair.length), sequence0_ + pair.sequence) : 0;
      const T* x = static_cast<const T*>(layer_.x) + row * width + direction_ * gates_ * layer_.hidden + unit0_ + pair.unit;
#pragma unroll
      for (int g = 0; g < kMostGates; ++g)
        if (g < gates_) pair.products[g] = load_if(x + g * layer_.hidden, wanted);
    }
  }

  // The sums of these rows, each part of the terms apart; whole tiles around them.
  __device__ void multiply_rows(int first, int last, const T* from) const {
    const int tile0 = first / Rows::kTile, tiles = (last + Rows::kTile - 1) / Rows::kTile - tile0;
    const int chunk_words = a_.rows / Rows::kTile * 32 * Rows::kWords;
    for (int item = threadIdx.x / 32; item < tiles * a_.parts; item += kWarps) {
      const int part = item / tiles, tile = tile0 + item - part * tiles;
      const Word* here = reinterpret_cast<const Word*>(shared_ + a_.weights_at) + tile * 32 * Rows::kWords;
      const Word* there = weights() + tile * 32 * Rows::kWords;
      Rows rows;
      int chunk = part;
#pragma unroll 4
      for (; chunk < a_.kept; chunk += a_.parts) rows.add(here + chunk * chunk_words, from, a_.state_stride, chunk);
#pragma unroll 4
      for (; chunk < a_.chunks; chunk += a_.parts)
        rows.add(there + int64_t{chunk} * chunk_words, from, a_.state_stride, chunk);
      rows.store(sums() + part * kSequences * a_.sum_stride + tile * Rows::kTile, a_.sum_stride);
    }
  }
  // Of all parts, for each gate.
  struct Sums {
    float of[kMostGates];
  };
  __device__ Sums sums_of(const Pair& pair) const {
    Sums result = {};
    const float* at = sums() + pair.sequence * a_.sum_stride + pair.unit;
    for (int part = 0; part < a_.parts; ++part, at += kSequences * a_.sum_stride)
#pragma unroll
      for (int g = 0; g < kMostGates; ++g)
        if (g < gates_) result.of[g] += at[g * a_.units];
    return result;
  }
  // What an activation gets of gates that need no more.
  __device__ float gate(const Pair& pair, const Sums& sums, int g) const {
    return to_float(pair.products[g]) + number(kBiases + g, pair.unit) + sums.of[g];
  }

  // The first half of a step of a GRU that resets before the product.
  __device__ void reset(Pair& pair, int step) const {
    if (step >= pair.length) return;
    const Sums sums = sums_of(pair);
    pair.update = math_.activate(0, gate(pair, sums, 0));
    states(kReset)[pair.sequence * a_.state_stride + unit0_ + pair.unit] =
        from_float<T>(math_.activate(0, gate(pair, sums, 1)) * pair.h);
  }

  __device__ void advance(Pair& pair, int step, T* next) const {
    const bool live = step < pair.length;
    if (live) step_on(pair);
    places_.store(layer_.y, places_.y(places_.time(step, pair.length), sequence0_ + pair.sequence, unit0_ + pair.unit),
                  live ? pair.h : 0.0f);
    next[pair.sequence * a_.state_stride + unit0_ + pair.unit] = from_float<T>(pair.h);
  }
  __device__ void step_on(Pair& pair) const {
    const Sums sums = sums_of(pair);
    if (layer_.rules.cell == Cell::kLstm) {
      const float gates[4] = {gate(pair, sums, 0), gate(pair, sums, 1), gate(pair, sums, 2), gate(pair, sums, 3)};
      const float peepholes[3] = {number(kPeepholes, pair.unit), number(kPeepholes + 1, pair.unit),
                                  number(kPeepholes + 2, pair.unit)};
      pair.h = math_.lstm(gates, layer_.peepholes, peepholes, pair.c);
    } else if (resets_first()) {
      pair.h = math_.gru(pair.update, gate(pair, sums, 2), pair.h);
    } else if (layer_.rules.cell == Cell::kGru) {
      const float update = math_.activate(0, gate(pair, sums, 0)), reset = math_.activate(0, gate(pair, sums, 1));
      const float candidate = to_float(pair.products[2]) + number(kBiases + 2, pair.unit) +
                              reset * (sums.of[2] + number(kCandidateBias, pair.unit));
      pair.h = math_.gru(update, candidate, pair.h);
    } else {
      pair.h = math_.activate(0, gate(pair, sums, 0));
    }
  }

  // When this block has written its units of a buffer: the others get them, and it has theirs.
  __device__ void hand_over(int buffer, int parity) const {
    __syncthreads();
#if __CUDA_ARCH__ >= 900
    if (gridDim.x == 1) return;
    const int row_pieces = a_.units * sizeof(T) / kPieceBytes, pieces = sequences_ * row_pieces;
    const uint32_t signal = shared_address(barrier(buffer));
    if (threadIdx.x == 0) arrive_expecting(barrier(buffer), (gridDim.x - 1) * pieces * kPieceBytes);
    const int warp = threadIdx.x / 32, to = warp % gridDim.x, part = warp / gridDim.x, parts = kWarps / gridDim.x;
    if (to != rank_ && part < parts)
      for (int i = part * 32 + threadIdx.x % 32; i < pieces; i += parts * 32) {
        const int sequence = i / row_pieces;
        const T* row = states(buffer) + sequence * a_.state_stride + unit0_;
        const float4* piece = reinterpret_cast<const float4*>(row) + (i - sequence * row_pieces);
        const float4 v = *piece;
        send(in_block(shared_address(piece), to), v.x, v.y, v.z, v.w, in_block(signal, to));
      }
    wait(barrier(buffer), parity);
#endif
  }
#if __CUDA_ARCH__ >= 900
  __device__ uint64_t* barrier(int i) const { return reinterpret_cast<uint64_t*>(shared_) + i; }
#endif

  const ChipArguments& a_;
  const RecurrentLayer& layer_;
  char* const shared_;
  const int direction_, rank_, unit0_, sequence0_, sequences_, gates_;
  const LayerPlaces<T> places_;
  const CellMath math_;
  Pair pairs_[kPairs];
};

}  // namespace

#define KILN_CHIP(name, type, sequences)                                                                   \
  extern "C" __global__ void __launch_bounds__(kChipThreads, 1)                                           \
      recurrent_chip_##sequences##_##name(const __grid_constant__ ChipArguments a) {                      \
    extern __shared__ __align__(16) char shared[];                                                        \
    ChipBlock<type, sequences>(a, shared).run();                                                          \
  }
KILN_CHIP(f32, float, 1)
KILN_CHIP(f32, float, 2)
KILN_CHIP(f32, float, 4)
KILN_CHIP(f32, float, 8)
KILN_CHIP(f16, __half, 8)
KILN_CHIP(f16, __half, 16)
KILN_CHIP(f16, __half, 32)
KILN_CHIP(bf16, __nv_bfloat16, 8)
KILN_CHIP(bf16, __nv_bfloat16, 16)
KILN_CHIP(bf16, __nv_bfloat16, 32)

}  // namespace kiln::cuda
