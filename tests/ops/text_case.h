// Evaluates operators on tensors written as text: "float32[2]:{1.0,nan}", "none" for an absent input.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/op.h"

namespace kiln::testing {

struct TextCase {
  std::string op, attributes;  // "{axis=1}"
  std::vector<std::string> inputs, outputs;
};

inline Tensor tensor_of(const std::string& text) {
  if (text == "none") return Tensor();
  size_t position = 0;
  return std::get<Tensor>(parse_attribute(text, position));
}

inline Attributes attributes_of(const std::string& text) {
  size_t position = 0;
  return text.empty() ? Attributes() : parse_attributes(text, position);
}

inline std::vector<Datum> evaluate(const TextCase& c) {
  const OpDef* op = find_op(c.op);
  if (!op) throw Error(Code::kNotFound, "no operator " + c.op);
  std::vector<Datum> inputs;
  for (const std::string& text : c.inputs) inputs.emplace_back(tensor_of(text));
  return kiln::evaluate(*op, attributes_of(c.attributes), std::move(inputs), static_cast<int>(c.outputs.size()));
}

// Relative tolerance of the type's results; 0 for exact types.
inline double tolerance(DType type) {
  switch (type) {
    case DType::kF64: return 1e-12;
    case DType::kF32: return 1e-6;
    case DType::kF16: return 1e-3;
    case DType::kBF16: return 8e-3;
    default: return 0;
  }
}

inline bool near(const Tensor& got, const Tensor& expected) {
  if (got.dtype() != expected.dtype() || got.dims() != expected.dims()) return false;
  if (!tolerance(got.dtype())) return got.identical(expected);
  for (int64_t i = 0; i < got.size(); ++i) {
    const double a = got.at(i), b = expected.at(i);
    const bool same =
        std::isnan(b) ? std::isnan(a) : a == b || std::fabs(a - b) <= tolerance(got.dtype()) * std::fabs(b);
    if (!same) return false;
  }
  return true;
}

inline void check(const TextCase& c) {
  SCOPED_TRACE(c.op + c.attributes + " of " + (c.inputs.empty() ? "" : c.inputs[0]));
  std::vector<Datum> outputs;
  try {
    outputs = evaluate(c);
  } catch (const Error& e) {
    ADD_FAILURE() << e.what();
    return;
  }
  for (size_t i = 0; i < c.outputs.size(); ++i)
    EXPECT_TRUE(near(outputs[i].tensor, tensor_of(c.outputs[i])))
        << "got " << to_string(Attribute(outputs[i].tensor)) << "\nnot " << c.outputs[i];
}

inline void check_refused(Code code, const TextCase& c) {
  SCOPED_TRACE(c.op + c.attributes);
  try {
    evaluate(c);
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
  }
}

// Types and elements that follow from what is known of inputs: shapes as text ("[batch,3]"), elements as expressions.
struct Known {
  DType dtype = DType::kF32;
  Shape shape = {};
  std::vector<Dim> elements = {};  // none: not known
};

inline std::pair<EdgeType, std::optional<std::vector<Dim>>> infer(const std::string& name, const Attributes& attributes,
                                                                  const std::vector<Known>& inputs) {
  const OpDef& op = *find_op(name);
  std::vector<InputInfo> infos;
  for (const Known& k : inputs) {
    InputInfo info;
    info.present = k.dtype != DType::kInvalid;
    info.type.tensor = {k.dtype, k.shape, true};
    if (!k.elements.empty()) info.elements = &k.elements;
    infos.push_back(info);
  }
  ShapeCall call(op, attributes, infos, "n", 1);
  EdgeType type = op.infer(call).at(0);
  return {type, op.element_rule() ? op.element_rule()(call) : std::nullopt};
}

}  // namespace kiln::testing
