// Matrix products of bytes and of int16, exact in int32, and of bfloat16 with sums in float32, and what is done to the sums before they are stored.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>

#include "backends/cpu/device/compute/byte_line.h"
#include "backends/cpu/device/compute/epilogue.h"
#include "device/sum_steps.h"

namespace kiln::cpu {

inline constexpr int64_t kInt8Panel = 16;       // columns of a packed panel
inline constexpr int64_t kInt8Group = 64;       // columns whose panels lie interleaved
inline constexpr int64_t kMostBlockRows = 192;  // rows that are located at once
inline constexpr int64_t kLine = 64;            // bytes to which widened weights are aligned

// How this machine's instructions divide a product: rows are taken block by block, and these tile by tile.
struct Int8Blocks {
  int64_t tile_rows;
  int64_t bytes;       // of the rows of a block, about
  int64_t least_rows;  // of a block, whatever their bytes: each block widens the weights again
  bool widens;         // bytes become int16 before they are multiplied
  bool closes;         // panels that lie interleaved are copied, each by itself
};
// Elements between rows of int16: neighbouring rows of 2^n terms would share lines of the cache.
inline int64_t wide_stride(int64_t terms) { return terms + kLine / 2; }

// Terms of a row and columns of a result, as packed weights hold them.
inline int64_t int8_terms(int64_t terms) { return (terms + 3) / 4 * 4; }
inline int64_t int8_columns(int64_t columns) { return (columns + kInt8Panel - 1) / kInt8Panel * kInt8Panel; }

// A step of what follows a sum, with its operand.
struct BoundStep : SumStep {
  BoundStep(const SumStep& step) : SumStep(step) {}
  const void* operand = nullptr;  // float32 per column, or a tensor
  int64_t stride = 0;      // kMultiply, kAdd: 1, or 0 for one number for all columns; tensors: elements between rows
  bool is_signed = false;  // bytes of the tensor
  bool is_narrow = false;  // floats of the tensor are bfloat16
};

// How sums become results. Vectors per column hold int8_columns() elements.
struct SumEpilogue {
  enum Result : uint8_t { kInt32, kFloat, kBfloat16, kUint8, kInt8 };
  bool is_real() const { return result == kFloat || result == kBfloat16; }
  const int32_t* start = nullptr;    // per column, added to the sum modulo 2^32
  std::span<const BoundStep> steps;  // none when the result is int32
  Result result = kInt32;
  int32_t zero = 0;                // added to the bytes of the result when they are rounded, and before they saturate
  const uint8_t* table = nullptr;  // what each of the 256 bytes of the result becomes; null: they stay
  const ByteLine* line = nullptr;  // what the table does, where it is a line
};

// Where the rows of the left operand lie: bytes, int8_terms() readable ones each.
class ByteRows {
 public:
  // addresses[i] = row `row` + i, for i < rows. `scratch` holds `rows` rows and belongs to the caller until its next call; rows that are made
  // there lie at equal distances.
  virtual void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t* scratch) const noexcept = 0;

 protected:
  ~ByteRows() = default;
};

struct Int8Product {
  int64_t rows = 0, columns = 0, terms = 0;  // of the result; of each sum
  const ByteRows* left = nullptr;
  // Where the terms of a row lie: in pieces of equal length (whole words, unless it is in tiles), these bytes behind the row's address; none: in
  // one piece.
  std::span<const int64_t> pieces = {};
  // In tiles: of each `period` rows only the first `run` have results, which lie without gaps; 0: all have. So that rows which lie at equal
  // distances stay together.
  int64_t run = 0, period = 0;
  // What the rows hold: bytes, of which kFlipped ones become unsigned by adding 128; or two bytes each, as the weights do then (`terms` counts
  // bytes): bfloat16, or int16, of which kFlippedWords ones are unsigned and become signed by taking 2^15 off. Weights of int16, none of them
  // -2^15, are panels one after the other (pack_int16()).
  enum Kind : uint8_t { kUnsigned, kSigned, kFlipped, kBfloat16, kWords, kFlippedWords };
  bool has_words() const { return kind == kWords || kind == kFlippedWords; }
  Kind kind = kUnsigned;
  // By the processor's unit for tiles (product_tiles.h), which takes kSigned rows and no kFlipped ones; else it is the reverse.
  bool in_tiles = false;
  const int8_t* packed = nullptr;
  void* out = nullptr;
  int64_t out_stride = 0;  // elements between rows
  int64_t first_row = 0,
          first_column = 0;  // where the product lies in the result, in tensors and in vectors per column
};

// weights(term, column), signed bytes: panels of four terms by kInt8Panel columns, those of kInt8Group columns beside one another.
// `packed` holds packed_int8_bytes().
inline int64_t packed_int8_bytes(int64_t terms, int64_t columns) { return int8_terms(terms) * int8_columns(columns); }
template <class Weights> void pack_int8(int64_t terms, int64_t columns, const Weights& weights, int8_t* packed) {
  for (int64_t group = 0; group < columns; group += kInt8Group)
    for (int64_t t = 0; t < int8_terms(terms); t += 4)
      for (int64_t j = group; j < std::min(group + kInt8Group, int8_columns(columns)); ++j)
        for (int64_t k = 0; k < 4; ++k) *packed++ = t + k < terms && j < columns ? weights(t + k, j) : int8_t{0};
}

// The same of a matrix that only running tells: bytes, rows `stride` apart, of which unsigned ones are less by 128. `sums` receives
// those of the columns, int8_columns() of them.
void pack_int8_rows(const uint8_t* rows, int64_t stride, bool is_signed, int64_t terms, int64_t columns, int8_t* packed,
                    int32_t* sums) noexcept;

// Bytes of scratch for `threads` threads; none where rows are in pieces and no tiles are used.
int64_t int8_scratch_bytes(int64_t rows, int64_t terms, bool in_tiles, int threads);
// out = epilogue(left * weights).
void product_int8(const Int8Product& product, const SumEpilogue& epilogue, int threads, uint8_t* scratch) noexcept;

// out = epilogue(sums), of rows that lie without gaps; for sums that another library made.
void finish_sums(const int32_t* sums, int64_t rows, int64_t columns, const SumEpilogue& epilogue, void* out,
                 int64_t out_stride, int threads) noexcept;

// Whether this machine multiplies bfloat16 faster than float32.
bool multiplies_bfloat16() noexcept;
// Rounds floats to bfloat16, to nearest, ties to even.
void round_to_bfloat16(const float* from, uint16_t* to, int64_t count) noexcept;

// Copies lines of `count` bytes; signed ones become unsigned by adding 128.
void copy_byte_lines(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride, int64_t lines,
                     int64_t count, bool is_signed) noexcept;

}  // namespace kiln::cpu
