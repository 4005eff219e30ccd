// Products of matrices of bytes that only running tells, on tensor cores by mma.sync: b is turned on its way to shared memory.
#include "backends/cuda/device/cu/product_int8.h"
#include "backends/cuda/device/cu/sums.cuh"
#include "backends/cuda/device/cu/tensor_core.cuh"

namespace kiln::cuda {
namespace {

constexpr int kTile = kBytePairTile, kThreads = kBytePairThreads;
constexpr int kTerms = 64;               // of a chunk
constexpr int kRowBytes = kTerms + 16;   // of a row of a chunk in shared memory: such that a column of pieces meets all banks
constexpr int kWarpSide = 32;            // two by two warps
constexpr int kRowSquares = kWarpSide / 16, kColumnSquares = kWarpSide / 8;

struct Shared {
  alignas(16) char a[kTile * kRowBytes];
  alignas(16) char b[kTile * kRowBytes];  // [columns, terms], columns where row_of_column has them
  int32_t column_sums[kTile];
};

// Where a column lies, such that the eight results of a thread in four squares are neighbours.
__device__ inline uint32_t row_of_column(uint32_t column) {
  return column / 32 * 32 + column % 8 / 2 * 8 + column % 32 / 8 * 2 + column % 2;
}

struct BytePair {
  const ProductInt8Arguments& p;
  Shared& shared;
  const uint8_t* a;
  const uint8_t* b;
  uint32_t matrix, row0, column0;

  __device__ BytePair(const ProductInt8Arguments& arguments, Shared& memory) : p(arguments), shared(memory) {
    matrix = p.tiles.quotient(blockIdx.x);
    const uint32_t tile = blockIdx.x - matrix * p.tiles.divisor, row_tile = p.column_tiles.quotient(tile);
    row0 = row_tile * kTile;
    column0 = (tile - row_tile * p.column_tiles.divisor) * kTile;
    a = p.a + int64_t{matrix} * p.rows * p.terms;
    b = p.b + int64_t{matrix} * p.terms * p.columns;
  }

  // Pieces of 16 terms; zeros beyond the matrix.
  __device__ void copy_a(uint32_t term0) const {
    constexpr int kPieces = kTerms / kPieceBytes;
#pragma unroll
    for (int i = threadIdx.x; i < kTile * kPieces; i += kThreads) {
      const uint32_t row = row0 + i / kPieces, term = term0 + i % kPieces * kPieceBytes;
      Pack<uint8_t, kPieceBytes> piece = {};
      const uint8_t* from = a + int64_t{row} * p.terms + term;
      if (row < p.rows && p.a_in_words && term < p.terms) {
        piece = *reinterpret_cast<const Pack<uint8_t, kPieceBytes>*>(from);
      } else if (row < p.rows) {
#pragma unroll
        for (int k = 0; k < kPieceBytes; ++k)
          if (term + k < p.terms) piece.at[k] = from[k];
      }
      *reinterpret_cast<Pack<uint8_t, kPieceBytes>*>(shared.a + i / kPieces * kRowBytes + i % kPieces * kPieceBytes) = piece;
    }
  }

  // Four columns of a term, signed.
  __device__ uint32_t four_of_b(uint32_t term, uint32_t column) const {
    if (term >= p.terms || column >= p.columns) return 0;
    const uint8_t* from = b + int64_t{term} * p.columns + column;
    if (p.b_in_words) return *reinterpret_cast<const uint32_t*>(from) ^ p.flip;
    uint32_t word = 0;
#pragma unroll
    for (uint32_t j = 0; j < 4; ++j)
      if (column + j < p.columns) word |= (from[j] ^ (p.flip & 0xff)) << (8 * j);
    return word;
  }

  // Squares of four terms by four columns, turned.
  __device__ void copy_b(uint32_t term0, bool sums_columns) const {
    constexpr int kAcross = kTile / 4;
#pragma unroll
    for (int i = threadIdx.x; i < kTerms / 4 * kAcross; i += kThreads) {
      const uint32_t term = i / kAcross * 4, column = i % kAcross * 4;
      uint32_t rows[4], pairs[4], columns[4];
#pragma unroll
      for (uint32_t k = 0; k < 4; ++k) rows[k] = four_of_b(term0 + term + k, column0 + column);
      pairs[0] = __byte_perm(rows[0], rows[1], 0x5140);
      pairs[1] = __byte_perm(rows[2], rows[3], 0x5140);
      pairs[2] = __byte_perm(rows[0], rows[1], 0x7362);
      pairs[3] = __byte_perm(rows[2], rows[3], 0x7362);
      columns[0] = __byte_perm(pairs[0], pairs[1], 0x5410);
      columns[1] = __byte_perm(pairs[0], pairs[1], 0x7632);
      columns[2] = __byte_perm(pairs[2], pairs[3], 0x5410);
      columns[3] = __byte_perm(pairs[2], pairs[3], 0x7632);
#pragma unroll
      for (uint32_t j = 0; j < 4; ++j) {
        *reinterpret_cast<uint32_t*>(shared.b + row_of_column(column + j) * kRowBytes + term) = columns[j];
        if (sums_columns) atomicAdd(&shared.column_sums[column + j], __dp4a(static_cast<int>(columns[j]), 0x01010101, 0));
      }
    }
  }

