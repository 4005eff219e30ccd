// Building engines: IBuilder, INetworkDefinition, layers, IBuilderConfig.
#pragma once
#include "NvInferRuntime.h"

namespace nvinfer1 {

enum class LayerType : int32_t {
  kCONVOLUTION = 0,
  kCAST = 1,
  kACTIVATION = 2,
  kPOOLING = 3,
  kLRN = 4,
  kSCALE = 5,
  kSOFTMAX = 6,
  kDECONVOLUTION = 7,
  kCONCATENATION = 8,
  kELEMENTWISE = 9,
  kPLUGIN = 10,
  kUNARY = 11,
  kPADDING = 12,
  kSHUFFLE = 13,
  kREDUCE = 14,
  kTOPK = 15,
  kGATHER = 16,
  kMATRIX_MULTIPLY = 17,
  kRAGGED_SOFTMAX = 18,
  kCONSTANT = 19,
  kIDENTITY = 20,
  kPLUGIN_V2 = 21,
  kSLICE = 22,
  kSHAPE = 23,
  kPARAMETRIC_RELU = 24,
  kRESIZE = 25,
  kTRIP_LIMIT = 26,
  kRECURRENCE = 27,
  kITERATOR = 28,
  kLOOP_OUTPUT = 29,
  kSELECT = 30,
  kFILL = 31,
  kQUANTIZE = 32,
  kDEQUANTIZE = 33,
  kCONDITION = 34,
  kCONDITIONAL_INPUT = 35,
  kCONDITIONAL_OUTPUT = 36,
  kSCATTER = 37,
  kEINSUM = 38,
  kASSERTION = 39,
  kONE_HOT = 40,
  kNON_ZERO = 41,
  kGRID_SAMPLE = 42,
  kNMS = 43,
  kREVERSE_SEQUENCE = 44,
  kNORMALIZATION = 45,
  kPLUGIN_V3 = 46,
  kSQUEEZE = 47,
  kUNSQUEEZE = 48,
  kCUMULATIVE = 49,
  kDYNAMIC_QUANTIZE = 50,
  kATTENTION_INPUT = 51,
  kATTENTION_OUTPUT = 52,
  kROTARY_EMBEDDING = 53,
  kKVCACHE_UPDATE = 54,
  kMOE = 55,
  kDIST_COLLECTIVE = 56,
  kFULLY_CONNECTED = 1000,  // had the number 1 before 8.6
};
enum class ActivationType : int32_t {
  kRELU = 0,
  kSIGMOID = 1,
  kTANH = 2,
  kLEAKY_RELU = 3,
  kELU = 4,
  kSELU = 5,
  kSOFTSIGN = 6,
  kSOFTPLUS = 7,
  kCLIP = 8,
  kHARD_SIGMOID = 9,
  kSCALED_TANH = 10,
  kTHRESHOLDED_RELU = 11,
  kGELU_ERF = 12,
  kGELU_TANH = 13,
};
enum class ElementWiseOperation : int32_t {
  kSUM = 0,
  kPROD = 1,
  kMAX = 2,
  kMIN = 3,
  kSUB = 4,
  kDIV = 5,
  kPOW = 6,
  kFLOOR_DIV = 7,
  kAND = 8,
  kOR = 9,
  kXOR = 10,
  kEQUAL = 11,
  kGREATER = 12,
  kLESS = 13,
};
enum class UnaryOperation : int32_t {
  kEXP = 0,
  kLOG = 1,
  kSQRT = 2,
  kRECIP = 3,
  kABS = 4,
  kNEG = 5,
  kSIN = 6,
  kCOS = 7,
  kTAN = 8,
  kSINH = 9,
  kCOSH = 10,
  kASIN = 11,
  kACOS = 12,
  kATAN = 13,
  kASINH = 14,
  kACOSH = 15,
  kATANH = 16,
  kCEIL = 17,
  kFLOOR = 18,
  kERF = 19,
  kNOT = 20,
  kSIGN = 21,
  kROUND = 22,
  kISINF = 23,
  kISNAN = 24,
};
enum class ReduceOperation : int32_t { kSUM = 0, kPROD = 1, kMAX = 2, kMIN = 3, kAVG = 4 };
enum class PoolingType : int32_t { kMAX = 0, kAVERAGE = 1 };
enum class PaddingMode : int32_t { kEXPLICIT_ROUND_DOWN = 0, kEXPLICIT_ROUND_UP = 1, kSAME_UPPER = 2, kSAME_LOWER = 3 };
enum class ScaleMode : int32_t { kUNIFORM = 0, kCHANNEL = 1, kELEMENTWISE = 2 };
enum class GatherMode : int32_t { kDEFAULT = 0, kELEMENT = 1, kND = 2 };
enum class SampleMode : int32_t { kSTRICT_BOUNDS = 0 };
enum class InterpolationMode : int32_t { kNEAREST = 0, kLINEAR = 1, kCUBIC = 2 };
enum class ResizeCoordinateTransformation : int32_t { kALIGN_CORNERS = 0, kASYMMETRIC = 1, kHALF_PIXEL = 2 };
enum class ResizeRoundMode : int32_t { kHALF_UP = 0, kHALF_DOWN = 1, kFLOOR = 2, kCEIL = 3 };
enum class TopKOperation : int32_t { kMAX = 0, kMIN = 1 };
enum class MatrixOperation : int32_t { kNONE = 0, kTRANSPOSE = 1, kVECTOR = 2 };

enum class NetworkDefinitionCreationFlag : int32_t {
  kSTRONGLY_TYPED = 0,  // every network is
  kEXPLICIT_BATCH = 0,  // every network has it
};
using NetworkDefinitionCreationFlags = uint32_t;
enum class BuilderFlag : int32_t {
  kDISABLE_TIMING_CACHE = 5,  // measure anew; the cache of the configuration is neither read nor filled
  kTF32 = 6,                  // allows products of float32 with 10 bits of mantissa, where a device has them
};
using BuilderFlags = uint32_t;
enum class MemoryPoolType : int32_t { kWORKSPACE = 0 };  // bytes that one layer may use beside its inputs and outputs

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
  // Equal names of dimensions of inputs mean equal sizes.
  virtual void setDimensionName(int32_t index, char const* name) noexcept = 0;
  virtual char const* getDimensionName(int32_t index) const noexcept = 0;
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
  virtual void setMetadata(char const* metadata) noexcept = 0;
  virtual char const* getMetadata() const noexcept = 0;
};

