// Parameters of the kernels "grid_sample", "roi_align" and "lrn": writing and checked reading.
#include "device/region_parameters.h"

#include <algorithm>

#include "base/error.h"
#include "device/parameters.h"

namespace kiln {
namespace {

constexpr std::string_view kModes[] = {"nearest", "linear", "cubic"};        // by GridSampler::Mode
constexpr std::string_view kPaddings[] = {"zeros", "border", "reflection"};  // by GridSampler::Padding

template <size_t kCount>
int read_word(const Attributes& parameters, std::string_view name, const std::string_view (&words)[kCount]) {
  const std::string& word = parameters.text(name);
  const auto* found = std::find(words, words + kCount, word);
  if (found == words + kCount)
    throw Error(Code::kMalformedPlan, "parameter '" + std::string(name) + "' is '" + word + "'");
  return static_cast<int>(found - words);
}

}  // namespace

void put_grid_sample(Attributes& to, const GridSampleParameters& values) {
  to.set("mode", std::string(kModes[static_cast<int>(values.mode)]));
  to.set("padding", std::string(kPaddings[static_cast<int>(values.padding)]));
  to.set("corners", int64_t{values.corners});
}

GridSampleParameters read_grid_sample(const Attributes& p) {
  return {.mode = static_cast<GridSampler::Mode>(read_word(p, "mode", kModes)),
          .padding = static_cast<GridSampler::Padding>(read_word(p, "padding", kPaddings)),
          .corners = p.integer("corners") != 0};
}

void put_roi_align(Attributes& to, const RoiAlignParameters& values) {
  to.set("shifted", int64_t{values.shifted});
  to.set("maximum", int64_t{values.maximum});
  to.set("ratio", values.ratio);
  to.set("scale", values.scale);
}

RoiAlignParameters read_roi_align(const Attributes& p) {
  constexpr int64_t kMostSamples = int64_t{1} << 20;
  return {.shifted = p.integer("shifted") != 0,
          .maximum = p.integer("maximum") != 0,
          .ratio = read_integer(p, "ratio", 0, kMostSamples),
          .scale = p.real("scale")};
}

void put_lrn(Attributes& to, const LrnParameters& values) {
  to.set("alpha", values.alpha);
  to.set("beta", values.beta);
  to.set("bias", values.bias);
  to.set("size", values.size);
}

LrnParameters read_lrn(const Attributes& p) {
  return {.alpha = p.real("alpha"),
          .beta = p.real("beta"),
          .bias = p.real("bias"),
          .size = read_integer(p, "size", 1, INT32_MAX)};
}

}  // namespace kiln
