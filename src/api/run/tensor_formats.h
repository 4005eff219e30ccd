// TensorRT's formats of inputs and outputs, and the layouts that they are.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "NvInferRuntime.h"
#include "tensor/dtype.h"
#include "tensor/layout.h"

namespace kiln::api {

struct TensorFormatInfo {
  nvinfer1::TensorFormat format;
  const char* name;  // "kCHW4"
  const char* word;  // of command lines: "chw4"
  size_t channels_from_end =
      0;                // the dimension of the channels, counted from the last, which is 1; 0: all dimensions are alike
  int components = 1;   // channels of a vector
  bool pixels = false;  // all channels of a pixel lie side by side
  std::vector<DType> types = {};  // that tensors of the format may have; empty: any, or for formats of a DLA none
  bool of_dla = false;
  bool takes(DType type, size_t rank) const;
  Layout layout(size_t rank) const;  // of a tensor that it takes
};
// By which a format goes in errors: its name for programs, its word for command lines.
using TensorFormatName = const char* TensorFormatInfo::*;

// By number.
const std::vector<TensorFormatInfo>& tensor_formats();
inline const TensorFormatInfo& info_of(nvinfer1::TensorFormat format) {
  return tensor_formats()[static_cast<size_t>(format)];
}
inline nvinfer1::TensorFormats bit_of(nvinfer1::TensorFormat format) { return 1U << static_cast<uint32_t>(format); }

// The format that has this layout; null when none has.
const TensorFormatInfo* format_of(const Layout& layout, size_t rank);
// The format with this word; throws kInvalidArgument when there is none.
nvinfer1::TensorFormat format_from_word(std::string_view word);

// Of the formats in the mask kLINEAR, else the first that takes such a tensor, those without vectors first. Throws kUnsupported, which
// names the tensor, the formats, and those that would take it.
const TensorFormatInfo& choose_format(const std::string& tensor, DType type, size_t rank, nvinfer1::TensorFormats mask,
                                      TensorFormatName name = &TensorFormatInfo::name);

}  // namespace kiln::api
