// Loops and conditionals: layers at their boundaries, and the objects that make these layers.
#pragma once
#include "nvinfer/layer.h"

namespace nvinfer1 {

class ILoop;
class IIfConditional;

class ILoopBoundaryLayer : public ILayer {
 public:
  virtual ILoop* getLoop() const noexcept = 0;
};

// Carries a value from one iteration to the next. Input 0: its value in the first iteration; input 1, set with setInput: what the
// next iteration gets, of the same type and shape.
class IRecurrenceLayer : public ILoopBoundaryLayer {
 public:
};

// Ends the loop: kCOUNT after a number of iterations (a scalar INT32 or INT64 from outside the loop); kWHILE before the first
// iteration in which the value (a scalar BOOL inside the loop) is false.
class ITripLimitLayer : public ILoopBoundaryLayer {
 public:
  virtual TripLimit getTripLimit() const noexcept = 0;
};

// Slices of a tensor along an axis, one per iteration, from the end when reverse is set.
class IIteratorLayer : public ILoopBoundaryLayer {
 public:
  virtual void setAxis(int32_t axis) noexcept = 0;
  virtual int32_t getAxis() const noexcept = 0;
  virtual void setReverse(bool reverse) noexcept = 0;
  virtual bool getReverse() const noexcept = 0;
};

// What a loop returns of the tensor inside it that is input 0. kLAST_VALUE: the value of a recurrence after the last iteration.
// kCONCATENATE, kREVERSE: the values of all iterations, stacked along the axis in their order or against it; input 1, a scalar
// INT32 or INT64, is the length of that axis (filled with zeros), when it is not the number of iterations.
class ILoopOutputLayer : public ILoopBoundaryLayer {
 public:
  virtual LoopOutput getLoopOutput() const noexcept = 0;
  virtual void setAxis(int32_t axis) noexcept = 0;
  virtual int32_t getAxis() const noexcept = 0;
};

// Layers that depend on a recurrence or an iterator of the loop run in each iteration, the others once. Owned by the network.
class ILoop : public INoCopy {
 public:
  virtual IRecurrenceLayer* addRecurrence(ITensor& initialValue) noexcept = 0;
  virtual ITripLimitLayer* addTripLimit(ITensor& tensor, TripLimit limit) noexcept = 0;  // one of each kind at most
  virtual IIteratorLayer* addIterator(ITensor& tensor, int32_t axis = 0, bool reverse = false) noexcept = 0;
  virtual ILoopOutputLayer* addLoopOutput(ITensor& tensor, LoopOutput outputKind, int32_t axis = 0) noexcept = 0;
  virtual void setName(char const* name) noexcept = 0;
  virtual char const* getName() const noexcept = 0;
};

class IIfConditionalBoundaryLayer : public ILayer {
 public:
  virtual IIfConditional* getConditional() const noexcept = 0;
};

// What chooses the branch: input 0.
class IConditionLayer : public IIfConditionalBoundaryLayer {
 public:
};

// Input 0 when the condition is true, else input 1. Of the same type and rank; where the dimensions differ only running tells them.
class IIfConditionalOutputLayer : public IIfConditionalBoundaryLayer {
 public:
};

// A tensor from outside, as the branches see it.
class IIfConditionalInputLayer : public IIfConditionalBoundaryLayer {
 public:
};

// Layers that depend on an input of the conditional run only when their branch is taken, the others always. Owned by the network.
class IIfConditional : public INoCopy {
 public:
  virtual IConditionLayer* setCondition(ITensor& condition) noexcept = 0;  // a scalar BOOL
  virtual IIfConditionalOutputLayer* addOutput(ITensor& trueTensor, ITensor& falseTensor) noexcept = 0;
  virtual IIfConditionalInputLayer* addInput(ITensor& input) noexcept = 0;
  virtual void setName(char const* name) noexcept = 0;
  virtual char const* getName() const noexcept = 0;
};

}  // namespace nvinfer1
