// Loops over one tile, one per instruction: what a pointwise plan strings together.
#pragma once
#include <cstdint>

#include "backends/cpu/device/compute/half_lines.h"
#include "tensor/scalar_program.h"

namespace kiln::cpu {

// While computing, f32 takes 4 bytes a lane, bool 4 (0 or all ones), and i64, u64 and f64 take 8.
inline int lane_bytes(ScalarType type) { return type == ScalarType::kBool || type == ScalarType::kF32 ? 4 : 8; }
// A uniform operand (step 0) is a block of this many equal lanes, 64-byte aligned.
inline constexpr int64_t kUniformLanes = 16;

struct TileCall {
  void* out;
  const void* in[3];
  int64_t step[3];              // 1, or 0 for a uniform operand
  int64_t n;                    // lanes to compute
  const ScalarProgram* single;  // inputs, then the one instruction: for the interpreter
  float alpha, beta;            // parameters of a fused activation
};
using TileFunction = void (*)(const TileCall& call);

struct TileKernel {
  TileFunction function = nullptr;
  float nanoseconds = 0;  // estimate per element
};

// Vector loops on f32 (and on bool beside it); an empty kernel when there is none.
TileKernel f32_tile(ScalarOp op, ScalarType type, ScalarType operand_type);
// Vector loops on f64 that give f64; an empty kernel when there is none.
TileKernel f64_tile(ScalarOp op, ScalarType type, ScalarType operand_type);
// Patterns of several instructions.
enum class FusedOp : uint8_t { kSigmoid, kSilu, kRelu, kClip, kAddRelu };
TileKernel fused_tile(FusedOp op);
// Never empty: typed loops, or the interpreter. `from` is the type of the first operand.
TileKernel any_tile(ScalarOp op, ScalarType type, ScalarType from);

// Elements offset, offset + stride, ... of a tensor to lanes of scalar_type_of(dtype), and back.
void load_run(DType dtype, const void* base, int64_t offset, int64_t stride, void* lanes, int64_t n);
void store_run(DType dtype, void* base, int64_t offset, int64_t stride, ScalarType from, const void* lanes, int64_t n);

// The same between small integers and lanes of float32, which must hold whole numbers of the type's range.
void load_small(DType dtype, const void* base, int64_t offset, int64_t stride, float* lanes, int64_t n);
void store_small(DType dtype, void* base, int64_t offset, int64_t stride, const float* lanes, int64_t n);

}  // namespace kiln::cpu
