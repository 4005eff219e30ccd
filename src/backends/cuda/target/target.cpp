// NVIDIA GPUs as a target.
#include "backends/cuda/target/target.h"

#include "backends/cuda/device/device.h"
#include "backends/cuda/device/nvrtc.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/deep_conv.h"
#include "backends/cuda/target/first_layers.h"
#include "backends/cuda/target/large_images.h"
#include "backends/cuda/target/projected_recurrence.h"
#include "passes/pass.h"
#include "target/epilogue.h"

namespace kiln::cuda {
namespace {

class CudaTarget final : public Target {
 public:
  std::string_view name() const override { return "cuda"; }
  Device& device() const override { return open_device("cuda"); }
  std::vector<passes::Pass> pipeline(const TargetOptions& options) const override {
    if (const std::string lack = compiler_lack(target_chip().compute);
        !lack.empty() && !options.disabled.count("pointwise_generated"))
      options.logger->log(Severity::kInfo, "no kernels are generated: " + lack);
    for (const auto& [library, state] : libraries())
      if (library != "NVRTC" && state.starts_with("not there"))
        options.logger->log(Severity::kInfo, library + " is " + state);
    std::vector<passes::Pass> list{passes::canonicalize(), passes::quantize(), passes::dequantize_constants()};
    if (const Precisions& p = options.precisions; p.compute != DType::kF32)
      list.push_back(passes::compute_in(p.compute, p.second));
    list.push_back(passes::fuse());
    list.push_back({"device", [this](ir::Graph& graph, passes::PassContext& context) {
                      passes::apply_rules(graph, rules(), context);
                    }});
    return list;
  }
  std::vector<const passes::Rule*> rules() const override {
    return {&passes::deep_transposed_conv, &passes::deep_conv,   &passes::cast_conv,
            &passes::conv_excite,          &passes::scaled_conv, &passes::projected_recurrence};
  }
  const TacticList& tactics() const override { return cuda::tactic_list(); }
  passes::FusionLimits fusion() const override {
    passes::FusionLimits limits = epilogue_limits(tactics());
    if (!target_chip().has_clusters()) limits.operators.erase("SqueezeExcite");
    // The rule for targets without it goes first; cuDNN takes what that leaves.
    limits.operators.erase("ConvTranspose");
    // One step each: longer programs take longer than a kernel of their own.
    limits.programs = {"Max", "Min", "Mish", "Mul", "PRelu", "Sub"};
    // No steps, but the short form of programs.
    limits.joins = {"Add", "Max", "Min", "Mul", "Sub"};
    limits.joined = 2;
    return limits;
  }
  bool computes_in(DType type) const override {
    return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16 || type == DType::kI8;
  }
  const Target* fallback() const override { return &find_target("cpu"); }
};

}  // namespace

const Target& target() {
  static const CudaTarget instance;
  return instance;
}

}  // namespace kiln::cuda
