// RecurrentDequantized: LSTM or GRU (`cell`) whose w and r are (integer - zero_point) * scale with a scale and a zero point for each row of
// each direction: [directions, gates * hidden]. Kiln's own; made of LSTM or GRU and DequantizeLinear.
#include "base/index.h"
#include "base/require.h"
#include "ops/dim_checks.h"
#include "ops/recurrent/recurrence.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

int64_t gates_of_cell(const ShapeCall& c) {
  const std::string cell = c.text("cell");
  if (cell == "LSTM") return 4;
  if (cell == "GRU") return 3;
  throw Error(Code::kInvalidArgument, "RecurrentDequantized has no cell '" + cell + "'").remedy("use LSTM or GRU");
}

std::vector<OutputShape> dequantized_recurrence_shapes(ShapeCall& c) {
  const int64_t gates = gates_of_cell(c);
  std::vector<OutputShape> shapes = recurrent_shapes(c, gates);
  for (const auto& [parameter, of] :
       {std::pair("w_scale", "w"), {"w_zero_point", "w"}, {"r_scale", "r"}, {"r_zero_point", "r"}}) {
    if (!c.present(parameter)) continue;
    require_rank(c, parameter, 2);
    for (int axis : {0, 1})
      require_same(nth(c.dims(parameter), axis), nth(c.dims(of), axis),
                   std::string("dimensions of '") + parameter + "' and of '" + of + "'");
  }
  require(gates == 4 || (!c.present("initial_c") && c.output_count() < 3), Code::kInvalidArgument,
          "a GRU has no state of a cell");
  if (!c.present("initial_c")) return shapes;
  require_rank(c, "initial_c", 3);
  for (size_t i = 0; i < 3; ++i)
    require_same(c.dims("initial_c")[i], shapes[2].shape[i], "dimensions of 'initial_c' and of the state");
  return shapes;
}

Tensor dequantized_rows(const Tensor& integers, const Tensor& scale, const Tensor* zero) {
  Tensor result = Tensor::allocate(DType::kF32, integers.dims());
  const int64_t terms = integers.dims().back();
  for (int64_t i = 0; i < integers.size(); ++i) {
    const double centred = integers.at(i) - (zero ? zero->at(i / terms) : 0);
    result.set(i, static_cast<float>(centred) * static_cast<float>(scale.at(i / terms)));
  }
  return result;
}

void dequantized_recurrence_reference(RefCall& c) {
  const auto given = [&](const char* name) { return c.present(name) ? Datum(c.input(name)) : Datum(); };
  const auto weights = [&](const std::string& name) {
    const std::string zero = name + "_zero_point";
    return Datum(dequantized_rows(c.input(name), c.input(name + "_scale"), c.present(zero) ? &c.input(zero) : nullptr));
  };
  const bool lstm = c.text("cell") == "LSTM";
  std::vector<Datum> inputs{c.input("x"), weights("w"),           weights("r"),
                            given("b"),   given("sequence_lens"), given("initial_h")};
  Attributes attributes{{"direction", c.text("direction")}, {"layout", c.integer("layout")}};
  if (lstm) inputs.push_back(given("initial_c"));
  else attributes.set("linear_before_reset", c.integer("linear_before_reset"));
  auto results = evaluate(*find_op(lstm ? "LSTM" : "GRU"), attributes, std::move(inputs), c.output_count());
  for (int i = 0; i < c.output_count(); ++i) c.set_output(i, std::move(nth(results, i)));
}

}  // namespace

const OpDef recurrent_dequantized = with_recurrence(op("RecurrentDequantized")
                                                        .input("x", DType::kF32)
                                                        .input("w", {DType::kI8, DType::kU8})
                                                        .input("r", {DType::kI8, DType::kU8})
                                                        .input("w_scale", DType::kF32)
                                                        .input("r_scale", DType::kF32)
                                                        .optional_input("w_zero_point", {DType::kI8, DType::kU8}, "w")
                                                        .optional_input("r_zero_point", {DType::kI8, DType::kU8}, "r"),
                                                    Cell::kWithState)
                                        .required_attr("cell", std::string())
                                        .attr("linear_before_reset", int64_t{0})
                                        .shapes(dequantized_recurrence_shapes)
                                        .reference(dequantized_recurrence_reference)
                                        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
