// A scalar program over broadcast tensors as the argument of a kernel. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/walk.h"
#include "tensor/dtype.h"
#include "tensor/scalar_program.h"

namespace kiln::cuda {

inline constexpr int kPointwiseThreads = 128;
inline constexpr int kLanes = 4;         // adjacent elements of one thread
inline constexpr int kPackedLanes = 8;   // of a thread that stores parts of bytes: whole bytes, whatever the type
inline constexpr int kMaxOperands = 12;  // inputs and results
inline constexpr int kMaxSteps = 112;    // instructions; a kernel's arguments hold 4 KB
inline constexpr int kFloatSlots = 16;   // values that live at once, all of them float32 or bool
inline constexpr int kAnySlots = 48;     // values that live at once, of any type

// An instruction whose operands and result are slots.
struct PointwiseStep {
  ScalarOp op;
  ScalarType operand, type;  // of operand a, of the result
  uint8_t to, a, b, c;
  uint8_t reserved = 0;
  union {
    double real;      // of a constant of a float type
    int64_t integer;  // of others, of an input, of kNarrow
  };
};

struct PointwiseArguments {
  // The innermost axis counts groups of kLanes elements, but where parts of bytes are stored. Operands: inputs, then results.
  Walk<kMaxOperands> walk;
  uint32_t inner = 1;                   // elements of the innermost axis
  int64_t inner_strides[kMaxOperands];  // elements
  void* data[kMaxOperands];
  DType types[kMaxOperands];
  uint8_t results[kMaxOperands];  // slots, by result
  ScalarType result_types[kMaxOperands];
  uint8_t inputs, outputs, steps;
  PointwiseStep code[kMaxSteps];
};
static_assert(sizeof(PointwiseArguments) <= 4096);

inline constexpr int kChainInputs = 4, kChainSteps = 8;

// A step of a short program on floats that goes from one running value to the next.
struct ChainStep {
  ScalarOp op;      // kNarrow, or one of two operands
  uint8_t operand;  // the input that is the other one; kChainInputs: the constant
  bool is_left;     // the other operand is the left one
  DType type;       // of kNarrow
  float constant;
};

struct ChainArguments {
  Walk<kChainInputs + 1> walk;  // as above; the result is the last operand
  uint32_t inner = 1;
  int64_t inner_strides[kChainInputs + 1];
  void* data[kChainInputs + 1];
  DType types[kChainInputs + 1];
  uint8_t inputs, first, steps;  // `first`: the input that the running value begins with
  ChainStep code[kChainSteps];
};

}  // namespace kiln::cuda
