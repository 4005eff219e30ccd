// Pointwise kernels: runs a scalar program over tensors by tiles that stay in the first-level cache.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/scalar_program.h"
#include "tensor/shape.h"

namespace kiln::cpu {

// A tensor in the common iteration space: a stride per dimension, in elements; 0 where it is broadcast.
struct PointwiseOperand {
  DType dtype = DType::kF32;
  Dims strides;
};

// A program bound to shapes. Preparing allocates all that running needs; a plan serves one run at a time.
class PointwisePlan {
 public:
  // `dims` is the iteration space, which every output covers without a zero stride. Operands have dims.size() strides.
  // `threads` is the most that run() may use. Throws kInvalidArgument when the program is unsound or does not fit.
  PointwisePlan(const ScalarProgram& program, const Dims& dims, std::span<const PointwiseOperand> inputs,
                std::span<const PointwiseOperand> outputs, int threads);
  PointwisePlan(PointwisePlan&&) noexcept;
  PointwisePlan& operator=(PointwisePlan&&) noexcept;
  ~PointwisePlan();

  // An output may share the memory of an input that has its type and strides.
  void run(const void* const* inputs, void* const* outputs) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiln::cpu
