// A kernel that is one primitive of oneDNN, with copies of operands that lie otherwise than it wants, and a pass over the result.
#pragma once
#include <dnnl.hpp>
#include <string>
#include <vector>

#include "backends/onednn/device/epilogue.h"
#include "backends/onednn/device/packing.h"
#include "backends/onednn/device/primitive_parameters.h"

namespace kiln::onednn {

using Desc = dnnl::memory::desc;

size_t bytes_in_lines(const Desc& memory);  // whole cache lines

constexpr int kResult = -1;  // stands for output 0 among the inputs of a call

// An operand of a primitive, as the primitive takes it. Where it lies otherwise, it is copied from `lies` to `copy` (the
// result: back); `copy` has the dimensions of `lies` and the bytes of `primitive`.
struct Operand {
  int argument = 0;  // DNNL_ARG_…; 0: only the pass reads it
  int input = 0;     // of the call, or kResult
  Desc primitive;
  Desc lies = {}, copy = {};  // zero: not copied
  bool packed = false;        // packed weights; copied once when the layout is not the one that was stored
  bool copied() const { return !copy.is_zero(); }
};

struct Recipe {
  dnnl::primitive_desc primitive;  // empty: oneDNN has none
  std::vector<Operand> operands;
  SplitEpilogue epilogue = {};
};

// How to ask oneDNN for a primitive.
struct Attempt {
  bool copied = false;  // operands in the layout that oneDNN does best, not as they lie
  bool fused = true;    // with post-operations
};

class PrimitiveKernel : public PackingKernel {
 public:
  Preview preview(const KernelCall& call) final;
  Tensor pack(const KernelCall& call, const void* weights) final;
  Status prepare(const KernelCall& call) noexcept override;
  Status launch(Stream& stream, const KernelCall& call) noexcept override;
  size_t workspace(const KernelCall& call) noexcept final;

 protected:
  // Parameters: "copied" 1 tries copied operands first; "weights" names the layout of packed weights.
  explicit PrimitiveKernel(PrimitiveParameters parameters);
  // Throws Error when the call does not fit the parameters. Not called when the result is empty.
  virtual Recipe describe(const KernelCall& call, const Attempt& attempt) const = 0;
  // The operator's own weights in the dimensions of the primitive's.
  virtual Desc plain_weights(const KernelCall&) const { return {}; }
  // Throws Error when the packed weights of a call are smaller than weights of these dimensions.
  void require_packed(const KernelCall& call, const Ints& dims) const;

 private:
  // Where the parts of a workspace begin.
  struct Spaces {
    std::vector<size_t> copies;  // per operand
    size_t scratchpad = 0, total = 0;
  };
  // An operand after prepare.
  struct Bound {
    int input = 0;
    size_t offset = 0;          // of its copy in the workspace
    dnnl::memory memory;        // for the primitive
    dnnl::memory lies, copied;  // empty: not copied
    dnnl::primitive reorder;
    bool fixed = false;  // its address does not change
    void* address = nullptr;
  };
  Recipe choose(const KernelCall& call) const;
  Spaces spaces(const Recipe& recipe) const;
  Status bind(const KernelCall& call);
  Status bind_packed(const KernelCall& call, const Operand& operand, Bound& bound) const;
  void set_addresses(const KernelCall& call, std::byte* workspace) noexcept;

  bool copied_first_;
  std::string weights_;
  bool building_ = false;  // weights are not packed yet
  // Of the last prepare.
  bool nothing_to_do_ = true;
  std::vector<Bound> bound_;
  dnnl::primitive primitive_;
  dnnl::memory scratchpad_;
  size_t scratchpad_offset_ = 0;
  std::vector<dnnl_exec_arg_t> arguments_;
  cpu::kernels::EpilogueParameters pass_;
  size_t result_ = 0, residual_ = 0;  // operands of the pass
  bool has_pass_ = false, has_residual_ = false;
  int64_t result_floats_ = 0;
  Tensor own_workspace_;  // where the call's is too small for its shapes
};

const dnnl::engine& engine();

// Throws Error unless the view is a float32 tensor with strides and elements, whose sizes oneDNN can count.
void require_floats(const TensorView& view, const char* what);
inline Ints dims_of(const TensorView& view) { return {view.dims, view.dims + view.rank}; }
// Row-major, or with axis 1 innermost.
Desc dense_desc(const Ints& dims, bool channels_last = false);
// The view as it lies.
Desc strided_desc(const TensorView& view);
// A float32 vector of `count` elements as a bias of `rank` dimensions along `axis`.
Operand bias_operand(const TensorView& view, int64_t count, int rank, int axis);

}  // namespace kiln::onednn
