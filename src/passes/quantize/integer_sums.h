// Whether sums of products of bytes fit int32. A network whose products are those of real numbers becomes one of integers only where they do.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

// What integers less their zero point lie between; holds zero.
struct ByteRange {
  int64_t low = 0, high = 0;
};
// Of integers of 8 or 16 bits. The zero point may be null; one that is not the same constant for all may be any.
ByteRange byte_range(DType type, const Value* zero_point);

// Bytes that are constant: as many sums as there are indices of `axis`.
struct ConstantFactors {
  const Tensor& integers;
  int64_t axis = 0;
  const Tensor* zero_points = nullptr;  // one, or one per column; none: zeros
};

// Whatever x is, with an int32 summand per column behind the products, or null. Sums in between may wrap.
bool sums_fit(ByteRange x, const ConstantFactors& w, const Tensor* summands = nullptr);
// Two operands that only running tells.
bool sums_fit(ByteRange a, ByteRange b, int64_t terms);

// Among the operators of a target (FusionLimits): its products of bytes take volumes, too.
inline constexpr const char* kByteVolumes = "ConvInteger of volumes";
inline constexpr const char* kSumsMayWrap = "its sums may pass 2^31";

}  // namespace kiln::passes