  __device__ int warp_row() const { return threadIdx.x / 32 % 2 * kWarpSide; }
  __device__ int warp_column() const { return threadIdx.x / 64 * kWarpSide; }

  template <class Math> __device__ void multiply_chunk(int32_t (&sums)[kRowSquares][kColumnSquares][4]) const {
    const int lane = threadIdx.x % 32;
    const uint32_t left = shared_address(shared.a), right = shared_address(shared.b);
#pragma unroll
    for (int step = 0; step < kTerms / 32; ++step) {
      uint32_t left_squares[kRowSquares][4], right_squares[kColumnSquares / 2][4];
#pragma unroll
      for (int i = 0; i < kRowSquares; ++i)
        load_squares(left_squares[i], left + (warp_row() + i * 16 + lane % 16) * kRowBytes + (step * 2 + lane / 16) * kPieceBytes);
#pragma unroll
      for (int j = 0; j < kColumnSquares / 2; ++j)
        load_squares(right_squares[j], right + (warp_column() + j * 16 + lane % 8 + lane / 16 * 8) * kRowBytes +
                                           (step * 2 + lane / 8 % 2) * kPieceBytes);
#pragma unroll
      for (int i = 0; i < kRowSquares; ++i)
#pragma unroll
        for (int j = 0; j < kColumnSquares; ++j)
          multiply<Math>(sums[i][j], left_squares[i], right_squares[j / 2][j % 2 * 2], right_squares[j / 2][j % 2 * 2 + 1]);
    }
  }

  __device__ void store(int32_t zero, const int32_t (&sums)[kRowSquares][kColumnSquares][4]) const {
    constexpr int kRows = 2 * kRowSquares;
    const int lane = threadIdx.x % 32;
    const uint32_t inside = warp_column() + lane % 4 * 8, column = column0 + inside;
    if (column >= p.columns) return;
    SumPlace<kRows> at;
    int32_t run[kRows][8];
    at.column = column;
    at.columns = static_cast<int>(p.columns - column);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const uint32_t row = row0 + warp_row() + r / 2 * 16 + r % 2 * 8 + lane / 4;
      at.stored[r] = row < p.rows;
      at.pixel[r] = matrix * p.rows + min(row, p.rows - 1);
#pragma unroll
      for (int j = 0; j < 8; ++j) run[r][j] = sums[r / 2][j / 2][r % 2 * 2 + j % 2];
    }
    if (zero != 0) {
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        const int32_t less = zero * shared.column_sums[inside + j];
#pragma unroll
        for (int r = 0; r < kRows; ++r) run[r][j] -= less;
      }
    }
    finish_sums(p.sums, at, run, p.y, p.columns);
  }

  template <class Math> __device__ void run() const {
    begin_kernel();
    const int32_t zero = p.sums.x_zero;
    if (threadIdx.x < kTile) shared.column_sums[threadIdx.x] = 0;
    __syncthreads();
    int32_t sums[kRowSquares][kColumnSquares][4] = {};
    for (uint32_t term = 0; term < p.terms; term += kTerms) {
      copy_a(term);
      copy_b(term, zero != 0);
      __syncthreads();
      multiply_chunk<Math>(sums);
      __syncthreads();
    }
    store(zero, sums);
  }
};

template <class Math> __device__ void product_int8(const ProductInt8Arguments& p) {
  __shared__ Shared shared;
  BytePair(p, shared).run<Math>();
}

}  // namespace

extern "C" __global__ void __launch_bounds__(kThreads) product_int8_i8(const __grid_constant__ ProductInt8Arguments p) {
  product_int8<MathS8>(p);
}
extern "C" __global__ void __launch_bounds__(kThreads) product_int8_u8(const __grid_constant__ ProductInt8Arguments p) {
  product_int8<MathU8>(p);
}

}  // namespace kiln::cuda
