// NVIDIA GPUs as a target.
#include "backends/cuda/target/target.h"

#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/first_layers.h"
#include "passes/pass.h"
#include "passes/rule.h"
#include "passes/rule_lists.h"

namespace kiln::cuda {
namespace {

// Those whose results there are kernels for.
std::vector<const passes::Rule*> fusion_rules() {
  if (target_chip().has_clusters()) return passes::fusion_rules({"expand_depthwise"});
  return passes::fusion_rules({"expand_depthwise", "squeeze_excite"});
}

class CudaTarget final : public Target {
 public:
  std::string_view name() const override { return "cuda"; }
  Device& device() const override { return open_device("cuda"); }
  std::vector<passes::Pass> pipeline(const TargetOptions& options) const override {
    std::vector<passes::Pass> list{passes::canonicalize()};
    if (options.precisions.compute != DType::kF32) list.push_back(passes::compute_in(options.precisions.compute));
    list.push_back(passes::fuse(fusion_rules()));
    list.push_back(round_pictures_at_the_entrance());
    return list;
  }
  const TacticList& tactics() const override { return cuda::tactic_list(); }
  bool computes_in(DType type) const override {
    return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
  }
  const Target* fallback() const override { return &find_target("cpu"); }
};

}  // namespace

const Target& target() {
  static const CudaTarget instance;
  return instance;
}

}  // namespace kiln::cuda
