// Convolutions as graphs of cuDNN's operations: which of its kernels take them, and plans that run one.
#pragma once
#include <optional>

#include "backends/cuda/device/cudnn_library.h"
#include "backends/cuda/device/kernels/cudnn_parameters.h"

namespace kiln::cuda {

// activation(conv(x, w) [+ residual] [+ bias]), all channels last and without gaps, of one type.
struct CudnnConv {
  DType type = DType::kInvalid;
  kernels::CudnnWindow window;
  // Batch, channels, and two or three spatial axes. w: columns, channels of a group, taps; of a transposed convolution channels of x,
  // columns of a group, taps.
  Dims x, w, y;
  bool tf32 = false;  // float32 may lose what TF32 lacks
  bool bias = false, residual = false, relu = false;
  bool operator==(const CudnnConv&) const = default;
  bool is_empty() const;    // there are no results
  Status check() const;     // that the sizes fit each other
  std::string str() const;  // all of it, as text
};

// The operands of a graph, as a plan's caller names them.
enum class CudnnOperand : int64_t { kX = 1, kW, kBias, kResidual, kY };

// For which GPU plans are made: one that is there by its handle, else one that is described.
struct CudnnSite {
  cudnnHandle_t handle = nullptr;
  const CudnnDescriptor* properties = nullptr;
};
// Of a GPU of this machine; of one that it need not have.
CudnnDescriptor gpu_properties(const Cudnn& library, int ordinal);
CudnnDescriptor gpu_properties(const Cudnn& library, const Chip& chip);

struct CudnnPlan {
  CudnnDescriptor plan;
  size_t workspace = 0;
};

// Its functions throw Error, kUnsupported where the library has no such kernel.
class CudnnGraph {
 public:
  static constexpr size_t kMostProposals = 16;
  static constexpr size_t kMostWorkspace = size_t{256} << 20;  // that proposals may want

  CudnnGraph(const Cudnn& library, const CudnnSite& site, const CudnnConv& conv);
  // Kernels that the library proposes, best first, each once and with a plan; those that sum up in no certain order, that compute with
  // fewer bits than they may, or whose code would have to be compiled are left out.
  std::vector<kernels::CudnnChoice> proposals() const;
  CudnnPlan plan(const kernels::CudnnChoice& choice) const;
  // Of the first proposal that needs no more workspace.
  CudnnPlan plan_within(size_t workspace) const;

 private:
  struct Proposed {
    kernels::CudnnChoice choice;
    CudnnPlan plan;
  };
  CudnnDescriptor tensor(CudnnOperand operand, const Dims& dims) const;
  CudnnDescriptor between() const;
  CudnnDescriptor convolution(const CudnnDescriptor& y);
  void add(cudnnPointwiseMode_t mode, const CudnnDescriptor& x, const CudnnDescriptor* b, const CudnnDescriptor& y);
  std::vector<CudnnDescriptor> configurations(cudnnBackendHeurMode_t mode) const;
  std::optional<Proposed> proposed(const CudnnDescriptor& configuration) const;
  template <class Take> void for_each_proposal(const Take& take) const;
  CudnnPlan plan(const CudnnDescriptor& configuration) const;
  bool is_exact(const CudnnDescriptor& engine) const;

  const Cudnn& library_;
  CudnnSite site_;
  CudnnConv conv_;
  std::vector<CudnnDescriptor> parts_;  // that operations are made of
  std::vector<CudnnDescriptor> operations_;
  CudnnDescriptor graph_;
};

}  // namespace kiln::cuda
