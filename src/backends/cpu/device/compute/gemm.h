// Matrix products, float32: C = epilogue(A B). A and C are row-major with any row stride; B is packed into panels.
#pragma once
#include <cstdint>
#include <vector>

#include "backends/cpu/device/compute/epilogue.h"
#include "tensor/dtype.h"

namespace kiln::cpu {

// How a product is cut into pieces. One configuration always gives the same bits; another may order the sums otherwise.
struct BlockConfig {
  int32_t panel = 32;         // columns of a panel of B: 16, 32, 48 or 64; packing and product must agree
  int32_t rows = 14;          // most rows of a tile
  int32_t depth = 256;        // most terms of a partial sum
  int32_t block_rows = 112;   // rows that share one pass over B
  int32_t block_columns = 0;  // columns that share one pass over A; 0: all
  int32_t row_threads = 1;
  int32_t column_threads = 1;
  bool copy_rows = false;  // copy blocks of A before use: for row strides that are multiples of the page
  bool operator==(const BlockConfig&) const = default;
};

// Right operand [k, n]; element (i, j) is data[i * stride + j], or data[j * stride + i] when transposed.
struct RightOperand {
  const float* data = nullptr;
  int64_t stride = 0;
  bool transposed = false;
};

// A packed B: numbers of float32, or of float16 or bfloat16, which become float32 as they are multiplied.
struct PackedWeights {
  PackedWeights(const float* numbers = nullptr) : data(numbers) {}
  PackedWeights(const void* numbers, DType numbers_type) : data(numbers), type(numbers_type) {}
  bool is_narrow() const { return type != DType::kF32; }
  int64_t bytes() const { return is_narrow() ? 2 : 4; }  // of a number
  PackedWeights from(int64_t count) const { return {static_cast<const uint8_t*>(data) + count * bytes(), type}; }
  const void* data;
  DType type = DType::kF32;
};

// Numbers that a packed B takes (64-byte alignment is wanted).
int64_t packed_b_floats(int64_t k, int64_t n);
void pack_b(const RightOperand& b, int64_t k, int64_t n, int32_t panel, float* packed, int threads = 1) noexcept;

// The same in float16 or bfloat16, rounded to nearest.
void pack_narrow_b(const RightOperand& b, int64_t k, int64_t n, int32_t panel, DType type, uint16_t* packed,
                   int threads);
// Whether one row is multiplied by weights of that type as fast as they are read: they become float32 in registers.
bool widens_in_registers(DType type) noexcept;

struct GemmCall {
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  int64_t a_stride = 0;
  float* c = nullptr;
  int64_t c_stride = 0;
};

// Floats of workspace for gemm by weights of that type.
int64_t gemm_workspace(const GemmCall& call, const BlockConfig& config, DType weights = DType::kF32);
// The epilogue's residual may be c itself when it is added before the activation.
void gemm(const GemmCall& call, const PackedWeights& packed_b, const Epilogue& epilogue, const BlockConfig& config,
          float* workspace) noexcept;

// A batch of products whose B is known only at run time: B is packed into the workspace first. Item i of the batch adds
// i times its stride to each address, the epilogue's residual and bias included.
struct GemmBatch {
  int64_t count = 1;
  int64_t a_stride = 0, b_stride = 0, c_stride = 0, residual_stride = 0, bias_stride = 0;
};
int64_t gemm_unpacked_workspace(const GemmCall& call, const BlockConfig& config, const GemmBatch& batch);
void gemm_unpacked(const GemmCall& call, const RightOperand& b, const Epilogue& epilogue, const BlockConfig& config,
                   const GemmBatch& batch, float* workspace) noexcept;

// Configurations worth measuring for a shape, most promising first; never empty.
std::vector<BlockConfig> gemm_configs(int64_t m, int64_t n, int64_t k, int threads);

}  // namespace kiln::cpu