// 2-D or 3-D convolution of [N,C,spatial]. Kernel weights [K,C/groups,spatial]; a second input replaces them, a third the bias.
class IConvolutionLayer : public ILayer {
 public:
  virtual void setNbOutputMaps(int64_t nbOutputMaps) noexcept = 0;
  virtual int64_t getNbOutputMaps() const noexcept = 0;
  virtual void setNbGroups(int64_t nbGroups) noexcept = 0;
  virtual int64_t getNbGroups() const noexcept = 0;
  virtual void setKernelWeights(Weights kernelWeights) noexcept = 0;
  virtual Weights getKernelWeights() const noexcept = 0;
  virtual void setBiasWeights(Weights biasWeights) noexcept = 0;
  virtual Weights getBiasWeights() const noexcept = 0;
  virtual void setPrePadding(Dims const& prePadding) noexcept = 0;
  virtual Dims getPrePadding() const noexcept = 0;
  virtual void setPostPadding(Dims const& postPadding) noexcept = 0;
  virtual Dims getPostPadding() const noexcept = 0;
  virtual void setPaddingMode(PaddingMode paddingMode) noexcept = 0;
  virtual PaddingMode getPaddingMode() const noexcept = 0;
  virtual void setKernelSizeNd(Dims const& kernelSizeNd) noexcept = 0;
  virtual Dims getKernelSizeNd() const noexcept = 0;
  virtual void setStrideNd(Dims const& strideNd) noexcept = 0;
  virtual Dims getStrideNd() const noexcept = 0;
  virtual void setPaddingNd(Dims const& paddingNd) noexcept = 0;
  virtual Dims getPaddingNd() const noexcept = 0;
  virtual void setDilationNd(Dims const& dilationNd) noexcept = 0;
  virtual Dims getDilationNd() const noexcept = 0;
};

