// Products with weights of 4 and 8 bits in blocks, on tensor cores of compute capability 8.0 and later. Codes become numbers in registers,
// as the left operand of transposed products; each block's sum is scaled before it is added to the others.
// Of a unit of 32 terms, lane l of four has terms 8 l to 8 l + 7, in memory beside each other; step s multiplies its terms 4 s to 4 s + 3.
#include "backends/cuda/device/cu/product_blocks.h"

#include <type_traits>

#include "backends/cuda/device/cu/tensor_core.cuh"

namespace kiln::cuda {
namespace {

constexpr int kOwnTerms = kBlockUnitTerms / 4;  // of a lane

// Two codes in the low bits of the halves of a word, less the zero point, as operands of T.
template <class T> struct Decoder;
template <> struct Decoder<__half> {
  __half2 zero;
  __device__ explicit Decoder(uint32_t z) : zero(as_half(z | z << 16 | kThousand)) {}
  __device__ uint32_t operator()(uint32_t pair) const {
    const __half2 codes = __hsub2(as_half(pair | kThousand), zero);
    uint32_t bits;
    memcpy(&bits, &codes, sizeof bits);
    return bits;
  }

 private:
  static constexpr uint32_t kThousand = 0x64006400;  // 1024, whose last bit of the mantissa is worth 1
  __device__ static __half2 as_half(uint32_t bits) {
    __half2 h;
    memcpy(&h, &bits, sizeof h);
    return h;
  }
};
struct FloatDecoder {
  float zero;
  __device__ explicit FloatDecoder(uint32_t z) : zero(__uint_as_float(z | kLarge)) {}
  __device__ float low(uint32_t pair) const { return __uint_as_float((pair & 0xffff) | kLarge) - zero; }
  __device__ float high(uint32_t pair) const { return __uint_as_float(pair >> 16 | kLarge) - zero; }

