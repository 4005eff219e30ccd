// Kernels "attention" and, with products of bfloat16 in tiles, "attention_bfloat16": inputs q, k, v of [batch, heads, sequence, size] or
// [batch, sequence, heads * size], and a mask (float32 or bool, may be absent). Of the second q, k and v, and the result, may be bfloat16. Parameters: q_heads, kv_heads (of inputs with three axes), causal, scale (absent: 1 / sqrt(size)), mask_period (n:
// batches b and b + n share a mask).
#include "backends/cpu/device/compute/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/rounded_rows.h"
#include "backends/cpu/device/kernels/tiles.h"
#include "device/attention_parameters.h"

namespace kiln::cpu::kernels {
namespace {

// A tensor seen as [batch, heads, rows, size].
struct Heads {
  int64_t batch, heads, rows, size;
  HeadStrides strides;
};

std::optional<Heads> as_heads(const TensorView& v, int64_t heads) {
  if (v.rank == 4) return Heads{v.dims[0], v.dims[1], v.dims[2], v.dims[3], {v.strides[0], v.strides[1], v.strides[2]}};
  if (v.rank != 3 || heads < 1 || v.dims[2] % heads != 0) return std::nullopt;
  const int64_t size = v.dims[2] / heads;
  return Heads{v.dims[0], heads, v.dims[1], size, {v.strides[0], size, v.strides[1]}};
}

class AttentionKernel final : public DenseKernel {
 public:
  AttentionKernel(const AttentionParameters& p, bool in_tiles)
      : in_tiles_(in_tiles),
        q_heads_(p.q_heads),
        kv_heads_(p.kv_heads),
        causal_(p.causal),
        mask_period_(p.mask_period) {
    if (p.scale) scale_ = static_cast<float>(*p.scale);
  }

 private:
  bool takes(const KernelCall& call) const override {
    if (call.inputs.size() != 4 || call.outputs.size() != 1) return false;
    for (const TensorView& v : {call.inputs[0], call.inputs[1], call.inputs[2], call.outputs[0]})
      if (v.rank < 3 || (v.strides[v.rank - 1] != 1 && v.dims[v.rank - 1] != 1)) return false;
    return !call.inputs[3].present() || call.inputs[3].is_dense();
  }

  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 4 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "attention has other operands"};
    KILN_RETURN_IF_ERROR(check_tiles(in_tiles_));
    const DType given = call.inputs[0].dtype;
    if (call.inputs[1].dtype != given || call.inputs[2].dtype != given)
      return {Code::kMalformedPlan, "the operands of attention have different types"};
    for (const TensorView& v : {call.inputs[0], call.outputs[0]})
      if (in_tiles_ ? !is_real(v) : !is_f32(v))
        return {Code::kMalformedPlan, "the operands of attention have other types"};
    const auto q = as_heads(call.inputs[0], q_heads_), k = as_heads(call.inputs[1], kv_heads_),
               v = as_heads(call.inputs[2], kv_heads_), y = as_heads(call.outputs[0], q_heads_);
    if (!q || !k || !v || !y || q->batch != k->batch || q->batch != v->batch || q->batch != y->batch ||
        q->size != k->size || k->rows != v->rows || k->heads != v->heads || q->heads != y->heads ||
        q->rows != y->rows || v->size != y->size || k->heads < 1 || q->heads % k->heads != 0)
      return {Code::kShapeMismatch, "the operands of attention do not fit each other"};
    shape_ = {q->batch,   q->heads,   k->heads,    q->rows,
              k->rows,    q->size,    v->size,     q->strides,
              k->strides, v->strides, y->strides,  scale_.value_or(1 / std::sqrt(static_cast<float>(q->size))),
              causal_,    {0, 0, 0},  mask_period_};
    return prepare_mask(call.inputs[3]);
  }

