// Which element of one tensor goes where in another.
#include "device/copy_rule.h"

#include <algorithm>

#include "base/checked.h"
#include "base/index.h"
#include "tensor/blocks.h"
#include "tensor/convert.h"

namespace kiln {
namespace {

using What = CopyParameters::What;

bool place_expanded(const TensorView& in, const TensorView& out, CopyWalk& w) {
  const int shift = out.rank - in.rank;
  if (shift < 0) return false;
  for (int i = 0; i < in.rank; ++i) {
    if (in.dims[i] != 1 && in.dims[i] != out.dims[i + shift]) return false;
    w.from[static_cast<size_t>(i) + static_cast<size_t>(shift)] = in.dims[i] == 1 ? 0 : in.strides[i];
  }
  return true;
}

// Each axis of the result is seen as two: the repetition and the axis itself.
bool place_tiles(const TensorView& in, const TensorView& out, CopyWalk& w) {
  if (in.rank != out.rank) return false;
  w = {};
  for (int i = 0; i < in.rank; ++i) {
    const int64_t d = in.dims[i];
    if (d == 0 ? out.dims[i] != 0 : out.dims[i] % d != 0) return false;
    w.dims.insert(w.dims.end(), {d == 0 ? 0 : out.dims[i] / d, d});
    w.from.insert(w.from.end(), {0, in.strides[i]});
    w.to.insert(w.to.end(), {d * out.strides[i], out.strides[i]});
  }
  return true;
}

// The first element taken of an axis; nothing when not all elements lie inside.
std::optional<int64_t> slice_start(int64_t given, int64_t extent, int64_t length, int64_t step) {
  const int64_t start =
      std::clamp<int64_t>(given < 0 ? std::max(given, -extent) + extent : given, 0, step > 0 ? extent : extent - 1);
  if (start >= extent || (length > 1 && (step > 0 ? (extent - 1 - start) / step < length - 1
                                                  : step == INT64_MIN || start / -step < length - 1)))
    return std::nullopt;
  return start;
}

}  // namespace

void CopyParameters::check() const {
  if ((starts && starts->size() != axes.size()) || steps.size() != axes.size())
    throw Error(Code::kMalformedPlan, "a slice has unequal numbers of axes, starts and steps");
}

CopyRule::Walked CopyRule::walks(const TensorView& in, const TensorView& out, std::vector<CopyWalk>& walks) const {
  walks.clear();
  if (has_blocks(in) || has_blocks(out)) return place_blocks(in, out, walks) ? Walked::kYes : Walked::kNever;
  CopyWalk& w = walks.emplace_back();
  if (p_.what == What::kDense || p_.is_blocked()) return reorder(in, out, w);
  return place(in, out, w) ? Walked::kYes : Walked::kNever;
}

bool CopyRule::place_blocks(const TensorView& in, const TensorView& out, std::vector<CopyWalk>& walks) const {
  const bool splits = has_blocks(in);
  const TensorView &blocked = splits ? in : out, &plain = splits ? out : in;
  if (p_.what != What::kExpand || has_blocks(plain) || blocked.layout->blocks.size() != 1 || in.rank != out.rank ||
      !std::equal(in.dims, in.dims + in.rank, out.dims))
    return false;
  const Layout::Block block = blocked.layout->blocks[0];
  const Dims dims(in.dims, in.dims + in.rank), steps = block_strides(*blocked.layout, dims);
  if (in.elements() == 0) return true;
  const int64_t whole = nth(dims, block.axis) / block.size, rest = nth(dims, block.axis) % block.size;
  const int64_t element = plain.strides[block.axis], step = nth(steps, block.axis);
  // `length` elements, from the one at `begin` on, of each of the blocks.
  const auto add = [&](int64_t first, int64_t blocks, int64_t begin, int64_t length, bool fills) {
    if (blocks == 0 || length == 0) return;
    CopyWalk w{dims, steps, Dims(plain.strides, plain.strides + plain.rank), first * step + begin, 0, fills};
    nth(w.dims, block.axis) = blocks;
    w.dims.push_back(length);
    w.from.push_back(1);
    nth(w.to, block.axis) = blocks > 1 ? element * block.size : 0;
    w.to.push_back(element);
    w.to_start = first * block.size * element + begin * element;
    if (!splits) std::swap(w.from, w.to), std::swap(w.from_start, w.to_start);
    if (fills) w.from.assign(w.from.size(), 0), w.from_start = 0;
    walks.push_back(std::move(w));
  };
  add(0, whole, 0, block.size, false);
  add(whole, 1, 0, rest, false);
  if (!splits && rest > 0) add(whole, 1, rest, block.size - rest, true);
  return true;
}

// Result element by element, each from one place of the source.
bool CopyRule::place(const TensorView& in, const TensorView& out, CopyWalk& w) const {
  w.dims.assign(out.dims, out.dims + out.rank);
  w.to.assign(out.strides, out.strides + out.rank);
  w.from.assign(static_cast<size_t>(out.rank), 0);
  if (p_.what == What::kTranspose) return place_transposed(in, out, w);
  if (p_.what == What::kExpand) return place_expanded(in, out, w);
  if (p_.what == What::kTile) return place_tiles(in, out, w);
  return place_slice(in, out, w);
}

bool CopyRule::place_transposed(const TensorView& in, const TensorView& out, CopyWalk& w) const {
  if (in.rank != out.rank || static_cast<int>(p_.perm.size()) != in.rank) return false;
  for (int i = 0; i < out.rank; ++i) {
    const int64_t p = nth(p_.perm, i);
    if (p < 0 || p >= in.rank || in.dims[p] != out.dims[i]) return false;
    nth(w.from, i) = in.strides[p];
  }
  return true;
}

bool CopyRule::place_slice(const TensorView& in, const TensorView& out, CopyWalk& w) const {
  if (in.rank != out.rank) return false;
  std::vector<bool> sliced(static_cast<size_t>(in.rank), false);
  std::copy(in.strides, in.strides + in.rank, w.from.begin());
  for (size_t k = 0; k < p_.axes.size(); ++k) {
    const int64_t axis = p_.axes[k], step = p_.steps[k];
    if (axis < 0 || axis >= in.rank || step == 0 || nth(sliced, axis)) return false;
    const int64_t extent = in.dims[axis], length = out.dims[axis];
    nth(sliced, axis) = true;
    if (length == 0) continue;
    if (extent == 0) return false;
    if (p_.starts) {
      const auto start = slice_start((*p_.starts)[k], extent, length, step);
      if (!start) return false;
      w.from_start += *start * in.strides[axis];
    }
    nth(w.from, axis) = length > 1 ? in.strides[axis] * step : 0;
  }
  for (int i = 0; i < in.rank; ++i)
    if (!nth(sliced, i) && in.dims[i] != out.dims[i]) return false;
  return true;
}

std::optional<int64_t> CopyRule::late_start(const TensorView& in, const TensorView& out,
                                            const TensorView& starts) const noexcept {
  int64_t at = 0;
  for (size_t k = 0; k < p_.axes.size() && out.elements() > 0; ++k) {
    const auto start = slice_start(load_int(starts.dtype, starts.data, static_cast<int64_t>(k)), in.dims[p_.axes[k]],
                                   out.dims[p_.axes[k]], p_.steps[k]);
    if (!start) return std::nullopt;
    at += *start * in.strides[p_.axes[k]];
  }
  return at;
}

// Source and result have the same elements in the same row-major order once the axes of blocks stand where they belong.
CopyRule::Walked CopyRule::reorder(const TensorView& in, const TensorView& out, CopyWalk& w) const {
  Dims dims(in.dims, in.dims + in.rank), from(in.strides, in.strides + in.rank);
  Dims out_dims(out.dims, out.dims + out.rank), to(out.strides, out.strides + out.rank);
  const auto before = checked_element_count(dims), after = checked_element_count(out_dims);
  if (!before || !after || *before != *after) return Walked::kNever;
  if (p_.what == What::kDense) {
    if (common_walk(dims, from, out_dims, to, w.dims, w.from, w.to)) return Walked::kYes;
    w = {};
    return Walked::kElementwise;
  }
  // One side is six axes [n, c, h, b, w, b]; the other is split to match.
  const bool forward = p_.what == What::kDepthToSpace;
  if (!(forward ? block_view(dims, from) : block_view(out_dims, to))) return Walked::kNever;
  const Dims &whole = forward ? dims : out_dims, &other = forward ? out_dims : dims, &strides = forward ? to : from;
  if (other.size() != 4 || other[0] != whole[0] || other[1] != whole[1] || other[2] != whole[2] * p_.block ||
      other[3] != whole[4] * p_.block)
    return Walked::kNever;
  const Dims split{strides[0], strides[1], strides[2] * p_.block, strides[2], strides[3] * p_.block, strides[3]};
  w = {whole, forward ? from : split, forward ? split : to, 0};
  return Walked::kYes;
}

// [n, c, h, w] with c = channels and blocks of pixels as [n, channels, h, b, w, b].
bool CopyRule::block_view(Dims& dims, Dims& strides) const {
  const int64_t b = p_.block;
  if (dims.size() != 4 || dims[1] % (b * b) != 0) return false;
  const int64_t channels = dims[1] / (b * b), s = strides[1];
  dims = {dims[0], channels, dims[2], b, dims[3], b};
  strides = p_.column_major ? Dims{strides[0], b * b * s, strides[2], b * s, strides[3], s}
                            : Dims{strides[0], s, strides[2], b * channels * s, strides[3], channels * s};
  return true;
}

namespace {

struct Run {
  int64_t extent, stride;
};

// Dimensions of 1 gone, neighbours that lie one after another joined.
std::vector<Run> runs_of(std::span<const int64_t> dims, std::span<const int64_t> strides) {
  std::vector<Run> runs;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) continue;
    if (!runs.empty() && runs.back().stride == strides[i] * dims[i]) {
      runs.back() = {runs.back().extent * dims[i], strides[i]};
    } else {
      runs.push_back({dims[i], strides[i]});
    }
  }
  return runs;
}

}  // namespace

