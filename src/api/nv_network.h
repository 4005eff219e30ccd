// A network: tensors, layers that hold their own settings, and their lowering to the graph.
#pragma once
#include <list>
#include <map>
#include <set>
#include <string>

#include "NvInfer.h"
#include "api/nv_common.h"
#include "ir/graph.h"

namespace kiln::api {

class NetworkImpl;
struct LayerCore;

class TensorImpl final : public nvinfer1::ITensor {
 public:
  TensorImpl(NetworkImpl& network, std::string name, LayerCore* producer, int index)
      : network_(network), name_(std::move(name)), producer_(producer), index_(index) {}
  void setName(char const* name) noexcept override;
  char const* getName() const noexcept override { return name_.c_str(); }
  void setDimensions(nvinfer1::Dims const& dims) noexcept override;
  nvinfer1::Dims getDimensions() const noexcept override;
  nvinfer1::DataType getType() const noexcept override;
  bool isNetworkInput() const noexcept override { return is_input; }
  bool isNetworkOutput() const noexcept override;
  nvinfer1::TensorLocation getLocation() const noexcept override { return nvinfer1::TensorLocation::kDEVICE; }
  void setDimensionName(int32_t index, char const* name) noexcept override;
  char const* getDimensionName(int32_t index) const noexcept override;

  const std::string& name() const { return name_; }
  LayerCore* producer() const { return producer_; }
  int index() const { return index_; }
  NetworkImpl& network() const { return network_; }
  EdgeType input_type() const;  // of a network input

  bool is_input = false;
  DType dtype = DType::kInvalid;  // of a network input
  Shape dims;                     // of a network input
  std::map<int32_t, std::string> dim_names;
  const Tensor* constant = nullptr;  // of an imported model

 private:
  NetworkImpl& network_;
  std::string name_;
  LayerCore* producer_;  // null for inputs and constants
  int index_;
};

// What layers use to lower themselves: nodes of the newest ONNX operators.
class Lower {
 public:
  Lower(NetworkImpl& network, ir::Graph& graph, LayerCore& layer, std::vector<ir::Value*> inputs)
      : graph(graph), inputs_(std::move(inputs)), network_(network), layer_(layer) {}
  ir::Value* in(size_t i) const;  // null when absent
  size_t input_count() const { return inputs_.size(); }
  ir::Value* node(const char* op, std::vector<ir::Value*> inputs, Attributes attributes = {});
  ir::Node* nodes(const char* op, std::vector<ir::Value*> inputs, Attributes attributes, int outputs);
  ir::Value* weights(const nvinfer1::Weights& weights, Dims dims);  // throws when the count differs
  ir::Value* ints(const Ints& values);
  ir::Value* like(ir::Value* value, double number);  // scalar of the value's element type
  ir::Value* as_int64(ir::Value* value);

  ir::Graph& graph;

