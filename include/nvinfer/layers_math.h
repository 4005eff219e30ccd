// Layers that compute: pointwise functions, reductions, products, normalisation.
#pragma once
#include "nvinfer/layer.h"

namespace nvinfer1 {

// A pointwise function. With a = alpha, b = beta, both 0 at first: kLEAKY_RELU x < 0 ? a*x : x; kELU x < 0 ? a*(exp(x)-1) : x;
// kSELU x < 0 ? b*a*(exp(x)-1) : b*x; kSOFTPLUS a*log(exp(b*x)+1); kCLIP min(max(x,a),b); kHARD_SIGMOID min(max(a*x+b,0),1);
// kSCALED_TANH a*tanh(b*x); kTHRESHOLDED_RELU x > a ? x : 0.
class IActivationLayer : public ILayer {
 public:
  virtual void setActivationType(ActivationType activationType) noexcept = 0;
  virtual ActivationType getActivationType() const noexcept = 0;
  virtual void setAlpha(float alpha) noexcept = 0;
  virtual float getAlpha() const noexcept = 0;
  virtual void setBeta(float beta) noexcept = 0;
  virtual float getBeta() const noexcept = 0;
};

// (x * scale + shift) ^ power. Each of the three has no weights (1, 0, 1), or as many as the mode says: kUNIFORM 1; kCHANNEL one for each index
// of the channel axis (1 at first); kELEMENTWISE one for each element behind the first axis.
class IScaleLayer : public ILayer {
 public:
  virtual void setMode(ScaleMode mode) noexcept = 0;
  virtual ScaleMode getMode() const noexcept = 0;
  virtual void setShift(Weights shift) noexcept = 0;
  virtual Weights getShift() const noexcept = 0;
  virtual void setScale(Weights scale) noexcept = 0;
  virtual Weights getScale() const noexcept = 0;
  virtual void setPower(Weights power) noexcept = 0;
  virtual Weights getPower() const noexcept = 0;
  virtual void setChannelAxis(int32_t channelAxis) noexcept = 0;
  virtual int32_t getChannelAxis() const noexcept = 0;
};

// Softmax over the one axis whose bit is set; at first axis max(0, rank - 3).
class ISoftMaxLayer : public ILayer {
 public:
  virtual void setAxes(uint32_t axes) noexcept = 0;
  virtual uint32_t getAxes() const noexcept = 0;
};

// A function of two tensors of equal rank and type, whose dimensions are equal or 1. Comparisons give BOOL, the logical ones take it;
// kFLOOR_DIV rounds towards minus infinity.
class IElementWiseLayer : public ILayer {
 public:
  virtual void setOperation(ElementWiseOperation operation) noexcept = 0;
  virtual ElementWiseOperation getOperation() const noexcept = 0;
};

// A pointwise function without parameters. kNOT takes BOOL; kISINF and kISNAN give it; kROUND rounds halves to even.
class IUnaryLayer : public ILayer {
 public:
  virtual void setOperation(UnaryOperation operation) noexcept = 0;
  virtual UnaryOperation getOperation() const noexcept = 0;
};

// Reduces the axes whose bits are set, to dimensions of 1 where they are kept.
class IReduceLayer : public ILayer {
 public:
  virtual void setOperation(ReduceOperation operation) noexcept = 0;
  virtual ReduceOperation getOperation() const noexcept = 0;
  virtual void setReduceAxes(uint32_t reduceAxes) noexcept = 0;
  virtual uint32_t getReduceAxes() const noexcept = 0;
  virtual void setKeepDimensions(bool keepDimensions) noexcept = 0;
  virtual bool getKeepDimensions() const noexcept = 0;
};

// Output 0: the k extreme values along the one axis of reduceAxes, in order. Output 1: their indices. Input 1, a scalar INT32 or
// INT64, replaces k.
class ITopKLayer : public ILayer {
 public:
  virtual void setOperation(TopKOperation operation) noexcept = 0;
  virtual TopKOperation getOperation() const noexcept = 0;
  virtual void setK(int32_t k) noexcept = 0;
  virtual int32_t getK() const noexcept = 0;
  virtual void setReduceAxes(uint32_t reduceAxes) noexcept = 0;
  virtual uint32_t getReduceAxes() const noexcept = 0;
  virtual bool setIndicesType(DataType type) noexcept = 0;  // kINT32 or kINT64
  virtual DataType getIndicesType() const noexcept = 0;
};

// Product of matrices in the last two dimensions; leading dimensions are equal or 1. kTRANSPOSE exchanges the last two of its input; kVECTOR
// takes the last one alone as a vector, which the result then lacks.
class IMatrixMultiplyLayer : public ILayer {
 public:
  virtual void setOperation(int32_t index, MatrixOperation op) noexcept = 0;  // index 0 or 1
  virtual MatrixOperation getOperation(int32_t index) const noexcept = 0;
};

// x where x >= 0, else x * slope; the slope is input 1.
class IParametricReLULayer : public ILayer {
 public:
};

// Summation as the equation says, "ij,jk->ik": letters name axes, "..." those that broadcast; without an arrow the letters that occur once are
// the result's, in order.
class IEinsumLayer : public ILayer {
 public:
  virtual bool setEquation(char const* equation) noexcept = 0;
  virtual char const* getEquation() const noexcept = 0;
};

// Normalises over the axes, then scales (input 1) and shifts (input 2). With groups: channels, axis 1, are split into nbGroups
// parts that are normalised with the axes after them, the bits that are set; scale and bias are then [1,nbGroups,1,..], and
// [1,C,1,..] for layers that addNormalizationV2 made.
class INormalizationLayer : public ILayer {
 public:
  virtual void setEpsilon(float epsilon) noexcept = 0;
  virtual float getEpsilon() const noexcept = 0;
  virtual void setAxes(uint32_t axes) noexcept = 0;
  virtual uint32_t getAxes() const noexcept = 0;
  virtual void setNbGroups(int64_t nbGroups) noexcept = 0;
  virtual int64_t getNbGroups() const noexcept = 0;
  virtual bool isV2() const noexcept = 0;
};

// Running sums along the axis that input 1, a scalar INT32 or INT64, names.
class ICumulativeLayer : public ILayer {
 public:
  virtual bool setOperation(CumulativeOperation op) noexcept = 0;
  virtual CumulativeOperation getOperation() const noexcept = 0;
  virtual void setExclusive(bool exclusive) noexcept = 0;  // without the element itself
  virtual bool getExclusive() const noexcept = 0;
  virtual void setReverse(bool reverse) noexcept = 0;  // from the end
  virtual bool getReverse() const noexcept = 0;
};

// Softmax over the first elements of each row of input 0, [.., rows, length]; input 1, INT32 or INT64 [.., rows, 1], tells how
// many. The rest of the row is zero.
class IRaggedSoftMaxLayer : public ILayer {
 public:
};

// round(x / scale), saturated. Input 1 is the scale: one value, a value per index of the axis, or of the input's rank, a value
// per block. Input 2, when set, is a zero point of zeros.
class IQuantizeLayer : public ILayer {
 public:
  virtual int32_t getAxis() const noexcept = 0;  // -1 when not set
  virtual void setAxis(int32_t axis) noexcept = 0;
  virtual bool setBlockShape(Dims const& blockShape) noexcept = 0;  // more than 1 along one axis
  virtual Dims getBlockShape() const noexcept = 0;                  // nbDims -1 when not set
  virtual DataType getToType() const noexcept = 0;
  virtual void setToType(DataType toType) noexcept = 0;  // kINT8, kFP8, kINT4 or kFP4
};

// x * scale. Inputs as of IQuantizeLayer.
class IDequantizeLayer : public ILayer {
 public:
  virtual int32_t getAxis() const noexcept = 0;
  virtual void setAxis(int32_t axis) noexcept = 0;
  virtual bool setBlockShape(Dims const& blockShape) noexcept = 0;
  virtual Dims getBlockShape() const noexcept = 0;
  virtual DataType getToType() const noexcept = 0;
  virtual void setToType(DataType toType) noexcept = 0;  // kFLOAT, kHALF or kBF16
};

// Turns pairs of elements of input 0, [B,heads,S,size], by the angles of inputs 1 and 2 (cosines and sines, [B,S,dim/2]; or, with
// INT64 position ids [B,S] as input 3, [positions,dim/2]).
class IRotaryEmbeddingLayer : public ILayer {
 public:
  virtual void setInterleaved(bool interleaved) noexcept = 0;  // pairs of neighbours, else of halves
  virtual bool getInterleaved() const noexcept = 0;
  virtual bool setRotaryEmbeddingDim(int32_t rotaryEmbeddingDim) noexcept = 0;  // 0: all of size
  virtual int32_t getRotaryEmbeddingDim() const noexcept = 0;
};

// Attention of query [B,heads,S,size], key and value [B,kvHeads,T,size]: normalised(query * key^T + mask) * value. Nothing scales
// the product: scale the query before. heads is a multiple of kvHeads. Owned by the network.
class IAttention : public INoCopy {
 public:
  virtual bool setNormalizationOperation(AttentionNormalizationOp op) noexcept = 0;
  virtual AttentionNormalizationOp getNormalizationOperation() const noexcept = 0;
  // BOOL (true takes part) or added to the product; broadcast to [B,heads,S,T]. Not together with a causal kind.
  virtual bool setMask(ITensor& mask) noexcept = 0;
  virtual ITensor* getMask() noexcept = 0;
  virtual bool setCausal(bool isCausal) noexcept = 0;  // kUPPER_LEFT
  virtual bool getCausal() const noexcept = 0;
  virtual bool setCausalKind(CausalMaskKind kind) noexcept = 0;
  virtual CausalMaskKind getCausalKind() const noexcept = 0;
  virtual bool setDecomposable(bool decomposable) noexcept = 0;  // allows several kernels
  virtual bool getDecomposable() const noexcept = 0;
  virtual bool setInput(int32_t index, ITensor& input) noexcept = 0;  // 0 query, 1 key, 2 value, 3 mask
  virtual int32_t getNbInputs() const noexcept = 0;
  virtual ITensor* getInput(int32_t index) const noexcept = 0;
  virtual int32_t getNbOutputs() const noexcept = 0;
  virtual ITensor* getOutput(int32_t index) const noexcept = 0;
  virtual bool setName(char const* name) noexcept = 0;
  virtual char const* getName() const noexcept = 0;
  virtual bool setMetadata(char const* metadata) noexcept = 0;
  virtual char const* getMetadata() const noexcept = 0;
};

}  // namespace nvinfer1
