// The CPU target: its passes and its tactics.
#include "backends/cpu/target/target.h"

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/product_int8.h"
#include "backends/cpu/device/device.h"
#include "backends/cpu/target/tactics.h"
#include "passes/pass.h"
#include "passes/quantize/integer_sums.h"
#include "target/epilogue.h"

namespace kiln::cpu {
namespace {

const TacticList& list() {
  static const TacticList kTactics({
#define KILN_TACTIC(word) &tactics::word,
#include "backends/cpu/target/list.inc"
#undef KILN_TACTIC
  });
  return kTactics;
}

class CpuTarget final : public Target {
 public:
  std::string_view name() const override { return "cpu"; }
  Device& device() const override { return open_device("cpu"); }
  std::vector<passes::Pass> pipeline(const TargetOptions& options) const override {
    std::vector<passes::Pass> list{passes::canonicalize()};
    const DType compute = options.precisions.compute, second = options.precisions.second;
    const bool narrow = (compute == DType::kBF16 || second == DType::kBF16) && multiplies_bfloat16();
    if (narrow) list.push_back(passes::multiply_in_bfloat16());
    list.insert(list.end(), {passes::quantize(), passes::compute_in_float32(), passes::fuse()});
    if (narrow) list.push_back(passes::multiply_in_bfloat16());  // attention, which fusion makes
    list.push_back(passes::keep_narrow_weights(compute));
    return list;
  }
  bool computes_in(DType type) const override {
    const bool is_half = type == DType::kF16 || type == DType::kBF16;
    return type == DType::kF32 || type == DType::kI8 || (is_half && widens_in_registers(type));
  }
  const TacticList& tactics() const override { return list(); }
  passes::FusionLimits fusion() const override {
    passes::FusionLimits limits = epilogue_limits(list());
    limits.operators.emplace(passes::kByteVolumes);
    limits.cheap_steps = limits.words = limits.real_codes = true;
    return limits;
  }
};

}  // namespace

const Target& target() {
  static const CpuTarget instance;
  return instance;
}

}  // namespace kiln::cpu
