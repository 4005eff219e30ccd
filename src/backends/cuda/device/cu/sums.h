// What a kernel does to sums of products of bytes before it stores them, as part of its arguments. Host and GPU.
#pragma once
#include "device/sum_step.h"

namespace kiln::cuda {

struct SumStepArgument {
  const void* operand;  // float32 per column, or a tensor
  int64_t stride;       // per column: 1, or 0 for one number for all; tensors: elements between pixels
  float low, high;
  SumStep::Kind kind;
  bool is_signed;  // bytes of the tensor
};

inline constexpr int kMostSumSteps = 24;

struct SumArguments {
  enum Result : uint8_t { kInt32, kFloat, kUint8, kInt8 };
  const int32_t* start;  // per column, added to the sums modulo 2^32; null: none
  // The zero point of x: a byte that only running tells, which is taken off the sums as often as the weights of each column say; or, when
  // that is null, a number that `start` has seen.
  const void* x_zero_at;
  const int32_t* column_sums;
  int32_t x_is_signed;
  int32_t x_zero;
  int32_t zero;  // added to results of bytes when they are rounded, and before they saturate
  Result result;
  bool in_words;  // runs of eight results, and of the tensors that steps add, are aligned words of up to 16 bytes
  int32_t steps;
  SumStepArgument step[kMostSumSteps];
};

}  // namespace kiln::cuda
