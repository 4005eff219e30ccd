// TensorRT's formats of inputs and outputs, and the layouts that they are.
#include "api/run/tensor_formats.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/names.h"

namespace kiln::api {
namespace {

using Format = nvinfer1::TensorFormat;
constexpr DType kHalf = DType::kF16, kBrain = DType::kBF16, kFloat = DType::kF32, kByte = DType::kI8;

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string names_in(nvinfer1::TensorFormats mask, TensorFormatName name) {
  std::vector<std::string> names;
  for (const TensorFormatInfo& f : tensor_formats())
    if (mask & bit_of(f.format)) names.emplace_back(f.*name);
  return listed(names);
}

// "kCHW4 (int8, float16; at least 3 dimensions)".
std::string described(const TensorFormatInfo& f, TensorFormatName name) {
  if (f.of_dla) return std::string(f.*name) + " (of a DLA, which no device of Kiln has)";
  if (f.channels_from_end == 0) return f.*name;
  std::vector<std::string> types;
  for (const DType type : f.types) types.emplace_back(kiln::name(type));
  return std::string(f.*name) + " (" + listed(types) + "; at least " + std::to_string(f.channels_from_end) +
         " dimensions)";
}

}  // namespace

const std::vector<TensorFormatInfo>& tensor_formats() {
  static const std::vector<TensorFormatInfo> formats = {
      {Format::kLINEAR, "kLINEAR", "chw"},
      {Format::kCHW2, "kCHW2", "chw2", 3, 2, false, {kHalf, kBrain}},
      {Format::kHWC8, "kHWC8", "hwc8", 3, 8, true, {kHalf, kBrain}},
      {Format::kCHW4, "kCHW4", "chw4", 3, 4, false, {kByte, kHalf}},
      {Format::kCHW16, "kCHW16", "chw16", 3, 16, false, {kHalf}},
      {Format::kCHW32, "kCHW32", "chw32", 3, 32, false, {kByte, kHalf, kFloat}},
      {Format::kDHWC8, "kDHWC8", "dhwc8", 4, 8, true, {kHalf, kBrain}},
      {Format::kCDHW32, "kCDHW32", "cdhw32", 4, 32, false, {kByte, kHalf}},
      {Format::kHWC, "kHWC", "hwc", 3, 1, true, {kFloat, kHalf, kBrain, kByte, DType::kU8}},
      {.format = Format::kDLA_LINEAR, .name = "kDLA_LINEAR", .word = "dla_linear", .of_dla = true},
      {.format = Format::kDLA_HWC4, .name = "kDLA_HWC4", .word = "dla_hwc4", .of_dla = true},
      {Format::kHWC16, "kHWC16", "hwc16", 3, 16, true, {kHalf, kByte, DType::kF8E4M3FN}},
      {Format::kDHWC, "kDHWC", "dhwc", 4, 1, true, {kFloat, kHalf, kBrain, kByte, DType::kU8}},
  };
  return formats;
}

bool TensorFormatInfo::takes(DType type, size_t rank) const {
  if (channels_from_end == 0) return !of_dla;
  return rank >= channels_from_end && std::find(types.begin(), types.end(), type) != types.end();
}

Layout TensorFormatInfo::layout(size_t rank) const {
  Layout layout;
  if (channels_from_end == 0) return layout;
  const auto channels = static_cast<int>(rank - channels_from_end);
  layout.order.resize(rank);
  std::iota(layout.order.begin(), layout.order.end(), 0);
  if (pixels) std::rotate(layout.order.begin() + channels, layout.order.begin() + channels + 1, layout.order.end());
  if (components > 1) layout.blocks.push_back({channels, components});
  return layout;
}

const TensorFormatInfo* format_of(const Layout& layout, size_t rank) {
  if (layout.is_row_major()) return &info_of(Format::kLINEAR);
  for (const TensorFormatInfo& f : tensor_formats())
    if (f.channels_from_end > 0 && rank >= f.channels_from_end && f.layout(rank) == layout) return &f;
  return nullptr;
}

Format format_from_word(std::string_view word) {
  std::vector<std::string> words;
  for (const TensorFormatInfo& f : tensor_formats()) {
    if (word == f.word) return f.format;
    if (!f.of_dla) words.emplace_back(f.word);
  }
  throw Error(Code::kInvalidArgument,
              "there is no format '" + std::string(word) + "'" + kiln::name_hint(std::string(word), words));
}

const TensorFormatInfo& choose_format(const std::string& tensor, DType type, size_t rank, nvinfer1::TensorFormats mask,
                                      TensorFormatName name) {
  const TensorFormatInfo* chosen = nullptr;
  std::vector<std::string> fit, wants;
  for (const TensorFormatInfo& f : tensor_formats()) {
    const bool allowed = mask & bit_of(f.format), fits = f.takes(type, rank);
    if (allowed && fits && (!chosen || (chosen->components > 1 && f.components == 1))) chosen = &f;
    if (allowed) wants.push_back(described(f, name));
    if (fits) fit.emplace_back(f.*name);
  }
  if (chosen) return *chosen;
  throw Error(Code::kUnsupported, "tensor '" + tensor + "', which is " + std::string(kiln::name(type)) + " of " +
                                      std::to_string(rank) + " dimensions, cannot have the format " +
                                      names_in(mask, name))
      .cause(listed(wants))
      .remedy("allow one that takes it: " + listed(fit));
}

}  // namespace kiln::api
