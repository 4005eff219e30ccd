// Tensors and layers of a network: what all of them share.
#pragma once
#include "NvInferRuntime.h"
#include "nvinfer/enums.h"

namespace nvinfer1 {

// The order of axes: output axis i is input axis order[i].
struct Permutation {
  int32_t order[Dims::MAX_DIMS];
};

// A tensor of a network. Owned by the network.
class ITensor : public INoCopy {
 public:
  virtual void setName(char const* name) noexcept = 0;  // copied; unique among inputs and outputs
  virtual char const* getName() const noexcept = 0;
  // Of an input: -1 where the profiles of the configuration give bounds.
  virtual void setDimensions(Dims const& dimensions) noexcept = 0;
  // nbDims is -1 when the network is not valid up to here; the logger tells why.
  virtual Dims getDimensions() const noexcept = 0;
  virtual DataType getType() const noexcept = 0;
  virtual bool isNetworkInput() const noexcept = 0;
  virtual bool isNetworkOutput() const noexcept = 0;
  virtual TensorLocation getLocation() const noexcept = 0;
  // Of an input or output: the element type at the engine's boundary, where it is not the network's. The engine converts.
  virtual void setType(DataType type) noexcept = 0;
  // Bits 1 << TensorFormat of an input or output: the engine takes kLINEAR where it is allowed, else what fits type and dimensions, formats
  // without vectors first; the build fails when none does. Masks of formats of a DLA alone are refused.
  virtual void setAllowedFormats(TensorFormats formats) noexcept = 0;
  virtual TensorFormats getAllowedFormats() const noexcept = 0;
  // The elements decide shapes of the network; profiles bound them with setShapeValuesV2.
  virtual bool isShapeTensor() const noexcept = 0;
  virtual bool isExecutionTensor() const noexcept = 0;
  // Equal names of dimensions of inputs mean equal sizes.
  virtual void setDimensionName(int32_t index, char const* name) noexcept = 0;
  virtual char const* getDimensionName(int32_t index) const noexcept = 0;
  // How far the elements reach, for builds with BuilderFlag::kINT8: the larger absolute value counts, before what a calibrator says. False,
  // reported, unless both are finite and min <= max.
  virtual bool setDynamicRange(float min, float max) noexcept = 0;
  virtual bool dynamicRangeIsSet() const noexcept = 0;
  virtual void resetDynamicRange() noexcept = 0;
  virtual float getDynamicRangeMin() const noexcept = 0;  // NaN when none is set
  virtual float getDynamicRangeMax() const noexcept = 0;
};

// An operation of a network. Owned by the network.
class ILayer : public INoCopy {
 public:
  virtual LayerType getType() const noexcept = 0;
  virtual void setName(char const* name) noexcept = 0;
  virtual char const* getName() const noexcept = 0;
  virtual int32_t getNbInputs() const noexcept = 0;
  virtual ITensor* getInput(int32_t index) const noexcept = 0;
  virtual int32_t getNbOutputs() const noexcept = 0;
  virtual ITensor* getOutput(int32_t index) const noexcept = 0;
  virtual void setInput(int32_t index, ITensor& tensor) noexcept = 0;
  virtual DataType getOutputType(int32_t index) const noexcept = 0;
  // Converts output `index` to the type: a cast behind the layer. Not for layers at the boundary of loops and conditionals.
  virtual void setOutputType(int32_t index, DataType dataType) noexcept = 0;
  virtual bool outputTypeIsSet(int32_t index) const noexcept = 0;
  virtual void resetOutputType(int32_t index) noexcept = 0;
  // The type in which the layer should compute. A layer computes in the type of its first input: where the two differ a build says so
  // with BuilderFlag::kPREFER_PRECISION_CONSTRAINTS, fails with kOBEY_PRECISION_CONSTRAINTS, and goes on without either.
  virtual void setPrecision(DataType dataType) noexcept = 0;
  virtual DataType getPrecision() const noexcept = 0;  // when none is set, the type of the first input
  virtual bool precisionIsSet() const noexcept = 0;
  virtual void resetPrecision() noexcept = 0;
  virtual void setMetadata(char const* metadata) noexcept = 0;
  virtual char const* getMetadata() const noexcept = 0;
};

}  // namespace nvinfer1
