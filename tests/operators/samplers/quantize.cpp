// Samples of quantization.
#include "base/index.h"
#include "operators/samplers/window.h"

namespace kiln::operators {
namespace {

constexpr TypeSet kBytes{DType::kI8, DType::kU8};

// Dims of a scale: one value, one for each index of the axis, or one for each block.
Dims scale_dims(Draw& draw, Sample& s, const Dims& x) {
  const double kind = draw.real(0, 1);
  if (x.empty() || kind < 0.35) return draw.chance(0.5) ? Dims{} : Dims{1};
  const int64_t axis = draw.axis(static_cast<int64_t>(x.size()));
  const auto place = static_cast<size_t>(normalize_axis(axis, static_cast<int64_t>(x.size())));
  s.set("axis", axis);
  if (kind < 0.75) return {x[place]};
  const int64_t block = draw.integer(1, 5);
  Dims dims = x;
  dims[place] = (x[place] + block - 1) / block;
  s.set("block_size", block);
  return dims;
}

Sample sample_quantize_linear(Draw& draw) {
  Sample s;
  const TypeSet types =
      TypeSet{DType::kI8, DType::kU8, DType::kI16, DType::kU16, DType::kF8E4M3FN, DType::kF8E5M2} | kSubByteTypes;
  const Dims x = draw.dims(0, 4);
  const DType type = draw.type(kFloatTypes | DType::kI32), quantized = draw.type(types);
  const DType scale_type =
      draw.chance(0.7) && type != DType::kI32 ? type : draw.type(kFloatTypes | TypeSet{DType::kF8E8M0, DType::kI32});
  const Dims dims = scale_dims(draw, s, x);
  s.data(draw.values(type, x))
      .weight(scale_type == DType::kI32 ? draw.integers(scale_type, dims, 1, 3)
                                        : draw.numbers(scale_type, dims, 0.01, 1));
  if (draw.chance(0.6))
    s.weight(is_integer(quantized) ? draw.integers(quantized, dims, 0, 7) : draw.integers(quantized, dims, 0, 0));
  else if (draw.chance(0.6)) s.set("output_dtype", std::string(name(quantized)));
  if (draw.chance(0.3)) s.set("saturate", draw.flag());
  if (draw.chance(0.2)) s.set("precision", draw.word({"float32", "float16"}));
  return s;
}

Sample sample_dequantize_linear(Draw& draw) {
  Sample s;
  const TypeSet types =
      TypeSet{DType::kI8, DType::kU8, DType::kI16, DType::kU16, DType::kI32, DType::kF8E4M3FN, DType::kF8E5M2} |
      kSubByteTypes;
  const Dims x = draw.dims(0, 4);
  const DType type = draw.type(types);
  const Dims dims = scale_dims(draw, s, x);
  s.data(draw.values(type, x)).weight(draw.numbers(draw.type(kFloatTypes | DType::kF8E8M0), dims, 0.01, 1));
  if (draw.chance(0.6)) s.weight(is_integer(type) ? draw.integers(type, dims, 0, 7) : draw.integers(type, dims, 0, 0));
  if (draw.chance(0.3)) s.set("output_dtype", draw.word({"float32", "float16", "bfloat16"}));
  return s;
}

Sample sample_gather_dequantized(Draw& draw) {
  Sample s;
  const Dims table = draw.dims(1, 4);
  const DType type = draw.type({DType::kI2, DType::kU2, DType::kI4, DType::kU4, DType::kI8, DType::kU8});
  const int64_t rank = static_cast<int64_t>(table.size()), axis = draw.axis(rank);
  const int64_t extent = nth(table, normalize_axis(axis, rank));
  const Dims parameters = scale_dims(draw, s, table);
  s.weight(draw.values(type, table));
  s.data(draw.integers(draw.type(kIndexTypes), draw.dims(0, 2), -extent, extent - 1));
  s.weight(draw.numbers(DType::kF32, parameters, 0.01, 1));
  if (draw.chance(0.6)) s.weight(draw.integers(type, draw.chance(0.7) ? parameters : Dims{}, 0, 1));
  return s.set("gather_axis", axis);
}

Sample sample_quantize(Draw& draw) {
  Sample s;
  const DType to = draw.type({DType::kI8, DType::kU8, DType::kI16, DType::kU16});
  const Dims x = draw.dims(0, 4), parameters = draw.broadcast_to(x);
  s.data(draw.values(DType::kF32, x)).weight(draw.numbers(DType::kF32, parameters, 0.01, 1));
  if (draw.chance(0.6)) s.weight(draw.integers(to, parameters, 0, 7));
  return s.set("to", std::string(name(to)));
}

Sample sample_quantized_average_pool(Draw& draw) {
  Sample s;
  const DType from = draw.type(kBytes), to = draw.type(kBytes);
  const WindowDims window(draw, draw.chance(0.8) ? 2 : 1);
  Dims x{draw.size() % 3, draw.chance(0.7) ? draw.size() % 10 : draw.integer(60, 70)};
  x.insert(x.end(), window.spatial.begin(), window.spatial.end());
  s.data(draw.values(from, x)).weight(draw.numbers(DType::kF32, {}, 0.01, 1));
  s.weight(draw.numbers(DType::kF32, draw.chance(0.5) ? Dims{} : Dims{1}, 0.01, 1));
  if (draw.chance(0.6)) s.weight(draw.values(from, {}));
  else s.absent();
  if (draw.chance(0.6)) s.weight(draw.values(to, {1}));
  else s.absent();
  if (draw.chance(0.3)) s.weight(draw.numbers(DType::kF32, {}, 0.01, 2));
  s.set("to", std::string(name(to)));
  if (draw.chance(0.4)) return s.set("global", int64_t{1});
  draw_window(draw, s, window.kernel);
  s.set("kernel_shape", window.kernel);
  if (draw.chance(0.4)) s.set("ceil_mode", draw.flag());
  if (draw.chance(0.5)) s.set("count_include_pad", draw.flag());
  return s;
}

Sample sample_quantized_resize(Draw& draw) {
  Sample s;
  const DType from = draw.type(kBytes), to = draw.type(kBytes);
  Dims x{draw.size() % 3, draw.chance(0.7) ? draw.integer(1, 9) : draw.integer(60, 70)};
  const int64_t axes = draw.integer(1, 2);
  for (int64_t i = 0; i < axes; ++i) x.push_back(draw.integer(1, 9));
  s.data(draw.values(from, x)).absent();
  Ints resized;
  for (int64_t i = 0; i < axes; ++i) resized.push_back(2 + i);
  s.set("axes", resized).set("mode", draw.word({"linear", "cubic"}));
  if (draw.chance(0.5)) {
    Tensor scales = Tensor::allocate(DType::kF32, {axes});
    for (int64_t i = 0; i < axes; ++i) scales.set(i, draw.pick<double>({0.5, 1, 1.5, 2, 2.5, 3, 0.7}));
    s.parameter(scales).absent();
  } else {
    s.absent().parameter(draw.integers(DType::kI64, {axes}, 1, 12));
  }
  s.weight(draw.numbers(DType::kF32, {}, 0.01, 1));
  s.weight(draw.numbers(DType::kF32, draw.chance(0.5) ? Dims{} : Dims{1}, 0.01, 1));
  if (draw.chance(0.6)) s.weight(draw.values(from, {}));
  else s.absent();
  if (draw.chance(0.6)) s.weight(draw.values(to, {1}));
  s.set("coordinate_transformation_mode",
        draw.word({"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"}));
  if (draw.chance(0.2)) s.set("antialias", draw.flag());
  if (draw.chance(0.2)) s.set("exclude_outside", draw.flag());
  return s.set("to", std::string(name(to)));
}

Sample sample_dynamic_quantize_linear(Draw& draw) {
  draw.tame();
  Sample s;
  s.data(draw.values(draw.type(kFloatTypes), draw.dims(0, 4)));
  s.outputs = 3;
  return s;
}

Sample sample_conv_integer(Draw& draw) {
  Sample s;
  const DType x = draw.type(kBytes), w = draw.type(kBytes);
  const WindowDims window(draw, draw.integer(1, 3));
  const int64_t group = draw.chance(0.7) ? 1 : 2, in = draw.integer(1, 5), out = draw.integer(1, 5);
  Dims x_dims{draw.size() % 3, group * in}, w_dims{group * out, in};
  x_dims.insert(x_dims.end(), window.spatial.begin(), window.spatial.end());
  w_dims.insert(w_dims.end(), window.kernel.begin(), window.kernel.end());
  s.data(draw.values(x, x_dims)).weight(draw.values(w, w_dims));
  if (draw.chance(0.6)) s.weight(draw.scalar(x, static_cast<double>(draw.integer(0, 9))));
  else s.absent();
  if (draw.chance(0.6)) s.weight(draw.values(w, draw.chance(0.5) ? Dims{} : Dims{group * out}));
  draw_window(draw, s, window.kernel);
  if (group > 1) s.set("group", group);
  return s;
}

Sample sample_qlinear_conv(Draw& draw) {
  const Sample conv = sample_conv_integer(draw);
  Sample s;
  s.attributes = conv.attributes;
  const Tensor &x = conv.inputs[0].value, &w = conv.inputs[1].value;
  const Dims channels = draw.chance(0.5) ? Dims{1} : Dims{w.dims()[0]};
  s.data(x).weight(draw.numbers(DType::kF32, {}, 0.1, 1)).weight(draw.integers(x.dtype(), {}, 0, 9));
  s.weight(w).weight(draw.numbers(DType::kF32, channels, 0.1, 1)).weight(draw.integers(w.dtype(), channels, 0, 9));
  s.weight(draw.numbers(DType::kF32, {}, 0.5, 4)).weight(draw.integers(x.dtype(), {}, 0, 9));
  if (draw.chance(0.5)) s.weight(draw.integers(DType::kI32, {w.dims()[0]}, -100, 100));
  return s;
}

struct Product {
  Dims a, b;
  explicit Product(Draw& draw) {
    const Dims batch = draw.chance(0.6) ? Dims{} : draw.dims(1, 2);
    const int64_t k = draw.size();
    a = draw.broadcast_to(batch), b = draw.broadcast_to(batch);
    a.insert(a.end(), {draw.size(), k});
    b.insert(b.end(), {k, draw.size()});
  }
  Dims rows(Draw& draw) const { return a.size() > 2 || draw.chance(0.6) ? Dims{} : Dims{a[a.size() - 2]}; }
  Dims columns(Draw& draw) const { return b.size() > 2 || draw.chance(0.6) ? Dims{} : Dims{b.back()}; }
};

Sample sample_matmul_integer(Draw& draw) {
  Sample s;
  const DType a = draw.type(kBytes), b = draw.type(kBytes);
  const Product p(draw);
  s.data(draw.values(a, p.a)).weight(draw.values(b, p.b));
  if (draw.chance(0.6)) s.weight(draw.values(a, p.rows(draw)));
  else s.absent();
  if (draw.chance(0.6)) s.weight(draw.values(b, p.columns(draw)));
  return s;
}

Sample sample_matmul_dequantized(Draw& draw) {
  Sample s;
  const DType codes = draw.type({DType::kI4, DType::kU4, DType::kI8, DType::kU8});
  const int64_t k = draw.size(), n = draw.size(), block = draw.integer(1, 40);
  Dims a = draw.dims(1, 3);
  a.push_back(k);
  const Dims blocks{(k + block - 1) / block, n};
  s.data(draw.values(draw.type({DType::kF32, DType::kF16, DType::kBF16}), a))
      .weight(draw.values(codes, {k, n}))
      .weight(draw.numbers(DType::kF32, blocks, 0.01, 1));
  if (draw.chance(0.6)) s.weight(draw.integers(codes, blocks, 0, 7));
  return s.set("block_size", block);
}

Sample sample_qlinear_matmul(Draw& draw) {
  Sample s;
  draw.tame();
  const TypeSet types = kBytes | TypeSet{DType::kF8E4M3FN, DType::kF8E5M2};
  const DType a = draw.type(types), b = draw.type(types), y = draw.type(types),
              scale = draw.type({DType::kF32, DType::kF16, DType::kBF16});
  const Product p(draw);
  const Dims rows = p.rows(draw), columns = p.columns(draw);
  s.data(draw.values(a, p.a)).weight(draw.numbers(scale, rows, 0.1, 1)).weight(draw.integers(a, rows, 0, 4));
  s.weight(draw.values(b, p.b)).weight(draw.numbers(scale, columns, 0.1, 1)).weight(draw.integers(b, columns, 0, 4));
  return s.weight(draw.numbers(scale, {}, 0.5, 4)).weight(draw.integers(y, {}, 0, 4));
}

}  // namespace

Entries quantize_samplers() {
  return {{"ConvInteger", sample_conv_integer},
          {"DequantizeLinear", sample_dequantize_linear},
          {"DynamicQuantizeLinear", sample_dynamic_quantize_linear},
          {"GatherDequantized", sample_gather_dequantized},
          {"MatMulInteger", sample_matmul_integer},
          {"QLinearConv", sample_qlinear_conv},
          {"QLinearMatMul", sample_qlinear_matmul},
          {"MatMulDequantized", sample_matmul_dequantized},
          {"Quantize", sample_quantize},
          {"QuantizeLinear", sample_quantize_linear},
          {"QuantizedAveragePool", sample_quantized_average_pool},
          {"QuantizedResize", sample_quantized_resize}};
}

}  // namespace kiln::operators
