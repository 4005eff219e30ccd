// Layers that move data: shapes, joining, slicing, gathering, choosing, constants, conversions.
#pragma once
#include "nvinfer/layer.h"

namespace nvinfer1 {

// Input 0, of type BOOL, has only true elements; else the message ends the build, when the values are known then, or the inference, as an
// error. Has no output. Not inside of loops and conditionals.
class IAssertionLayer : public ILayer {
 public:
  virtual void setMessage(char const* message) noexcept = 0;  // copied
  virtual char const* getMessage() const noexcept = 0;
};

// Joins the inputs along an axis.
class IConcatenationLayer : public ILayer {
 public:
  virtual void setAxis(int32_t axis) noexcept = 0;
  virtual int32_t getAxis() const noexcept = 0;
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

// Elements start + i * stride of each axis. Inputs 1, 2 and 3 (INT32 or INT64), when set, replace start, size and stride; input 4
// is the value of kFILL (zero at first); input 5 replaces the axes. What the axes do not name is copied whole.
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
  virtual void setAxes(Dims const& axes) noexcept = 0;
  virtual Dims getAxes() const noexcept = 0;  // nbDims -1: all, in order
};

// The dimensions of a tensor, INT64.
class IShapeLayer : public ILayer {
 public:
};

// kDEFAULT: slices along an axis by index; kELEMENT: an index per element; kND: index tuples. The first nbElementWiseDims axes of
// data and indices are batches that go together (kDEFAULT: 0 or 1).
class IGatherLayer : public ILayer {
 public:
  virtual void setGatherAxis(int32_t gatherAxis) noexcept = 0;
  virtual int32_t getGatherAxis() const noexcept = 0;
  virtual void setNbElementWiseDims(int32_t nbElementWiseDims) noexcept = 0;
  virtual int32_t getNbElementWiseDims() const noexcept = 0;
  virtual void setMode(GatherMode mode) noexcept = 0;
  virtual GatherMode getMode() const noexcept = 0;
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

// Input 0 (BOOL) chooses between inputs 1 and 2.
class ISelectLayer : public ILayer {
 public:
};

// Indices of elements that are not zero, [rank, count]; the count is known only after running.
class INonZeroLayer : public ILayer {
 public:
  virtual bool setIndicesType(DataType type) noexcept = 0;  // kINT32 or kINT64
  virtual DataType getIndicesType() const noexcept = 0;
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

// A copy of input 0 in which what input 1 points at is replaced by input 2. kELEMENT: an index per element along the axis; kND:
// index tuples.
class IScatterLayer : public ILayer {
 public:
  virtual void setMode(ScatterMode mode) noexcept = 0;
  virtual ScatterMode getMode() const noexcept = 0;
  virtual void setAxis(int32_t axis) noexcept = 0;
  virtual int32_t getAxis() const noexcept = 0;
};

// kLINSPACE: alpha + sum over the axes of beta of the axis * index; FLOAT, INT32 or INT64. kRANDOM_UNIFORM: evenly distributed in
// [alpha, beta); kRANDOM_NORMAL: mean alpha, deviation beta; both of float types, and the same numbers at every inference, which follow
// from the layer's name. Inputs 0, 1 and 2, when set, replace the dimensions (INT32 or INT64), alpha (a scalar) and beta (a scalar; for
// kLINSPACE over several dimensions a value per dimension).
class IFillLayer : public ILayer {
 public:
  virtual void setDimensions(Dims const& dimensions) noexcept = 0;
  virtual Dims getDimensions() const noexcept = 0;
  virtual void setOperation(FillOperation op) noexcept = 0;
  virtual FillOperation getOperation() const noexcept = 0;
  virtual void setAlpha(double alpha) noexcept = 0;
  virtual double getAlpha() const noexcept = 0;
  virtual void setBeta(double beta) noexcept = 0;  // of one dimension
  virtual double getBeta() const noexcept = 0;
  virtual void setAlphaInt64(int64_t alpha) noexcept = 0;
  virtual int64_t getAlphaInt64() const noexcept = 0;
  virtual void setBetaInt64(int64_t beta) noexcept = 0;
  virtual int64_t getBetaInt64() const noexcept = 0;
  virtual bool isAlphaBetaInt64() const noexcept = 0;
  virtual void setToType(DataType toType) noexcept = 0;  // kFLOAT, kINT32 or kINT64
  virtual DataType getToType() const noexcept = 0;
};

// Of boxes [B,N,4] with scores [B,N,classes], those of best score that do not overlap a better one too much; at most input 2 (a
// scalar INT32 or INT64) per batch entry and class. Inputs 3 and 4, FLOAT scalars, are the largest overlap (0 at first) and the
// smallest score. Output 0: [count,3] of batch entry, class, box; the count, output 1, is known only after running.
class INMSLayer : public ILayer {
 public:
  virtual void setBoundingBoxFormat(BoundingBoxFormat fmt) noexcept = 0;
  virtual BoundingBoxFormat getBoundingBoxFormat() const noexcept = 0;
  // Of each batch entry only the so many pairs of box and class with the best scores compete; 0, as at first: all do.
  virtual void setTopKBoxLimit(int32_t limit) noexcept = 0;
  virtual int32_t getTopKBoxLimit() const noexcept = 0;
  virtual bool setIndicesType(DataType type) noexcept = 0;  // kINT32 or kINT64
  virtual DataType getIndicesType() const noexcept = 0;
};

// Reverses the first elements along the sequence axis; input 1, INT32 or INT64, tells how many for each batch entry.
class IReverseSequenceLayer : public ILayer {
 public:
  virtual void setBatchAxis(int32_t batchAxis) noexcept = 0;  // 1 at first
  virtual int32_t getBatchAxis() const noexcept = 0;
  virtual void setSequenceAxis(int32_t sequenceAxis) noexcept = 0;  // 0 at first
  virtual int32_t getSequenceAxis() const noexcept = 0;
};

}  // namespace nvinfer1
