// Layers that slide windows over [N,C,spatial], and their relatives: padding, fully connected.
#include "api/nv_network.h"

namespace kiln::api {
namespace {

nvinfer1::Dims filled(const nvinfer1::Dims& like, int64_t value) {
  nvinfer1::Dims out{like.nbDims, {}};
  for (int32_t i = 0; i < like.nbDims; ++i) out.d[i] = value;
  return out;
}

int64_t fixed(const ir::Value* x, size_t axis, const char* what) {
  if (!x->ranked() || axis >= x->shape().size())
    throw Error(Code::kShapeMismatch, std::string("the input ") + x->type().str() + " has no " + what);
  const auto value = x->shape()[axis].constant();
  if (!value)
    throw Error(Code::kUnsupported, std::string("the ") + what + " of the input are not fixed: " + x->type().str());
  return *value;
}

Attributes window_attributes(const nvinfer1::Dims& window, const nvinfer1::Dims& stride, const nvinfer1::Dims& pre,
                             const nvinfer1::Dims& post, nvinfer1::PaddingMode mode) {
  using M = nvinfer1::PaddingMode;
  Attributes a{{"kernel_shape", from_nv(window)}, {"strides", from_nv(stride)}};
  if (mode == M::kSAME_UPPER || mode == M::kSAME_LOWER) {
    a.set("auto_pad", std::string(mode == M::kSAME_UPPER ? "SAME_UPPER" : "SAME_LOWER"));
  } else {
    Ints pads = from_nv(pre);
    const Dims after = from_nv(post);
    pads.insert(pads.end(), after.begin(), after.end());
    a.set("pads", pads);
  }
  return a;
}

class Convolution final : public Layer<nvinfer1::IConvolutionLayer, nvinfer1::LayerType::kCONVOLUTION> {
 public:
  void setNbOutputMaps(int64_t value) noexcept override { set(maps, value); }
  int64_t getNbOutputMaps() const noexcept override { return maps; }
  void setNbGroups(int64_t value) noexcept override { set(groups, value); }
  int64_t getNbGroups() const noexcept override { return groups; }
  void setKernelWeights(nvinfer1::Weights value) noexcept override { set(kernel, value); }
  nvinfer1::Weights getKernelWeights() const noexcept override { return kernel; }
  void setBiasWeights(nvinfer1::Weights value) noexcept override { set(bias, value); }
  nvinfer1::Weights getBiasWeights() const noexcept override { return bias; }
  void setPrePadding(nvinfer1::Dims const& value) noexcept override { set(pre, value); }
  nvinfer1::Dims getPrePadding() const noexcept override { return pre; }
  void setPostPadding(nvinfer1::Dims const& value) noexcept override { set(post, value); }
  nvinfer1::Dims getPostPadding() const noexcept override { return post; }
  void setPaddingMode(nvinfer1::PaddingMode value) noexcept override { set(mode, value); }
  nvinfer1::PaddingMode getPaddingMode() const noexcept override { return mode; }
  void setKernelSizeNd(nvinfer1::Dims const& value) noexcept override { set(window, value); }
  nvinfer1::Dims getKernelSizeNd() const noexcept override { return window; }
  void setStrideNd(nvinfer1::Dims const& value) noexcept override { set(stride, value); }
  nvinfer1::Dims getStrideNd() const noexcept override { return stride; }
  void setDilationNd(nvinfer1::Dims const& value) noexcept override { set(dilation, value); }
  nvinfer1::Dims getDilationNd() const noexcept override { return dilation; }
  void setPaddingNd(nvinfer1::Dims const& value) noexcept override { set(pre, value), set(post, value); }
  nvinfer1::Dims getPaddingNd() const noexcept override { return pre; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  int64_t maps;
  int64_t groups = 1;
  nvinfer1::Weights kernel{nvinfer1::DataType::kFLOAT, nullptr, 0};
  nvinfer1::Weights bias{nvinfer1::DataType::kFLOAT, nullptr, 0};
  nvinfer1::Dims pre;
  nvinfer1::Dims post;
  nvinfer1::PaddingMode mode{};
  nvinfer1::Dims window;
  nvinfer1::Dims stride;
  nvinfer1::Dims dilation;
};

class Deconvolution final : public Layer<nvinfer1::IDeconvolutionLayer, nvinfer1::LayerType::kDECONVOLUTION> {
 public:
  void setNbOutputMaps(int64_t value) noexcept override { set(maps, value); }
  int64_t getNbOutputMaps() const noexcept override { return maps; }
  void setNbGroups(int64_t value) noexcept override { set(groups, value); }
  int64_t getNbGroups() const noexcept override { return groups; }
  void setKernelWeights(nvinfer1::Weights value) noexcept override { set(kernel, value); }
  nvinfer1::Weights getKernelWeights() const noexcept override { return kernel; }
  void setBiasWeights(nvinfer1::Weights value) noexcept override { set(bias, value); }
  nvinfer1::Weights getBiasWeights() const noexcept override { return bias; }
  void setPrePadding(nvinfer1::Dims const& value) noexcept override { set(pre, value); }
  nvinfer1::Dims getPrePadding() const noexcept override { return pre; }
  void setPostPadding(nvinfer1::Dims const& value) noexcept override { set(post, value); }
  nvinfer1::Dims getPostPadding() const noexcept override { return post; }
  void setPaddingMode(nvinfer1::PaddingMode value) noexcept override { set(mode, value); }
  nvinfer1::PaddingMode getPaddingMode() const noexcept override { return mode; }
  void setKernelSizeNd(nvinfer1::Dims const& value) noexcept override { set(window, value); }
  nvinfer1::Dims getKernelSizeNd() const noexcept override { return window; }
  void setStrideNd(nvinfer1::Dims const& value) noexcept override { set(stride, value); }
  nvinfer1::Dims getStrideNd() const noexcept override { return stride; }
  void setDilationNd(nvinfer1::Dims const& value) noexcept override { set(dilation, value); }
  nvinfer1::Dims getDilationNd() const noexcept override { return dilation; }
  void setPaddingNd(nvinfer1::Dims const& value) noexcept override { set(pre, value), set(post, value); }
  nvinfer1::Dims getPaddingNd() const noexcept override { return pre; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  int64_t maps;
  int64_t groups = 1;
  nvinfer1::Weights kernel{nvinfer1::DataType::kFLOAT, nullptr, 0};
  nvinfer1::Weights bias{nvinfer1::DataType::kFLOAT, nullptr, 0};
  nvinfer1::Dims pre;
  nvinfer1::Dims post;
  nvinfer1::PaddingMode mode{};
  nvinfer1::Dims window;
  nvinfer1::Dims stride;
  nvinfer1::Dims dilation;
};

// Inputs of a convolution; input 1 and 2, when set, stand for the weights and the bias.
template <class L> std::vector<ir::Value*> conv_inputs(const L& layer, Lower& l, Dims weight_dims) {
  const Dims spatial = from_nv(layer.window);
  weight_dims.insert(weight_dims.end(), spatial.begin(), spatial.end());
  std::vector<ir::Value*> inputs{l.in(0), l.in(1) ? l.in(1) : l.weights(layer.kernel, weight_dims)};
  if (l.in(2)) inputs.push_back(l.in(2));
  else if (layer.bias.count > 0) inputs.push_back(l.weights(layer.bias, {layer.maps}));
  return inputs;
}

template <class L> Attributes conv_attributes(const L& layer) {
  if (layer.mode == nvinfer1::PaddingMode::kEXPLICIT_ROUND_UP)
    throw Error(Code::kUnsupported, "a convolution that rounds up")
        .remedy("give explicit paddings and kEXPLICIT_ROUND_DOWN");
  if (layer.groups < 1)
    throw Error(Code::kInvalidArgument, "a convolution of " + std::to_string(layer.groups) + " groups");
  Attributes a = window_attributes(layer.window, layer.stride, layer.pre, layer.post, layer.mode);
  a.set("dilations", from_nv(layer.dilation));
  a.set("group", layer.groups);
  return a;
}

std::vector<ir::Value*> Convolution::lower(Lower& l) const {
  const Attributes a = conv_attributes(*this);
  return {l.node("Conv", conv_inputs(*this, l, {maps, fixed(l.in(0), 1, "channels") / groups}), a)};
}

std::vector<ir::Value*> Deconvolution::lower(Lower& l) const {
  const Attributes a = conv_attributes(*this);
  return {l.node("ConvTranspose", conv_inputs(*this, l, {fixed(l.in(0), 1, "channels"), maps / groups}), a)};
}

class FullyConnected final : public Layer<nvinfer1::IFullyConnectedLayer, nvinfer1::LayerType::kFULLY_CONNECTED> {
 public:
  void setNbOutputChannels(int32_t value) noexcept override { set(maps, value); }
  int32_t getNbOutputChannels() const noexcept override { return maps; }
  void setKernelWeights(nvinfer1::Weights value) noexcept override { set(kernel, value); }
  nvinfer1::Weights getKernelWeights() const noexcept override { return kernel; }
  void setBiasWeights(nvinfer1::Weights value) noexcept override { set(bias, value); }
  nvinfer1::Weights getBiasWeights() const noexcept override { return bias; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    if (l.in(0)->rank() != 4)
      throw Error(Code::kShapeMismatch, "a fully connected layer on " + l.in(0)->type().str())
          .remedy("give it [N,C,H,W]");
    const int64_t depth = fixed(l.in(0), 1, "channels") * fixed(l.in(0), 2, "rows") * fixed(l.in(0), 3, "columns");
    std::vector<ir::Value*> inputs{l.node("Flatten", {l.in(0)}, {{"axis", int64_t{1}}}),
                                   l.in(1) ? l.reshaped(l.in(1), {maps, depth}) : l.weights(kernel, {maps, depth})};
    if (l.in(2)) inputs.push_back(l.reshaped(l.in(2), {maps}));
    else if (bias.count > 0) inputs.push_back(l.weights(bias, {maps}));
    return {l.node("Unsqueeze", {l.node("Gemm", inputs, {{"transB", int64_t{1}}}), l.ints({2, 3})})};
  }

