// Base of kernels that run a plan of cuDNN's.
#pragma once
#include "backends/cuda/device/compiled_once.h"
#include "backends/cuda/device/cudnn_graph.h"
#include "backends/cuda/device/kernels/common.h"

namespace kiln::cuda::kernels {

class CudnnKernel : public Kernel {
 public:
  ~CudnnKernel() override { forget_plan(); }
  size_t workspace(const KernelCall& call) noexcept final;
  Status prepare(const KernelCall& call) noexcept final;
  Status launch(Stream& stream, const KernelCall& call) noexcept final;

 protected:
  // `version`: of the library that chose the plan. `compiled`: plans as text, or null; such a plan is also asked for its workspace where
  // the GPU is not there. Throws Error where the GPU is there and the library is not.
  CudnnKernel(Gpu& gpu, int64_t version, Binary compiled);

  // A tensor of the graph, by its name there.
  struct Operand {
    int64_t name;
    enum class From { kInput, kOutput, kNumber, kWorkspace } from;  // kWorkspace: where it begins
    size_t index = 0;
    const float* number = nullptr;  // lives as long as the kernel
  };
  // What a step gives: whether the plan can be for it, what the operands are, and whether there is anything to do. May throw Error. Where
  // they are others than before it forgets the plan.
  virtual Status read(const KernelCall& call) = 0;
  virtual CudnnPlan make_plan(const CudnnSite& site, size_t most_workspace) = 0;
  // What the plan finds done, and what it leaves to be done.
  virtual Status begin(Stream&, const KernelCall&) noexcept { return kOkStatus; }
  virtual Status finish(Stream&, const KernelCall&) noexcept { return kOkStatus; }

  // `name`: of the graph's enumeration.
  template <class Name> void add(Name name, Operand::From from, size_t index = 0, const float* number = nullptr) {
    operands_.push_back({static_cast<int64_t>(name), from, index, number});
  }
  void forget_plan() noexcept;
  bool is_compiled() const { return compiled_ != nullptr; }
  CudnnPlan compiled_plan(const CudnnSite& site, size_t most_workspace, size_t number = 0) const;

  Gpu& gpu_;
  const Cudnn* library_ = nullptr;  // null: nothing is planned
  std::vector<Operand> operands_;
  bool is_empty_ = false;
  size_t own_workspace_ = 0;  // bytes before the plan's workspace, a multiple of the alignment of workspaces

 private:
  void* workspace_of_plan(const KernelCall& call) const noexcept {
    return static_cast<std::byte*>(call.workspace) + own_workspace_;
  }
  void* address_of(const Operand& operand, const KernelCall& call) const noexcept;
  void plan_within(size_t workspace);
  Status pack(const KernelCall& call);
  Status queue(Stream& stream) noexcept;

  Binary compiled_;
  CudnnHandles* handles_ = nullptr;
  CudnnPlan plan_;
  CudnnDescriptor pack_;          // of the last launch's addresses
  std::vector<void*> addresses_;  // of its operands, and of its workspace
};

}  // namespace kiln::cuda::kernels
