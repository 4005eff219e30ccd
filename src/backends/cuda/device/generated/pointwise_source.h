// Scalar programs as CUDA C++, for kernel "pointwise_generated".
#pragma once
#include <string>

#include "backends/cuda/device/cu/pointwise.h"
#include "device/parameter_fields.h"

namespace kiln::cuda::kernels {

// How an operand goes along the innermost axis in the function that takes words; numbered as in cu/generated.cuh.
enum class Reach : int64_t { kRepeated = 0, kAdjacent = 1, kStrided = 2 };
inline constexpr int kReachCount = 3;

inline constexpr int kMaxWord = 16;  // bytes

// What a kernel is generated from.
struct GeneratedProgram {
  static constexpr int kLanes[] = {1, 2, 4, 8, kMaxWord};
  ScalarProgram program = {};
  std::vector<DType> types = {};    // of operands: inputs, then results
  std::vector<Reach> reaches = {};  // likewise
  int lanes = 1;                    // elements of a thread in the function that takes words
  template <class V> void fields(V& v) {
    v("program", program);
    v("types", types);
    v("reaches", reaches, kReachCount);
    v("lanes", lanes, kLanes);
  }
  void check() const;  // that operands, words and program fit each other
};

inline constexpr const char* kWordsFunction = "words";        // a thread has `lanes` elements of the innermost axis
inline constexpr const char* kElementsFunction = "elements";  // a thread has one element, wherever operands lie
// A program of CUDA C++ with these two functions, which take GeneratedArguments.
std::string pointwise_source(const Attributes& parameters);

}  // namespace kiln::cuda::kernels
