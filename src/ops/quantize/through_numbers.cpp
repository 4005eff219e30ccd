// Operators on bytes that mean: dequantize them, do something with the numbers, quantize the results.
#include "ops/quantize/through_numbers.h"

#include "ops/registry.h"

namespace kiln::ops {
namespace {

// One number of a tensor of any rank, which grows nothing; nothing where it is absent.
void add_number(const RefCall& c, const char* name, std::vector<Datum>& operands) {
  if (c.present(name)) operands.emplace_back(c.input(name).reshaped({}));
}

}  // namespace

Datum evaluated(const char* op, const Attributes& attributes, std::vector<Datum> inputs) {
  return evaluate(*find_op(op), attributes, std::move(inputs), 1).at(0);
}

void through_numbers(RefCall& c, const std::function<Datum(Datum)>& make) {
  std::vector<Datum> from{c.input("x")};
  add_number(c, "x_scale", from);
  add_number(c, "x_zero_point", from);
  std::vector<Datum> to{make(evaluated("Dequantize", {}, std::move(from)))};
  add_number(c, "y_scale", to);
  add_number(c, "y_zero_point", to);
  c.output() = evaluated("Quantize", {{"to", c.text("to")}}, std::move(to)).tensor;
}

Attributes attributes_without(const RefCall& c, std::initializer_list<const char*> names) {
  Attributes rest = c.shapes().attributes();
  for (const char* name : names) rest.erase(name);
  return rest;
}

}  // namespace kiln::ops
