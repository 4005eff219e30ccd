// Tensors and layers of a network: layers hold their own settings and lower themselves to nodes of the graph.
#pragma once
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "NvInfer.h"
#include "api/run/nv_common.h"
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
  nvinfer1::TensorLocation getLocation() const noexcept override {
    return is_input && isShapeTensor() ? nvinfer1::TensorLocation::kHOST : nvinfer1::TensorLocation::kDEVICE;
  }
  void setType(nvinfer1::DataType type) noexcept override;
  void setAllowedFormats(nvinfer1::TensorFormats formats) noexcept override;
  nvinfer1::TensorFormats getAllowedFormats() const noexcept override { return formats_; }
  bool isShapeTensor() const noexcept override;
  bool isExecutionTensor() const noexcept override { return !isShapeTensor(); }
  void setDimensionName(int32_t index, char const* name) noexcept override;
  char const* getDimensionName(int32_t index) const noexcept override;
  bool setDynamicRange(float min, float max) noexcept override;
  bool dynamicRangeIsSet() const noexcept override { return range_.has_value(); }
  void resetDynamicRange() noexcept override { range_.reset(); }
  float getDynamicRangeMin() const noexcept override { return range_ ? range_->first : std::nanf(""); }
  float getDynamicRangeMax() const noexcept override { return range_ ? range_->second : std::nanf(""); }

  const std::string& name() const { return name_; }
  LayerCore* producer() const { return producer_; }
  int index() const { return index_; }
  NetworkImpl& network() const { return network_; }
  // Of an input or output of this type and rank; throws kUnsupported when no allowed format takes it.
  Layout layout(DType type, size_t rank) const;
  EdgeType input_type() const;          // of a network input, as the network computes with it
  std::optional<double> reach() const;  // the largest absolute value, when a range is set

  bool is_input = false;
  DType dtype = DType::kInvalid;    // of a network input
  Shape dims;                       // of a network input
  DType io_type = DType::kInvalid;  // at the engine's boundary, when it is not the network's
  std::map<int32_t, std::string> dim_names;
  const Tensor* constant = nullptr;  // of an imported model

 private:
  NetworkImpl& network_;
  std::string name_;
  LayerCore* producer_;  // null for inputs and constants
  int index_;
  std::optional<std::pair<float, float>> range_;
  nvinfer1::TensorFormats formats_ = 1U << static_cast<uint32_t>(nvinfer1::TensorFormat::kLINEAR);
};

// What layers use to lower themselves: nodes of the newest ONNX operators.
class Lower {
 public:
  Lower(ir::Graph& graph, const std::string& name, std::vector<ir::Value*> inputs = {})
      : graph(graph), inputs_(std::move(inputs)), name_(name) {}
  ir::Value* in(size_t i) const;  // null when absent
  size_t input_count() const { return inputs_.size(); }
  ir::Value* node(const char* op, std::vector<ir::Value*> inputs, Attributes attributes = {});
  ir::Node* nodes(const char* op, std::vector<ir::Value*> inputs, Attributes attributes, int outputs);
  ir::Value* weights(const nvinfer1::Weights& weights, Dims dims);  // throws when the count differs
  ir::Value* ints(const Ints& values);
  ir::Value* like(ir::Value* value, double number);  // scalar of the value's element type
  ir::Value* cast(ir::Value* value, DType type);
  ir::Value* as_int64(ir::Value* value) { return cast(value, DType::kI64); }
  ir::Value* scalar(ir::Value* value);                      // of one element, as a tensor without dimensions
  ir::Value* extent(ir::Value* value, int64_t axis);        // int64 scalar
  ir::Value* reshaped(ir::Value* value, const Ints& dims);  // 0 copies a dimension, -1 is computed

  ir::Graph& graph;

 private:
  std::vector<ir::Value*> inputs_;
  const std::string& name_;
};

class Scope;

// A loop or a conditional.
struct Construct {
  virtual ~Construct() = default;
  // Every tensor that its layers take.
  virtual std::vector<const TensorImpl*> mentioned() const = 0;
  // Gives the outputs of its output layers their values.
  virtual void lower(Scope& scope) = 0;
};

// Where a layer stands in its construct: an inner boundary gives values that only the inside may use.
enum class Boundary { kNone, kInner, kLimit, kOutput };