 private:
  static constexpr uint32_t kLarge = 0x4b000000;  // 2^23
};
template <> struct Decoder<__nv_bfloat16> : FloatDecoder {
  using FloatDecoder::FloatDecoder;
  __device__ uint32_t operator()(uint32_t pair) const {
    const __nv_bfloat162 codes = __floats2bfloat162_rn(low(pair), high(pair));
    uint32_t bits;
    memcpy(&bits, &codes, sizeof bits);
    return bits;
  }
};

// A lane's weights of a unit: rows g and g + 8 of the left operand, g being lane / 4.
template <int kBits> struct Codes {
  static constexpr int kWords = block_unit_words(kBits) / 32;
  Pack<uint32_t, kWords> words;
  float scales[2];
  uint32_t zeros[2];
  // Register i of the left operand in step `step`: row g + i % 2 * 8, terms i / 2 * 2 and the next.
  __device__ uint32_t pair(int step, int i) const {
    if constexpr (kBits == 4) return words.at[step] >> (4 * i) & 0x000f000f;
    else return words.at[step * 2 + i / 2] >> (8 * (i % 2)) & 0x00ff00ff;
  }
};

template <class T> using Own = Pack<T, kOwnTerms>;
template <class T> __device__ inline uint32_t two_of(const Own<T>& x, int first) {
  uint32_t bits;
  memcpy(&bits, &x.at[first], sizeof bits);
  return bits;
}

// part[16 columns, 8 rows] += weights * x^T, not scaled.
template <class T, int kBits> __device__ inline void multiply_unit(float (&part)[4], const Codes<kBits>& w, const Own<T>& x) {
  using Math = std::conditional_t<std::is_same_v<T, __half>, MathF16, MathBF16>;
  const Decoder<T> upper(w.zeros[0]), lower(w.zeros[1]);
#pragma unroll
  for (int step = 0; step < 2; ++step) {
    const uint32_t left[4] = {upper(w.pair(step, 0)), lower(w.pair(step, 1)), upper(w.pair(step, 2)), lower(w.pair(step, 3))};
    multiply<Math>(part, left, two_of(x, 4 * step), two_of(x, 4 * step + 2));
  }
}
// Codes are numbers of TF32; x is the sum of two.
template <int kBits> __device__ inline void multiply_unit(float (&part)[4], const Codes<kBits>& w, const Own<float>& x) {
  const FloatDecoder upper(w.zeros[0]), lower(w.zeros[1]);
#pragma unroll
  for (int at = 0; at < kOwnTerms; at += 2) {
    const uint32_t up = w.pair(at / 4, at % 4), down = w.pair(at / 4, at % 4 + 1);
    const uint32_t left[4] = {__float_as_uint(upper.low(up)), __float_as_uint(lower.low(down)),
                              __float_as_uint(upper.high(up)), __float_as_uint(lower.high(down))};
    const Halves first = halves_of(__float_as_uint(x.at[at])), second = halves_of(__float_as_uint(x.at[at + 1]));
    multiply<MathTF32>(part, left, first.low, second.low);
    multiply<MathTF32>(part, left, first.high, second.high);
  }
}

template <class T, int kBits, int kTile> class ProductBlocks {
 public:
  static constexpr BlocksTile kShape = kBlocksTiles[kTile];
  static constexpr int kRows = kShape.rows(), kColumns = kShape.columns(), kThreads = kShape.threads();

  __device__ explicit ProductBlocks(const ProductBlocksArguments& arguments) : a_(arguments) {
    const uint32_t warp = threadIdx.x / 32;
    lane_ = threadIdx.x % 32;
    split_ = warp % kShape.splits;
    own_column_ = warp / kShape.splits * kShape.column_tiles * kBlockUnitColumns;
    column0_ = blockIdx.x * kColumns;
    row0_ = blockIdx.y * kRows;
  }

  __device__ void run() const {
    let_next_start();
    if (!a_.weights_are_constant) wait_for_inputs();
    Weights ahead[kShape.ahead];
#pragma unroll
    for (int i = 0; i < kShape.ahead; ++i) load_weights(split_ + i * kShape.splits, ahead[i]);
    wait_for_inputs();
    Rows x;
    load_rows(split_, x);
    float sums[kShape.column_tiles][kShape.row_tiles][4] = {};
    for (uint32_t first = split_; first < a_.units; first += kShape.ahead * kShape.splits) {
#pragma unroll
      for (int i = 0; i < kShape.ahead; ++i) {
        const uint32_t unit = first + i * kShape.splits;
        if (unit >= a_.units) break;
        const Weights weights = ahead[i];
        const Rows rows = x;
        load_weights(unit + kShape.ahead * kShape.splits, ahead[i]);
        load_rows(unit + kShape.splits, x);
        add(weights, rows, sums);
      }
    }
    __shared__ float parts[kShape.splits][kRows][kColumns];
    spread(sums, parts[split_]);
    __syncthreads();
    store(parts);
  }

 private:
  struct Weights {
    Codes<kBits> tiles[kShape.column_tiles];
  };
  struct Rows {
    Own<T> tiles[kShape.row_tiles];
  };

  __device__ void load_weights(uint32_t unit, Weights& w) const {
#pragma unroll
    for (int t = 0; t < kShape.column_tiles; ++t) {
      const uint32_t tile = (column0_ + own_column_) / kBlockUnitColumns + t;
      w.tiles[t] = {};
      if (unit >= a_.units || tile * kBlockUnitColumns >= a_.columns) continue;
      using Words = decltype(w.tiles[t].words);
      w.tiles[t].words = reinterpret_cast<const Words*>(a_.codes)[(int64_t{tile} * a_.units + unit) * 32 + lane_];
      const int64_t at = (int64_t{tile} * a_.blocks + a_.units_per_block.quotient(unit)) * kBlockUnitColumns + lane_ / 4;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        w.tiles[t].scales[half] = a_.scales[at + half * 8];
        w.tiles[t].zeros[half] = a_.zeros[at + half * 8];
      }
    }
  }