// Transposed convolution. Kernel weights [C,K/groups,spatial]; a second input replaces them, a third the bias.
class IDeconvolutionLayer : public ILayer {
 public:
  virtual void setNbOutputMaps(int64_t nbOutputMaps) noexcept = 0;
  virtual int64_t getNbOutputMaps() const noexcept = 0;
  virtual void setNbGroups(int64_t nbGroups) noexcept = 0;
  virtual int64_t getNbGroups() const noexcept = 0;
  virtual void setKernelWeights(Weights kernelWeights) noexcept = 0;
  virtual Weights getKernelWeights() const noexcept = 0;
  virtual void setBiasWeights(Weights biasWeights) noexcept = 0;
  virtual Weights getBiasWeights() const noexcept = 0;
  virtual void setPrePadding(Dims const& prePadding) noexcept = 0;
  virtual Dims getPrePadding() const noexcept = 0;
  virtual void setPostPadding(Dims const& postPadding) noexcept = 0;
  virtual Dims getPostPadding() const noexcept = 0;
  virtual void setPaddingMode(PaddingMode paddingMode) noexcept = 0;
  virtual PaddingMode getPaddingMode() const noexcept = 0;
  virtual void setKernelSizeNd(Dims const& kernelSizeNd) noexcept = 0;
  virtual Dims getKernelSizeNd() const noexcept = 0;
  virtual void setStrideNd(Dims const& strideNd) noexcept = 0;
  virtual Dims getStrideNd() const noexcept = 0;
  virtual void setPaddingNd(Dims const& paddingNd) noexcept = 0;
  virtual Dims getPaddingNd() const noexcept = 0;
  virtual void setDilationNd(Dims const& dilationNd) noexcept = 0;
  virtual Dims getDilationNd() const noexcept = 0;
};

// Matrix product of [..,C,H,W], with the last three dimensions as one, and [K,C*H*W], plus a bias of K. Result [..,K,1,1].
class IFullyConnectedLayer : public ILayer {
 public:
  virtual void setNbOutputChannels(int32_t nbOutputChannels) noexcept = 0;
  virtual int32_t getNbOutputChannels() const noexcept = 0;
  virtual void setKernelWeights(Weights kernelWeights) noexcept = 0;
  virtual Weights getKernelWeights() const noexcept = 0;
  virtual void setBiasWeights(Weights biasWeights) noexcept = 0;
  virtual Weights getBiasWeights() const noexcept = 0;
};

// A pointwise function; alpha and beta as the function names them.
class IActivationLayer : public ILayer {
 public:
  virtual void setActivationType(ActivationType activationType) noexcept = 0;
  virtual ActivationType getActivationType() const noexcept = 0;
  virtual void setAlpha(float alpha) noexcept = 0;
  virtual float getAlpha() const noexcept = 0;
  virtual void setBeta(float beta) noexcept = 0;
  virtual float getBeta() const noexcept = 0;
};

// 2-D or 3-D windows of [N,C,spatial].
class IPoolingLayer : public ILayer {
 public:
  virtual void setPoolingType(PoolingType poolingType) noexcept = 0;
  virtual PoolingType getPoolingType() const noexcept = 0;
  virtual void setAverageCountExcludesPadding(bool averageCountExcludesPadding) noexcept = 0;
  virtual bool getAverageCountExcludesPadding() const noexcept = 0;
  virtual void setPrePadding(Dims const& prePadding) noexcept = 0;
  virtual Dims getPrePadding() const noexcept = 0;
  virtual void setPostPadding(Dims const& postPadding) noexcept = 0;
  virtual Dims getPostPadding() const noexcept = 0;
  virtual void setPaddingMode(PaddingMode paddingMode) noexcept = 0;
  virtual PaddingMode getPaddingMode() const noexcept = 0;
  virtual void setWindowSizeNd(Dims const& windowSizeNd) noexcept = 0;
  virtual Dims getWindowSizeNd() const noexcept = 0;
  virtual void setStrideNd(Dims const& strideNd) noexcept = 0;
  virtual Dims getStrideNd() const noexcept = 0;
  virtual void setPaddingNd(Dims const& paddingNd) noexcept = 0;
  virtual Dims getPaddingNd() const noexcept = 0;
};

