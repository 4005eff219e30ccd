// Which element of one tensor goes where in another: the parameters of kernels "copy" of every device, as strides.
#pragma once
#include <optional>
#include <span>

#include "device/device.h"
#include "device/movement_parameters.h"

namespace kiln {

// Element index of `dims` goes from  from_start + sum(index * from)  to  to_start + sum(index * to), in elements.
struct CopyWalk {
  Dims dims, from, to;
  int64_t from_start = 0, to_start = 0;
  bool fills = false;  // from input 1, which is one element
};

struct CopyParameters {
  enum class What : uint8_t {
    kDense,  // the same row-major order
    kTranspose,
    kExpand,
    kTile,
    kSlice,
    kDepthToSpace,
    kSpaceToDepth
  };
  static constexpr std::string_view kWhat[] = {"dense", "transpose",      "expand",        "tile",
                                               "slice", "depth_to_space", "space_to_depth"};
  What what = What::kDense;
  Ints perm = {};                   // of a transpose
  Ints axes = {}, steps = {};       // of a slice
  std::optional<Ints> starts = {};  // of a slice; nothing: they are input 1
  int64_t block = 1;                // of depth and space
  bool column_major = false;        // likewise
  bool late_starts() const { return what == What::kSlice && !starts; }
  bool is_blocked() const { return what == What::kDepthToSpace || what == What::kSpaceToDepth; }
  template <class V> void fields(V& v) {
    v("what", what, kWhat);
    if (what == What::kTranspose) v("perm", perm, 0, kMostAxis);
    if (what == What::kSlice) {
      v("axes", axes, 0, kMostAxis);
      v("starts", starts);
      v("steps", steps);
    }
    if (!is_blocked()) return;
    v("block", block, 1, 1 << 15);
    v("column_major", column_major);
  }
  void check() const;  // that the lists of a slice fit each other
};

class CopyRule {
 public:
  explicit CopyRule(CopyParameters parameters) : p_(std::move(parameters)) {}
  enum class Walked {
    kYes,
    kNever,        // the tensors do not fit each other
    kElementwise,  // dense: no strides lead through both; the elements go in their row-major order
  };
  // One walk; where the layout of one side has a block, those of whole blocks, of the elements in a last one that is not full, and, in
  // the result, of the rest of that one.
  Walked walks(const TensorView& in, const TensorView& out, std::vector<CopyWalk>& walks) const;
  // How many operands these take: the starts of a slice, and what fills blocks, come behind the source.
  size_t operands(const TensorView& out) const { return late_starts() || has_blocks(out) ? 2 : 1; }
  static bool has_blocks(const TensorView& view) { return view.layout && !view.layout->is_plain(); }
  // The starts of a slice are known only when it runs, from input 1.
  bool late_starts() const { return p_.late_starts(); }
  size_t axes() const { return p_.axes.size(); }
  // Elements from the source's start to the first one taken, for these starts; nothing when they do not suit the result.
  std::optional<int64_t> late_start(const TensorView& in, const TensorView& out,
                                    const TensorView& starts) const noexcept;

 private:
  bool place_blocks(const TensorView& in, const TensorView& out, std::vector<CopyWalk>& walks) const;
  bool place_transposed(const TensorView& in, const TensorView& out, CopyWalk& w) const;
  bool place_slice(const TensorView& in, const TensorView& out, CopyWalk& w) const;
  bool place(const TensorView& in, const TensorView& out, CopyWalk& w) const;
  Walked reorder(const TensorView& in, const TensorView& out, CopyWalk& w) const;
  bool block_view(Dims& dims, Dims& strides) const;

  CopyParameters p_;
};

// One list of dimensions through which two tensors with the same row-major order of elements can both be walked, and the strides
// of each. False when there is none (their memory runs do not meet); then `dims` is unspecified.
bool common_walk(std::span<const int64_t> a_dims, std::span<const int64_t> a_strides, std::span<const int64_t> b_dims,
                 std::span<const int64_t> b_strides, Dims& dims, Dims& a, Dims& b);

}  // namespace kiln
