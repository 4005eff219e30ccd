// Written by the user: batches of data from which a build with BuilderFlag::kINT8 learns how far tensors reach.
#pragma once
#include "NvInferRuntime.h"

namespace nvinfer1 {

enum class CalibrationAlgoType : int32_t {
  kLEGACY_CALIBRATION = 0,     // over a share of the elements
  kENTROPY_CALIBRATION = 1,    // as far as loses least information
  kENTROPY_CALIBRATION_2 = 2,  // the same, elements next to zero counted like their neighbours
  kMINMAX_CALIBRATION = 3,     // to the largest element
};

// A build calls it from the thread that builds: readCalibrationCache first, and where that gives nothing getBatch until it is false, then
// writeCalibrationCache.
class IInt8Calibrator : public IVersionedInterface {
 public:
  virtual int32_t getBatchSize() const noexcept = 0;  // not asked: shapes are those of the calibration profile at kOPT
  // Writes the address of each named input's data, in the device's memory, to bindings. They stay as they are until the next call.
  virtual bool getBatch(void* bindings[], char const* names[], int32_t nbBindings) noexcept = 0;
  // What writeCalibrationCache was given before, or null. `kiln calibrate` and TensorRT write such bytes, too.
  virtual void const* readCalibrationCache(std::size_t& length) noexcept = 0;
  virtual void writeCalibrationCache(void const* ptr, std::size_t length) noexcept = 0;
  virtual CalibrationAlgoType getAlgorithm() noexcept = 0;
};

class IInt8EntropyCalibrator : public IInt8Calibrator {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IInt8EntropyCalibrator", 1, 0}; }
  CalibrationAlgoType getAlgorithm() noexcept override { return CalibrationAlgoType::kENTROPY_CALIBRATION; }
};

class IInt8EntropyCalibrator2 : public IInt8Calibrator {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IInt8EntropyCalibrator2", 1, 0}; }
  CalibrationAlgoType getAlgorithm() noexcept override { return CalibrationAlgoType::kENTROPY_CALIBRATION_2; }
};

class IInt8MinMaxCalibrator : public IInt8Calibrator {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IInt8MinMaxCalibrator", 1, 0}; }
  CalibrationAlgoType getAlgorithm() noexcept override { return CalibrationAlgoType::kMINMAX_CALIBRATION; }
};

class IInt8LegacyCalibrator : public IInt8Calibrator {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IInt8LegacyCalibrator", 1, 0}; }
  CalibrationAlgoType getAlgorithm() noexcept override { return CalibrationAlgoType::kLEGACY_CALIBRATION; }
  virtual double getQuantile() const noexcept = 0;          // the share of the elements, 0.5 to 1
  virtual double getRegressionCutoff() const noexcept = 0;  // not asked: no range is fitted to others
  // Not called: histograms are made anew.
  virtual void const* readHistogramCache(std::size_t& length) noexcept = 0;
  virtual void writeHistogramCache(void const* ptr, std::size_t length) noexcept = 0;
};

}  // namespace nvinfer1
