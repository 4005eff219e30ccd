// Products of few rows for compute capability 9.0: all that a block multiplies lies in shared memory at once, so that all of it can be on
// its way at once, the weights before the inputs are there; where there is more than room, the rest takes the places of what has been
// multiplied. Blocks of a cluster fetch rows for each other, and may split the terms.
#include "backends/cuda/device/cu/product_wgmma.h"
#include "backends/cuda/device/cu/conv_boxes.cuh"

namespace kiln::cuda {
namespace {

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

// kInTurn: a block has more chunks than there is room for.
template <class Math, bool kInTurn> class ProductBlock {
 public:
  __device__ ProductBlock(const CUtensorMap& map, const ProductWgmmaArguments& arguments, char* shared)
      : map_(map), a_(arguments), chunks_(shared), parts_(shared + arguments.held * kStageBytes) {
    const uint32_t tile = blockIdx.x / cluster();  // of `shares` column tiles
    const uint32_t rank = blockIdx.x % cluster(), columns = a_.row_tiles.quotient(tile);
    split_ = rank % a_.splits;
    share_ = rank / a_.splits;
    row0_ = (tile - columns * a_.row_tiles.divisor) * kRows;
    column_tile_ = columns * a_.shares + share_;
    begin_ = a_.chunks * split_ / a_.splits;
    count_ = a_.chunks * (split_ + 1) / a_.splits - begin_;
  }

  __device__ void run() {
    __shared__ __align__(8) uint64_t full[kMostWholeChunks], empty[kMostWholeChunks], parts_full;
    full_ = full;
    empty_ = empty;
    parts_full_ = &parts_full;
    let_next_start();
    if (threadIdx.x == kThreads) {
      for (uint32_t i = 0; i < a_.held; ++i) {
        init_barrier(&full[i], 1);
        if constexpr (kInTurn) init_barrier(&empty[i], static_cast<int>(a_.shares));
      }
      init_barrier(&parts_full, 1);
      publish_barriers();
    }
    __syncthreads();
    if (cluster() > 1) arrive_at_cluster();
    if (threadIdx.x >= kThreads) produce();
    else consume();
  }

 private:
  using T = typename Math::Element;
  static constexpr int kThreads = kWholeGroups * 128;  // that multiply
  static constexpr int kRows = kWholeTile.rows(), kColumns = kWholeTile.columns, kStageBytes = kWholeTile.stage();
  static constexpr int kSums = kColumns / 2;
  static constexpr int kOctets = kSums / 16;
  static constexpr int kSourceBytes = kRows * kChunkBytes, kWeightBytes = kColumns * kChunkBytes;
  static constexpr int kPartBytes = 16;                       // four results travel at once
  static constexpr int kItemBytes = 2 * 32 * kPartBytes;      // eight rows and 32 columns
  static constexpr int kMostItems = kOctets * 8 / (kThreads / 32);  // of a warp

  __device__ uint32_t cluster() const { return a_.splits * a_.shares; }
  __device__ char* chunk(uint32_t index) const { return chunks_ + index * kStageBytes; }

  // One thread keeps the copy engine busy. Rows of other blocks come when all of them have begun.
  __device__ void produce() const {
    const bool leads = threadIdx.x == kThreads;
    const uint32_t first = min(a_.held, count_);
    if (leads) {
      fetch_map(map_);
      if (a_.splits > 1) arrive_expecting(parts_full_, kWholePartBytes);
      if (!a_.weights_are_constant) wait_for_inputs();
      for (uint32_t i = 0; i < first; ++i) fetch_weights(i, i);
    }
    __syncwarp();
    if (cluster() > 1) wait_for_cluster();
    if (!leads) return;
    wait_for_inputs();
    for (uint32_t i = 0; i < first; ++i) fetch_rows(i, i);
    Turn turn;
    for (uint32_t i = first; kInTurn && i < count_; ++i) {
      wait(&empty_[turn.index], turn.parity);
      fetch_weights(i, turn.index);
      fetch_rows(i, turn.index);
      turn.next(a_.held);
    }
  }

  __device__ void fetch_weights(uint32_t index, uint32_t place) const {
    const int64_t chunks_before = int64_t{column_tile_} * a_.chunks + begin_ + index;
    arrive_expecting(&full_[place], kSourceBytes + kWeightBytes);
    copy_bulk(chunk(place) + kSourceBytes, static_cast<const char*>(a_.weights) + chunks_before * kWeightBytes, kWeightBytes, &full_[place]);
  }

  // This block's part of the rows, for all blocks of the cluster that multiply the same terms.
  __device__ void fetch_rows(uint32_t index, uint32_t place) const {
    const uint32_t rows = kRows / a_.shares;
    const int term = static_cast<int>((begin_ + index) * kChunkElements<Math>), row = static_cast<int>(row0_ + share_ * rows);
    char* to = chunk(place) + share_ * rows * kChunkBytes;
    if (a_.shares == 1) {
      copy_box(to, map_, term, row, 0, 0, &full_[place]);
      return;
    }
    uint32_t blocks = 0;
    for (uint32_t share = 0; share < a_.shares; ++share) blocks |= 1u << (share * a_.splits + split_);
    copy_box_to(static_cast<uint16_t>(blocks), to, map_, term, row, 0, 0, &full_[place]);
  }

  __device__ void consume() const {
    // Sums begin with zeros: with anything else the compiler would put a wait behind each product.
    float sums[kSums] = {};
    const uint32_t group = threadIdx.x / 128;
    if (!a_.epilogue.bias_is_constant) wait_for_inputs();
    Eight bias[kMostItems] = {};
#pragma unroll
    for (int i = 0; i < kMostItems; ++i) fetch_bias(item_of(i), bias[i]);
    if (cluster() > 1) wait_for_cluster();
    wait_for_inputs();
    EarlyRun early[kMostItems] = {};
#pragma unroll
    for (int i = 0; i < kMostItems; ++i) fetch_residual(item_of(i), early[i]);
    multiply_all(sums, group);
    leave_sums(sums, group);
    if (a_.splits > 1) wait(parts_full_, 0);
    else asm volatile("bar.sync 1, %0;" ::"n"(kThreads) : "memory");
#pragma unroll
    for (int i = 0; i < kMostItems; ++i) finish_item(item_of(i), bias[i], early[i]);
  }

  // The chunks of this group: every second one. The products of its chunk before are done when those of the next have begun.
  __device__ void multiply_all(float (&sums)[kSums], uint32_t group) const {
    uint32_t place = group, parity = 0, before = 0;
    for (uint32_t i = group; i < count_; i += kWholeGroups) {
      wait(&full_[place], parity);
      const uint32_t left = shared_address(chunk(place)), right = left + kSourceBytes;
      begin_products();
#pragma unroll
      for (int step = 0; step < 4; ++step)
        GroupProduct<Math, kColumns>::add(sums, matrix_at(left + step * 32), matrix_at(right + step * 32));
      commit_products();
      wait_for_products<1>();
      if (kInTurn && i >= kWholeGroups && i - kWholeGroups + a_.held < count_) release(before);
      before = place;
      place += kWholeGroups;
      if (kInTurn && place >= a_.held) place -= a_.held, parity ^= 1;
    }
    wait_for_products<0>();
    settle(sums);
  }

  // The place is free as far as this block goes: it tells all that fetch rows into it.
  __device__ void release(uint32_t place) const {
    const uint32_t share = threadIdx.x % 128;
    if (share < a_.shares) arrive_there(in_block(shared_address(&empty_[place]), static_cast<int>(share * a_.splits + split_)));
  }

  // Items are runs of eight rows and 32 columns; each block of the cluster finishes those of some rows.
  __device__ uint32_t runs() const { return kRows / 8 / a_.splits; }
  __device__ uint32_t item_of(int i) const { return threadIdx.x / 32 + i * (kThreads / 32); }
  __device__ bool is_there(uint32_t item) const { return item < runs() * kOctets && row_of(item) < a_.rows && column_of(item) < a_.columns; }
  __device__ uint32_t row_of(uint32_t item) const { return row0_ + (split_ * runs() + item / kOctets) * 8 + threadIdx.x % 32 / 4; }
  __device__ uint32_t column_of(uint32_t item) const { return column_tile_ * kColumns + column_of_octet(item % kOctets); }
  __device__ const T* residual_of(uint32_t item) const {
    return static_cast<const T*>(a_.epilogue.residual) + row_of(item) * a_.epilogue.residual_stride + column_of(item);
  }

  __device__ void fetch_bias(uint32_t item, Eight& bias) const {
    const float* from = a_.epilogue.bias + column_of(item);
    if (a_.epilogue.bias && is_there(item))
      bias = load_run<float, 8>(from, reinterpret_cast<uintptr_t>(a_.epilogue.bias) % 16 == 0, static_cast<int>(a_.columns - column_of(item)));
  }

  // Residuals of 16 bits come in whole words while the products are under way.
  static constexpr bool kFetchesEarly = sizeof(T) == 2;
  __device__ void fetch_residual(uint32_t item, EarlyRun& early) const {
    if (kFetchesEarly && fetches_early(a_.epilogue) && is_there(item)) fetch_early<T>(a_.epilogue, row_of(item), column_of(item), early);
  }

  // [split, group][run][octet][half of an octet][lane]
  __device__ void leave_sums(const float (&sums)[kSums], uint32_t group) const {
    const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x % 128 / 32, bytes = runs() * kOctets * kItemBytes;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint32_t run = warp * 2 + half, owner = run / runs();
      char* place = parts_ + (split_ * kWholeGroups + group) * bytes + run % runs() * kOctets * kItemBytes + lane * kPartBytes;
      const uint32_t to = in_block(shared_address(place), share_ * a_.splits + owner);
      const uint32_t barrier = in_block(shared_address(parts_full_), share_ * a_.splits + owner);
#pragma unroll
      for (int part = 0; part < kOctets * 2; ++part) {
        const int at = part * 8 + half * 2;
        if (a_.splits > 1) send(to + part * 32 * kPartBytes, sums[at], sums[at + 1], sums[at + 4], sums[at + 5], barrier);
        else
          *reinterpret_cast<float4*>(place + part * 32 * kPartBytes) = make_float4(sums[at], sums[at + 1], sums[at + 4], sums[at + 5]);
      }
    }
  }

