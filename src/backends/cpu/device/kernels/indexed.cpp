// Where indexed elements and slices lie.
#include "backends/cpu/device/kernels/indexed.h"

#include "base/index.h"

namespace kiln::cpu::kernels {
namespace {

// Positions in the data of every index of axes [begin, end) of `indices`.
std::vector<int64_t> bases(const TensorView& indices, const Dims& strides, int begin, int end) {
  std::vector<int64_t> list{0};
  for (int k = begin; k < end; ++k) {
    std::vector<int64_t> next;
    next.reserve(list.size() * static_cast<size_t>(indices.dims[k]));
    for (int64_t base : list)
      for (int64_t i = 0; i < indices.dims[k]; ++i) next.push_back(base + i * nth(strides, k));
    list = std::move(next);
  }
  return list;
}

}  // namespace

bool ElementPairs::prepare(const TensorView& data, const TensorView& indices, int64_t axis) {
  if (data.rank != indices.rank || axis < 0 || axis >= data.rank) return false;
  const int at = static_cast<int>(axis);
  for (int k = 0; k < data.rank; ++k)
    if (k != at && indices.dims[k] > data.dims[k]) return false;
  const Dims strides = row_major_strides(Dims(data.dims, data.dims + data.rank));
  outer_base_ = bases(indices, strides, 0, at);
  inner_base_ = bases(indices, strides, at + 1, data.rank);
  outer_ = static_cast<int64_t>(outer_base_.size());
  inner_ = static_cast<int64_t>(inner_base_.size());
  count_ = indices.dims[at];
  extent_ = data.dims[at];
  stride_ = nth(strides, at);
  return true;
}

bool Tuples::prepare(const TensorView& data, const TensorView& indices, int64_t batch_axes) {
  if (indices.rank < 1 || batch_axes < 0 || batch_axes >= indices.rank || batch_axes > data.rank) return false;
  const int batch = static_cast<int>(batch_axes);
  const int64_t depth = indices.dims[indices.rank - 1];
  if (depth > data.rank - batch) return false;
  for (int k = 0; k < batch; ++k)
    if (data.dims[k] != indices.dims[k]) return false;
  batches_ = extent(data, 0, batch);
  per_batch_ = extent(indices, batch, indices.rank - 1);
  batch_size_ = extent(data, batch, data.rank);
  const int first = batch + static_cast<int>(depth);
  run_ = extent(data, first, data.rank);
  axes_.clear();
  for (int k = batch; k < first; ++k) axes_.emplace_back(data.dims[k], extent(data, k + 1, data.rank));
  return true;
}

}  // namespace kiln::cpu::kernels