bool common_walk(std::span<const int64_t> a_dims, std::span<const int64_t> a_strides, std::span<const int64_t> b_dims,
                 std::span<const int64_t> b_strides, Dims& dims, Dims& a, Dims& b) {
  dims.clear();
  a.clear();
  b.clear();
  for (int64_t d : a_dims)
    if (d == 0) return dims.assign(1, 0), a.assign(1, 0), b.assign(1, 0), true;
  std::vector<Run> left = runs_of(a_dims, a_strides), right = runs_of(b_dims, b_strides);
  while (!left.empty() && !right.empty()) {
    Run& x = left.back();
    Run& y = right.back();
    const int64_t shared = std::min(x.extent, y.extent);
    if (x.extent % shared != 0 || y.extent % shared != 0) return false;
    dims.push_back(shared);
    a.push_back(x.stride);
    b.push_back(y.stride);
    const auto shrink = [shared](std::vector<Run>& runs) {
      Run& r = runs.back();
      if (r.extent == shared) runs.pop_back();
      else r = {r.extent / shared, r.stride * shared};
    };
    shrink(left);
    shrink(right);
  }
  std::reverse(dims.begin(), dims.end());
  std::reverse(a.begin(), a.end());
  std::reverse(b.begin(), b.end());
  return left.empty() && right.empty();
}

}  // namespace kiln
