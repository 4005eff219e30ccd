// What a kernel does to its results before it stores them, as part of its arguments. Host and GPU.
#pragma once
#include <cstdint>

#include "device/activation.h"

namespace kiln::cuda {

// How a program of a short form joins a tensor to the results x.
enum class TensorStep : uint8_t { kNone, kAdd, kMul, kSub, kSubFrom, kMin, kMax };

// activation(x + bias [+ residual]) [+ residual], for rows of adjacent columns.
struct EpilogueArguments {
  const float* bias = nullptr;     // per column, or null
  const void* residual = nullptr;  // of the results' type, or null
  int64_t residual_stride = 0;     // elements between rows
  int32_t bias_is_constant = 0;    // it may be read before the kernels before this one have run
  int32_t residual_after = 0;
  int32_t in_words = 0;  // rows of results and residual are made of aligned words of 16 bytes
  // Where a program lies, in place of an activation: the halves of its address.
  union {
    float alpha = 0;
    uint32_t program_low;
  };
  union {
    float beta = 0;
    uint32_t program_high;
  };
  Activation activation = Activation::kNone;
  // A program of the short form, in place of one that lies in memory: the residual is joined to x + bias, then the second one, with the
  // activation before (0), between (1) or behind (2) them.
  TensorStep joins[2] = {TensorStep::kNone, TensorStep::kNone};
  uint8_t active_at = 0;
  const void* second = nullptr;  // residual of a program, or null
  int64_t second_stride = 0;     // elements between rows
};

}  // namespace kiln::cuda
