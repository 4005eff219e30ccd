// Scales and zero points of com.microsoft operators.
#include "frontends/onnx/one_value.h"

namespace kiln::onnx {
namespace {

[[noreturn]] void fail(const NodeImport& n, int i, const std::string& due) {
  n.invalid("input " + std::to_string(i) + " ('" + n.in(i)->name() + "') has the shape " + to_string(n.in(i)->shape()),
            "it is to be " + due);
}

}  // namespace

ir::Value* one_value(NodeImport& n, int i) {
  ir::Value* v = n.in(i);
  const Dim count = v->ranked() ? element_count(v->shape()) : Dim::symbol("count");
  if (!count.is_constant()) return n.add("Reshape", {v, n.ints(Ints{})});
  if (!(count == Dim(1))) fail(n, i, "one value");
  return v;
}

ir::Value* optional_value(NodeImport& n, int i) { return n.optional(i) ? one_value(n, i) : nullptr; }

ir::Value* one_or_each_column(NodeImport& n, int i, const ir::Value& matrices) {
  ir::Value* v = n.in(i);
  if (!v->ranked() || !matrices.ranked() || matrices.rank() == 0) return v;
  const Dim count = element_count(v->shape()), &columns = matrices.shape().back();
  const bool known = count.is_constant() && columns.is_constant();
  if (known && !(count == Dim(1)) && !(count == columns && v->shape().back() == columns))
    fail(n, i, "one value, or one for each of " + columns.str() + " columns");
  return v;
}

}  // namespace kiln::onnx
