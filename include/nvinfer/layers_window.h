// Layers that slide windows over [N,C,spatial], and their relatives.
#pragma once
#include "nvinfer/layer.h"

namespace nvinfer1 {

// The first two dimensions; zeros unless there are two.
inline DimsHW toHW(Dims const& dims) noexcept { return dims.nbDims == 2 ? DimsHW(dims.d[0], dims.d[1]) : DimsHW(); }

// 2-D or 3-D convolution of [N,C,spatial], of one value per spatial dimension in each setting: strides and dilations 1, paddings 0 at first. An
// output has floor((size + padding - dilation*(kernel-1) - 1) / stride) + 1 elements along a dimension; ceil with kEXPLICIT_ROUND_UP;
// ceil(size/stride) with kSAME_UPPER and kSAME_LOWER, which pad as needed, more behind or before. setPaddingNd sets pre and post padding.
// No bias: weights of count 0. Kernel weights [K,C/groups,spatial]; a second input replaces them, a third the bias.
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
  // The same for two spatial dimensions, as programs before 10.0 call them.
  void setKernelSize(DimsHW kernelSize) noexcept { setKernelSizeNd(kernelSize); }
  void setStride(DimsHW stride) noexcept { setStrideNd(stride); }
  void setPadding(DimsHW padding) noexcept { setPaddingNd(padding); }
  void setDilation(DimsHW dilation) noexcept { setDilationNd(dilation); }
  DimsHW getKernelSize() const noexcept { return toHW(getKernelSizeNd()); }
  DimsHW getStride() const noexcept { return toHW(getStrideNd()); }
  DimsHW getPadding() const noexcept { return toHW(getPaddingNd()); }
  DimsHW getDilation() const noexcept { return toHW(getDilationNd()); }
};

// Transposed convolution of [N,C,spatial]: (size-1)*stride + dilation*(kernel-1) + 1 - padding elements along a dimension. Settings as of
// IConvolutionLayer. Kernel weights [C,K/groups,spatial]; a second input replaces them, a third the bias.
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
  // The same for two spatial dimensions, as programs before 10.0 call them.
  void setKernelSize(DimsHW kernelSize) noexcept { setKernelSizeNd(kernelSize); }
  void setStride(DimsHW stride) noexcept { setStrideNd(stride); }
  void setPadding(DimsHW padding) noexcept { setPaddingNd(padding); }
  void setDilation(DimsHW dilation) noexcept { setDilationNd(dilation); }
  DimsHW getKernelSize() const noexcept { return toHW(getKernelSizeNd()); }
  DimsHW getStride() const noexcept { return toHW(getStrideNd()); }
  DimsHW getPadding() const noexcept { return toHW(getPaddingNd()); }
  DimsHW getDilation() const noexcept { return toHW(getDilationNd()); }
};

// Matrix product of [N,C,H,W], with the last three dimensions as one, and [K,C*H*W], plus a bias of K. Result [N,K,1,1]. A second
// input replaces the weights, a third the bias.
class IFullyConnectedLayer : public ILayer {
 public:
  virtual void setNbOutputChannels(int32_t nbOutputChannels) noexcept = 0;
  virtual int32_t getNbOutputChannels() const noexcept = 0;
  virtual void setKernelWeights(Weights kernelWeights) noexcept = 0;
  virtual Weights getKernelWeights() const noexcept = 0;
  virtual void setBiasWeights(Weights biasWeights) noexcept = 0;
  virtual Weights getBiasWeights() const noexcept = 0;
};

// 2-D or 3-D windows of [N,C,spatial]. Strides 1 and paddings 0 at first; sizes of outputs as of IConvolutionLayer. Averages leave padding
// out of their count unless told otherwise.
class IPoolingLayer : public ILayer {
 public:
  virtual void setPoolingType(PoolingType poolingType) noexcept = 0;
  virtual PoolingType getPoolingType() const noexcept = 0;
  // Of kMAX_AVERAGE_BLEND: blendFactor * average + (1 - blendFactor) * maximum; 0 at first.
  virtual void setBlendFactor(float blendFactor) noexcept = 0;
  virtual float getBlendFactor() const noexcept = 0;
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
  // The same for two spatial dimensions, as programs before 10.0 call them.
  void setWindowSize(DimsHW windowSize) noexcept { setWindowSizeNd(windowSize); }
  void setStride(DimsHW stride) noexcept { setStrideNd(stride); }
  void setPadding(DimsHW padding) noexcept { setPaddingNd(padding); }
  DimsHW getWindowSize() const noexcept { return toHW(getWindowSizeNd()); }
  DimsHW getStride() const noexcept { return toHW(getStrideNd()); }
  DimsHW getPadding() const noexcept { return toHW(getPaddingNd()); }
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

// Zeros around the last two dimensions; negative padding crops.
class IPaddingLayer : public ILayer {
 public:
  virtual void setPrePaddingNd(Dims const& prePaddingNd) noexcept = 0;
  virtual Dims getPrePaddingNd() const noexcept = 0;
  virtual void setPostPaddingNd(Dims const& postPaddingNd) noexcept = 0;
  virtual Dims getPostPaddingNd() const noexcept = 0;
};

// Resamples to the output dimensions, or by scales (one per dimension; the result has floor(size*scale) elements), or to the dimensions in
// input 1, INT32 or INT64. At first kNEAREST with kASYMMETRIC coordinates and kFLOOR.
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
  // kUPPER: where the output has one element along an axis, it is the first one of the input.
  virtual void setSelectorForSinglePixel(ResizeSelector selector) noexcept = 0;
  virtual ResizeSelector getSelectorForSinglePixel() const noexcept = 0;
  virtual void setNearestRounding(ResizeRoundMode nearestRounding) noexcept = 0;
  virtual ResizeRoundMode getNearestRounding() const noexcept = 0;
  // Of kCUBIC: the coefficient, -0.75 at first; and whether places outside count nothing instead of what the nearest element is.
  virtual void setCubicCoeff(float cubicCoeff) noexcept = 0;
  virtual float getCubicCoeff() const noexcept = 0;
  virtual void setExcludeOutside(bool excludeOutside) noexcept = 0;
  virtual bool getExcludeOutside() const noexcept = 0;
};

// Samples input 0 [N,C,H,W] at the places of input 1, [N,h,w,2] of x and y from -1 to 1. Outside: kFILL (zeros), kCLAMP or kREFLECT.
class IGridSampleLayer : public ILayer {
 public:
  virtual void setInterpolationMode(InterpolationMode mode) noexcept = 0;
  virtual InterpolationMode getInterpolationMode() const noexcept = 0;
  virtual void setAlignCorners(bool alignCorners) noexcept = 0;
  virtual bool getAlignCorners() const noexcept = 0;
  virtual bool setSampleMode(SampleMode mode) noexcept = 0;
  virtual SampleMode getSampleMode() const noexcept = 0;
};

}  // namespace nvinfer1
