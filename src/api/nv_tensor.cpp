// Tensors of a network.
#include "api/nv_network.h"
#include "api/run/tensor_formats.h"
#include "base/index.h"

namespace kiln::api {
void check_name(std::string_view name) {
  if (name.size() > ir::kLongestName)
    throw Error(Code::kInvalidArgument, "the name of a tensor has " + std::to_string(name.size()) + " bytes")
        .remedy("give it one of at most " + std::to_string(ir::kLongestName));
}

void TensorImpl::setName(char const* name) noexcept {
  if (!name) return;
  guarded(network_.reporter(), false, [&] { return check_name(name), name_ = name, true; });
  network_.changed();
}

void TensorImpl::setDimensions(nvinfer1::Dims const& given) noexcept {
  if (!is_input)
    return network_.reporter().report(Code::kInvalidState, "setDimensions: the tensor is not an input of the network");
  guarded(network_.reporter(), false, [&] {
    Shape shape;
    for (size_t i = 0; const int64_t d : from_nv(given)) {
      if (d < -1)
        throw Error(Code::kInvalidArgument, "input '" + name_ + "' has a dimension of " + std::to_string(d))
            .remedy("give a size, or -1 for one that profiles bound");
      shape.push_back(d >= 0 ? Dim(d) : Dim::symbol(name_ + "." + std::to_string(i)));
      ++i;
    }
    dims = std::move(shape);
    return true;
  });
  network_.changed();
}

EdgeType TensorImpl::input_type() const {
  Shape shape = dims;
  for (const auto& [i, dim_name] : dim_names)
    if (i < static_cast<int32_t>(shape.size()) && !nth(shape, i).is_constant()) nth(shape, i) = Dim::symbol(dim_name);
  EdgeType type;
  type.tensor = {dtype, std::move(shape), true};
  return type;
}

nvinfer1::Dims TensorImpl::getDimensions() const noexcept {
  const EdgeType* type = network_.type_of(*this);
  if (!type || !type->tensor.ranked) return unknown_dims();
  return guarded(network_.reporter(), unknown_dims(), [&] { return to_nv(type->tensor.shape); });
}

nvinfer1::DataType TensorImpl::getType() const noexcept {
  if (io_type != DType::kInvalid && (is_input || isNetworkOutput()))
    return guarded(network_.reporter(), nvinfer1::DataType::kFLOAT, [&] { return to_nv(io_type); });
  const EdgeType* type = network_.type_of(*this);
  return type ? guarded(network_.reporter(), nvinfer1::DataType::kFLOAT, [&] { return to_nv(type->tensor.dtype); })
              : nvinfer1::DataType::kFLOAT;
}

void TensorImpl::setType(nvinfer1::DataType type) noexcept {
  guarded(network_.reporter(), false, [&] {
    if (!is_input && !network_.is_output(this))
      throw Error(Code::kInvalidState, "setType: tensor '" + name_ + "' is neither an input nor an output")
          .remedy("mark it as an output before, or add a cast layer");
    io_type = from_nv(type);
    return true;
  });
  network_.changed();
}

void TensorImpl::setAllowedFormats(nvinfer1::TensorFormats formats) noexcept {
  const auto& known = tensor_formats();
  if (std::any_of(known.begin(), known.end(), [&](const auto& f) { return !f.of_dla && formats & bit_of(f.format); })) {
    formats_ = formats;
    return network_.changed();
  }
  guarded(network_.reporter(), false, [&]() -> bool {
    throw Error(Code::kUnsupported,
                "setAllowedFormats: tensor '" + name_ + "' is allowed to be of mask " + std::to_string(formats))
        .cause("no bit of it is a TensorFormat, or kDLA_LINEAR and kDLA_HWC4 alone, which need a DLA")
        .remedy("set bits 1 << TensorFormat of other formats, such as kLINEAR");
  });
}

Layout TensorImpl::layout(DType type, size_t rank) const {
  return choose_format(name_, type, rank, formats_).layout(rank);
}

bool TensorImpl::isShapeTensor() const noexcept { return network_.decides_shapes(*this); }

bool TensorImpl::isNetworkOutput() const noexcept { return network_.is_output(this); }

void TensorImpl::setDimensionName(int32_t index, char const* name) noexcept {
  if (!name || index < 0 || index >= nvinfer1::Dims::MAX_DIMS)
    return network_.reporter().report(Code::kInvalidArgument, "setDimensionName: the index is out of range");
  guarded(network_.reporter(), false, [&] { return dim_names[index] = name, true; });
  network_.changed();
}

char const* TensorImpl::getDimensionName(int32_t index) const noexcept {
  const auto it = dim_names.find(index);
  return it == dim_names.end() ? nullptr : it->second.c_str();
}

bool TensorImpl::setDynamicRange(float min, float max) noexcept {
  return guarded(network_.reporter(), false, [&] {
    if (!std::isfinite(min) || !std::isfinite(max) || min > max)
      throw Error(Code::kInvalidArgument, "setDynamicRange: tensor '" + name_ + "' does not reach from " +
                                              std::to_string(min) + " to " + std::to_string(max));
    range_ = {min, max};
    return true;
  });
}

std::optional<double> TensorImpl::reach() const {
  if (!range_) return std::nullopt;
  return std::max(std::abs(static_cast<double>(range_->first)), std::abs(static_cast<double>(range_->second)));
}

}  // namespace kiln::api
