// ai.onnx.ml.Binarizer, Imputer, Normalizer and Scaler: arithmetic on the features of each row.
#include "frontends/onnx/ops/ml_scores.h"

namespace kiln::onnx::ops {
namespace {

void import_binarizer(NodeImport& n) {
  const DType type = n.dtype();
  ir::Value* x = as_float(n);
  ir::Value* above = n.add("Greater", {x, n.scalar(x->dtype(), n.real("threshold", 0))});
  n.emit("Cast", {above}, {{"to", std::string(name(type))}});
}

// Of one element or one per feature.
ir::Value* per_feature(NodeImport& n, DType type, const Floats& values, const char* what) {
  const Shape& shape = n.in(0)->shape();
  const auto features = n.rank(0) > 0 ? shape.back().constant() : std::optional<int64_t>(1);
  if (values.size() != 1 && features && *features != static_cast<int64_t>(values.size()))
    n.invalid(std::string(what) + " has " + std::to_string(values.size()) + " elements for " +
              std::to_string(*features) + " features");
  return n.constant(numbers(type, {static_cast<int64_t>(values.size())}, values));
}

void import_imputer(NodeImport& n) {
  const DType type = n.dtype();
  ir::Value* x = n.in(0);
  ir::Value *wrong = nullptr, *right = nullptr;
  if (is_integer(type)) {
    const Ints values = n.ints("imputed_value_int64s");
    if (values.empty()) n.invalid("imputed_value_int64s is missing");
    const Tensor all = Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
    per_feature(n, type, Floats(values.size()), "imputed_value_int64s");
    right = n.constant(all.cast(type));
    wrong = n.add("Equal", {x, n.constant(Tensor::scalar<int64_t>(n.integer("replaced_value_int64", 0)).cast(type))});
  } else {
    const Floats values = n.reals("imputed_value_floats");
    if (values.empty()) n.invalid("imputed_value_floats is missing");
    right = per_feature(n, type, values, "imputed_value_floats");
    const double replaced = n.real("replaced_value_float", 0);
    wrong = std::isnan(replaced) ? n.add("IsNaN", {x}) : n.add("Equal", {x, n.scalar(type, replaced)});
  }
  n.emit("Where", {wrong, right, x});
}

// Rows whose divisor is zero stay as they are.
void import_normalizer(NodeImport& n) {
  const std::string norm = n.text("norm", "MAX");
  const char* reduction = norm == "MAX" ? "ReduceMax" : norm == "L1" ? "ReduceL1" : norm == "L2" ? "ReduceL2" : nullptr;
  if (!reduction) n.invalid("norm '" + norm + "' is not MAX, L1 or L2");
  ir::Value* x = as_float(n);
  const auto number = [&](double v) { return n.scalar(x->dtype(), v); };
  ir::Value* divisor = n.add(reduction, {x, n.ints(Ints{-1})});
  ir::Value* safe = n.add("Where", {n.add("Equal", {divisor, number(0)}), number(1), divisor});
  n.emit("Cast", {n.add("Div", {x, safe})}, {{"to", std::string("float32")}});
}

void import_scaler(NodeImport& n) {
  ir::Value* y = as_float(n);
  const Floats offset = n.reals("offset"), scale = n.reals("scale");
  if (!offset.empty()) y = n.add("Sub", {y, per_feature(n, y->dtype(), offset, "offset")});
  if (!scale.empty()) y = n.add("Mul", {y, per_feature(n, y->dtype(), scale, "scale")});
  n.emit("Cast", {y}, {{"to", std::string("float32")}});
}

}  // namespace

const OnnxOp ml_binarizer{"ai.onnx.ml.Binarizer", {{1, import_binarizer}}};
const OnnxOp ml_imputer{"ai.onnx.ml.Imputer", {{1, import_imputer}}};
const OnnxOp ml_normalizer{"ai.onnx.ml.Normalizer", {{1, import_normalizer}}};
const OnnxOp ml_scaler{"ai.onnx.ml.Scaler", {{1, import_scaler}}};

}  // namespace kiln::onnx::ops
