// Scalar programs as the interpreter on the GPU takes them: values in as few slots as live at once.
#pragma once
#include <optional>
#include <string>

#include "backends/cuda/device/cu/pointwise.h"

namespace kiln::cuda::kernels {

struct PointwiseCode {
  std::vector<PointwiseStep> steps;
  std::vector<uint8_t> results;  // slots
  std::vector<ScalarType> result_types;
  int slots = 0;
  bool floats = true;  // every value is float32 or bool
};

// A program that goes from one running value to the next.
struct ChainCode {
  std::vector<ChainStep> steps;
  uint8_t first = 0;  // the input that it begins with
};
// Nothing when the program is longer or goes another way.
std::optional<ChainCode> chain_code(const ScalarProgram& program);

// The types of elements that the interpreter loads and stores, and those that generated kernels do: of more than 8 bits, and integers of 8.
bool is_pointwise_type(DType type);
bool is_generated_type(DType type);
// The program that reads integers which it only converts to float32 as such: kernels convert them as they load them.
ScalarProgram with_float_inputs(const ScalarProgram& program);
// Nothing, with the reason, when the program is too long or too wide for the interpreter.
std::optional<PointwiseCode> pointwise_code(const ScalarProgram& program, std::string& reason);

}  // namespace kiln::cuda::kernels
