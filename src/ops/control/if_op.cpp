// If: region 0 (then_branch) when the condition holds, else region 1 (else_branch); both take only the captured values.
#include "base/error.h"
#include "base/index.h"
#include "ops/control/control.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void if_reference(RefCall& c) {
  std::vector<Datum> results = c.run_region(truth(c.datum(0)) ? 0 : 1, inputs_between(c, 1, c.input_count()));
  if (static_cast<int>(results.size()) != c.output_count())
    throw Error(Code::kInvalidGraph, "a branch of If has " + std::to_string(results.size()) + " outputs");
  for (int i = 0; i < c.output_count(); ++i) c.set_output(i, std::move(nth(results, i)));
}

}  // namespace

const OpDef if_op = op("If")
                        .input("cond", kBoolType)
                        .variadic_input("captured", kAnyType, "", true)
                        .attr("captures", int64_t{0})
                        .variadic_output("outputs", computed_type([](const ShapeCall&) { return DType::kInvalid; }))
                        .regions(2)
                        .edges(unknown_edges)
                        .reference(if_reference);

}  // namespace kiln::ops