 private:
  std::vector<ir::Value*> inputs_;
  NetworkImpl& network_;
  LayerCore& layer_;
};

// The part of a layer that the network works with.
struct LayerCore {
  virtual ~LayerCore() = default;
  virtual nvinfer1::ILayer* face() = 0;
  virtual std::vector<ir::Value*> lower(Lower& l) const = 0;  // one value per output
  NetworkImpl* network = nullptr;
  std::string name, metadata;
  std::vector<TensorImpl*> inputs;
  std::vector<std::unique_ptr<TensorImpl>> outputs;
};

void set_layer_input(LayerCore& layer, int32_t index, nvinfer1::ITensor& tensor) noexcept;
void layer_changed(LayerCore& layer) noexcept;
Reporter& reporter_of(const LayerCore& layer);
template <class F> void change_layer(LayerCore& layer, F&& body) noexcept {
  guarded(reporter_of(layer), false, [&] { return body(), true; });
  layer_changed(layer);
}

// ILayer for an interface that derives from it.
template <class Interface, nvinfer1::LayerType kType> class Layer : public Interface, public LayerCore {
 public:
  nvinfer1::ILayer* face() override { return this; }
  nvinfer1::LayerType getType() const noexcept override { return kType; }
  void setName(char const* n) noexcept override {
    change([&] { name = n ? n : ""; });
  }
  char const* getName() const noexcept override { return name.c_str(); }
  int32_t getNbInputs() const noexcept override { return static_cast<int32_t>(inputs.size()); }
  nvinfer1::ITensor* getInput(int32_t i) const noexcept override {
    return i >= 0 && i < getNbInputs() ? inputs[static_cast<size_t>(i)] : nullptr;
  }
  int32_t getNbOutputs() const noexcept override { return static_cast<int32_t>(outputs.size()); }
  nvinfer1::ITensor* getOutput(int32_t i) const noexcept override {
    return i >= 0 && i < getNbOutputs() ? outputs[static_cast<size_t>(i)].get() : nullptr;
  }
  void setInput(int32_t i, nvinfer1::ITensor& tensor) noexcept override { set_layer_input(*this, i, tensor); }
  nvinfer1::DataType getOutputType(int32_t i) const noexcept override {
    const nvinfer1::ITensor* t = getOutput(i);
    return t ? t->getType() : nvinfer1::DataType::kFLOAT;
  }
  void setMetadata(char const* text) noexcept override {
    change([&] { metadata = text ? text : ""; });
  }
  char const* getMetadata() const noexcept override { return metadata.c_str(); }

 protected:
  template <class F> void change(F&& body) noexcept { change_layer(*this, body); }
  template <class T> void set(T& field, const T& value) noexcept {
    change([&] { field = value; });
  }
};

class NetworkImpl final : public nvinfer1::INetworkDefinition {
 public:
  explicit NetworkImpl(const Reporter& reporter, nvinfer1::NetworkDefinitionCreationFlags flags)
      : reporter_(reporter), flags_(flags) {}
  nvinfer1::ITensor* addInput(char const* name, nvinfer1::DataType type, nvinfer1::Dims const& dims) noexcept override;
  void markOutput(nvinfer1::ITensor& tensor) noexcept override;
  void unmarkOutput(nvinfer1::ITensor& tensor) noexcept override;
  int32_t getNbInputs() const noexcept override { return static_cast<int32_t>(inputs_.size()); }
  nvinfer1::ITensor* getInput(int32_t i) const noexcept override {
    return i >= 0 && i < getNbInputs() ? inputs_[static_cast<size_t>(i)].get() : nullptr;
  }
  int32_t getNbOutputs() const noexcept override { return static_cast<int32_t>(outputs_.size()); }
  nvinfer1::ITensor* getOutput(int32_t i) const noexcept override {
    return i >= 0 && i < getNbOutputs() ? outputs_[static_cast<size_t>(i)] : nullptr;
  }
  int32_t getNbLayers() const noexcept override { return static_cast<int32_t>(layers_.size()); }
  nvinfer1::ILayer* getLayer(int32_t i) const noexcept override {
    return i >= 0 && i < getNbLayers() ? layers_[static_cast<size_t>(i)]->face() : nullptr;
  }
  void setName(char const* name) noexcept override { name_ = name ? name : ""; }
  char const* getName() const noexcept override { return name_.c_str(); }
  bool hasImplicitBatchDimension() const noexcept override { return false; }
  nvinfer1::NetworkDefinitionCreationFlags getFlags() const noexcept override { return flags_; }
  bool getFlag(nvinfer1::NetworkDefinitionCreationFlag flag) const noexcept override {
    return flags_ >> static_cast<int32_t>(flag) & 1;
  }
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override { reporter_.set_recorder(recorder); }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return reporter_.recorder(); }
  nvinfer1::IConvolutionLayer* addConvolutionNd(nvinfer1::ITensor& input, int64_t nbOutputMaps,
                                                nvinfer1::Dims const& kernelSize, nvinfer1::Weights kernelWeights,
                                                nvinfer1::Weights biasWeights) noexcept override;
  nvinfer1::IDeconvolutionLayer* addDeconvolutionNd(nvinfer1::ITensor& input, int64_t nbOutputMaps,
                                                    nvinfer1::Dims kernelSize, nvinfer1::Weights kernelWeights,
                                                    nvinfer1::Weights biasWeights) noexcept override;
  nvinfer1::IFullyConnectedLayer* addFullyConnected(nvinfer1::ITensor& input, int32_t nbOutputs,
                                                    nvinfer1::Weights kernelWeights,
                                                    nvinfer1::Weights biasWeights) noexcept override;
  nvinfer1::IActivationLayer* addActivation(nvinfer1::ITensor& input, nvinfer1::ActivationType type) noexcept override;
  nvinfer1::IPoolingLayer* addPoolingNd(nvinfer1::ITensor& input, nvinfer1::PoolingType type,
                                        nvinfer1::Dims const& windowSize) noexcept override;
  nvinfer1::ILRNLayer* addLRN(nvinfer1::ITensor& input, int64_t window, float alpha, float beta,
                              float k) noexcept override;
  nvinfer1::IScaleLayer* addScale(nvinfer1::ITensor& input, nvinfer1::ScaleMode mode, nvinfer1::Weights shift,
                                  nvinfer1::Weights scale, nvinfer1::Weights power) noexcept override;
  nvinfer1::IScaleLayer* addScaleNd(nvinfer1::ITensor& input, nvinfer1::ScaleMode mode, nvinfer1::Weights shift,
                                    nvinfer1::Weights scale, nvinfer1::Weights power,
                                    int32_t channelAxis) noexcept override;
  nvinfer1::ISoftMaxLayer* addSoftMax(nvinfer1::ITensor& input) noexcept override;
  nvinfer1::IConcatenationLayer* addConcatenation(nvinfer1::ITensor* const* inputs, int32_t nbInputs) noexcept override;
  nvinfer1::IElementWiseLayer* addElementWise(nvinfer1::ITensor& input1, nvinfer1::ITensor& input2,
                                              nvinfer1::ElementWiseOperation op) noexcept override;
  nvinfer1::IUnaryLayer* addUnary(nvinfer1::ITensor& input, nvinfer1::UnaryOperation operation) noexcept override;
  nvinfer1::IReduceLayer* addReduce(nvinfer1::ITensor& input, nvinfer1::ReduceOperation operation, uint32_t reduceAxes,
                                    bool keepDimensions) noexcept override;
  nvinfer1::IPaddingLayer* addPaddingNd(nvinfer1::ITensor& input, nvinfer1::Dims const& prePadding,
                                        nvinfer1::Dims const& postPadding) noexcept override;
  nvinfer1::IShuffleLayer* addShuffle(nvinfer1::ITensor& input) noexcept override;
  nvinfer1::ISliceLayer* addSlice(nvinfer1::ITensor& input, nvinfer1::Dims const& start, nvinfer1::Dims const& size,
                                  nvinfer1::Dims const& stride) noexcept override;
  nvinfer1::IShapeLayer* addShape(nvinfer1::ITensor& input) noexcept override;
  nvinfer1::ITopKLayer* addTopK(nvinfer1::ITensor& input, nvinfer1::TopKOperation op, int32_t k,
                                uint32_t reduceAxes) noexcept override;
  nvinfer1::IGatherLayer* addGather(nvinfer1::ITensor& data, nvinfer1::ITensor& indices,
                                    int32_t axis) noexcept override;
  nvinfer1::IGatherLayer* addGatherV2(nvinfer1::ITensor& data, nvinfer1::ITensor& indices,
                                      nvinfer1::GatherMode mode) noexcept override;
  nvinfer1::IMatrixMultiplyLayer* addMatrixMultiply(nvinfer1::ITensor& input0, nvinfer1::MatrixOperation op0,
                                                    nvinfer1::ITensor& input1,
                                                    nvinfer1::MatrixOperation op1) noexcept override;
  nvinfer1::IConstantLayer* addConstant(nvinfer1::Dims const& dimensions, nvinfer1::Weights weights) noexcept override;
  nvinfer1::IIdentityLayer* addIdentity(nvinfer1::ITensor& input) noexcept override;
  nvinfer1::ICastLayer* addCast(nvinfer1::ITensor& input, nvinfer1::DataType toType) noexcept override;
  nvinfer1::IParametricReLULayer* addParametricReLU(nvinfer1::ITensor& input,
                                                    nvinfer1::ITensor& slope) noexcept override;
  nvinfer1::ISelectLayer* addSelect(nvinfer1::ITensor& condition, nvinfer1::ITensor& thenInput,
                                    nvinfer1::ITensor& elseInput) noexcept override;
  nvinfer1::IEinsumLayer* addEinsum(nvinfer1::ITensor* const* inputs, int32_t nbInputs,
                                    char const* equation) noexcept override;
  nvinfer1::INonZeroLayer* addNonZero(nvinfer1::ITensor& input) noexcept override;
  nvinfer1::IOneHotLayer* addOneHot(nvinfer1::ITensor& indices, nvinfer1::ITensor& values, nvinfer1::ITensor& depth,
                                    int32_t axis) noexcept override;
  nvinfer1::ISqueezeLayer* addSqueeze(nvinfer1::ITensor& input, nvinfer1::ITensor& axes) noexcept override;
  nvinfer1::IUnsqueezeLayer* addUnsqueeze(nvinfer1::ITensor& input, nvinfer1::ITensor& axes) noexcept override;
  nvinfer1::INormalizationLayer* addNormalization(nvinfer1::ITensor& input, nvinfer1::ITensor& scale,
                                                  nvinfer1::ITensor& bias, uint32_t axesMask) noexcept override;
  nvinfer1::IResizeLayer* addResize(nvinfer1::ITensor& input) noexcept override;

