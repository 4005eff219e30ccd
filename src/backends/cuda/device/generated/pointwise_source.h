// Scalar programs as CUDA C++, for kernel "pointwise_generated".
#pragma once
#include <string>

#include "backends/cuda/device/cu/pointwise.h"
#include "tensor/attributes.h"

namespace kiln::cuda::kernels {

// How an operand goes along the innermost axis in the function that takes words; numbered as in cu/generated.cuh.
enum class Reach : int64_t { kRepeated = 0, kAdjacent = 1, kStrided = 2 };

struct GeneratedProgram {
  ScalarProgram program;
  std::vector<DType> types;    // of operands: inputs, then results
  std::vector<Reach> reaches;  // likewise
  int lanes = 1;               // elements of a thread in the function that takes words: 1, 2, 4, 8 or 16
};

inline constexpr int kMaxWord = 16;  // bytes

void put_generated(Attributes& parameters, const GeneratedProgram& generated);
// Checked: throws kMalformedPlan when it is not sound.
GeneratedProgram get_generated(const Attributes& parameters);

inline constexpr const char* kWordsFunction = "words";        // a thread has `lanes` elements of the innermost axis
inline constexpr const char* kElementsFunction = "elements";  // a thread has one element, wherever operands lie
// A program of CUDA C++ with these two functions, which take GeneratedArguments.
std::string pointwise_source(const Attributes& parameters);

}  // namespace kiln::cuda::kernels
