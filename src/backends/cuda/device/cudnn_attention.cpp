// Attention as a graph of cuDNN's operations. The library takes the whole of it for one kernel where it looks as it expects: sums of
// exponentials have their logarithm taken, which nobody reads.
#include "backends/cuda/device/cudnn_attention.h"

#include <cmath>

#include "backends/cuda/device/kernels/heads.h"
#include "tensor/shape.h"

namespace kiln::cuda {
namespace {

using kernels::CudnnTensors;

enum Tensor : size_t { kQ, kK, kV, kY, kMask };

// A graph of attention while it is made. Its scores are never stored.
class Builder {
 public:
  Builder(const CudnnAttention& attention, CudnnGraph& graph)
      : a_(attention), graph_(graph), heads_(a_.tensors.types[kQ]) {
    scores_ = a_.tensors.dims_of(kQ);
    scores_[3] = a_.tensors.dims_of(kK)[2];
    row_ = scores_;
    row_[3] = 1;
  }

  void all() {
    const CudnnDescriptor& masked = causal(biased(scaled(products())));
    const CudnnDescriptor& weights = softmax(masked);
    multiply(weights, operand(kV), operand(kY));
    graph_.close();
  }

 private:
  CudnnDescriptor& operand(Tensor tensor) {
    Dims dims = a_.tensors.dims_of(tensor), strides = a_.tensors.strides_of(tensor);
    if (tensor == kK) {  // it is multiplied by its transpose
      std::swap(dims[2], dims[3]);
      std::swap(strides[2], strides[3]);
    }
    return graph_.operand(static_cast<int64_t>(tensor) + 1, a_.tensors.types[tensor], dims, strides);
  }
  CudnnDescriptor& number(CudnnAttentionOperand name) {
    return graph_.number(static_cast<int64_t>(name), CudnnTensors::kAxes);
  }
  CudnnDescriptor& between(const Dims& dims, DType type = DType::kF32) {
    return graph_.between(type, dims, row_major_strides(dims));
  }

  void multiply(const CudnnDescriptor& a, const CudnnDescriptor& b, const CudnnDescriptor& y) {
    CudnnDescriptor& kind = graph_.part(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    kind.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
    graph_.close(kind);
    CudnnDescriptor& d = graph_.operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    d.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, kind);
    d.set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
    d.set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
    d.set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, y);
    graph_.close(d);
  }

  // Over the keys.
  const CudnnDescriptor& reduce(cudnnReduceTensorOp_t how, const CudnnDescriptor& x) {
    CudnnDescriptor& kind = graph_.part(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    kind.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, how);
    kind.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
    graph_.close(kind);
    const CudnnDescriptor& y = between(row_);
    CudnnDescriptor& d = graph_.operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    d.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind);
    d.set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
    d.set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
    graph_.close(d);
    return y;
  }

  const CudnnDescriptor& pointwise(cudnnPointwiseMode_t mode, const CudnnDescriptor& x, const CudnnDescriptor* b,
                                   const CudnnDescriptor& y) {
    graph_.pointwise({.mode = mode, .x = x, .y = y, .b = b});
    return y;
  }

