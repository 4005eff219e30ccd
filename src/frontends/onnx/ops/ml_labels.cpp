// ai.onnx.ml.LabelEncoder and CategoryMapper: keys, values and the default as tensors, however the model gives them.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

Tensor list_of(const Strings& words) { return Tensor::strings({static_cast<int64_t>(words.size())}, words); }
Tensor list_of(const Ints& values) { return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values); }

// The list `part` ("keys" or "values") in whichever attribute holds it; invalid when none does.
Tensor list_attribute(NodeImport& n, const std::string& part) {
  if (n.has_attr(part + "_tensor")) return n.tensor(part + "_tensor");
  if (n.has_attr(part + "_strings")) return list_of(n.texts(part + "_strings"));
  if (n.has_attr(part + "_int64s")) return list_of(n.ints(part + "_int64s"));
  if (!n.has_attr(part + "_floats")) return {};
  const Floats values = n.reals(part + "_floats");
  Tensor list = Tensor::allocate(DType::kF32, {static_cast<int64_t>(values.size())});
  for (size_t i = 0; i < values.size(); ++i) list.set(static_cast<int64_t>(i), values[i]);
  return list;
}

Tensor default_for(NodeImport& n, DType values) {
  if (n.has_attr("default_tensor")) return n.tensor("default_tensor");
  if (values == DType::kString) return list_of(Strings{n.text("default_string", "_Unused")});
  Tensor one = Tensor::allocate(values, {1});
  if (values == DType::kF32 || values == DType::kF64) one.set(0, n.real("default_float", -0.0));
  else one.set_int(0, n.integer("default_int64", -1));
  return one;
}

void emit_encoder(NodeImport& n, Tensor keys, Tensor values, Tensor other) {
  n.emit(
      "LabelEncoder", {n.in(0)},
      {{"keys_tensor", std::move(keys)}, {"values_tensor", std::move(values)}, {"default_tensor", std::move(other)}});
}

void import_label_encoder(NodeImport& n) {
  Tensor keys = list_attribute(n, "keys"), values = list_attribute(n, "values");
  if (!keys.valid() || !values.valid()) n.invalid("the keys or the values are missing");
  const DType type = values.dtype();
  emit_encoder(n, std::move(keys), std::move(values), default_for(n, type));
}

// In opset 1 the labels are the keys or, for numbers, the values.
void import_class_list(NodeImport& n) {
  const Strings words = n.texts("classes_strings");
  Ints places(words.size());
  for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int64_t>(i);
  if (n.dtype() == DType::kString)
    emit_encoder(n, list_of(words), list_of(places), list_of(Ints{n.integer("default_int64", -1)}));
  else emit_encoder(n, list_of(places), list_of(words), list_of(Strings{n.text("default_string", "_Unused")}));
}

void import_category_mapper(NodeImport& n) {
  Tensor words = list_of(n.texts("cats_strings")), numbers = list_of(n.ints("cats_int64s"));
  if (n.dtype() == DType::kString)
    emit_encoder(n, std::move(words), std::move(numbers), list_of(Ints{n.integer("default_int64", -1)}));
  else emit_encoder(n, std::move(numbers), std::move(words), list_of(Strings{n.text("default_string", "_Unused")}));
}

}  // namespace

const OnnxOp ml_category_mapper{"ai.onnx.ml.CategoryMapper", {{1, import_category_mapper}}};
const OnnxOp ml_label_encoder{"ai.onnx.ml.LabelEncoder", {{1, import_class_list}, {2, import_label_encoder}}};

}  // namespace kiln::onnx::ops
