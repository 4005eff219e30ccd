// Helpers of the tests of network operators: run one node, infer one node.
#pragma once
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ops/op.h"

namespace kiln::nn_testing {

inline Tensor f32(Dims dims, std::vector<float> values) { return Tensor::of<float>(std::move(dims), values); }
// 1, 2, 3, ... scaled, so that every element differs.
inline Tensor counting(Dims dims, float scale = 1, DType type = DType::kF32) {
  Tensor t = Tensor::allocate(type, std::move(dims));
  for (int64_t i = 0; i < t.size(); ++i) t.set(i, static_cast<double>(static_cast<float>(i + 1) * scale));
  return t;
}
inline std::vector<Tensor> run(const char* name, const Attributes& attributes, const std::vector<Tensor>& inputs,
                               int outputs = 1) {
  std::vector<Datum> data;
  for (const Tensor& t : inputs) data.emplace_back(t);
  std::vector<Tensor> results;
  for (Datum& d : evaluate(*find_op(name), attributes, data, outputs)) results.push_back(d.tensor);
  return results;
}
inline void expect_values(const Tensor& t, const Dims& dims, const std::vector<double>& values,
                          double tolerance = 1e-5) {
  ASSERT_EQ(t.dims(), dims);
  ASSERT_EQ(t.size(), static_cast<int64_t>(values.size()));
  for (int64_t i = 0; i < t.size(); ++i) {
    const double want = values[static_cast<size_t>(i)];
    if (std::isnan(want)) EXPECT_TRUE(std::isnan(t.at(i))) << i;
    else if (std::isinf(want)) EXPECT_EQ(t.at(i), want) << i;
    else EXPECT_NEAR(t.at(i), want, tolerance * std::max(1.0, std::abs(want))) << i;
  }
}

struct Known {  // an input of shape inference: a shape as text, and perhaps a value
  std::vector<std::string> dims;
  DType type = DType::kF32;
  Tensor value = {};
};
// The shapes of all outputs as text.
inline std::vector<std::string> shapes(const char* name, const Attributes& attributes, const std::vector<Known>& inputs,
                                       int outputs = 1) {
  std::vector<InputInfo> infos;
  for (const Known& k : inputs) {
    InputInfo info;
    info.present = k.type != DType::kInvalid;
    info.type.tensor.dtype = k.type;
    for (const std::string& d : k.dims) info.type.tensor.shape.push_back(Dim::parse(d));
    if (k.value.valid()) info.constant = &k.value, info.type.tensor = {k.value.dtype(), to_shape(k.value.dims()), true};
    infos.push_back(info);
  }
  ShapeCall call(*find_op(name), attributes, infos, "n", outputs);
  std::vector<std::string> result;
  for (const EdgeType& type : find_op(name)->infer(call)) result.push_back(type.str());
  return result;
}
using Strs = std::vector<std::string>;

}  // namespace kiln::nn_testing