  int32_t maps = 0;
  nvinfer1::Weights kernel{nvinfer1::DataType::kFLOAT, nullptr, 0};
  nvinfer1::Weights bias{nvinfer1::DataType::kFLOAT, nullptr, 0};
};

class Pooling final : public Layer<nvinfer1::IPoolingLayer, nvinfer1::LayerType::kPOOLING> {
 public:
  void setPoolingType(nvinfer1::PoolingType value) noexcept override { set(type, value); }
  nvinfer1::PoolingType getPoolingType() const noexcept override { return type; }
  void setAverageCountExcludesPadding(bool value) noexcept override { set(exclude_padding, value); }
  bool getAverageCountExcludesPadding() const noexcept override { return exclude_padding; }
  void setBlendFactor(float value) noexcept override { set(blend, value); }
  float getBlendFactor() const noexcept override { return blend; }
  void setPrePadding(nvinfer1::Dims const& value) noexcept override { set(pre, value); }
  nvinfer1::Dims getPrePadding() const noexcept override { return pre; }
  void setPostPadding(nvinfer1::Dims const& value) noexcept override { set(post, value); }
  nvinfer1::Dims getPostPadding() const noexcept override { return post; }
  void setPaddingMode(nvinfer1::PaddingMode value) noexcept override { set(mode, value); }
  nvinfer1::PaddingMode getPaddingMode() const noexcept override { return mode; }
  void setWindowSizeNd(nvinfer1::Dims const& value) noexcept override { set(window, value); }
  nvinfer1::Dims getWindowSizeNd() const noexcept override { return window; }
  void setStrideNd(nvinfer1::Dims const& value) noexcept override { set(stride, value); }
  nvinfer1::Dims getStrideNd() const noexcept override { return stride; }
  void setPaddingNd(nvinfer1::Dims const& value) noexcept override { set(pre, value), set(post, value); }
  nvinfer1::Dims getPaddingNd() const noexcept override { return pre; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  nvinfer1::PoolingType type{};
  bool exclude_padding = true;
  float blend = 0;
  nvinfer1::Dims pre;
  nvinfer1::Dims post;
  nvinfer1::PaddingMode mode{};
  nvinfer1::Dims window;
  nvinfer1::Dims stride;
};

std::vector<ir::Value*> Pooling::lower(Lower& l) const {
  using T = nvinfer1::PoolingType;
  Attributes a = window_attributes(window, stride, pre, post, mode);
  a.set("ceil_mode", int64_t{mode == nvinfer1::PaddingMode::kEXPLICIT_ROUND_UP});
  if (type == T::kMAX) return {l.node("MaxPool", {l.in(0)}, a)};
  Attributes counted = a;
  counted.set("count_include_pad", int64_t{!exclude_padding});
  ir::Value* average = l.node("AveragePool", {l.in(0)}, counted);
  if (type == T::kAVERAGE) return {average};
  if (type != T::kMAX_AVERAGE_BLEND)
    throw Error(Code::kInvalidArgument, "there is no pooling type " + std::to_string(static_cast<int32_t>(type)));
  ir::Value* largest = l.node("Mul", {l.node("MaxPool", {l.in(0)}, a), l.like(average, 1.0 - blend)});
  return {l.node("Add", {l.node("Mul", {average, l.like(average, blend)}), largest})};
}

class Lrn final : public Layer<nvinfer1::ILRNLayer, nvinfer1::LayerType::kLRN> {
 public:
  void setWindowSize(int64_t value) noexcept override { set(window, value); }
  int64_t getWindowSize() const noexcept override { return window; }
  void setAlpha(float value) noexcept override { set(alpha, value); }
  float getAlpha() const noexcept override { return alpha; }
  void setBeta(float value) noexcept override { set(beta, value); }
  float getBeta() const noexcept override { return beta; }
  void setK(float value) noexcept override { set(k, value); }
  float getK() const noexcept override { return k; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("LRN", {l.in(0)},
                   {{"size", window}, {"alpha", double{alpha}}, {"beta", double{beta}}, {"bias", double{k}}})};
  }