  const CudnnDescriptor& products() {
    const CudnnDescriptor& y = between(scores_);
    multiply(operand(kQ), operand(kK), y);
    return y;
  }
  const CudnnDescriptor& scaled(const CudnnDescriptor& x) {
    return pointwise(CUDNN_POINTWISE_MUL, x, &number(CudnnAttentionOperand::kScale), between(scores_));
  }
  const CudnnDescriptor& biased(const CudnnDescriptor& x) {
    if (!a_.has_mask()) return x;
    return pointwise(CUDNN_POINTWISE_ADD, x, &operand(kMask), between(scores_));
  }
  // Keys behind a query are replaced by the lowest of all numbers.
  const CudnnDescriptor& causal(const CudnnDescriptor& x) {
    if (!a_.parameters.causal) return x;
    const auto index = [&](int64_t axis) -> const CudnnDescriptor& {
      const CudnnDescriptor& y = between(scores_, DType::kI32);
      graph_.pointwise({.mode = CUDNN_POINTWISE_GEN_INDEX, .x = x, .y = y, .axis = axis});
      return y;
    };
    const CudnnDescriptor &query = index(2), &key = index(3), &seen = between(scores_, DType::kBool);
    graph_.pointwise({.mode = CUDNN_POINTWISE_CMP_GE, .x = query, .y = seen, .b = &key, .type = DType::kBool});
    const CudnnDescriptor& y = between(scores_);
    graph_.pointwise({.mode = CUDNN_POINTWISE_BINARY_SELECT,
                      .x = x,
                      .y = y,
                      .b = &number(CudnnAttentionOperand::kLowest),
                      .chooser = &seen});
    return y;
  }
  const CudnnDescriptor& softmax(const CudnnDescriptor& x) {
    const CudnnDescriptor& most = reduce(CUDNN_REDUCE_TENSOR_MAX, x);
    const CudnnDescriptor& less = pointwise(CUDNN_POINTWISE_SUB, x, &most, between(scores_));
    const CudnnDescriptor& powers = pointwise(CUDNN_POINTWISE_EXP, less, nullptr, between(scores_));
    const CudnnDescriptor& sum = reduce(CUDNN_REDUCE_TENSOR_ADD, powers);
    const CudnnDescriptor& logarithm = pointwise(CUDNN_POINTWISE_LOG, sum, nullptr, between(row_));
    pointwise(CUDNN_POINTWISE_ADD, most, &logarithm, between(row_));
    return pointwise(CUDNN_POINTWISE_DIV, powers, &sum, between(scores_, heads_));
  }

  const CudnnAttention& a_;
  CudnnGraph& graph_;
  DType heads_;  // the elements of all but the mask
  Dims scores_, row_;
};

Dims dims_of(const kernels::Heads& h) { return {h.batch, h.heads, h.rows, h.size}; }
Dims strides_of(const kernels::Heads& h) { return {h.strides.batch, h.strides.head, h.strides.row, 1}; }

// The mask seen as one of scores. Strides of axes that repeat mean nothing.
Status add_mask(const TensorView& mask, int64_t period, const Dims& scores, CudnnTensors& tensors) {
  if (!kernels::is_plain(mask) || mask.rank < 1 || mask.rank > 4)
    return {Code::kShapeMismatch, "the mask of attention does not broadcast to its scores"};
  Dims dims(4, 1), strides(4, 1);
  for (int i = 0; i < mask.rank; ++i) {
    const auto to = static_cast<size_t>(4 - mask.rank + i);
    dims[to] = mask.dims[i];
    strides[to] = mask.strides[i];
    if (dims[to] != 1 && dims[to] != scores[to] && !(to == 0 && dims[to] == period))
      return {Code::kShapeMismatch, "the mask of attention does not broadcast to its scores"};
  }
  if (dims[3] != scores[3]) return {Code::kShapeMismatch, "the mask of attention has another number of keys"};
  if (dims[0] != 1 && dims[0] != scores[0])
    return {Code::kUnsupported, "batches of attention share masks, of which there are several"};
  for (size_t i = 4; i-- > 0;)
    if (dims[i] == 1) strides[i] = i == 3 ? 1 : dims[i + 1] * strides[i + 1];
  tensors.add(mask.dtype, dims, strides);
  return kOkStatus;
}

}  // namespace

float CudnnAttention::scale() const {
  const auto size = static_cast<double>(tensors.dims_of(kQ)[3]);
  return static_cast<float>(parameters.scale.value_or(1 / std::sqrt(size)));
}

