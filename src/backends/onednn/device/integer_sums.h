// A kernel that is one primitive of oneDNN on bytes, with sums in int32, and what follows the sums as the CPU's kernels of bytes do it.
// Inputs: bytes, row-major signed weights, then what cpu::kernels::SumOperands has.
#pragma once
#include <dnnl.hpp>
#include <optional>
#include <vector>

#include "backends/cpu/device/kernels/sum_steps.h"
#include "backends/onednn/device/packing.h"

namespace kiln::onednn {

class IntegerSums : public PreviewedKernel {
 public:
  Preview preview(const KernelCall& call) final;
  Status prepare(const KernelCall& call) noexcept final;
  Status launch(Stream& stream, const KernelCall& call) noexcept final;
  size_t workspace(const KernelCall& call) noexcept final;

 protected:
  explicit IntegerSums(const SumFields& sums) : sums_(sums) {}
  using RowsOf = std::optional<cpu::kernels::RowsView> (*)(const TensorView&);
  struct Recipe {
    dnnl::primitive_desc primitive;  // empty: oneDNN has none that is exact
    dnnl::memory::desc source, weights, sums;
    RowsOf rows_of = nullptr;                   // a tensor like the result
    int64_t rows = 0, columns = 0, stride = 0;  // of the result
  };
  // Throws Error when the call does not fit the parameters. Not called when the result is empty.
  virtual Recipe describe(const KernelCall& call) const = 0;
  // Whether the primitive adds products of bytes without saturating on the way.
  static bool is_exact(const dnnl::primitive_desc& primitive);

 private:
  Status bind(const KernelCall& call);
  struct Spaces {
    size_t scratchpad, operands, total;  // the sums come first
  };
  static Spaces spaces(const KernelCall& call, const Recipe& recipe);

  cpu::kernels::SumOperands sums_;
  bool nothing_to_do_ = true;
  Recipe recipe_;
  Spaces spaces_{};
  dnnl::primitive primitive_;
  dnnl::memory source_, weights_, result_, scratchpad_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

// Attributes of a primitive whose scratchpad lies in a step's workspace.
dnnl::primitive_attr scratchpad_of_step();
dnnl::memory::data_type type_of_bytes(const TensorView& view);  // throws Error for other types

}  // namespace kiln::onednn
