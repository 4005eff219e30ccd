// STFT: discrete Fourier transforms of frames of the signal, each multiplied with the window. onesided: the first half of the result.
#include "base/checked.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "ops/signal/spectrum.h"

namespace kiln::ops {
namespace {

OutputShape stft_shape(ShapeCall& c) {
  require_rank(c, "signal", 3);
  const Shape& signal = c.dims("signal");
  if (signal[2].is_constant() && signal[2].value() != 1 && signal[2].value() != 2)
    throw Error(Code::kShapeMismatch, "STFT of numbers with " + signal[2].str() + " parts");
  const auto given = c.elements("frame_length"), step = c.elements("frame_step");
  std::optional<Dim> length;
  if (given && given->size() == 1) length = given->front();
  else if (!c.present("frame_length") && c.present("window")) length = c.dims("window").at(0);
  else if (!c.present("frame_length"))
    throw Error(Code::kInvalidArgument, "STFT without window and frame_length").remedy("give one of them");
  Shape y{signal[0], c.unknown_dim(0, 1), c.unknown_dim(0, 2), Dim(2)};
  if (length && step && step->size() == 1 && step->front().is_constant() && step->front().value() > 0 &&
      length->is_constant() && signal[1].is_constant())
    y[1] = Dim(std::max<int64_t>(0, floor_div(signal[1].value() - length->value(), step->front().value()) + 1));
  if (length) y[2] = c.integer("onesided") != 0 ? floor_div(*length, 2) + Dim(1) : *length;
  return y;
}

struct Framing {
  int64_t length = 0, step = 0, count = 0;
};

Framing framing_of(const RefCall& c) {
  const Tensor& signal = c.input("signal");
  const auto single = [&](const char* input) {
    if (c.input(input).size() != 1) throw Error(Code::kShapeMismatch, std::string(input) + " is not one number");
    return c.input(input).int_at(0);
  };
  Framing f;
  f.step = single("frame_step");
  f.length = c.present("frame_length") ? single("frame_length") : c.input("window").size();
  if (f.step < 1 || f.length < 1 || (c.present("window") && c.input("window").size() != f.length))
    throw Error(Code::kInvalidArgument,
                "STFT of frames of " + std::to_string(f.length) + " elements, one every " + std::to_string(f.step))
        .cause("both must be positive, and the window of that length");
  if (signal.dims()[1] >= f.length) f.count = (signal.dims()[1] - f.length) / f.step + 1;
  return f;
}

void stft_reference(RefCall& c) {
  const Tensor& signal = c.input("signal");
  const Framing f = framing_of(c);
  const int64_t batch = signal.dims()[0], size = signal.dims()[1], parts = signal.dims()[2];
  const int64_t bins = c.integer("onesided") != 0 ? f.length / 2 + 1 : f.length;
  const std::vector<double> x = doubles(signal);
  const std::vector<double> window =
      c.present("window") ? doubles(c.input("window")) : std::vector<double>(static_cast<size_t>(f.length), 1.0);
  Tensor result = Tensor::allocate(signal.dtype(), {batch, f.count, bins, 2});
  std::vector<double> y;
  for (int64_t frame = 0; frame < batch * f.count; ++frame) {
    const int64_t begin = frame / f.count * size + frame % f.count * f.step;
    Line in{std::vector<double>(window.size()), std::vector<double>(window.size())};
    for (size_t t = 0; t < window.size(); ++t) {
      const auto at = static_cast<size_t>((begin + static_cast<int64_t>(t)) * parts);
      in.re[t] = x[at] * window[t];
      in.im[t] = parts == 2 ? x[at + 1] * window[t] : 0;
    }
    const Line out = transformed(in, -1, bins);
    for (size_t k = 0; k < out.re.size(); ++k) y.insert(y.end(), {out.re[k], out.im[k]});
  }
  store(result, y);
  c.set_output(0, std::move(result));
}

}  // namespace

const OpDef stft = op("STFT")
                       .input("signal", kFloatTypes)
                       .input("frame_step", kIndexTypes)
                       .optional_input("window", kFloatTypes, "signal")
                       .optional_input("frame_length", kIndexTypes)
                       .attr("onesided", int64_t{1})
                       .output("output", same_type("signal"))
                       .shape(stft_shape)
                       .reference(stft_reference)
                       .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
