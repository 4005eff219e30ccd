// MelWeightMatrix: triangles over the bins of a spectrum, evenly spaced on the mel scale.
#include <cmath>

#include "base/require.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape mel_shape(ShapeCall& c) {
  const auto bins = c.elements("num_mel_bins"), length = c.elements("dft_length");
  return Shape{length && length->size() == 1 ? floor_div(length->front(), 2) + Dim(1) : c.unknown_dim(0, 0),
               bins && bins->size() == 1 ? bins->front() : c.unknown_dim(0, 1)};
}

void mel_reference(RefCall& c) {
  const int64_t bins = c.input("num_mel_bins").int_at(0), length = c.input("dft_length").int_at(0),
                rate = c.input("sample_rate").int_at(0), rows = length / 2 + 1;
  require(bins >= 0 && length >= 0 && rate > 0, Code::kInvalidArgument, "MelWeightMatrix of a negative size");
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double low = mel(c.input("lower_edge_hertz").at(0)), high = mel(c.input("upper_edge_hertz").at(0));
  const double step = (high - low) / static_cast<double>(bins + 2);
  const auto bin = [&](int64_t i) {
    const double hertz = 700 * (std::pow(10, (static_cast<double>(i) * step + low) / 2595) - 1);
    return static_cast<int64_t>(std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate)));
  };
  Tensor y = Tensor::allocate(c.shapes().attributes().dtype("output_datatype", DType::kF32), {rows, bins});
  const auto set = [&](int64_t row, int64_t column, double value) {
    if (row >= 0 && row < rows) y.set(row * bins + column, value);
  };
  for (int64_t i = 0; i < bins; ++i) {
    const int64_t left = bin(i), centre = bin(i + 1), right = bin(i + 2);
    if (left == centre) set(centre, i, 1);
    for (int64_t j = left; j <= centre && left != centre; ++j)
      set(j, i, static_cast<double>(j - left) / static_cast<double>(centre - left));
    for (int64_t j = centre; j < right; ++j)
      set(j, i, static_cast<double>(right - j) / static_cast<double>(right - centre));
  }
  c.set_output(0, std::move(y));
}

}  // namespace

const OpDef mel_weight_matrix =
    op("MelWeightMatrix")
        .input("num_mel_bins", kIndexTypes)
        .input("dft_length", kIndexTypes)
        .input("sample_rate", kIndexTypes)
        .input("lower_edge_hertz", kFloatTypes)
        .input("upper_edge_hertz", kFloatTypes)
        .attr("output_datatype", std::string("float32"))
        .output("output",
                computed_type([](const ShapeCall& c) { return c.attributes().dtype("output_datatype", DType::kF32); }))
        .shape(mel_shape)
        .reference(mel_reference)
        .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
