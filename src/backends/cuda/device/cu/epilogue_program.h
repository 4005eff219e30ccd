// Programs on the results of kernels, in place of an activation and a sum. Host and GPU.
#pragma once
#include <cstdint>

#include "device/activation.h"

namespace kiln::cuda {

// What one step of a program makes of the running value x and an operand y. Numbers are stored in engine files: append only.
enum class EpilogueOp : uint8_t {
  kKeep,  // x
  kLoad,  // y
  kAdd,
  kSub,
  kSubFrom,  // y - x
  kMul,
  kDiv,
  kDivInto,  // y / x
  kMin,
  kMax,   // both carry NaN through
  kLess,  // comparisons give 1 or 0
  kLessEqual,
  kMore,
  kMoreEqual,
  kEqual,
  kSlope,        // x < 0 ? x y : x
  kSelect,       // x ? y : z, where z is the other operand
  kSelectLeft,   // z ? y : x
  kSelectRight,  // z ? x : y
  kAbs,
  kSign,
  kFloor,
  kCeil,
  kRound,  // half to even
  kTrunc,
  kIsNan,
  kSqrt,
  kExp,
  kLog,
  kErf,
  kLog1p,
  kExpm1,
  kSoftplus,
  kMish,
  kActivate,
};
inline constexpr int kEpilogueOpCount = static_cast<int>(EpilogueOp::kActivate) + 1;

// Where an operand comes from: a number of the step, one of the values that were kept, a residual, or a number for each column.
inline constexpr int kKeptValues = 2, kMostColumnVectors = 4, kMostEpilogueSteps = 16;
enum EpilogueOperand : uint8_t {
  kNumber,
  kFirstKept,
  kResidual = kFirstKept + kKeptValues,
  kFirstVector,
  kSecondResidual = kFirstVector + kMostColumnVectors
};
inline constexpr int kEpilogueOperandCount = kSecondResidual + 1;

struct alignas(16) EpilogueStep {
  EpilogueOp op;
  uint8_t operand, other;  // EpilogueOperand; `other` is a number or a value that was kept
  uint8_t keeps;           // 1 + the place where the result is kept; 0: it is not
  Activation activation;   // of kActivate
  float alpha, beta;       // of the activation; the numbers that `operand` and `other` are
};

// A program that begins with x + bias, as it lies in memory: this, its steps, then float32 [vectors, columns].
struct alignas(16) EpilogueProgram {
  uint32_t steps, vectors, columns;
};

}  // namespace kiln::cuda
