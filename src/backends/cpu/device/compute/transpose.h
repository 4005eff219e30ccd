// Copies between tensors of any strides: transposes, slices, broadcasts, gathers of planes.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace kiln::cpu {

// Element index of `dims` goes from  from + sum(index * from_strides)  to  to + sum(index * to_strides). Strides are in
// elements; those of the source may be 0 or negative. Elements of 1, 2, 4, 8 or 16 bytes.
class StridedCopy {
 public:
  StridedCopy() = default;
  StridedCopy(std::span<const int64_t> dims, std::span<const int64_t> from_strides, std::span<const int64_t> to_strides,
              int element_size, int threads);
  // Copies nothing when both are one address and the strides are the same.
  void run(const void* from, void* to) const noexcept;
  int64_t bytes() const { return bytes_; }

 private:
  struct Axis {
    int64_t extent, from, to;
  };
  void run_block(int64_t block, const uint8_t* from, uint8_t* to) const noexcept;
  void run_items(int64_t begin, int64_t end, const uint8_t* from, uint8_t* to) const noexcept;

  std::vector<Axis> outer_;              // all but the two inner axes
  Axis row_{1, 0, 0}, column_{1, 0, 0};  // column: innermost in the result
  int64_t row_block_ = 1, column_block_ = 1, row_blocks_ = 1, column_blocks_ = 1;
  int64_t items_ = 0, bytes_ = 0;
  int element_size_ = 0, threads_ = 1;
  bool transposes_ = false;  // the source runs along rows
  bool same_ = false;        // both sides lie alike
};

}  // namespace kiln::cpu
