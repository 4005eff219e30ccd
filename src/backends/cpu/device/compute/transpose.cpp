// Copies between tensors of any strides.
#include "backends/cpu/device/compute/transpose.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/tile_kernel.h"

namespace kiln::cpu {
namespace {

constexpr int64_t kBlockBytes = 32 * 1024;  // of a block that is copied along rows
constexpr int64_t kTransposeSide = 64;      // elements of a block that is transposed
constexpr double kNanosecondsPerByte = 0.15;

struct Wide {
  uint64_t low, high;
};

template <class T>
void copy_lines(const T* from, int64_t from_row, int64_t from_column, T* to, int64_t to_row, int64_t to_column,
                int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) {
    const T* in = from + i * from_row;
    T* out = to + i * to_row;
    if (to_column == 1 && from_column == 0) {
      std::fill_n(out, columns, *in);
    } else if (to_column == 1) {
      for (int64_t j = 0; j < columns; ++j) out[j] = in[j * from_column];
    } else {
      for (int64_t j = 0; j < columns; ++j) out[j * to_column] = in[j * from_column];
    }
  }
}

// out[i * to_row + j] = in[j * from_column + i], by squares that stay in registers and the first-level cache.
template <class T>
void transpose_block(const T* from, int64_t from_column, T* to, int64_t to_row, int64_t rows, int64_t columns) {
  constexpr int64_t kSide = 8;
  for (int64_t i0 = 0; i0 < rows; i0 += kSide) {
    const int64_t i1 = std::min(rows, i0 + kSide);
    for (int64_t j0 = 0; j0 < columns; j0 += kSide) {
      const int64_t j1 = std::min(columns, j0 + kSide);
      for (int64_t i = i0; i < i1; ++i)
        for (int64_t j = j0; j < j1; ++j) to[i * to_row + j] = from[j * from_column + i];
    }
  }
}

template <class Function> void with_type(int element_size, Function&& function) {
  switch (element_size) {
    case 1: return function(uint8_t{});
    case 2: return function(uint16_t{});
    case 4: return function(uint32_t{});
    case 8: return function(uint64_t{});
    default: return function(Wide{});
  }
}

}  // namespace

StridedCopy::StridedCopy(std::span<const int64_t> dims, std::span<const int64_t> from_strides,
                         std::span<const int64_t> to_strides, int element_size, int threads)
    : element_size_(element_size) {
  int64_t count = 1;
  for (int64_t d : dims) count *= d;
  bytes_ = count * element_size;
  if (count == 0) return;
  std::vector<Axis> axes;
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i] != 1) axes.push_back({dims[i], from_strides[i], to_strides[i]});
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) {
    return std::abs(a.to) != std::abs(b.to) ? std::abs(a.to) > std::abs(b.to) : std::abs(a.from) > std::abs(b.from);
  });
  std::vector<Axis> merged;
  for (const Axis& a : axes) {
    if (!merged.empty() && merged.back().from == a.from * a.extent && merged.back().to == a.to * a.extent) {
      merged.back() = {merged.back().extent * a.extent, a.from, a.to};
    } else {
      merged.push_back(a);
    }
  }
  same_ = std::all_of(merged.begin(), merged.end(), [](const Axis& a) { return a.from == a.to; });
  if (!merged.empty()) {
    column_ = merged.back();
    merged.pop_back();
  } else {
    column_ = {1, 1, 1};
  }
  if (!merged.empty()) {
    auto row = merged.end() - 1;
    if (column_.to == 1 && column_.from != 1 && column_.from != 0) {
      const auto along = std::find_if(merged.begin(), merged.end(), [](const Axis& a) { return a.from == 1; });
      transposes_ = along != merged.end();
      if (transposes_) row = along;
    }
    row_ = *row;
    merged.erase(row);
  }
  outer_ = std::move(merged);
  if (transposes_) {
    column_block_ = std::min(column_.extent, kTransposeSide);
    row_block_ = std::min(row_.extent, kTransposeSide);
  } else {
    column_block_ = std::min(column_.extent, kBlockBytes / element_size);
    row_block_ = std::clamp<int64_t>(kBlockBytes / element_size / column_block_, 1, row_.extent);
  }
  row_blocks_ = (row_.extent + row_block_ - 1) / row_block_;
  column_blocks_ = (column_.extent + column_block_ - 1) / column_block_;
  items_ = row_blocks_ * column_blocks_;
  for (const Axis& a : outer_) items_ *= a.extent;
  const bool lines = column_.from == 1 && column_.to == 1;
  threads_ = useful_threads(threads, static_cast<double>(lines ? bytes_ : bytes_ + count * 4) * kNanosecondsPerByte);
}

void StridedCopy::run_block(int64_t block, const uint8_t* from, uint8_t* to) const noexcept {
  const int64_t i0 = block / column_blocks_ * row_block_, j0 = block % column_blocks_ * column_block_;
  const int64_t rows = std::min(row_block_, row_.extent - i0), columns = std::min(column_block_, column_.extent - j0);
  from += (i0 * row_.from + j0 * column_.from) * element_size_;
  to += (i0 * row_.to + j0 * column_.to) * element_size_;
  if (column_.from == 1 && column_.to == 1) {
    for (int64_t i = 0; i < rows; ++i)
      std::memcpy(to + i * row_.to * element_size_, from + i * row_.from * element_size_,
                  static_cast<size_t>(columns * element_size_));
    return;
  }
  if (transposes_ && element_size_ == 4 && column_.from > 0) {
    tile_table().transpose(reinterpret_cast<const float*>(from), column_.from, columns, rows,
                           reinterpret_cast<float*>(to), row_.to);
    return;
  }
  with_type(element_size_, [&](auto type) {
    using T = decltype(type);
    if (transposes_) {
      transpose_block(reinterpret_cast<const T*>(from), column_.from, reinterpret_cast<T*>(to), row_.to, rows, columns);
    } else {
      copy_lines(reinterpret_cast<const T*>(from), row_.from, column_.from, reinterpret_cast<T*>(to), row_.to,
                 column_.to, rows, columns);
    }
  });
}

void StridedCopy::run_items(int64_t begin, int64_t end, const uint8_t* from, uint8_t* to) const noexcept {
  const int64_t blocks = row_blocks_ * column_blocks_;
  for (int64_t item = begin; item < end; ++item) {
    int64_t rest = item / blocks, a = 0, b = 0;
    for (size_t k = outer_.size(); k-- > 0;) {
      const int64_t index = rest % outer_[k].extent;
      rest /= outer_[k].extent;
      a += index * outer_[k].from;
      b += index * outer_[k].to;
    }
    run_block(item % blocks, from + a * element_size_, to + b * element_size_);
  }
}

void StridedCopy::run(const void* from, void* to) const noexcept {
  if (items_ == 0 || (from == to && same_)) return;
  parallel_ranges(threads_, items_, [&](int64_t begin, int64_t end) {
    run_items(begin, end, static_cast<const uint8_t*>(from), static_cast<uint8_t*>(to));
  });
}

}  // namespace kiln::cpu