// The part of a layer that the network works with.
struct LayerCore {
  virtual ~LayerCore() = default;
  virtual nvinfer1::ILayer* face() = 0;
  virtual nvinfer1::LayerType type() const = 0;
  virtual std::vector<ir::Value*> lower(Lower& l) const = 0;  // one value per output
  // Whether the elements of this input, and not only its shape, decide shapes of outputs.
  virtual bool shapes_by(size_t) const { return false; }
  NetworkImpl* network = nullptr;
  Construct* construct = nullptr;
  Boundary boundary = Boundary::kNone;
  size_t required = 0;  // so many inputs may not be absent
  // Of an assertion, its message: the first input must be true. Null for other layers.
  virtual const std::string* assertion() const { return nullptr; }
  std::string name, metadata;
  std::optional<DType> precision;
  std::map<int32_t, DType> output_types;
  std::vector<TensorImpl*> inputs;
  std::vector<std::unique_ptr<TensorImpl>> outputs;
};

void set_layer_input(LayerCore& layer, int32_t index, nvinfer1::ITensor& tensor) noexcept;
void layer_changed(LayerCore& layer) noexcept;
void set_output_type(LayerCore& layer, int32_t index, nvinfer1::DataType type) noexcept;
// The enumerator; throws kInvalidArgument for a number that is none.
template <class E> E known(E value) {
  const auto number = static_cast<int32_t>(value);
  if (number >= 0 && number < nvinfer1::EnumMax<E>()) return value;
  throw Error(Code::kInvalidArgument, "there is no enumerator " + std::to_string(number) +
                                          " of this enumeration, which has " + std::to_string(nvinfer1::EnumMax<E>()))
      .remedy("use the enumerators of NvInfer.h");
}
void check_name(std::string_view name);  // throws kInvalidArgument when a tensor cannot have so long a name
// Throws kInvalidArgument, unless there are so many weights with values, or a negative number of wanted ones is not known.
void check_count(const nvinfer1::Weights& weights, int64_t wanted, const std::string& what);
DType index_dtype(nvinfer1::DataType type);  // of kINT32 and kINT64; throws kInvalidArgument for others
Reporter& reporter_of(const LayerCore& layer);
template <class F> void change_layer(LayerCore& layer, F&& body) noexcept {
  guarded(reporter_of(layer), false, [&] { return body(), true; });
  layer_changed(layer);
}

// ILayer for an interface that derives from it.
template <class Interface, nvinfer1::LayerType kType> class Layer : public Interface, public LayerCore {
 public:
  nvinfer1::ILayer* face() override { return this; }
  nvinfer1::LayerType type() const override { return kType; }
  nvinfer1::LayerType getType() const noexcept override { return type(); }
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
  void setOutputType(int32_t i, nvinfer1::DataType type) noexcept override { set_output_type(*this, i, type); }
  bool outputTypeIsSet(int32_t i) const noexcept override { return output_types.count(i) > 0; }
  void resetOutputType(int32_t i) noexcept override {
    change([&] { output_types.erase(i); });
  }
  void setPrecision(nvinfer1::DataType type) noexcept override {
    guarded(reporter_of(*this), false, [&] { return precision = from_nv(type), true; });
  }
  nvinfer1::DataType getPrecision() const noexcept override {
    if (precision) return to_nv(*precision);
    const nvinfer1::ITensor* t = getInput(0);
    return t ? t->getType() : getOutputType(0);
  }
  bool precisionIsSet() const noexcept override { return precision.has_value(); }
  void resetPrecision() noexcept override { precision.reset(); }
  void setMetadata(char const* text) noexcept override {
    change([&] { metadata = text ? text : ""; });
  }
  char const* getMetadata() const noexcept override { return metadata.c_str(); }

 protected:
  template <class F> void change(F&& body) noexcept { change_layer(*this, body); }
  template <class T> void set(T& field, const T& value) noexcept {
    change([&] {
      if constexpr (std::is_enum_v<T>) field = known(value);
      else field = value;
    });
  }
  bool set_index_type(nvinfer1::DataType& field, nvinfer1::DataType type) noexcept {
    return guarded(reporter_of(*this), false, [&] { return index_dtype(type), set(field, type), true; });
  }
};

}  // namespace kiln::api
