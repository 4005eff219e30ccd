// Which element of one tensor goes where in another: the parameters of kernels "copy" of every device, as strides.
#pragma once
#include <optional>
#include <span>

#include "device/device.h"

namespace kiln {

// Element index of `dims` goes from  from_start + sum(index * from)  to  sum(index * to), in elements.
struct CopyWalk {
  Dims dims, from, to;
  int64_t from_start = 0;
};

// Parameter `what`: dense (the same row-major order), transpose (perm), expand, tile, slice (axes, starts, steps; without starts
// they are input 1), depth_to_space and space_to_depth (block, column_major).
class CopyRule {
 public:
  explicit CopyRule(const Attributes& parameters);  // throws Error when they are not sound
  enum class Walked {
    kYes,
    kNever,        // the tensors do not fit each other
    kElementwise,  // dense: no strides lead through both; the elements go in their row-major order
  };
  Walked walk(const TensorView& in, const TensorView& out, CopyWalk& walk) const;
  // The starts of a slice are known only when it runs, from input 1.
  bool late_starts() const { return late_starts_; }
  size_t axes() const { return axes_.size(); }
  // Elements from the source's start to the first one taken, for these starts; nothing when they do not suit the result.
  std::optional<int64_t> late_start(const TensorView& in, const TensorView& out,
                                    const TensorView& starts) const noexcept;

 private:
  bool place_transposed(const TensorView& in, const TensorView& out, CopyWalk& w) const;
  bool place_slice(const TensorView& in, const TensorView& out, CopyWalk& w) const;
  bool place(const TensorView& in, const TensorView& out, CopyWalk& w) const;
  Walked reorder(const TensorView& in, const TensorView& out, CopyWalk& w) const;
  bool block_view(Dims& dims, Dims& strides) const;

  std::string what_;
  Ints perm_, axes_, starts_, steps_;
  bool late_starts_;
  int64_t block_;
  bool column_major_;
};

// One list of dimensions through which two tensors with the same row-major order of elements can both be walked, and the strides
// of each. False when there is none (their memory runs do not meet); then `dims` is unspecified.
bool common_walk(std::span<const int64_t> a_dims, std::span<const int64_t> a_strides, std::span<const int64_t> b_dims,
                 std::span<const int64_t> b_strides, Dims& dims, Dims& a, Dims& b);

}  // namespace kiln