  Status prepare_mask(const TensorView& mask) {
    mask_elements_ = 0;
    if (!mask.present()) return kOkStatus;
    if (mask.dtype != DType::kF32 && mask.dtype != DType::kBool)
      return {Code::kMalformedPlan, "the mask of attention is float32 or bool"};
    const bool repeats = mask_period_ > 0 && shape_.batch % mask_period_ == 0;
    const int64_t to[] = {repeats ? mask_period_ : shape_.batch, shape_.heads, shape_.queries, shape_.keys};
    if (mask.rank < 1 || mask.rank > 4 || mask.dims[mask.rank - 1] != shape_.keys)
      return {Code::kShapeMismatch, "the mask of attention has another number of keys"};
    int64_t stride = shape_.keys;
    for (int i = 2; i >= 0; --i) {
      const int axis = i - (4 - mask.rank);
      if (axis < 0) continue;
      if (mask.dims[axis] != 1 && mask.dims[axis] != to[i])
        return {Code::kShapeMismatch, "the mask of attention does not broadcast to its scores"};
      shape_.mask_strides[i] = mask.dims[axis] == 1 ? 0 : stride;
      stride *= mask.dims[axis];
    }
    mask_elements_ = stride;
    return kOkStatus;
  }

  // Of a mask that is not float32; bytes.
  int64_t mask_space(const KernelCall& call) const {
    return call.inputs[3].dtype == DType::kBool ? (mask_elements_ + 15) / 16 * 16 * int64_t{sizeof(float)} : 0;
  }
  int64_t own_space() const {
    return in_tiles_ ? narrow_attention_workspace(shape_, thread_count())
                     : attention_workspace(shape_, thread_count()) * int64_t{sizeof(float)};
  }

  size_t workspace_dense(const KernelCall& call) override {
    if (!prepare_dense(call).ok()) return kNoWorkspace;
    if (shape_.keys == 0) return 0;
    return static_cast<size_t>(own_space() + mask_space(call));
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView& y = call.outputs[0];
    if (shape_.keys == 0) {  // sums of nothing
      std::memset(y.data, 0, static_cast<size_t>(y.elements() * bits(y.dtype) / 8));
      return kOkStatus;
    }
    if (call.workspace_size < static_cast<size_t>(own_space() + mask_space(call)))
      return {Code::kMalformedPlan, "the workspace of attention is too small"};
    auto* space = static_cast<uint8_t*>(call.workspace);
    const float* mask = read_mask(call.inputs[3], reinterpret_cast<float*>(space));
    space += mask_space(call);
    const void *q = call.inputs[0].data, *k = call.inputs[1].data, *v = call.inputs[2].data;
    if (in_tiles_)
      narrow_attention(shape_, {q, k, v, !is_f32(call.inputs[0]), mask, y.data, !is_f32(y)}, space, thread_count());
    else
      attention(shape_, static_cast<const float*>(q), static_cast<const float*>(k), static_cast<const float*>(v), mask,
                static_cast<float*>(y.data), reinterpret_cast<float*>(space), thread_count());
    return kOkStatus;
  }

  // As numbers that are added; of bool, in `space`.
  const float* read_mask(const TensorView& mask, float* space) const noexcept {
    if (mask.dtype != DType::kBool) return mask.present() ? static_cast<const float*>(mask.data) : nullptr;
    const auto* allowed = static_cast<const uint8_t*>(mask.data);
    for (int64_t i = 0; i < mask_elements_; ++i) space[i] = allowed[i] ? 0.0f : -std::numeric_limits<float>::infinity();
    return space;
  }

  bool in_tiles_;
  int64_t q_heads_, kv_heads_;
  bool causal_;
  int64_t mask_period_;
  std::optional<float> scale_;
  AttentionShape shape_;
  int64_t mask_elements_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_attention(const Attributes& parameters) {
  return std::make_unique<AttentionKernel>(read_parameters<AttentionParameters>(parameters), false);
}

std::unique_ptr<Kernel> make_attention_bfloat16(const Attributes& parameters) {
  return std::make_unique<AttentionKernel>(read_parameters<AttentionParameters>(parameters), true);
}

}  // namespace kiln::cpu::kernels
