// The launches of kernel "pointwise_generated", and how it is generated for operands.
#pragma once
#include "backends/cuda/device/cu/generated.h"
#include "backends/cuda/device/generated/pointwise_source.h"
#include "backends/cuda/device/kernels/common.h"

namespace kiln::cuda::kernels {

std::unique_ptr<Kernel> make_pointwise_generated(Gpu& gpu, std::shared_ptr<Module> module,
                                                 const Attributes& parameters);

// One launch, by either function.
struct GeneratedPart {
  GeneratedArguments<kMaxOperands> words, elements;
  bool takes_words = false;            // these shapes and strides; the addresses decide, too
  int64_t starts[kMaxOperands] = {};   // bytes, per operand
  int64_t aligned[kMaxOperands] = {};  // bytes of which addresses must be multiples for words

  // Sets the addresses. True: the function that takes words can run.
  bool place(const KernelCall& call) noexcept;
};
// For operands that check_pointwise accepts. Throws Error for tensors that are too large.
std::vector<GeneratedPart> generated_parts(const GeneratedProgram& generated, const KernelCall& call);

// How operands go along the innermost axis of these shapes, and so many elements a thread that the widest operand has words of
// `word` bytes.
void plan_words(GeneratedProgram& generated, const KernelCall& call, int word);

}  // namespace kiln::cuda::kernels