CudnnAttention CudnnAttention::with_mask_rows() const {
  CudnnAttention a = *this;
  const Dims strides = row_major_strides(tensors.dims_of(kMask));
  std::copy(strides.begin(), strides.end(), a.tensors.strides.end() - CudnnTensors::kAxes);
  if (tensors.types[kMask] == DType::kBool) a.tensors.types[kMask] = tensors.types[kQ];
  return a;
}

bool CudnnAttention::shares_mask() const { return tensors.dims_of(kMask)[2] != tensors.dims_of(kQ)[2]; }

size_t CudnnAttention::mask_bytes() const {
  const auto count = checked_element_count(tensors.dims_of(kMask));
  const auto bytes = count ? byte_size(tensors.types[kMask], *count) : std::nullopt;
  return bytes ? static_cast<size_t>(*bytes) : SIZE_MAX;
}

bool CudnnAttention::is_empty() const {
  return element_count(tensors.dims_of(kQ)) == 0 || element_count(tensors.dims_of(kV)) == 0;
}

Status CudnnAttention::fits() const {
  if (tensors.count() < 4 || tensors.count() > 5) return {Code::kMalformedPlan, "attention has other operands"};
  const Dims q = tensors.dims_of(kQ), k = tensors.dims_of(kK), v = tensors.dims_of(kV), y = tensors.dims_of(kY);
  const Dims keys{q[0], k[1], k[2], q[3]}, values{q[0], k[1], k[2], v[3]}, results{q[0], q[1], q[2], v[3]};
  if (k != keys || v != values || y != results || k[1] < 1 || q[1] % k[1] != 0)
    return {Code::kShapeMismatch, "the operands of attention do not fit each other"};
  const Dims scores{q[0], q[1], q[2], k[2]};
  if (has_mask())
    for (size_t i = 0; i < scores.size(); ++i)
      if (const int64_t n = tensors.dims_of(kMask)[i]; n != 1 && n != scores[i])
        return {Code::kShapeMismatch, "the mask of attention does not broadcast to its scores"};
  return kOkStatus;
}

std::string CudnnAttention::str() const {
  std::string text = std::string(name(tensors.types[kQ])) + " scale " + std::to_string(scale());
  for (size_t i = 0; i < tensors.count(); ++i)
    text += ", " + to_string(tensors.dims_of(i)) + " at " + to_string(tensors.strides_of(i));
  if (has_mask()) text += " " + std::string(name(tensors.types[kMask]));
  return text + (parameters.causal ? ", causal" : "");
}

CudnnGraph CudnnAttention::graph(const Cudnn& library, const CudnnSite& site) const {
  throw_if_error(fits());
  CudnnGraph graph(library, site, "attention");
  Builder(*this, graph).all();
  return graph;
}

Status read_attention(const KernelCall& call, const AttentionParameters& p, CudnnAttention& to) {
  using kernels::as_heads;
  if (call.inputs.size() != 4 || call.outputs.size() != 1)
    return {Code::kMalformedPlan, "attention has other operands"};
  const TensorView& mask = call.inputs[3];
  to = {.parameters = p};
  const std::pair<const TensorView*, int64_t> list[] = {{&call.inputs[0], p.q_heads},
                                                        {&call.inputs[1], p.kv_heads},
                                                        {&call.inputs[2], p.kv_heads},
                                                        {&call.outputs[0], p.q_heads}};
  for (const auto& [view, count] : list) {
    const auto heads = as_heads(*view, count);
    if (!heads) return {Code::kShapeMismatch, "an operand of attention is not seen as heads"};
    if (view->dtype != call.inputs[0].dtype)
      return {Code::kMalformedPlan, "the operands of attention are all of one type"};
    to.tensors.add(view->dtype, dims_of(*heads), strides_of(*heads));
  }
  const Dims q = to.tensors.dims_of(kQ);
  if (mask.present())
    KILN_RETURN_IF_ERROR(add_mask(mask, p.mask_period, {q[0], q[1], q[2], to.tensors.dims_of(kK)[2]}, to.tensors));
  return to.fits();
}

}  // namespace kiln::cuda
