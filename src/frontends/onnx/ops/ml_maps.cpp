// ai.onnx.ml.CastMap, DictVectorizer and ZipMap: maps are their values beside their keys.
#include "frontends/onnx/ops/ml_scores.h"

namespace kiln::onnx::ops {
namespace {

// int64[n] or string[n], as a list of numbers or of words holds them.
Tensor keys_of(NodeImport& n, const char* numbers, const char* words) {
  if (n.has_attr(numbers) == n.has_attr(words)) n.invalid(std::string("needs one of ") + numbers + " and " + words);
  if (n.has_attr(words)) {
    const Strings list = n.texts(words);
    return Tensor::strings({static_cast<int64_t>(list.size())}, list);
  }
  const Ints list = n.ints(numbers);
  return Tensor::of<int64_t>({static_cast<int64_t>(list.size())}, list);
}

// Each row is a map from the labels to the row's elements.
void import_zip_map(NodeImport& n) {
  Tensor keys = keys_of(n, "classlabels_int64s", "classlabels_strings");
  const int64_t rank = n.rank(0);
  if (rank != 1 && rank != 2) n.invalid("the input has rank " + std::to_string(rank), "it needs 1 or 2");
  const auto width = n.in(0)->shape().back().constant();
  if (width && *width != keys.size())
    n.invalid("there are " + std::to_string(keys.size()) + " labels for " + std::to_string(*width) + " values");
  n.yield_map(n.result(0, "Identity", {as_rows(n, n.in(0))}), n.constant(std::move(keys)));
}

// One row: what the map holds for each word of the vocabulary, or 0.
void import_dict_vectorizer(NodeImport& n) {
  Tensor vocabulary = keys_of(n, "int64_vocabulary", "string_vocabulary");
  ir::Value *keys = n.keys(0), *values = n.in(0);
  if (vocabulary.dtype() != keys->dtype()) n.invalid("the vocabulary is of another type than the keys of the map");
  if (values->dtype() == DType::kString) n.unsupported("the map holds strings", "encode them as numbers first");
  vocabulary = vocabulary.reshaped({vocabulary.size(), 1});
  ir::Value* found = n.add("Equal", {n.constant(std::move(vocabulary)), keys});
  ir::Value* chosen = n.add("Where", {found, values, n.scalar(values->dtype(), 0)});
  ir::Value* row = n.add("ReduceSum", {chosen, n.ints(Ints{1})}, {{"keepdims", int64_t{0}}});
  n.emit("Unsqueeze", {row, n.ints(Ints{0})});
}

// One row: the values in the order of their keys, or each at the place that its key says.
void import_cast_map(NodeImport& n) {
  ir::Value *keys = n.keys(0), *values = n.in(0);
  if (keys->dtype() != DType::kI64)
    n.invalid("the keys of the map are " + std::string(name(keys->dtype())) + ", not int64");
  const std::string to = n.text("cast_to", "TO_FLOAT"), form = n.text("map_form", "DENSE");
  const DType type = to == "TO_FLOAT"    ? DType::kF32
                     : to == "TO_INT64"  ? DType::kI64
                     : to == "TO_STRING" ? DType::kString
                                         : DType::kInvalid;
  if (type == DType::kInvalid) n.invalid("cast_to is '" + to + "', not TO_FLOAT, TO_INT64 or TO_STRING");
  if (form != "DENSE" && form != "SPARSE") n.invalid("map_form is '" + form + "', not DENSE or SPARSE");
  ir::Value* cast = cast_to(n, values, type);
  if (form == "SPARSE") {
    const int64_t length = n.integer("max_map", 1);
    if (length < 0 || length > INT32_MAX) n.invalid("max_map is " + std::to_string(length));
    // What no key names is 0; among strings "0.f", as ONNX Runtime writes it.
    const Tensor zero = type == DType::kString ? Tensor::strings({1}, {"0.f"}) : Tensor::allocate(type, {1});
    ir::Value* zeros = n.add("Expand", {n.constant(zero), n.ints(Ints{length})});
    cast = n.add("ScatterElements", {zeros, keys, cast}, {{"axis", int64_t{0}}});
  } else {
    ir::Value* order =
        n.add_many("TopK", {keys, n.add("Shape", {keys})}, {{"largest", int64_t{0}}, {"axis", int64_t{0}}}, 2)[1];
    cast = n.add("Gather", {cast, order});
  }
  n.emit("Unsqueeze", {cast, n.ints(Ints{0})});
}

}  // namespace

const OnnxOp ml_cast_map{"ai.onnx.ml.CastMap", {{1, import_cast_map}}};
const OnnxOp ml_dict_vectorizer{"ai.onnx.ml.DictVectorizer", {{1, import_dict_vectorizer}}};
const OnnxOp ml_zip_map{"ai.onnx.ml.ZipMap", {{1, import_zip_map}}};

}  // namespace kiln::onnx::ops