// x / (k + alpha/windowSize * sum of squares over windowSize channels)^beta.
class ILRNLayer : public ILayer {
 public:
  virtual void setWindowSize(int64_t windowSize) noexcept = 0;
  virtual int64_t getWindowSize() const noexcept = 0;
  virtual void setAlpha(float alpha) noexcept = 0;
  virtual float getAlpha() const noexcept = 0;
  virtual void setBeta(float beta) noexcept = 0;
  virtual float getBeta() const noexcept = 0;
  virtual void setK(float k) noexcept = 0;
  virtual float getK() const noexcept = 0;
};

// (x * scale + shift) ^ power.
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

// Softmax over the one axis whose bit is set.
class ISoftMaxLayer : public ILayer {
 public:
  virtual void setAxes(uint32_t axes) noexcept = 0;
  virtual uint32_t getAxes() const noexcept = 0;
};

// Joins the inputs along an axis.
class IConcatenationLayer : public ILayer {
 public:
  virtual void setAxis(int32_t axis) noexcept = 0;
  virtual int32_t getAxis() const noexcept = 0;
};

// A function of two tensors of equal rank, whose dimensions are equal or 1.
class IElementWiseLayer : public ILayer {
 public:
  virtual void setOperation(ElementWiseOperation operation) noexcept = 0;
  virtual ElementWiseOperation getOperation() const noexcept = 0;
};

// A pointwise function without parameters.
class IUnaryLayer : public ILayer {
 public:
  virtual void setOperation(UnaryOperation operation) noexcept = 0;
  virtual UnaryOperation getOperation() const noexcept = 0;
};

// Reduces the axes whose bits are set.
class IReduceLayer : public ILayer {
 public:
  virtual void setOperation(ReduceOperation operation) noexcept = 0;
  virtual ReduceOperation getOperation() const noexcept = 0;
  virtual void setReduceAxes(uint32_t reduceAxes) noexcept = 0;
  virtual uint32_t getReduceAxes() const noexcept = 0;
  virtual void setKeepDimensions(bool keepDimensions) noexcept = 0;
  virtual bool getKeepDimensions() const noexcept = 0;
};

// Zeros around the last two dimensions; negative padding crops.
class IPaddingLayer : public ILayer {
 public:
  virtual void setPrePaddingNd(Dims const& prePaddingNd) noexcept = 0;
  virtual Dims getPrePaddingNd() const noexcept = 0;
  virtual void setPostPaddingNd(Dims const& postPaddingNd) noexcept = 0;
  virtual Dims getPostPaddingNd() const noexcept = 0;
};

// Transpose, then reshape, then transpose. A reshape dimension -1 is computed, 0 copies the input's (zeroIsPlaceholder). A second
// input, INT32 or INT64, gives the dimensions instead.
class IShuffleLayer : public ILayer {
 public:
  virtual void setFirstTranspose(Permutation firstTranspose) noexcept = 0;
  virtual Permutation getFirstTranspose() const noexcept = 0;
  virtual void setReshapeDimensions(Dims const& reshapeDimensions) noexcept = 0;
  virtual Dims getReshapeDimensions() const noexcept = 0;
  virtual void setSecondTranspose(Permutation secondTranspose) noexcept = 0;
  virtual Permutation getSecondTranspose() const noexcept = 0;
  virtual void setZeroIsPlaceholder(bool zeroIsPlaceholder) noexcept = 0;
  virtual bool getZeroIsPlaceholder() const noexcept = 0;
};

