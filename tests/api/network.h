// What programs that build networks by calls share.
#pragma once
#include <algorithm>
#include <cmath>

#include "api/program.h"

class Network : public Program {
 protected:
  nvinfer1::ITensor* input(const char* name, nvinfer1::Dims dims) {
    return network->addInput(name, nvinfer1::DataType::kFLOAT, dims);
  }
  std::vector<float> result(nvinfer1::ITensor* output, const std::vector<std::vector<float>>& inputs) {
    EXPECT_TRUE(output) << logger.errors;
    if (!output) return {};
    output->setName("y");
    network->markOutput(*output);
    const auto engine = build();
    return engine ? run(*engine, inputs) : std::vector<float>{};
  }
  void near(const std::vector<float>& got, const std::vector<float>& expected) {
    ASSERT_EQ(got.size(), expected.size()) << logger.errors;
    float largest = 0;  // minimal filtering is as exact as the largest results
    for (float e : expected) largest = std::max(largest, std::abs(e));
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], expected[i], 1e-5 + 1e-5 * static_cast<double>(largest)) << "element " << i;
  }
  void expect_dims(const nvinfer1::ITensor& t, std::vector<int64_t> expected) {
    const nvinfer1::Dims d = t.getDimensions();
    EXPECT_EQ(std::vector<int64_t>(d.d, d.d + std::max(0, d.nbDims)), expected) << logger.errors;
  }
  nvinfer1::ITensor* constant(nvinfer1::Dims dims, std::vector<float> values) {
    return network->addConstant(dims, weights(std::move(values)))->getOutput(0);
  }
  nvinfer1::ITensor* int_constant(nvinfer1::Dims dims, std::vector<int32_t> values) {
    return network->addConstant(dims, int_weights(std::move(values)))->getOutput(0);
  }
  nvinfer1::ITensor* to_float(nvinfer1::ITensor* t) {
    return network->addCast(*t, nvinfer1::DataType::kFLOAT)->getOutput(0);
  }
};
