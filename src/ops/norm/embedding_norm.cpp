// EmbeddingNorm: layer normalisation over the last axis of rows of a table, chosen by indices, plus rows of a second table and a tensor,
// either of which may be absent. Made by fusion.
#include "ops/dim_checks.h"
#include "ops/index/gather.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

Shape rows_of(ShapeCall& c, const std::string& table, const std::string& indices) {
  require_rank(c, table, 2);
  return gathered_shape(c.dims(table), 0, c.dims(indices));
}

OutputShape embedding_norm_shape(ShapeCall& c) {
  Shape y = rows_of(c, "table", "indices");
  if (c.present("table_2") != c.present("indices_2"))
    throw Error(Code::kInvalidArgument, "EmbeddingNorm has a second table or its indices, not both");
  if (c.present("table_2")) y = broadcast(y, rows_of(c, "table_2", "indices_2"));
  if (c.present("added")) y = broadcast(y, c.dims("added"));
  require_vector(c, "scale", y.back());
  if (c.present("b")) require_vector(c, "b", y.back());
  return y;
}

void embedding_norm_reference(RefCall& c) {
  const auto rows = [&](int table, int indices) {
    return evaluate(*find_op("Gather"), {{"axis", int64_t{0}}}, {c.datum(table), c.datum(indices)}, 1)[0];
  };
  const OpDef& add = *find_op("Add");
  Datum x = rows(0, 1);
  if (c.present("table_2")) x = evaluate(add, {}, {std::move(x), rows(5, 6)}, 1)[0];
  if (c.present("added")) x = evaluate(add, {}, {std::move(x), c.datum(4)}, 1)[0];
  std::vector<Datum> operands{std::move(x), c.datum(2)};
  if (c.present("b")) operands.push_back(c.datum(3));
  c.set_output(0,
               evaluate(*find_op("LayerNormalization"), {{"epsilon", c.real("epsilon")}}, std::move(operands), 1)[0]);
}

}  // namespace

const OpDef embedding_norm = op("EmbeddingNorm")
                                 .input("table", kFloatTypes)
                                 .input("indices", kIndexTypes)
                                 .input("scale", kFloatTypes, "table")
                                 .optional_input("b", kFloatTypes, "table")
                                 .optional_input("added", kFloatTypes, "table")
                                 .optional_input("table_2", kFloatTypes, "table")
                                 .optional_input("indices_2", kIndexTypes)
                                 .attr("epsilon", 1e-5)
                                 .output("y", same_type("table"))
                                 .shape(embedding_norm_shape)
                                 .reference(embedding_norm_reference)
                                 .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