  // Fills the empty network from an imported model.
  void adopt(std::unique_ptr<ir::Graph> model);
  std::unique_ptr<ir::Graph> lower();  // what markOutput marked; throws Error
  const EdgeType* type_of(
      const TensorImpl& tensor) noexcept;  // null, reported, when the network is not valid up to here
  bool is_output(const TensorImpl* tensor) const;
  void changed() noexcept { draft_.reset(); }
  void layer_changed(const LayerCore& layer) noexcept;
  Reporter& reporter() { return reporter_; }
  bool empty() const { return inputs_.empty() && layers_.empty(); }
  // For the adding functions: makes a layer and takes it; null, reported, when that fails.
  template <class F>
  auto add(const char* kind, std::vector<nvinfer1::ITensor*> inputs, F&& make, int outputs = 1) noexcept {
    return guarded(reporter_, decltype(make().get())(nullptr),
                   [&] { return take(make(), std::move(inputs), kind, outputs); });
  }
  static std::vector<nvinfer1::ITensor*> list_of(nvinfer1::ITensor* const* inputs, int32_t count) {
    return inputs && count > 0 ? std::vector<nvinfer1::ITensor*>(inputs, inputs + count)
                               : std::vector<nvinfer1::ITensor*>{nullptr};
  }
  // Takes a layer, gives it a name and outputs.
  template <class L>
  L* take(std::unique_ptr<L> layer, std::vector<nvinfer1::ITensor*> inputs, const char* kind, int outputs = 1);

