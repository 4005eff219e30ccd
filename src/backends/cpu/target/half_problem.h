// What the tactics of float16 and bfloat16 share whose kernels compute in float32.
#pragma once
#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/product_int8.h"
#include "backends/cpu/device/kernels/half_operands.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "target/estimate.h"

namespace kiln::cpu {

// What may vary of one.
struct HalfBlocks {
  kernels::BlockParameters blocks = {};
  bool wide = false;  // weights are float32, else as operands are
  template <class V> void fields(V& v) {
    v(blocks);
    v("wide", wide);
  }
};

inline Refusal computes_on_halves(const Problem& problem) {
  const DType type = problem.input(0).dtype;
  if (type != DType::kF16 && type != DType::kBF16)
    return refuse("its operands are " + std::string(name(type)) + ", needs float16 or bfloat16");
  if (!widens_in_registers(type)) return refuse("the processor does not widen " + std::string(name(type)));
  return type == DType::kBF16 && multiplies_bfloat16() ? refuse("the processor multiplies bfloat16") : accept();
}

// By weights in 16 bits and in float32, without those for which a large image becomes float32 as a whole.
inline std::vector<Config> half_configurations(const std::vector<BlockConfig>& all, const ConvShape& shape) {
  constexpr int64_t kMostNumbers = int64_t{1} << 22;
  const int64_t numbers =
      shape.batch * (shape.in_h * shape.in_w * shape.in_c + shape.out_h() * shape.out_w() * shape.out_c);
  std::vector<Config> list;
  const auto add = [&](const BlockConfig& c) {
    for (const bool wide : {false, true}) list.push_back(to_parameters(HalfBlocks{{c}, wide}));
  };
  for (const BlockConfig& c : all)
    if (numbers <= kMostNumbers || !kernels::takes_whole(shape, c)) add(c);
  if (list.empty()) add(all.front());
  return list;
}

// The work in float32, and what numbers take that become float32 and are rounded again.
inline Estimate estimate_half(const Problem& problem, const Workload& work, const DeviceFacts& facts) {
  constexpr double kSecondsPerNumber = 0.15e-9;
  double numbers = 0;
  for (const Argument* a : {&problem.input(0), &problem.outputs[0]})
    numbers += static_cast<double>(element_count(a->opt));
  Estimate e = roofline(work, DType::kF32, facts);
  e.compute += kSecondsPerNumber * numbers / std::max(problem.threads, 1);
  return e;
}

}  // namespace kiln::cpu
