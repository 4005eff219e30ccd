// Masks of attention made ready for a library.
#include "backends/cuda/device/kernels/mask_rows.h"

namespace kiln::cuda::kernels {

Status MaskRows::plan(DType from, const Dims& dims, const Dims& strides, bool causal, DType to) {
  const char* suffix = float_suffix(to);
  if (!suffix || (from != to && from != DType::kBool))
    return {Code::kMalformedPlan, "a mask of this type cannot be made ready"};
  const auto rows = checked_element_count({dims[0], dims[1], dims[2]});
  if (!rows || *rows > INT32_MAX || dims[3] > INT32_MAX)
    return {Code::kUnsupported, "a mask of attention is too large"};
  arguments_ = {static_cast<uint32_t>(*rows),
                static_cast<int32_t>(dims[3]),
                divisor(dims[2]),
                divisor(dims[1]),
                {strides[0], strides[1], strides[2]},
                strides[3],
                causal};
  launch_ = {};
  launch_.function =
      gpu_.function("mask_rows", std::string(from == DType::kBool ? "mask_rows_bool" : "mask_rows") + suffix);
  launch_.threads = kMaskThreads;
  launch_.grid[0] = blocks_for(*rows, kMaskRows);
  return kOkStatus;
}

Status MaskRows::launch(Stream& stream, const void* mask, void* rows) const noexcept {
  return gpu_.launch(stream, launch_, arguments_, mask, rows);
}

}  // namespace kiln::cuda::kernels