  __device__ void finish_item(uint32_t item, const Eight& bias, const EarlyRun& early) const {
    if (!is_there(item)) return;
    Eight v = bias;
    const uint32_t bytes = runs() * kOctets * kItemBytes;
    const char* place = parts_ + item * kItemBytes + threadIdx.x % 32 * kPartBytes;
    for (uint32_t part = 0; part < a_.splits * kWholeGroups; ++part) {
      const auto* from = reinterpret_cast<const float4*>(place + part * bytes);
      const float4 low = from[0], high = from[32];
      v.at[0] += low.x, v.at[1] += low.y, v.at[2] += low.z, v.at[3] += low.w;
      v.at[4] += high.x, v.at[5] += high.y, v.at[6] += high.z, v.at[7] += high.w;
    }
    T* y = static_cast<T*>(a_.y) + row_of(item) * a_.to_row + column_of(item);
    if (kFetchesEarly && finishes_early(a_.epilogue)) store_run(y, finished_early<T>(a_.epilogue, v, early), true, 8);
    else
      finish<T>(a_.epilogue, v, a_.epilogue.residual ? residual_of(item) : nullptr, y,
                {row_of(item), column_of(item), static_cast<int>(a_.columns - column_of(item))});
  }

  const CUtensorMap& map_;
  const ProductWgmmaArguments& a_;
  char *chunks_, *parts_;
  uint64_t *full_, *empty_, *parts_full_;
  uint32_t split_, share_, row0_, column_tile_, begin_, count_;
};

#endif

}  // namespace

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define KILN_PRODUCT_BLOCK(name, math, in_turn)                                                                                 \
  extern "C" __global__ void __launch_bounds__(kWholeGroups * 128 + 32)                                                         \
      product_wgmma##name(const __grid_constant__ CUtensorMap map, const __grid_constant__ ProductWgmmaArguments a) {           \
    extern __shared__ char unaligned[];                                                                                         \
    ProductBlock<math, in_turn>(map, a, unaligned + (1024 - shared_address(unaligned) % 1024) % 1024).run();                    \
  }
#define KILN_PRODUCT(name, math)             \
  KILN_PRODUCT_BLOCK(_##name, math, false)   \
  KILN_PRODUCT_BLOCK(_in_turn_##name, math, true)
KILN_PRODUCT(f16, MathF16)
KILN_PRODUCT(bf16, MathBF16)
KILN_PRODUCT(f32, MathTF32)
#endif

}  // namespace kiln::cuda