// Elements start + i * stride of each axis. Inputs 1, 2 and 3 (INT32 or INT64), when set, replace start, size and stride.
class ISliceLayer : public ILayer {
 public:
  virtual void setStart(Dims const& start) noexcept = 0;
  virtual Dims getStart() const noexcept = 0;
  virtual void setSize(Dims const& size) noexcept = 0;
  virtual Dims getSize() const noexcept = 0;
  virtual void setStride(Dims const& stride) noexcept = 0;
  virtual Dims getStride() const noexcept = 0;
  virtual void setMode(SampleMode mode) noexcept = 0;
  virtual SampleMode getMode() const noexcept = 0;
};

// The dimensions of a tensor, INT64.
class IShapeLayer : public ILayer {
 public:
};

// Output 0: the k extreme values along the one axis of reduceAxes, in order. Output 1: their INT32 indices.
class ITopKLayer : public ILayer {
 public:
  virtual void setOperation(TopKOperation operation) noexcept = 0;
  virtual TopKOperation getOperation() const noexcept = 0;
  virtual void setK(int32_t k) noexcept = 0;
  virtual int32_t getK() const noexcept = 0;
  virtual void setReduceAxes(uint32_t reduceAxes) noexcept = 0;
  virtual uint32_t getReduceAxes() const noexcept = 0;
};

// kDEFAULT: slices along an axis by index; kELEMENT: an index per element; kND: index tuples.
class IGatherLayer : public ILayer {
 public:
  virtual void setGatherAxis(int32_t gatherAxis) noexcept = 0;
  virtual int32_t getGatherAxis() const noexcept = 0;
  virtual void setNbElementWiseDims(int32_t nbElementWiseDims) noexcept = 0;
  virtual int32_t getNbElementWiseDims() const noexcept = 0;
  virtual void setMode(GatherMode mode) noexcept = 0;
  virtual GatherMode getMode() const noexcept = 0;
};

// Product of matrices in the last two dimensions; leading dimensions are equal or 1.
class IMatrixMultiplyLayer : public ILayer {
 public:
  virtual void setOperation(int32_t index, MatrixOperation op) noexcept = 0;  // index 0 or 1
  virtual MatrixOperation getOperation(int32_t index) const noexcept = 0;
};

// Weights as a tensor.
class IConstantLayer : public ILayer {
 public:
  virtual void setWeights(Weights weights) noexcept = 0;
  virtual Weights getWeights() const noexcept = 0;
  virtual void setDimensions(Dims const& dimensions) noexcept = 0;
  virtual Dims getDimensions() const noexcept = 0;
};

// Copies its input.
class IIdentityLayer : public ILayer {
 public:
};

// Converts the element type.
class ICastLayer : public ILayer {
 public:
  virtual void setToType(DataType toType) noexcept = 0;
  virtual DataType getToType() const noexcept = 0;
};

// x where x >= 0, else x * slope; the slope is input 1.
class IParametricReLULayer : public ILayer {
 public:
};

// Input 0 (BOOL) chooses between inputs 1 and 2.
class ISelectLayer : public ILayer {
 public:
};

// Summation over the named axes of all inputs.
class IEinsumLayer : public ILayer {
 public:
  virtual bool setEquation(char const* equation) noexcept = 0;
  virtual char const* getEquation() const noexcept = 0;
};

// Indices of elements that are not zero, [rank, count]; the count is known only after running.
class INonZeroLayer : public ILayer {
 public:
};

// Inputs: indices, values [off, on], depth (a scalar).
class IOneHotLayer : public ILayer {
 public:
  virtual void setAxis(int32_t axis) noexcept = 0;
  virtual int32_t getAxis() const noexcept = 0;
};

// Removes the unit axes that input 1 lists.
class ISqueezeLayer : public ILayer {
 public:
};

// Inserts unit axes where input 1 says.
class IUnsqueezeLayer : public ILayer {
 public:
};

// Normalises over the axes, then scales (input 1) and shifts (input 2).
class INormalizationLayer : public ILayer {
 public:
  virtual void setEpsilon(float epsilon) noexcept = 0;
  virtual float getEpsilon() const noexcept = 0;
  virtual void setAxes(uint32_t axes) noexcept = 0;
  virtual uint32_t getAxes() const noexcept = 0;
};

