// Samples of convolutions.
#include "operators/samplers/window.h"

namespace kiln::operators {
namespace {

struct Channels {
  int64_t group, in, out;  // per group
  explicit Channels(Draw& draw)
      : group(draw.chance(0.6) ? 1 : draw.integer(2, 9)),
        in(draw.chance(0.5) ? draw.integer(1, 4) : draw.integer(5, 20)),
        out(draw.integer(1, 4)) {
    if (group == 1) out = draw.integer(1, 20);
    else if (draw.chance(0.5)) in = out = 1;
    else in = draw.integer(1, 4);
  }
};

Dims joined(Dims head, const Ints& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

// Finite: kernels multiply weights by the zeros of padding, which the reference leaves out.
Tensor weights(Draw& draw, DType type, Dims dims) { return draw.numbers(type, std::move(dims), -3, 3); }

Sample sample_conv(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const WindowDims window(draw, draw.chance(0.7) ? 2 : draw.integer(1, 3));
  const Channels c(draw);
  if (window.kernel == Ints{3, 3}) draw.tame();  // minimal filtering spreads what is not finite over a tile
  s.data(draw.values(type, joined({draw.size() % 5, c.group * c.in}, window.spatial)));
  s.weight(weights(draw, type, joined({c.group * c.out, c.in}, window.kernel)));
  if (draw.chance(0.5)) s.weight(draw.values(type, {c.group * c.out}));
  draw_window(draw, s, window.kernel);
  if (c.group > 1) s.set("group", c.group);
  if (draw.chance(0.5)) s.set("kernel_shape", window.kernel);
  return s;
}

Sample sample_cast_conv(Draw& draw) {
  Sample s = sample_conv(draw);
  // Of a type that x need not have.
  const DType type = draw.type(kFloatTypes);
  draw.tame();
  for (size_t i = 1; i < s.inputs.size(); ++i) s.inputs[i].value = draw.numbers(type, s.inputs[i].value.dims(), -3, 3);
  return s;
}

Sample sample_conv_transpose(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const WindowDims window(draw, draw.chance(0.7) ? 2 : draw.integer(1, 3));
  const Channels c(draw);
  s.data(draw.values(type, joined({draw.size() % 5, c.group * c.in}, window.spatial)));
  s.weight(weights(draw, type, joined({c.group * c.in, c.out}, window.kernel)));
  if (draw.chance(0.5)) s.weight(draw.values(type, {c.group * c.out}));
  draw_window(draw, s, window.kernel);
  if (c.group > 1) s.set("group", c.group);
  if (draw.chance(0.3)) {
    Ints extra(window.kernel.size());
    for (int64_t& e : extra) e = draw.flag();
    s.set("output_padding", extra);
  } else if (draw.chance(0.2)) {
    Ints shape;
    for (int64_t d : window.spatial) shape.push_back(d + draw.integer(1, 4));
    s.set("output_shape", shape);
  }
  return s;
}

Sample sample_deform_conv(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const int64_t group = draw.integer(1, 2), in = draw.integer(1, 3), out_channels = draw.integer(1, 3),
                offsets = draw.integer(1, 2);
  const Ints kernel{draw.integer(1, 3), draw.integer(1, 3)},
      places{draw.integer(1, 5), draw.chance(0.1) ? 40 : draw.integer(1, 5)},
      strides{draw.integer(1, 2), draw.integer(1, 2)}, dilations{draw.integer(1, 2), draw.integer(1, 2)},
      pads{draw.integer(0, 1), draw.integer(0, 1), draw.integer(0, 1), draw.integer(0, 1)};
  const int64_t batch = draw.integer(1, 2), channels = group * in * offsets, taps = kernel[0] * kernel[1] * offsets;
  Dims x{batch, channels};
  for (size_t i = 0; i < 2; ++i) {
    const int64_t reach = (kernel[i] - 1) * dilations[i] + 1;
    x.push_back(std::max<int64_t>((places[i] - 1) * strides[i] + reach - pads[i] - pads[i + 2], 1));
  }
  Dims out;
  for (size_t i = 0; i < 2; ++i)
    out.push_back((x[i + 2] + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilations[i] - 1) / strides[i] + 1);
  s.data(draw.values(type, x));
  s.weight(weights(draw, type, {group * out_channels, in * offsets, kernel[0], kernel[1]}));
  s.data(draw.numbers(type, {batch, 2 * taps, out[0], out[1]}, -2, 2));
  if (draw.chance(0.5)) s.weight(draw.values(type, {group * out_channels}));
  else s.absent();
  if (draw.chance(0.5)) s.data(draw.values(type, {batch, taps, out[0], out[1]}));
  s.set("strides", strides).set("dilations", dilations).set("pads", pads);
  return s.set("group", group).set("offset_group", offsets);
}

Sample sample_col2im(Draw& draw) {
  Sample s;
  const int64_t rank = draw.integer(1, 3);
  Ints image, block, strides, dilations, pads(static_cast<size_t>(2 * rank));
  int64_t elements = 1, blocks = 1;
  for (int64_t i = 0; i < rank; ++i) {
    block.push_back(draw.integer(1, 3));
    strides.push_back(draw.integer(1, 2));
    dilations.push_back(draw.integer(1, 2));
    const int64_t reach = (block.back() - 1) * dilations.back() + 1, count = draw.integer(1, 4);
    image.push_back((count - 1) * strides.back() + reach + draw.integer(0, strides.back() - 1));
    elements *= block.back();
    blocks *= count;
  }
  s.data(draw.values(draw.type(kNumericTypes), {draw.size() % 4, draw.integer(1, 4) * elements, blocks}));
  s.parameter(draw.vector(image)).parameter(draw.vector(block));
  return s.set("strides", strides).set("dilations", dilations).set("pads", pads);
}

Sample sample_expand_depthwise(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const WindowDims window(draw, 2);
  const int64_t in = draw.integer(1, 20), channels = draw.integer(1, 40);
  s.data(draw.values(type, joined({draw.size() % 5, in}, window.spatial)));
  s.weight(weights(draw, type, {channels, in, 1, 1}));
  draw.chance(0.5) ? s.weight(weights(draw, type, {channels})) : s.absent();
  s.weight(weights(draw, type, joined({channels, 1}, window.kernel)));
  if (draw.chance(0.5)) s.weight(draw.values(type, {channels}));
  draw_window(draw, s, window.kernel);
  s.set("activation", draw.word({"", "Clip", "HardSwish", "Relu", "Sigmoid", "Swish", "Tanh"}));
  return s.set("low", draw.real(-1, 0)).set("high", draw.real(0.5, 6));
}

Sample sample_conv_excite(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const WindowDims window(draw, 2);
  const int64_t channels = draw.chance(0.5) ? 8 * draw.integer(1, 6) : draw.integer(1, 20), hidden = draw.integer(1, 9);
  draw.tame();
  s.data(draw.values(type, joined({draw.size() % 5, channels}, window.spatial)));
  s.weight(weights(draw, type, joined({channels, 1}, window.kernel)));
  draw.chance(0.5) ? s.weight(draw.values(type, {channels})) : s.absent();
  s.weight(draw.numbers(type, {hidden, channels, 1, 1}, -1, 1));
  draw.chance(0.5) ? s.weight(draw.numbers(type, {hidden}, -1, 1)) : s.absent();
  s.weight(draw.numbers(type, {channels, hidden, 1, 1}, -1, 1));
  if (draw.chance(0.5)) s.weight(draw.numbers(type, {channels}, -1, 1));
  draw_window(draw, s, window.kernel);
  s.outputs = 2;
  s.set("group", channels).set("activation", draw.word({"", "HardSwish", "Relu", "Swish", "Tanh"}));
  s.set("squeeze_activation", draw.word({"HardSwish", "Relu", "Swish"}));
  return s.set("excite_activation", draw.word({"HardSigmoid", "Sigmoid"}));
}

Sample sample_scaled_conv(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const int64_t images = draw.size() % 5, channels = draw.chance(0.5) ? 8 * draw.integer(1, 20) : draw.integer(1, 40),
                results = draw.integer(1, 70);
  draw.tame();
  s.data(draw.values(type, {images, channels, draw.size() % 12, draw.size() % 12}));
  s.weight(weights(draw, type, {results, channels, 1, 1}));
  draw.chance(0.5) ? s.weight(draw.values(type, {results})) : s.absent();
  return s.data(draw.numbers(type, {images, channels, 1, 1}, -1, 1));
}

}  // namespace

Entries conv_samplers() {
  return {{"CastConv", sample_cast_conv},
          {"Col2Im", sample_col2im},
          {"Conv", sample_conv},
          {"ConvExcite", sample_conv_excite},
          {"ConvTranspose", sample_conv_transpose},
          {"DeformConv", sample_deform_conv},
          {"ExpandDepthwise", sample_expand_depthwise},
          {"ScaledConv", sample_scaled_conv}};
}

}  // namespace kiln::operators
