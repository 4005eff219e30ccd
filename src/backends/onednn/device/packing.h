// What the build side asks of a kernel of oneDNN. All kernels of this device answer.
#pragma once
#include <string>

#include "device/device.h"

namespace kiln::onednn {

// What oneDNN would do for the shapes of a call.
struct Preview {
  std::string implementation;  // oneDNN's name for it; empty: it has none
  std::string weights;         // name of the layout in which weights are stored; empty: none are
  bool is_reference() const { return implementation.starts_with("ref"); }
};

// Its functions throw Error when the call does not fit the parameters. The weights of `call` are not looked at.
class PreviewedKernel : public Kernel {
 public:
  virtual Preview preview(const KernelCall& call) = 0;
};

class PackingKernel : public PreviewedKernel {
 public:
  // Row-major `weights` of the operator in the layout that preview() names, as bytes.
  virtual Tensor pack(const KernelCall& call, const void* weights) = 0;
};

}  // namespace kiln::onednn
