// What follows a product: as post-operations of oneDNN where those are exact, else as a pass over the result.
#pragma once
#include <dnnl.hpp>

#include "backends/cpu/device/kernels/parameters.h"

namespace kiln::onednn {

struct SplitEpilogue {
  dnnl::primitive_attr attributes;
  int residual_argument = 0;              // of the primitive; 0: none
  cpu::kernels::EpilogueParameters pass;  // what is left for the pass
  bool pass_residual = false;
  bool has_pass() const { return pass_residual || pass.activation != cpu::Activation::kNone; }
};

// `result` is what the residual looks like. With `fuse` false everything is left for the pass. `scale` multiplies the product.
SplitEpilogue split_epilogue(const cpu::kernels::EpilogueParameters& parameters, bool has_residual,
                             const dnnl::memory::desc& result, bool fuse, float scale = 1);

// The pass over `count` results; `residual` lies as they do, or is null.
void run_pass(const cpu::kernels::EpilogueParameters& pass, float* results, const float* residual,
              int64_t count) noexcept;

}  // namespace kiln::onednn
