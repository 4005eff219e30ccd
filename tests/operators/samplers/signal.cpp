// Samples of signal operators.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sample sample_dft(Draw& draw) {
  Sample s;
  draw.tame();
  draw.fill();
  Dims dims = draw.dims(2, 4);
  for (int64_t& d : dims) d = std::min<int64_t>(d, 9);
  dims.back() = draw.chance(0.5) ? 1 : 2;
  const bool onesided = draw.chance(0.4);
  if (onesided) dims.back() = 1;
  const auto rank = static_cast<int64_t>(dims.size());
  s.data(draw.numbers(draw.type(kFloatTypes), dims, -3, 3));
  if (draw.chance(0.4)) s.parameter(draw.scalar(DType::kI64, static_cast<double>(draw.integer(1, 12))));
  else s.absent();
  s.parameter(draw.scalar(DType::kI64, static_cast<double>(draw.integer(0, rank - 2))));
  return s.set("onesided", int64_t{onesided}).set("inverse", onesided ? int64_t{0} : draw.flag());
}

Sample sample_mel_weight_matrix(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const auto number = [&](int64_t low, int64_t high) {
    return draw.scalar(DType::kI64, static_cast<double>(draw.integer(low, high)));
  };
  s.parameter(number(1, 8)).parameter(number(8, 64)).parameter(number(8000, 16000));
  s.parameter(draw.scalar(type, draw.real(0, 500))).parameter(draw.scalar(type, draw.real(1000, 4000)));
  return s;
}

Sample sample_stft(Draw& draw) {
  Sample s;
  draw.tame();
  const DType type = draw.type(kFloatTypes);
  const int64_t frame = draw.integer(1, 9), parts = draw.integer(1, 2);
  s.data(draw.numbers(type, {draw.integer(0, 2), draw.integer(frame, 30), parts}, -3, 3));
  s.data(draw.scalar(draw.type(kIndexTypes), static_cast<double>(draw.integer(1, 5))));
  if (draw.chance(0.5)) s.weight(draw.numbers(type, {frame}, 0, 1));
  else s.absent();
  if (draw.chance(0.5) || !s.inputs.back().value.valid())
    s.parameter(draw.scalar(DType::kI64, static_cast<double>(frame)));
  return s.set("onesided", draw.flag());
}

}  // namespace

Entries signal_samplers() {
  return {{"DFT", sample_dft}, {"MelWeightMatrix", sample_mel_weight_matrix}, {"STFT", sample_stft}};
}

}  // namespace kiln::operators