// Resamples to the output dimensions, or by scales, or to the dimensions in input 1.
class IResizeLayer : public ILayer {
 public:
  virtual void setScales(float const* scales, int32_t nbScales) noexcept = 0;
  virtual int32_t getScales(int32_t size, float* scales) const noexcept = 0;  // number of scales, -1 without
  virtual void setOutputDimensions(Dims const& outputDimensions) noexcept = 0;
  virtual Dims getOutputDimensions() const noexcept = 0;
  virtual void setResizeMode(InterpolationMode resizeMode) noexcept = 0;
  virtual InterpolationMode getResizeMode() const noexcept = 0;
  virtual void setCoordinateTransformation(ResizeCoordinateTransformation coordinateTransformation) noexcept = 0;
  virtual ResizeCoordinateTransformation getCoordinateTransformation() const noexcept = 0;
  virtual void setNearestRounding(ResizeRoundMode nearestRounding) noexcept = 0;
  virtual ResizeRoundMode getNearestRounding() const noexcept = 0;
  virtual void setCubicCoeff(float cubicCoeff) noexcept = 0;
  virtual float getCubicCoeff() const noexcept = 0;
  virtual void setExcludeOutside(bool excludeOutside) noexcept = 0;
  virtual bool getExcludeOutside() const noexcept = 0;
};

// The graph to build. Adding functions return null and report when an argument is not valid.
class INetworkDefinition : public INoCopy {
 public:
  virtual ITensor* addInput(char const* name, DataType type, Dims const& dimensions) noexcept = 0;
  virtual void markOutput(ITensor& tensor) noexcept = 0;
  virtual void unmarkOutput(ITensor& tensor) noexcept = 0;
  virtual int32_t getNbInputs() const noexcept = 0;
  virtual ITensor* getInput(int32_t index) const noexcept = 0;
  virtual int32_t getNbOutputs() const noexcept = 0;
  virtual ITensor* getOutput(int32_t index) const noexcept = 0;
  virtual int32_t getNbLayers() const noexcept = 0;
  virtual ILayer* getLayer(int32_t index) const noexcept = 0;
  virtual void setName(char const* name) noexcept = 0;
  virtual char const* getName() const noexcept = 0;
  virtual bool hasImplicitBatchDimension() const noexcept = 0;
  virtual NetworkDefinitionCreationFlags getFlags() const noexcept = 0;
  virtual bool getFlag(NetworkDefinitionCreationFlag flag) const noexcept = 0;
  virtual void setErrorRecorder(IErrorRecorder* recorder) noexcept = 0;
  virtual IErrorRecorder* getErrorRecorder() const noexcept = 0;

