// Weights as the kernels of convolutions and products read them.
#include "backends/cuda/device/kernels/packing.h"

#include <algorithm>
#include <cstring>

#include "backends/cuda/device/cu/conv_few.h"
#include "backends/cuda/device/kernels/transposed_matrix.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/in_parallel.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kBytesForThread = int64_t{1} << 18;  // for which one pays

// The elements of a view as numbers of their size.
template <class T> const T* element(const WeightView& w, int64_t group, int64_t column, int64_t tap, int64_t channel) {
  const int64_t at =
      group * w.group_stride + column * w.column_stride + tap * w.tap_stride + channel * w.channel_stride;
  return static_cast<const T*>(w.data) + at;
}

// Calls `work` with a number of that many bytes.
template <class Work> void with_number(int64_t bytes, Work work) {
  switch (bytes) {
    case 1: return work(uint8_t{});
    case 2: return work(uint16_t{});
    case 4: return work(uint32_t{});
    case 8: return work(uint64_t{});
    default: throw Error(Code::kInternal, "weights have elements of " + std::to_string(bytes) + " bytes");
  }
}

// `rows` by `columns` elements with distances from row to row and from column to column, in blocks whose cache lines stay near.
template <class T>
void copy_matrix(const T* from, int64_t from_row, int64_t from_column, T* to, int64_t to_row, int64_t to_column,
                 int64_t rows, int64_t columns) {
  constexpr int64_t kBlock = 32;
  for (int64_t row0 = 0; row0 < rows; row0 += kBlock)
    for (int64_t column0 = 0; column0 < columns; column0 += kBlock)
      for (int64_t r = row0; r < std::min(row0 + kBlock, rows); ++r)
        for (int64_t c = column0; c < std::min(column0 + kBlock, columns); ++c)
          to[r * to_row + c * to_column] = from[r * from_row + c * from_column];
}

int64_t product(std::initializer_list<int64_t> factors) {
  int64_t n = 1;
  for (int64_t f : factors) n = mul_or_throw(n, f, "packed weights");
  return n;
}

}  // namespace

int64_t padded_channels(int64_t channels, int bytes) { return align_up(channels, kPiece / bytes); }

int64_t mma_weight_elements(int64_t groups, int64_t columns, int64_t taps, int64_t channels, int bytes) {
  return product({groups, columns, taps, padded_channels(channels, bytes)});
}

Tensor pack_mma_weights(const WeightView& w, DType type) {
  const int64_t padded = padded_channels(w.channels, w.bytes);
  Tensor packed = Tensor::allocate(type, {mma_weight_elements(w.groups, w.columns, w.taps, w.channels, w.bytes)});
  const int64_t row = w.taps * padded;
  with_number(w.bytes, [&](auto number) {
    using T = decltype(number);
    auto* const to = static_cast<T*>(packed.mutable_data());
    const int64_t least = kBytesForThread / std::max<int64_t>(row * w.bytes, 1) + 1;
    for (int64_t g = 0; g < w.groups; ++g)
      in_parallel_ranges(w.columns, least, [&](int64_t begin, int64_t end) {
        for (int64_t t = 0; t < w.taps; ++t)
          copy_matrix(element<T>(w, g, begin, t, 0), w.column_stride, w.channel_stride,
                      to + (g * w.columns + begin) * row + t * padded, row, 1, end - begin, w.channels);
      });
  });
  return packed;
}

int64_t wgmma_chunks(int64_t taps, int64_t channels, int bytes) {
  return product({taps, ceil_div(mul_or_throw(channels, bytes, "packed weights"), kChunk)});
}

int64_t wgmma_weight_elements(int64_t columns, int64_t taps, int64_t channels, int bytes, const GroupTile& tile) {
  return product({ceil_div(columns, tile.columns), tile.columns, wgmma_chunks(taps, channels, bytes), kChunk / bytes});
}

