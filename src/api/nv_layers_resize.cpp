// Layers that resample: resize and grid sample.
#include "api/nv_network.h"

namespace kiln::api {
namespace {

class Resize final : public Layer<nvinfer1::IResizeLayer, nvinfer1::LayerType::kRESIZE> {
 public:
  void setOutputDimensions(nvinfer1::Dims const& value) noexcept override { set(size, value); }
  nvinfer1::Dims getOutputDimensions() const noexcept override { return size; }
  void setResizeMode(nvinfer1::InterpolationMode value) noexcept override { set(mode, value); }
  nvinfer1::InterpolationMode getResizeMode() const noexcept override { return mode; }
  void setCoordinateTransformation(nvinfer1::ResizeCoordinateTransformation value) noexcept override {
    set(coordinates, value);
  }
  nvinfer1::ResizeCoordinateTransformation getCoordinateTransformation() const noexcept override { return coordinates; }
  void setSelectorForSinglePixel(nvinfer1::ResizeSelector value) noexcept override { set(selector, value); }
  nvinfer1::ResizeSelector getSelectorForSinglePixel() const noexcept override { return selector; }
  void setNearestRounding(nvinfer1::ResizeRoundMode value) noexcept override { set(rounding, value); }
  nvinfer1::ResizeRoundMode getNearestRounding() const noexcept override { return rounding; }
  void setCubicCoeff(float value) noexcept override { set(cubic, value); }
  float getCubicCoeff() const noexcept override { return cubic; }
  void setExcludeOutside(bool value) noexcept override { set(exclude, value); }
  bool getExcludeOutside() const noexcept override { return exclude; }
  void setScales(float const* values, int32_t count) noexcept override {
    change([&] { scales.assign(values, values + (values && count > 0 ? count : 0)); });
  }
  int32_t getScales(int32_t capacity, float* values) const noexcept override {
    const auto count = static_cast<int32_t>(scales.size());
    if (values && capacity >= count) std::copy(scales.begin(), scales.end(), values);
    return count ? count : -1;
  }
  std::vector<float> scales;
  bool shapes_by(size_t input) const override { return input == 1; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  nvinfer1::Dims size{-1, {}};
  nvinfer1::InterpolationMode mode{};
  nvinfer1::ResizeCoordinateTransformation coordinates = nvinfer1::ResizeCoordinateTransformation::kASYMMETRIC;
  nvinfer1::ResizeRoundMode rounding = nvinfer1::ResizeRoundMode::kFLOOR;
  float cubic = -0.75f;
  bool exclude = false;
  nvinfer1::ResizeSelector selector = nvinfer1::ResizeSelector::kFORMULA;

 private:
  ir::Value* source(Lower& l) const;
};

// The input; for kUPPER only its first element along the axes of which one element remains.
ir::Value* Resize::source(Lower& l) const {
  if (selector == nvinfer1::ResizeSelector::kFORMULA) return l.in(0);
  if (l.in(1) || size.nbDims < 0)
    throw Error(Code::kUnsupported, "ResizeSelector::kUPPER without fixed output dimensions")
        .remedy("give them with setOutputDimensions, or use kFORMULA");
  Ints axes, starts, ends;
  for (int32_t i = 0; i < size.nbDims; ++i)
    if (size.d[i] == 1) axes.push_back(i), starts.push_back(0), ends.push_back(1);
  return axes.empty() ? l.in(0) : l.node("Slice", {l.in(0), l.ints(starts), l.ints(ends), l.ints(axes)});
}

std::vector<ir::Value*> Resize::lower(Lower& l) const {
  constexpr const char* kModes[] = {"nearest", "linear", "cubic"};
  constexpr const char* kCoordinates[] = {"align_corners", "asymmetric", "half_pixel"};
  constexpr const char* kRoundings[] = {"round_prefer_ceil", "round_prefer_floor", "floor", "ceil"};
  const auto m = static_cast<size_t>(mode), c = static_cast<size_t>(coordinates), r = static_cast<size_t>(rounding);
  if (m > 2 || c > 2 || r > 3) throw Error(Code::kInvalidArgument, "an unknown mode of resizing");
  const Attributes a{{"mode", std::string(kModes[m])},
                     {"coordinate_transformation_mode", std::string(kCoordinates[c])},
                     {"nearest_mode", std::string(kRoundings[r])},
                     {"cubic_coeff_a", double{cubic}},
                     {"exclude_outside", int64_t{exclude}}};
  ir::Value* x = source(l);
  if (l.in(1)) return {l.node("Resize", {x, nullptr, nullptr, l.as_int64(l.in(1))}, a)};
  if (size.nbDims >= 0) return {l.node("Resize", {x, nullptr, nullptr, l.ints(from_nv(size))}, a)};
  if (scales.empty()) throw Error(Code::kInvalidArgument, "resizing needs output dimensions or scales");
  return {l.node("Resize",
                 {x, nullptr, l.graph.add_constant(Tensor::of<float>({static_cast<int64_t>(scales.size())}, scales))},
                 a)};
}

class GridSample final : public Layer<nvinfer1::IGridSampleLayer, nvinfer1::LayerType::kGRID_SAMPLE> {
 public:
  void setInterpolationMode(nvinfer1::InterpolationMode value) noexcept override { set(mode, value); }
  nvinfer1::InterpolationMode getInterpolationMode() const noexcept override { return mode; }
  void setAlignCorners(bool value) noexcept override { set(align, value); }
  bool getAlignCorners() const noexcept override { return align; }
  bool setSampleMode(nvinfer1::SampleMode value) noexcept override {
    return guarded(reporter_of(*this), false, [&] { return padding(value), set(outside, value), true; });
  }
  nvinfer1::SampleMode getSampleMode() const noexcept override { return outside; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    constexpr const char* kModes[] = {"nearest", "linear", "cubic"};
    const auto m = static_cast<size_t>(mode);
    if (m > 2) throw Error(Code::kInvalidArgument, "an unknown mode of interpolation");
    return {l.node("GridSample", {l.in(0), l.in(1)},
                   {{"mode", std::string(kModes[m])},
                    {"padding_mode", std::string(padding(outside))},
                    {"align_corners", int64_t{align}}})};
  }

 private:
  static const char* padding(nvinfer1::SampleMode mode) {
    using M = nvinfer1::SampleMode;
    if (mode == M::kFILL) return "zeros";
    if (mode == M::kCLAMP) return "border";
    if (mode == M::kREFLECT) return "reflection";
    throw Error(Code::kUnsupported, "a grid sample with sample mode " + std::to_string(static_cast<int32_t>(mode)))
        .remedy("use SampleMode::kFILL, kCLAMP or kREFLECT");
  }
  nvinfer1::InterpolationMode mode = nvinfer1::InterpolationMode::kLINEAR;
  bool align = false;
  nvinfer1::SampleMode outside = nvinfer1::SampleMode::kFILL;
};

}  // namespace

using namespace nvinfer1;

IResizeLayer* NetworkImpl::addResize(ITensor& input) noexcept {
  return add("Resize", {&input}, [] { return std::make_unique<Resize>(); });
}
IGridSampleLayer* NetworkImpl::addGridSample(ITensor& input, ITensor& grid) noexcept {
  return add("Grid Sample", {&input, &grid}, [] { return std::make_unique<GridSample>(); });
}

}  // namespace kiln::api
