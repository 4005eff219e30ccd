// Copies between tensors of any strides, as launches.
#pragma once
#include "backends/cuda/device/cu/copy.h"
#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/loop.h"

namespace kiln::cuda::kernels {

// Element index of `dims` goes from  from + sum(index * from_strides)  to  to + sum(index * to_strides). Strides are in
// elements; those of the source may be 0 or negative. Elements of 1, 2, 4, 8 or 16 bytes.
class StridedCopy {
 public:
  StridedCopy() = default;
  // Throws Error.
  StridedCopy(Gpu& gpu, std::span<const int64_t> dims, std::span<const int64_t> from_strides,
              std::span<const int64_t> to_strides, int element_bytes);
  // Copies nothing when both are one address and lie alike.
  Status run(Stream& stream, const void* from, void* to) const noexcept;
  int64_t bytes() const { return bytes_; }  // of the elements

 private:
  struct Part {
    Launch launch;
    int64_t from, to;  // bytes from the beginning
    bool transposes;
    CopyLoop walk;                 // when it does not transpose
    TransposeArguments transpose;  // when it does
  };
  // The same copy in words of several elements; it needs aligned addresses.
  struct Plan {
    int word = 0;  // bytes; 0: there is none
    std::vector<Part> parts;
  };
  static Plan plan(Gpu& gpu, const Loop& loop, int word);
  static Part part(Gpu& gpu, const LoopPart& part, int word);

  const Gpu* gpu_ = nullptr;
  Plan narrow_, wide_;
  int64_t bytes_ = 0;
  bool same_ = false;  // both sides lie alike
};

}  // namespace kiln::cuda::kernels