  __device__ void load_rows(uint32_t unit, Rows& x) const {
    const uint32_t block = a_.units_per_block.quotient(unit);
    const uint32_t in_block = (unit - block * a_.units_per_block.divisor) * kBlockUnitTerms + lane_ % 4 * kOwnTerms;
    const uint32_t term = block * a_.block + in_block;
    int count = 0;
    if (unit < a_.units && in_block < a_.block && term < a_.terms) count = min(min(a_.block - in_block, a_.terms - term), kOwnTerms);
#pragma unroll
    for (int t = 0; t < kShape.row_tiles; ++t) {
      const uint32_t row = row0_ + t * 8 + lane_ / 4;
      load_own(static_cast<const T*>(a_.x) + int64_t{row} * a_.terms + term, row < a_.rows ? count : 0, x.tiles[t]);
    }
  }
  __device__ void load_own(const T* from, int count, Own<T>& x) const {
    constexpr int kLanes = 16 / sizeof(T);
    x = {};
    if (count == kOwnTerms && a_.x_in_words) {
#pragma unroll
      for (int i = 0; i < kOwnTerms; i += kLanes)
        *reinterpret_cast<Pack<T, kLanes>*>(&x.at[i]) = *reinterpret_cast<const Pack<T, kLanes>*>(from + i);
      return;
    }
#pragma unroll
    for (int i = 0; i < kOwnTerms; ++i)
      if (i < count) x.at[i] = from[i];
  }

  __device__ void add(const Weights& w, const Rows& x, float (&sums)[kShape.column_tiles][kShape.row_tiles][4]) const {
#pragma unroll
    for (int c = 0; c < kShape.column_tiles; ++c)
#pragma unroll
      for (int r = 0; r < kShape.row_tiles; ++r) {
        float part[4] = {};
        multiply_unit(part, w.tiles[c], x.tiles[r]);
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[c][r][i] += part[i] * w.tiles[c].scales[i / 2];
      }
  }

  __device__ void spread(const float (&sums)[kShape.column_tiles][kShape.row_tiles][4],
                         float (&to)[kRows][kColumns]) const {
#pragma unroll
    for (int c = 0; c < kShape.column_tiles; ++c)
#pragma unroll
      for (int r = 0; r < kShape.row_tiles; ++r)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          to[r * 8 + lane_ % 4 * 2 + i % 2][own_column_ + c * kBlockUnitColumns + i / 2 * 8 + lane_ / 4] = sums[c][r][i];
  }

  __device__ void store(const float (&parts)[kShape.splits][kRows][kColumns]) const {
    for (int at = threadIdx.x; at < kRows * kColumns; at += kThreads) {
      const int r = at / kColumns, c = at % kColumns;
      const uint32_t row = row0_ + r, column = column0_ + c;
      if (row >= a_.rows || column >= a_.columns) continue;
      float sum = 0;
#pragma unroll
      for (int s = 0; s < kShape.splits; ++s) sum += parts[s][r][c];
      static_cast<T*>(a_.y)[int64_t{row} * a_.columns + column] = from_float<T>(sum);
    }
  }

  const ProductBlocksArguments& a_;
  uint32_t lane_, split_, own_column_, column0_, row0_;
};

}  // namespace

#define KILN_BLOCKS_TILE(name, type, bits, tile)                                     \
  extern "C" __global__ void __launch_bounds__(kBlocksTiles[tile].threads())        \
      product_blocks_##name##_##bits##_##tile(const __grid_constant__ ProductBlocksArguments a) { \
    ProductBlocks<type, bits, tile>(a).run();                                        \
  }
#define KILN_BLOCKS_BITS(name, type, bits) \
  KILN_BLOCKS_TILE(name, type, bits, 0)    \
  KILN_BLOCKS_TILE(name, type, bits, 1)    \
  KILN_BLOCKS_TILE(name, type, bits, 2)
#define KILN_BLOCKS(name, type)    \
  KILN_BLOCKS_BITS(name, type, 4)  \
  KILN_BLOCKS_BITS(name, type, 8)
KILN_BLOCKS(f16, __half)
KILN_BLOCKS(bf16, __nv_bfloat16)
KILN_BLOCKS(f32, float)

}  // namespace kiln::cuda