Tensor pack_wgmma_weights(const WeightView& w, DType type, const GroupTile& tile) {
  Tensor packed = Tensor::allocate(type, {wgmma_weight_elements(w.columns, w.taps, w.channels, w.bytes, tile)});
  const int64_t chunks = wgmma_chunks(w.taps, w.channels, w.bytes);
  const int64_t chunks_per_tap = w.taps == 0 ? 0 : chunks / w.taps, chunk_bytes = int64_t{tile.columns} * kChunk;
  with_number(w.bytes, [&](auto number) {
    using T = decltype(number);
    constexpr int64_t kNumbers = kChunk / sizeof(T), kOfPiece = kPiece / sizeof(T);
    auto* const all = static_cast<T*>(packed.mutable_data());
    const auto pack_chunk = [&](int64_t column0, int64_t chunk, T* to) {
      const int64_t first = chunk % chunks_per_tap * kNumbers, count = std::min(kNumbers, w.channels - first);
      for (uint32_t row = 0; row < static_cast<uint32_t>(tile.columns); ++row, to += kNumbers) {
        const int64_t column = column0 + channel_of_row(row);
        if (column >= w.columns) continue;
        const T* from = element<T>(w, 0, column, chunk / chunks_per_tap, first);
        for (int64_t i = 0; i < count; ++i)
          to[(i / kOfPiece ^ (row & 7)) * kOfPiece + i % kOfPiece] = from[i * w.channel_stride];
      }
    };
    const int64_t column_tiles = ceil_div(w.columns, int64_t{tile.columns});
    in_parallel_ranges(column_tiles * chunks, kBytesForThread / chunk_bytes + 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        pack_chunk(i / chunks * tile.columns, i % chunks, all + i * tile.columns * kNumbers);
    });
  });
  return packed;
}

Tensor transposed_matrix(const Tensor& matrix, int64_t rows, int64_t columns) {
  Tensor turned = Tensor::allocate(matrix.dtype(), {columns, rows});
  with_number(bits(matrix.dtype()) / 8, [&](auto number) {
    using T = decltype(number);
    const auto* const from = static_cast<const T*>(matrix.data());
    auto* const to = static_cast<T*>(turned.mutable_data());
    const int64_t least = kBytesForThread / std::max<int64_t>(rows * int64_t{sizeof(T)}, 1) + 1;
    in_parallel_ranges(columns, least, [&](int64_t begin, int64_t end) {
      copy_matrix(from + begin, 1, columns, to + begin * rows, rows, 1, end - begin, rows);
    });
  });
  return turned;
}

int64_t few_row_bytes(int64_t taps, int bytes) {
  return align_up(product({taps, kFewChannels, bytes}), int64_t{kFewStepBytes}) + kPiece;
}

int64_t few_weight_elements(int64_t columns, int64_t taps, int bytes, int64_t tile_columns) {
  return product({align_up(columns, tile_columns), few_row_bytes(taps, bytes) / bytes});
}

Tensor pack_few_weights(const WeightView& w, DType type, int64_t tile_columns) {
  Tensor packed = Tensor::allocate(type, {few_weight_elements(w.columns, w.taps, w.bytes, tile_columns)});
  auto* to = static_cast<uint8_t*>(packed.mutable_data());
  const auto size = static_cast<size_t>(w.bytes);
  for (int64_t row = 0; row < align_up(w.columns, tile_columns); ++row, to += few_row_bytes(w.taps, w.bytes)) {
    const int64_t column = channel_of_row(static_cast<uint32_t>(row));
    if (column >= w.columns) continue;
    for (int64_t t = 0; t < w.taps; ++t)
      for (int64_t c = 0; c < w.channels; ++c)
        std::memcpy(to + (t * kFewChannels + c) * w.bytes,
                    static_cast<const uint8_t*>(w.data) +
                        (column * w.column_stride + t * w.tap_stride + c * w.channel_stride) * w.bytes,
                    size);
  }
  return packed;
}

FewShape few_shape(const SlidingWindow& w, int bytes, int64_t tile_columns, int64_t tile_lines) {
  const auto reach = [&](int axis) {
    return product({(axis == 0 ? tile_lines : kFewAcross) - 1, w.stride[axis]}) +
           product({w.kernel[axis] - 1, w.dilation[axis]}) + 1;
  };
  FewShape s{few_row_bytes(product({w.kernel[0], w.kernel[1]}), bytes), reach(0), reach(1), 0};
  const int64_t pixel = int64_t{kFewChannels} * bytes, taps = s.row_bytes / kFewStepBytes * kFewStepBytes / pixel;
  s.shared = product({tile_columns, s.row_bytes}) + align_up(product({taps, sizeof(int32_t)}), kPiece) +
             product({s.patch_rows, s.patch_columns, pixel});
  return s;
}

}  // namespace kiln::cuda::kernels