  int64_t window = 5;
  float alpha = 1e-4f;
  float beta = 0.75f;
  float k = 1;
};

class Padding final : public Layer<nvinfer1::IPaddingLayer, nvinfer1::LayerType::kPADDING> {
 public:
  void setPrePaddingNd(nvinfer1::Dims const& value) noexcept override { set(pre, value); }
  nvinfer1::Dims getPrePaddingNd() const noexcept override { return pre; }
  void setPostPaddingNd(nvinfer1::Dims const& value) noexcept override { set(post, value); }
  nvinfer1::Dims getPostPaddingNd() const noexcept override { return post; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    const auto rank = static_cast<size_t>(l.in(0)->rank());
    if (pre.nbDims != 2 || post.nbDims != 2 || rank < 2)
      throw Error(Code::kInvalidArgument,
                  "padding needs two dimensions before and after, and a tensor of rank 2 or more");
    Ints pads(2 * rank, 0);
    for (size_t i = 0; i < 2; ++i) pads[rank - 2 + i] = pre.d[i], pads[2 * rank - 2 + i] = post.d[i];
    return {l.node("Pad", {l.in(0), l.ints(pads)})};
  }

  nvinfer1::Dims pre;
  nvinfer1::Dims post;
};

template <class L> std::unique_ptr<L> with_window(const nvinfer1::Dims& window) {
  auto layer = std::make_unique<L>();
  layer->window = window;
  layer->stride = filled(window, 1);
  layer->pre = layer->post = filled(window, 0);
  return layer;
}

// Refuses what no number of groups makes right, which is set later. Weights of count 0 come as input 1.
void check_weights(const nvinfer1::ITensor& input, int64_t maps, const nvinfer1::Dims& window,
                   const nvinfer1::Weights& kernel, const nvinfer1::Weights& bias) {
  if (bias.count != 0) check_count(bias, maps, "one for each of the output maps");
  if (kernel.count == 0) return;
  const nvinfer1::Dims dims = input.getDimensions();
  const int64_t channels = dims.nbDims > 1 ? dims.d[1] : -1;
  Dims whole = from_nv(window);
  whole.insert(whole.begin(), {maps, channels < 0 ? 1 : channels});
  const int64_t all = checked_element_count(whole).value_or(0);
  const int64_t groups = kernel.count > 0 && all % kernel.count == 0 ? all / kernel.count : 0;
  const bool fits = channels < 0 ? all > 0 && kernel.count > 0 && kernel.count % (all / maps) == 0
                                 : groups > 0 && channels % groups == 0 && maps % groups == 0;
  if (fits) return check_count(kernel, kernel.count, "");
  throw Error(Code::kInvalidArgument, "the layer has " + std::to_string(kernel.count) + " weights")
      .cause("a window " + to_string(from_nv(window)) + " from " + std::to_string(channels) + " channels to " +
             std::to_string(maps) + " maps takes another number, whatever the number of groups")
      .remedy("give maps x channels / groups x window weights");
}

template <class L>
std::unique_ptr<L> convolution(const nvinfer1::ITensor& input, int64_t maps, const nvinfer1::Dims& window,
                               const nvinfer1::Weights& kernel, const nvinfer1::Weights& bias) {
  check_weights(input, maps, window, kernel, bias);
  auto layer = with_window<L>(window);
  layer->dilation = filled(window, 1);
  layer->maps = maps;
  layer->kernel = kernel;
  layer->bias = bias;
  return layer;
}

}  // namespace

using namespace nvinfer1;

IConvolutionLayer* NetworkImpl::addConvolutionNd(ITensor& input, int64_t maps, nvinfer1::Dims const& window,
                                                 Weights kernel, Weights bias) noexcept {
  return add("Convolution", {&input}, [&] { return convolution<Convolution>(input, maps, window, kernel, bias); });
}
IDeconvolutionLayer* NetworkImpl::addDeconvolutionNd(ITensor& input, int64_t maps, nvinfer1::Dims window,
                                                     Weights kernel, Weights bias) noexcept {
  return add("Deconvolution", {&input}, [&] { return convolution<Deconvolution>(input, maps, window, kernel, bias); });
}
IFullyConnectedLayer* NetworkImpl::addFullyConnected(ITensor& input, int32_t maps, Weights kernel,
                                                     Weights bias) noexcept {
  return add("Fully Connected", {&input}, [&] {
    auto layer = std::make_unique<FullyConnected>();
    if (bias.count != 0) check_count(bias, maps, "one for each of the outputs");
    if (kernel.count % std::max(maps, 1) != 0 || (kernel.count != 0 && !kernel.values))
      check_count(kernel, maps, "as many for each of the outputs");
    layer->maps = maps, layer->kernel = kernel, layer->bias = bias;
    return layer;
  });
}
IPoolingLayer* NetworkImpl::addPoolingNd(ITensor& input, PoolingType type, nvinfer1::Dims const& window) noexcept {
  return add("Pooling", {&input}, [&] {
    auto layer = with_window<Pooling>(window);
    layer->type = known(type);
    return layer;
  });
}
ILRNLayer* NetworkImpl::addLRN(ITensor& input, int64_t window, float alpha, float beta, float k) noexcept {
  return add("LRN", {&input}, [&] {
    auto layer = std::make_unique<Lrn>();
    layer->window = window, layer->alpha = alpha, layer->beta = beta, layer->k = k;
    return layer;
  });
}
IPaddingLayer* NetworkImpl::addPaddingNd(ITensor& input, nvinfer1::Dims const& pre,
                                         nvinfer1::Dims const& post) noexcept {
  return add("Padding", {&input}, [&] {
    auto layer = std::make_unique<Padding>();
    layer->pre = pre, layer->post = post;
    return layer;
  });
}
}  // namespace kiln::api