 private:
  // A graph under construction: which tensors are in it.
  struct Draft {
    std::unique_ptr<ir::Graph> graph = std::make_unique<ir::Graph>();
    std::map<const TensorImpl*, ir::Value*> values;
    std::set<const LayerCore*> running;
  };
  ir::Value* value_of(Draft& draft, const TensorImpl& tensor);
  void begin(Draft& draft);

  Reporter reporter_;
  nvinfer1::NetworkDefinitionCreationFlags flags_;
  std::string name_;
  std::shared_ptr<ir::Graph> model_;  // nodes and constants of imported layers
  std::vector<std::unique_ptr<TensorImpl>> inputs_, constants_;
  std::vector<TensorImpl*> outputs_;
  std::vector<std::unique_ptr<LayerCore>> layers_;
  std::unique_ptr<Draft> draft_;  // for questions about shapes; null when outdated
};

template <class L>
L* NetworkImpl::take(std::unique_ptr<L> layer, std::vector<nvinfer1::ITensor*> inputs, const char* kind, int outputs) {
  LayerCore& core = *layer;
  core.network = this;
  core.name = "(Unnamed Layer* " + std::to_string(layers_.size()) + ") [" + kind + "]";
  for (nvinfer1::ITensor* t : inputs) {
    if (!t) throw Error(Code::kInvalidArgument, std::string("an input of the new ") + kind + " layer is null");
    if (&static_cast<TensorImpl*>(t)->network() != this)
      throw Error(Code::kInvalidArgument, std::string("tensor '") + t->getName() + "' belongs to another network");
    core.inputs.push_back(static_cast<TensorImpl*>(t));
  }
  for (int i = 0; i < outputs; ++i)
    core.outputs.push_back(
        std::make_unique<TensorImpl>(*this, core.name + "_output" + (i ? "_" + std::to_string(i) : ""), &core, i));
  L* result = layer.get();
  layers_.push_back(std::move(layer));
  return result;
}

}  // namespace kiln::api
