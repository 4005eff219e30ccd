// Normalisations as graphs of cuDNN's operations.
#include "backends/cuda/device/cudnn_norm.h"

#include "backends/cuda/device/kernels/common.h"
#include "tensor/layout.h"
#include "tensor/shape.h"

namespace kiln::cuda {
namespace {

using kernels::extent;

enum Tensor : size_t { kX, kY, kScale, kBias };

constexpr cudnnBackendNormMode_t kModes[CudnnNorm::kOverCount] = {CUDNN_LAYER_NORM, CUDNN_RMS_NORM,
                                                                  CUDNN_INSTANCE_NORM};

bool lies_as(const TensorView& v, const Layout& layout) {
  const Dims dims(v.dims, v.dims + v.rank), wanted = strides(layout, dims);
  for (int i = 0; i < v.rank; ++i)
    if (v.dims[i] != 1 && v.strides[i] != wanted[static_cast<size_t>(i)]) return false;
  return true;
}

// x and the result lie alike.
Status add_images(const TensorView& x, kernels::CudnnTensors& tensors) {
  if (x.rank < 3) return {Code::kShapeMismatch, "a normalisation is of images"};
  const int64_t channels = x.dims[1], pixels = extent(x, 2, x.rank);
  const Dims dims{x.dims[0], channels, pixels, 1};
  if (lies_as(x, Layout())) tensors.add(x.dtype, dims, {channels * pixels, pixels, 1, 1});
  else if (lies_as(x, Layout::channels_last(x.rank)))
    tensors.add(x.dtype, dims, {channels * pixels, 1, channels, channels});
  else return {Code::kMalformedPlan, "the images of a normalisation lie neither row-major nor channels last"};
  return kOkStatus;
}

}  // namespace

bool CudnnNorm::is_empty() const { return element_count(tensors.dims_of(kX)) == 0; }

Status CudnnNorm::fits() const {
  if (tensors.count() < 3 || tensors.count() > 4) return {Code::kMalformedPlan, "a normalisation has other operands"};
  const Dims x = tensors.dims_of(kX);
  for (size_t i = kScale; i < tensors.count(); ++i)
    if (tensors.dims_of(i) != Dims{1, x[1], 1, 1})
      return {Code::kShapeMismatch, "scale or bias of a normalisation has another size than a row or the channels"};
  if (tensors.dims_of(kY) != x) return {Code::kShapeMismatch, "the result of a normalisation has another shape"};
  return kOkStatus;
}

std::string CudnnNorm::str() const {
  return std::to_string(static_cast<int>(over)) + " " + std::string(name(tensors.types[kX])) + " epsilon " +
         std::to_string(epsilon) + " " + to_string(tensors.dims_of(kX)) + " at " + to_string(tensors.strides_of(kX)) +
         (has_bias() ? " + bias" : "");
}

CudnnGraph CudnnNorm::graph(const Cudnn& library, const CudnnSite& site) const {
  throw_if_error(fits());
  CudnnGraph graph(library, site, "a normalisation");
  const auto operand = [&](Tensor t) -> CudnnDescriptor& {
    return graph.operand(static_cast<int64_t>(t) + 1, tensors.types[t], tensors.dims_of(t), tensors.strides_of(t));
  };
  CudnnDescriptor& d = graph.operation(CUDNN_BACKEND_OPERATION_NORM_FORWARD_DESCRIPTOR);
  d.set(CUDNN_ATTR_OPERATION_NORM_FWD_MODE, CUDNN_TYPE_NORM_MODE, kModes[static_cast<size_t>(over)]);
  d.set(CUDNN_ATTR_OPERATION_NORM_FWD_PHASE, CUDNN_TYPE_NORM_FWD_PHASE, CUDNN_NORM_FWD_INFERENCE);
  d.set(CUDNN_ATTR_OPERATION_NORM_FWD_XDESC, operand(kX));
  d.set(CUDNN_ATTR_OPERATION_NORM_FWD_YDESC, operand(kY));
  d.set(CUDNN_ATTR_OPERATION_NORM_FWD_SCALE_DESC, operand(kScale));
  if (has_bias()) d.set(CUDNN_ATTR_OPERATION_NORM_FWD_BIAS_DESC, operand(kBias));
  d.set(CUDNN_ATTR_OPERATION_NORM_FWD_EPSILON_DESC,
        graph.number(static_cast<int64_t>(CudnnNormOperand::kEpsilon), kernels::CudnnTensors::kAxes));
  graph.close(d);
  graph.close();
  return graph;
}

Status read_norm(const KernelCall& call, CudnnNorm::Over over, int64_t axis, double epsilon, CudnnNorm& to) {
  if (call.inputs.size() < 2 || call.inputs.size() > 3 || call.outputs.size() != 1)
    return {Code::kMalformedPlan, "a normalisation has other operands"};
  to = {.over = over, .epsilon = epsilon};
  for (const TensorView* v : {&call.inputs[0], &call.outputs[0]}) {
    if (!kernels::is_plain(*v) || !same_dims(*v, call.inputs[0]) || v->dtype != call.inputs[0].dtype)
      return {Code::kShapeMismatch, "the result of a normalisation has another shape or type"};
    if (over == CudnnNorm::Over::kImage) {
      KILN_RETURN_IF_ERROR(add_images(*v, to.tensors));
      continue;
    }
    if (axis < 0 || axis >= v->rank) return {Code::kShapeMismatch, "a normalisation has no such axis"};
    if (!v->is_dense()) return {Code::kMalformedPlan, "the rows of a normalisation have gaps"};
    const int first = static_cast<int>(axis);
    const int64_t size = extent(*v, first, v->rank);
    to.tensors.add(v->dtype, {extent(*v, 0, first), size, 1, 1}, {size, 1, 1, 1});
  }
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    const TensorView& v = call.inputs[i];
    if (i == 2 && !v.present()) continue;
    if (!kernels::is_plain(v) || !v.is_dense() || v.dtype != call.inputs[0].dtype)
      return {Code::kShapeMismatch, "scale or bias of a normalisation is of another type, or has gaps"};
    to.tensors.add(v.dtype, {1, v.elements(), 1, 1}, {v.elements(), 1, 1, 1});
  }
  return to.fits();
}

}  // namespace kiln::cuda
