// A network: what adds layers, answers questions about shapes, and lowers to the graph.
#pragma once
#include "api/nv_layer.h"
#include "compiler/compile.h"

namespace kiln::api {

class NetworkImpl final : public nvinfer1::INetworkDefinition {
 public:
  ~NetworkImpl() noexcept override;
  NetworkImpl(nvinfer1::IBuilder& builder, const Reporter& reporter, nvinfer1::NetworkDefinitionCreationFlags flags);
  nvinfer1::ITensor* addInput(char const* name, nvinfer1::DataType type, nvinfer1::Dims const& dims) noexcept override;
  void markOutput(nvinfer1::ITensor& tensor) noexcept override;
  void unmarkOutput(nvinfer1::ITensor& tensor) noexcept override;
  void removeTensor(nvinfer1::ITensor& tensor) noexcept override;
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
  nvinfer1::IBuilder& getBuilder() const noexcept override { return builder_; }
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
  nvinfer1::ITopKLayer* addTopK(nvinfer1::ITensor& input, nvinfer1::TopKOperation op, int32_t k, uint32_t reduceAxes,
                                nvinfer1::DataType indicesType) noexcept override;
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
  nvinfer1::INonZeroLayer* addNonZero(nvinfer1::ITensor& input, nvinfer1::DataType indicesType) noexcept override;
  nvinfer1::IOneHotLayer* addOneHot(nvinfer1::ITensor& indices, nvinfer1::ITensor& values, nvinfer1::ITensor& depth,
                                    int32_t axis) noexcept override;
  nvinfer1::ISqueezeLayer* addSqueeze(nvinfer1::ITensor& input, nvinfer1::ITensor& axes) noexcept override;
  nvinfer1::IUnsqueezeLayer* addUnsqueeze(nvinfer1::ITensor& input, nvinfer1::ITensor& axes) noexcept override;
  nvinfer1::INormalizationLayer* addNormalization(nvinfer1::ITensor& input, nvinfer1::ITensor& scale,
                                                  nvinfer1::ITensor& bias, uint32_t axesMask) noexcept override;
  nvinfer1::INormalizationLayer* addNormalizationV2(nvinfer1::ITensor& input, nvinfer1::ITensor& scale,
                                                    nvinfer1::ITensor& bias, uint32_t axesMask) noexcept override;
  nvinfer1::IResizeLayer* addResize(nvinfer1::ITensor& input) noexcept override;
  nvinfer1::IRaggedSoftMaxLayer* addRaggedSoftMax(nvinfer1::ITensor& input,
                                                  nvinfer1::ITensor& bounds) noexcept override;
  nvinfer1::IFillLayer* addFill(nvinfer1::Dims const& dimensions, nvinfer1::FillOperation op,
                                nvinfer1::DataType outputType) noexcept override;
  nvinfer1::IScatterLayer* addScatter(nvinfer1::ITensor& data, nvinfer1::ITensor& indices, nvinfer1::ITensor& updates,
                                      nvinfer1::ScatterMode mode) noexcept override;
  nvinfer1::ICumulativeLayer* addCumulative(nvinfer1::ITensor& input, nvinfer1::ITensor& axis,
                                            nvinfer1::CumulativeOperation operation, bool exclusive,
                                            bool reverse) noexcept override;
  nvinfer1::IGridSampleLayer* addGridSample(nvinfer1::ITensor& input, nvinfer1::ITensor& grid) noexcept override;
  nvinfer1::INMSLayer* addNMS(nvinfer1::ITensor& boxes, nvinfer1::ITensor& scores,
                              nvinfer1::ITensor& maxOutputBoxesPerClass,
                              nvinfer1::DataType indicesType) noexcept override;
  nvinfer1::IReverseSequenceLayer* addReverseSequence(nvinfer1::ITensor& input,
                                                      nvinfer1::ITensor& sequenceLens) noexcept override;
  nvinfer1::IQuantizeLayer* addQuantize(nvinfer1::ITensor& input, nvinfer1::ITensor& scale,
                                        nvinfer1::DataType outputType) noexcept override;
  nvinfer1::IDequantizeLayer* addDequantize(nvinfer1::ITensor& input, nvinfer1::ITensor& scale,
                                            nvinfer1::DataType outputType) noexcept override;
  nvinfer1::IAttention* addAttention(nvinfer1::ITensor& query, nvinfer1::ITensor& key, nvinfer1::ITensor& value,
                                     nvinfer1::AttentionNormalizationOp normOp, bool causal) noexcept override;
  nvinfer1::IAttention* addAttentionV2(nvinfer1::ITensor& query, nvinfer1::ITensor& key, nvinfer1::ITensor& value,
                                       nvinfer1::AttentionNormalizationOp normOp,
                                       nvinfer1::CausalMaskKind causalKind) noexcept override;
  nvinfer1::IRotaryEmbeddingLayer* addRotaryEmbedding(nvinfer1::ITensor& input, nvinfer1::ITensor& cosCache,
                                                      nvinfer1::ITensor& sinCache, bool interleaved,
                                                      int32_t rotaryEmbeddingDim) noexcept override;
  nvinfer1::ILoop* addLoop() noexcept override;
  nvinfer1::IIfConditional* addIfConditional() noexcept override;

