// QuantizedAveragePool: means of windows of (x - x_zero_point) * x_scale in float32, times `factor`, quantized. Kiln's own; made of
// Dequantize, AveragePool (with `global`: GlobalAveragePool), Mul and Quantize.
#include "ops/pool/pooling.h"
#include "ops/quantize/granularity.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kBytes{DType::kI8, DType::kU8};

DType result_type(const ShapeCall& c) { return c.attributes().dtype("to"); }

OutputShape mean_shape(ShapeCall& c) {
  check_one(c, {"x_scale", "y_scale", "x_zero_point", "y_zero_point", "factor"});
  return c.integer("global") != 0 ? global_pool_shape(c) : pool_shape(c);
}

Datum evaluated(const char* op, Attributes attributes, std::vector<Datum> inputs) {
  return evaluate(*find_op(op), attributes, std::move(inputs), 1).at(0);
}

// One number of a tensor of any rank, which grows nothing; nothing where it is absent.
void add_number(const RefCall& c, const char* name, std::vector<Datum>& operands) {
  if (c.present(name)) operands.emplace_back(c.input(name).reshaped({}));
}

Attributes window_of_means(const Attributes& all) {
  Attributes window = all;
  for (const char* own : {"to", "global"}) window.erase(own);
  return window;
}

void quantized_average_pool_reference(RefCall& c) {
  std::vector<Datum> from{c.input("x")}, to;
  add_number(c, "x_scale", from);
  add_number(c, "x_zero_point", from);
  Datum mean = evaluated("Dequantize", {}, std::move(from));
  mean = c.integer("global") != 0
             ? evaluated("GlobalAveragePool", {}, {std::move(mean)})
             : evaluated("AveragePool", window_of_means(c.shapes().attributes()), {std::move(mean)});
  if (c.present("factor")) mean = evaluated("Mul", {}, {std::move(mean), c.input("factor").reshaped({})});
  to.push_back(std::move(mean));
  add_number(c, "y_scale", to);
  add_number(c, "y_zero_point", to);
  c.output() = evaluated("Quantize", {{"to", c.text("to")}}, std::move(to)).tensor;
}

}  // namespace

const OpDef quantized_average_pool = op("QuantizedAveragePool")
                                         .input("x", kBytes)
                                         .input("x_scale", {DType::kF32})
                                         .input("y_scale", {DType::kF32})
                                         .optional_input("x_zero_point", kBytes, "x")
                                         .optional_input("y_zero_point", kBytes)
                                         .optional_input("factor", {DType::kF32})
                                         .attr("auto_pad", std::string("NOTSET"))
                                         .attr("ceil_mode", int64_t{0})
                                         .attr("count_include_pad", int64_t{0})
                                         .attr("dilations", Ints{})
                                         .attr("global", int64_t{0})
                                         .attr("kernel_shape", Ints{})
                                         .attr("pads", Ints{})
                                         .attr("strides", Ints{})
                                         .required_attr("to", std::string())
                                         .output("y", computed_type(result_type))
                                         .shape(mean_shape)
                                         .reference(quantized_average_pool_reference);

}  // namespace kiln::ops