  virtual IConvolutionLayer* addConvolutionNd(ITensor& input, int64_t nbOutputMaps, Dims const& kernelSize,
                                              Weights kernelWeights, Weights biasWeights) noexcept = 0;
  virtual IDeconvolutionLayer* addDeconvolutionNd(ITensor& input, int64_t nbOutputMaps, Dims kernelSize,
                                                  Weights kernelWeights, Weights biasWeights) noexcept = 0;
  virtual IFullyConnectedLayer* addFullyConnected(ITensor& input, int32_t nbOutputs, Weights kernelWeights,
                                                  Weights biasWeights) noexcept = 0;
  virtual IActivationLayer* addActivation(ITensor& input, ActivationType type) noexcept = 0;
  virtual IPoolingLayer* addPoolingNd(ITensor& input, PoolingType type, Dims const& windowSize) noexcept = 0;
  virtual ILRNLayer* addLRN(ITensor& input, int64_t window, float alpha, float beta, float k) noexcept = 0;
  virtual IScaleLayer* addScale(ITensor& input, ScaleMode mode, Weights shift, Weights scale,
                                Weights power) noexcept = 0;
  virtual IScaleLayer* addScaleNd(ITensor& input, ScaleMode mode, Weights shift, Weights scale, Weights power,
                                  int32_t channelAxis) noexcept = 0;
  virtual ISoftMaxLayer* addSoftMax(ITensor& input) noexcept = 0;
  virtual IConcatenationLayer* addConcatenation(ITensor* const* inputs, int32_t nbInputs) noexcept = 0;
  virtual IElementWiseLayer* addElementWise(ITensor& input1, ITensor& input2, ElementWiseOperation op) noexcept = 0;
  virtual IUnaryLayer* addUnary(ITensor& input, UnaryOperation operation) noexcept = 0;
  virtual IReduceLayer* addReduce(ITensor& input, ReduceOperation operation, uint32_t reduceAxes,
                                  bool keepDimensions) noexcept = 0;
  virtual IPaddingLayer* addPaddingNd(ITensor& input, Dims const& prePadding, Dims const& postPadding) noexcept = 0;
  virtual IShuffleLayer* addShuffle(ITensor& input) noexcept = 0;
  virtual ISliceLayer* addSlice(ITensor& input, Dims const& start, Dims const& size, Dims const& stride) noexcept = 0;
  virtual IShapeLayer* addShape(ITensor& input) noexcept = 0;
  virtual ITopKLayer* addTopK(ITensor& input, TopKOperation op, int32_t k, uint32_t reduceAxes) noexcept = 0;
  virtual IGatherLayer* addGather(ITensor& data, ITensor& indices, int32_t axis) noexcept = 0;
  virtual IGatherLayer* addGatherV2(ITensor& data, ITensor& indices, GatherMode mode) noexcept = 0;
  virtual IMatrixMultiplyLayer* addMatrixMultiply(ITensor& input0, MatrixOperation op0, ITensor& input1,
                                                  MatrixOperation op1) noexcept = 0;
  virtual IConstantLayer* addConstant(Dims const& dimensions, Weights weights) noexcept = 0;
  virtual IIdentityLayer* addIdentity(ITensor& input) noexcept = 0;
  virtual ICastLayer* addCast(ITensor& input, DataType toType) noexcept = 0;
  virtual IParametricReLULayer* addParametricReLU(ITensor& input, ITensor& slope) noexcept = 0;
  virtual ISelectLayer* addSelect(ITensor& condition, ITensor& thenInput, ITensor& elseInput) noexcept = 0;
  virtual IEinsumLayer* addEinsum(ITensor* const* inputs, int32_t nbInputs, char const* equation) noexcept = 0;
  virtual INonZeroLayer* addNonZero(ITensor& input) noexcept = 0;
  virtual IOneHotLayer* addOneHot(ITensor& indices, ITensor& values, ITensor& depth, int32_t axis) noexcept = 0;
  virtual ISqueezeLayer* addSqueeze(ITensor& input, ITensor& axes) noexcept = 0;
  virtual IUnsqueezeLayer* addUnsqueeze(ITensor& input, ITensor& axes) noexcept = 0;
  virtual INormalizationLayer* addNormalization(ITensor& input, ITensor& scale, ITensor& bias,
                                                uint32_t axesMask) noexcept = 0;
  virtual IResizeLayer* addResize(ITensor& input) noexcept = 0;
};

// Bounds of the inputs' shapes. Owned by the builder. An engine runs best at kOPT.
class IOptimizationProfile : public INoCopy {
 public:
  virtual bool setDimensions(char const* inputName, OptProfileSelector select, Dims const& dims) noexcept = 0;
  virtual Dims getDimensions(char const* inputName,
                             OptProfileSelector select) const noexcept = 0;  // nbDims -1 when not set
  virtual bool isValid() const noexcept = 0;  // all three of each input, min <= opt <= max
};

// Measured times of tactics, for the next build on the same device.
class ITimingCache : public INoCopy {
 public:
  virtual IHostMemory* serialize() const noexcept = 0;
  virtual bool combine(ITimingCache const& inputCache, bool ignoreMismatch) noexcept = 0;
  virtual bool reset() noexcept = 0;
};

// Written by the user: the phases of a build. Called from the thread that builds.
class IProgressMonitor {
 public:
  virtual void phaseStart(char const* phaseName, char const* parentPhase, int32_t nbSteps) noexcept = 0;
  virtual bool stepComplete(char const* phaseName, int32_t step) noexcept = 0;  // false cancels the build
  virtual void phaseFinish(char const* phaseName) noexcept = 0;
  virtual ~IProgressMonitor() noexcept = default;
};