  nvinfer1::IAssertionLayer* addAssertion(nvinfer1::ITensor& condition, char const* message) noexcept override;
  bool markDebug(nvinfer1::ITensor& tensor) noexcept override;
  bool unmarkDebug(nvinfer1::ITensor& tensor) noexcept override;
  bool isDebugTensor(nvinfer1::ITensor const& tensor) const noexcept override;
  bool markUnfusedTensorsAsDebugTensors() noexcept override { return shows_results_ = true; }
  bool unmarkUnfusedTensorsAsDebugTensors() noexcept override { return shows_results_ = false, true; }

  // Fills the empty network from an imported model.
  void adopt(std::unique_ptr<ir::Graph> model);
  struct Lowered {
    std::unique_ptr<ir::Graph> graph;
    std::vector<WatchedOutput> watched;
    std::vector<Layout> layouts;           // of the outputs that are returned
    size_t returned = 0;                   // outputs of the graph that markOutput marked; they come first
    std::map<std::string, double> ranges;  // of values whose tensors have a range
  };
  // The elements of the inputs in `valued` are dimensions of the graph. `named`: values have the names of their tensors. Throws Error.
  Lowered lower(const std::set<std::string>& valued = {}, bool named = false);
  bool shows_results() const { return shows_results_; }
  const std::vector<std::unique_ptr<LayerCore>>& layers() const { return layers_; }
  const EdgeType* type_of(
      const TensorImpl& tensor) noexcept;  // null, reported, when the network is not valid up to here
  bool is_output(const TensorImpl* tensor) const;
  bool decides_shapes(const TensorImpl& tensor) const;
  void changed() noexcept;
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
  // Keeps an object that the user works with as long as the network lives.
  template <class C> C* keep(std::unique_ptr<C> object) {
    C* kept = object.get();
    return kept_.push_back(std::move(object)), kept;
  }
  // Takes a layer, gives it a name and outputs.
  template <class L>
  L* take(std::unique_ptr<L> layer, std::vector<nvinfer1::ITensor*> inputs, const char* kind, int outputs = 1);

 private:
  struct Draft;
  void begin(Draft& draft, const std::set<std::string>& valued);
  static ir::Value* result_of(Draft& draft, const TensorImpl& tensor, const std::vector<ir::Value*>& others);
  void watch_all(Draft& draft, std::vector<ir::Value*>& results, Lowered& lowered);
  void name_values(Draft& draft, Lowered& lowered) const;
  void check_own(const TensorImpl& tensor) const;
  void lower_in_order(Draft& draft, std::vector<const TensorImpl*> wanted);

  nvinfer1::IBuilder& builder_;
  Reporter reporter_;
  nvinfer1::NetworkDefinitionCreationFlags flags_;
  std::string name_;
  std::shared_ptr<ir::Graph> model_;  // nodes and constants of imported layers
  std::vector<std::unique_ptr<TensorImpl>> inputs_, constants_, removed_;
  std::vector<TensorImpl*> outputs_, debug_;
  bool shows_results_ = false;
  std::vector<std::unique_ptr<LayerCore>> layers_;
  std::vector<std::unique_ptr<nvinfer1::INoCopy>> kept_;  // loops, conditionals, attentions
  bool has_bodies_ = false;                               // loops or conditionals
  std::unique_ptr<Draft> draft_;                          // for questions about shapes; null when outdated
};

template <class L>
L* NetworkImpl::take(std::unique_ptr<L> layer, std::vector<nvinfer1::ITensor*> inputs, const char* kind, int outputs) {
  LayerCore& core = *layer;
  core.network = this;
  core.required = inputs.size();
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
