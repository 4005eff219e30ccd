// GatherDequantized: slices of (data - zero_point) * scale in float32 along `gather_axis`, chosen by `indices`. Scales and zero points are
// those of a DequantizeLinear with `axis` and `block_size`. Kiln's own; made of DequantizeLinear and Gather.
#include "ops/index/gather.h"
#include "ops/quantize/granularity.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr TypeSet kTableCodes{DType::kI2, DType::kU2, DType::kI4, DType::kU4, DType::kI8, DType::kU8};

void gather_dequantized_reference(RefCall& c) {
  std::vector<Datum> operands{c.input("data"), c.input("scale")};
  if (c.present("zero_point")) operands.emplace_back(c.input("zero_point"));
  const Attributes granularity{{"axis", c.integer("axis")}, {"block_size", c.integer("block_size")}};
  auto table = evaluate(*find_op("DequantizeLinear"), granularity, std::move(operands), 1);
  c.output() = evaluate(*find_op("Gather"), {{"axis", c.integer("gather_axis")}},
                        {std::move(table.at(0)), c.input("indices")}, 1)
                   .at(0)
                   .tensor;
}

}  // namespace

const OpDef gather_dequantized =
    op("GatherDequantized")
        .input("data", kTableCodes)
        .input("indices", kIndexTypes)
        .input("scale", {DType::kF32})
        .optional_input("zero_point", kTableCodes, "data")
        .attr("gather_axis", int64_t{0})
        .attr("axis", int64_t{1})
        .attr("block_size", int64_t{0})
        .output("y", fixed_type(DType::kF32))
        .shape([](ShapeCall& c) {
          check_granularity(c, "data", "scale");
          check_granularity(c, "data", "zero_point");
          return gathered_shape(c.dims("data"), c.axis("gather_axis", c.rank("data")), c.dims("indices"));
        })
        .reference(gather_dequantized_reference);

}  // namespace kiln::ops
