// Convolutions as graphs of cuDNN's operations.
#include "backends/cuda/device/cudnn_conv.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tensor/layout.h"
#include "tensor/shape.h"

namespace kiln::cuda {
namespace {

// Of an activation that the library has; it takes none with numbers of its own.
std::optional<cudnnPointwiseMode_t> mode_of(Activation activation) {
  switch (activation) {
    case Activation::kRelu: return CUDNN_POINTWISE_RELU_FWD;
    case Activation::kSigmoid: return CUDNN_POINTWISE_SIGMOID_FWD;
    case Activation::kTanh: return CUDNN_POINTWISE_TANH_FWD;
    case Activation::kSilu: return CUDNN_POINTWISE_SWISH_FWD;
    case Activation::kGeluErf: return CUDNN_POINTWISE_GELU_FWD;
    case Activation::kGeluTanh: return CUDNN_POINTWISE_GELU_APPROX_TANH_FWD;
    default: return std::nullopt;
  }
}

}  // namespace

namespace kernels {

void CudnnWindow::check() const {
  const size_t axes = strides.size();
  if (axes < 2 || axes > 3)
    throw malformed_parameter("strides", "has " + std::to_string(axes) + " elements").cause("a window has 2 or 3 axes");
  for (const auto& [name, list] : {std::pair{"dilations", &dilations}, {"pads_begin", &begin}, {"pads_end", &end}})
    if (list->size() != axes)
      throw malformed_parameter(name, "has " + std::to_string(list->size()) + " elements")
          .cause("the window has " + std::to_string(axes) + " axes");
}

CudnnEpilogue cudnn_epilogue(bool transposed, bool compiled, const EpilogueParameters& epilogue, bool bias,
                             bool residual) {
  CudnnEpilogue e{.left = epilogue};
  if (transposed) {
    e.left_bias = bias;
    e.left_residual = residual;
    return e;
  }
  const bool activates = compiled ? mode_of(epilogue.activation).has_value() : epilogue.activation == Activation::kRelu;
  if (activates) e.activation = std::exchange(e.left.activation, Activation::kNone);
  e.residual_after = residual && epilogue.residual_after && compiled && e.left.activation == Activation::kNone;
  e.residual = residual && (!epilogue.residual_after || e.residual_after);
  e.left_residual = residual && !e.residual;
  // Those that the library has compiled have a bias where they have a sum or Relu.
  e.bias = bias || (!compiled && (e.residual || activates));
  return e;
}

CudnnEpilogue cudnn_epilogue_of_program(bool transposed, bool bias, bool residual) {
  CudnnEpilogue e;
  (transposed ? e.left_bias : e.bias) = bias;
  e.left_residual = residual;
  return e;
}

}  // namespace kernels

namespace {

// Of cuDNN 9.14, in float16 and bfloat16: where x is not finite one gives NaN beyond the windows, the other loses infinities.
constexpr int64_t kUnsoundEngines[] = {10, 32};

// Where `windows` windows, the last of which begins inside the padded rest, leave `size` elements of the other side.
bool windows_fit(int64_t size, int64_t windows, int64_t taps, int64_t stride, int64_t dilation, int64_t pads) {
  const int64_t room = size + pads - (taps - 1) * dilation - 1;
  return room >= 0 && room / stride + 1 == windows;
}

Dims strides_of(const Dims& dims) { return strides(Layout::channels_last(static_cast<int>(dims.size())), dims); }

// A graph of a convolution while it is made.
struct Builder {
  const CudnnConv& conv;
  CudnnGraph& graph;

  CudnnDescriptor& tensor(CudnnOperand operand, const Dims& dims) {
    return graph.operand(static_cast<int64_t>(operand), conv.type, dims, strides_of(dims));
  }

