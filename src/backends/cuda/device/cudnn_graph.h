// Graphs of cuDNN's operations: what they are made of, which of the library's kernels take them, and plans that run one.
#pragma once
#include <deque>
#include <optional>

#include "backends/cuda/device/cudnn_library.h"
#include "backends/cuda/device/kernels/cudnn_parameters.h"

namespace kiln::cuda {

// For which GPU plans are made: one that is there by its handle, else one that is described.
struct CudnnSite {
  cudnnHandle_t handle = nullptr;
  const CudnnDescriptor* properties = nullptr;
};
// Of a GPU, as the library finds them where this machine has such a one, else by its description.
CudnnDescriptor gpu_properties(const Cudnn& library, const Chip& chip);

struct CudnnPlan {
  CudnnDescriptor plan;
  size_t workspace = 0;
};
// A plan as text, with the code that was compiled for it, and the plan again without compiling. The text is believed: who has it from a
// file asks first whether the file is trusted. Both throw Error.
std::vector<std::byte> text_of(const CudnnPlan& plan);
CudnnPlan plan_of_text(const Cudnn& library, const CudnnSite& site, std::span<const std::byte> text);
// Of several plans as text the one with that number; empty where there are fewer.
inline constexpr std::byte kBetweenPlans{0};
std::span<const std::byte> plan_among(std::span<const std::byte> plans, size_t number);

// Which kernels a graph may have.
struct CudnnNeeds {
  bool compiled =
      false;  // those that the library compiles for a plan, a second or more each; false: those that it has compiled
  bool all_bits = false;                  // float32 is not rounded on the way
  std::span<const int64_t> unsound = {};  // engines that are left out
};

// Its functions throw Error, kUnsupported where the library has no such kernel.
class CudnnGraph {
 public:
  static constexpr size_t kMostProposals = 16;
  static constexpr size_t kMostWorkspace = size_t{256} << 20;  // that proposals may want

  // `what`: "a convolution", in errors.
  CudnnGraph(const Cudnn& library, const CudnnSite& site, std::string what);

  // Tensors, which live as long as the graph. `name`: by which the caller of a plan says where it lies.
  CudnnDescriptor& operand(int64_t name, DType type, const Dims& dims, const Dims& strides);
  // One float32, in memory of the host, beside tensors of so many axes.
  CudnnDescriptor& number(int64_t name, size_t axes);
  // What goes from one operation to the next in registers.
  CudnnDescriptor& between(DType type, const Dims& dims, const Dims& strides);

  // An operation, and what it is made of beside tensors: each is closed when it says all.
  CudnnDescriptor& operation(cudnnBackendDescriptorType_t type);
  CudnnDescriptor& part(cudnnBackendDescriptorType_t type);
  void close(CudnnDescriptor& part) { part.finalize("cuDNN does not take " + what_); }
  struct Pointwise {
    cudnnPointwiseMode_t mode;
    const CudnnDescriptor &x, &y;
    const CudnnDescriptor *b = nullptr, *chooser = nullptr;
    DType type = DType::kF32;  // that it computes in
    int64_t axis = -1;         // whose indices it makes
  };
  void pointwise(const Pointwise& p);
  void close();  // all operations are there

  // Kernels that the library proposes, best first, each once; those that sum up in no certain order are left out. Those that are compiled
  // have their plans made.
  std::vector<kernels::CudnnChoice> proposals(const CudnnNeeds& needs) const;
  CudnnPlan plan(const kernels::CudnnChoice& choice) const;
  // Of the first proposal that needs no more workspace.
  CudnnPlan plan_within(const CudnnNeeds& needs, size_t workspace) const;

 private:
  CudnnDescriptor& tensor(int64_t name, DType type, const Dims& dims, const Dims& strides);
  CudnnDescriptor& closed_tensor(CudnnDescriptor& tensor);
  std::vector<CudnnDescriptor> configurations(cudnnBackendHeurMode_t mode) const;
  bool serves(const CudnnDescriptor& engine, const CudnnNeeds& needs) const;
  std::optional<kernels::CudnnChoice> choice_of(const CudnnDescriptor& configuration, const CudnnNeeds& needs) const;
  template <class Take> void for_each_choice(const CudnnNeeds& needs, const Take& take) const;
  std::optional<CudnnPlan> plan_if_there(const kernels::CudnnChoice& choice) const;

  const Cudnn& library_;
  CudnnSite site_;
  std::string what_;
  std::deque<CudnnDescriptor> parts_;  // that operations are made of
  std::deque<CudnnDescriptor> operations_;
  CudnnDescriptor graph_;
};

}  // namespace kiln::cuda