class IBuilderConfig : public INoCopy {
 public:
  virtual void setFlags(BuilderFlags builderFlags) noexcept = 0;
  virtual BuilderFlags getFlags() const noexcept = 0;
  virtual void setFlag(BuilderFlag builderFlag) noexcept = 0;
  virtual void clearFlag(BuilderFlag builderFlag) noexcept = 0;
  virtual bool getFlag(BuilderFlag builderFlag) const noexcept = 0;
  // A build fails when a layer takes more.
  virtual void setMemoryPoolLimit(MemoryPoolType pool, std::size_t poolSize) noexcept = 0;
  virtual std::size_t getMemoryPoolLimit(MemoryPoolType pool) const noexcept = 0;
  // 0 (quickest build) to 5 (fastest engine); 3 at first.
  virtual void setBuilderOptimizationLevel(int32_t level) noexcept = 0;
  virtual int32_t getBuilderOptimizationLevel() noexcept = 0;
  virtual void setAvgTimingIterations(int32_t avgTiming) noexcept = 0;  // runs of each tactic; 8 at first
  virtual int32_t getAvgTimingIterations() const noexcept = 0;
  virtual int32_t addOptimizationProfile(IOptimizationProfile const* profile) noexcept = 0;  // its index, or -1
  virtual int32_t getNbOptimizationProfiles() const noexcept = 0;
  virtual void setProfilingVerbosity(ProfilingVerbosity verbosity) noexcept = 0;
  virtual ProfilingVerbosity getProfilingVerbosity() const noexcept = 0;
  // Empty blob: an empty cache. Null when the bytes are damaged or another device's.
  virtual ITimingCache* createTimingCache(void const* blob, std::size_t size) const noexcept = 0;
  // The cache outlives the builds; they read and fill it.
  virtual bool setTimingCache(ITimingCache const& cache, bool ignoreMismatch) noexcept = 0;
  virtual ITimingCache const* getTimingCache() const noexcept = 0;
  virtual void setProgressMonitor(IProgressMonitor* monitor) noexcept = 0;
  virtual IProgressMonitor* getProgressMonitor() const noexcept = 0;
  virtual void reset() noexcept = 0;
};

class IBuilder : public INoCopy {
 public:
  virtual INetworkDefinition* createNetworkV2(NetworkDefinitionCreationFlags flags) noexcept = 0;
  virtual IBuilderConfig* createBuilderConfig() noexcept = 0;
  virtual IOptimizationProfile* createOptimizationProfile() noexcept = 0;  // lives as long as the builder
  // Null, with the reason at the logger and the error recorder, when the network cannot be built.
  virtual IHostMemory* buildSerializedNetwork(INetworkDefinition& network, IBuilderConfig& config) noexcept = 0;
  virtual ICudaEngine* buildEngineWithConfig(INetworkDefinition& network, IBuilderConfig& config) noexcept = 0;
  virtual bool isNetworkSupported(INetworkDefinition const& network, IBuilderConfig const& config) const noexcept = 0;
  virtual void setGpuAllocator(IGpuAllocator* allocator) noexcept = 0;  // of the engines that are built
  virtual void setErrorRecorder(IErrorRecorder* recorder) noexcept = 0;
  virtual IErrorRecorder* getErrorRecorder() const noexcept = 0;
  virtual ILogger* getLogger() const noexcept = 0;
};

}  // namespace nvinfer1

extern "C" TENSORRTAPI void* createInferBuilder_INTERNAL(void* logger, int32_t version) noexcept;

namespace nvinfer1 {
namespace {
// Null when the library is of another version than this header. The logger outlives all that is made with it.
inline IBuilder* createInferBuilder(ILogger& logger) noexcept {
  return static_cast<IBuilder*>(createInferBuilder_INTERNAL(&logger, NV_TENSORRT_VERSION));
}
}  // namespace
}  // namespace nvinfer1
