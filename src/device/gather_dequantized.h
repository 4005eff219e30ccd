// Parameters of the kernels "gather_dequantized" of every device.
#pragma once
#include "device/device.h"
#include "device/parameter_fields.h"
#include "tensor/shape.h"

namespace kiln {

// A parameter of the integers lies at the sum of index times stride over the axes, where indices along `block_axis` are counted in blocks.
struct GatherDequantizedParameters {
  Ints dims = {};    // of the table
  int64_t axis = 0;  // along which slices are taken
  int64_t bits = 8;  // of an integer
  bool is_signed = false;
  int64_t block_axis = 0, block = 1;
  Ints scale_strides = {}, zero_strides = {};  // the latter empty: there are no zero points
  template <class V> void fields(V& v) {
    v("dims", dims, 1);
    v("axis", axis, 0, static_cast<int64_t>(kMostRank));
    v("bits", bits, 2, 8);
    v("signed", is_signed);
    v("block_axis", block_axis, 0, static_cast<int64_t>(kMostRank));
    v("block", block, 1);
    v("scale_strides", scale_strides, 0);
    v("zero_strides", zero_strides, 0);
  }
  void check() const;  // that the table has a size, and all lists its rank
};

// Operands: the table's bytes, int32 or int64 indices, scales, and zero points packed like the table, which may be left out; y in float32.
Status check_gather_dequantized(const GatherDequantizedParameters& parameters, const KernelCall& call) noexcept;

}  // namespace kiln