  void convolution(const CudnnDescriptor& y) {
    const kernels::CudnnWindow& w = conv.window;
    CudnnDescriptor& window = graph.part(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    window.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
    window.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
    window.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{std::ssize(w.strides)});
    window.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, w.strides);
    window.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, w.dilations);
    window.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, w.begin);
    window.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, w.end);
    graph.close(window);
    const CudnnDescriptor &x = tensor(CudnnOperand::kX, conv.x), &weights = tensor(CudnnOperand::kW, conv.w);
    const bool t = w.transposed;
    CudnnDescriptor& d = graph.operation(t ? CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR
                                           : CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
          window);
    d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x);
    d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, weights);
    d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y);
    // Of the type that is computed in: given as doubles, results of transposed convolutions are 0.
    d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
          CUDNN_TYPE_FLOAT, 1.0f);
    d.set(t ? CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA : CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
          CUDNN_TYPE_FLOAT, 0.0f);
    graph.close(d);
  }

  void all() {
    const auto mode = mode_of(conv.activation);
    if (!mode && conv.activation != Activation::kNone)
      throw Error(Code::kUnsupported, "cuDNN lacks the activation of a convolution");
    int left = (conv.residual ? 1 : 0) + (conv.bias ? 1 : 0) + (mode ? 1 : 0);
    const auto result = [&] {
      return left-- > 0 ? &graph.between(DType::kF32, conv.y, strides_of(conv.y)) : &tensor(CudnnOperand::kY, conv.y);
    };
    const CudnnDescriptor* running = result();
    convolution(*running);
    const auto step = [&](cudnnPointwiseMode_t how, const CudnnDescriptor* operand) {
      const CudnnDescriptor* next = result();
      graph.pointwise({.mode = how, .x = *running, .y = *next, .b = operand});
      running = next;
    };
    const auto sum = [&](bool after) {
      if (conv.residual && conv.residual_after == after)
        step(CUDNN_POINTWISE_ADD, &tensor(CudnnOperand::kResidual, conv.y));
    };
    sum(false);
    Dims row(conv.y.size(), 1);
    row[1] = conv.y[1];
    if (conv.bias) step(CUDNN_POINTWISE_ADD, &tensor(CudnnOperand::kBias, row));
    if (mode) step(*mode, nullptr);
    sum(true);
    graph.close();
  }
};

}  // namespace

bool CudnnConv::is_empty() const { return element_count(y) == 0; }

Status CudnnConv::fits() const {
  const size_t axes = window.strides.size(), rank = axes + 2;
  if (x.size() != rank || w.size() != rank || y.size() != rank)
    return {Code::kShapeMismatch, "the operands of a convolution have other ranks than its window"};
  for (const Dims* dims : {&x, &w, &y})
    for (int64_t d : *dims)
      if (d < 0 || d > INT32_MAX) return {Code::kUnsupported, "an operand of a convolution is too large"};
  // A transposed convolution is the gradient of one from its result to x.
  const Dims &wide = window.transposed ? y : x, &narrow = window.transposed ? x : y;
  if (element_count(w) == 0 || wide[1] == 0 || wide[1] % w[1] != 0 || narrow[1] != w[0] ||
      narrow[1] % (wide[1] / w[1]) != 0 || x[0] != y[0])
    return {Code::kShapeMismatch, "the channels of a convolution do not fit each other"};
  for (size_t i = 0; i < axes; ++i)
    if (!is_empty() && !windows_fit(wide[2 + i], narrow[2 + i], w[2 + i], window.strides[i], window.dilations[i],
                                    window.begin[i] + window.end[i]))
      return {Code::kShapeMismatch, "the operands of a convolution do not fit each other"};
  return kOkStatus;
}

std::string CudnnConv::str() const {
  std::string text = std::string(name(type)) + to_string(x) + (window.transposed ? " transposed by " : " by ") +
                     to_string(w) + " to " + to_string(y) + ", strides " + to_string(window.strides) + ", dilations " +
                     to_string(window.dilations) + ", pads " + to_string(window.begin) + to_string(window.end);
  for (const auto& [has, word] :
       {std::pair{residual, residual_after ? " + sum at last" : " + sum"}, {bias, " + bias"}, {tf32, ", TF32"}})
    if (has) text += word;
  return text +
         (activation == Activation::kNone ? "" : " + activation " + std::to_string(static_cast<int>(activation)));
}

CudnnNeeds CudnnConv::needs(bool compiled) const {
  return {.compiled = compiled, .all_bits = type == DType::kF32 && !tf32, .unsound = kUnsoundEngines};
}

CudnnGraph CudnnConv::graph(const Cudnn& library, const CudnnSite& site) const {
  throw_if_error(fits());
  CudnnGraph graph(library, site, "a convolution");
  Builder{*this, graph}.all();
  return graph;
}

}  // namespace kiln::cuda
