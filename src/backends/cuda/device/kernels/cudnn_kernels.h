// Kernels whose plan cuDNN compiled for them: what each was compiled for, and how it is made.
#pragma once
#include "backends/cuda/device/compiled_once.h"
#include "backends/cuda/device/cudnn_attention.h"
#include "backends/cuda/device/cudnn_conv.h"
#include "backends/cuda/device/cudnn_norm.h"

namespace kiln::cuda::kernels {

// A step gave other operands than those that its plan was compiled for.
inline constexpr Status kOthers{Code::kShapeMismatch,
                                "a plan of cuDNN was compiled for other shapes, types or strides"};

// "cudnn_compiled"
struct CudnnCompiledConv {
  CudnnConv conv = {};
  EpilogueParameters epilogue = {};
  CudnnChoice choice = {};
  template <class V> void fields(V& v) {
    v(conv);
    v(epilogue);
    v(choice);
  }
  CudnnNeeds needs() const { return conv.needs(true); }
};

// "cudnn_attention"
struct CudnnCompiledAttention {
  CudnnAttention attention = {};
  // Strides of queries, keys and values as parts of one tensor, for which there is a second plan; empty: there is none.
  Ints slices = {};
  bool mask_rows =
      false;  // the mask is made ready in the workspace (CudnnAttention::with_mask_rows) whenever the step runs
  CudnnChoice choice = {};
  template <class V> void fields(V& v) {
    v(attention);
    v("slices", slices, 0, CudnnTensors::kMostStride);
    v("mask_rows", mask_rows);
    v(choice);
  }
  void check() const;  // that there are strides of three tensors, or none, and a mask to make ready
  CudnnNeeds needs() const { return attention.needs(); }
  CudnnAttention of_slices() const;
};

// "cudnn_norm"
struct CudnnCompiledNorm {
  CudnnNorm norm = {};
  int64_t axis = 0;  // from which on a row goes
  CudnnChoice choice = {};
  template <class V> void fields(V& v) {
    v(norm);
    v("axis", axis, 0, kMostAxis);
    v(choice);
  }
  CudnnNeeds needs() const { return norm.needs(); }
};

// What plans are of, in the order in which a binary has them as text, with a zero byte between.
inline std::vector<CudnnConv> planned(const CudnnCompiledConv& p) { return {p.conv}; }
inline std::vector<CudnnNorm> planned(const CudnnCompiledNorm& p) { return {p.norm}; }
inline std::vector<CudnnAttention> planned(const CudnnCompiledAttention& p) {
  return p.slices.empty() ? std::vector{p.attention} : std::vector{p.attention, p.of_slices()};
}

// `plans`: the binary. They throw Error.
std::unique_ptr<Kernel> compiled_kernel(Gpu& gpu, const CudnnCompiledConv& parameters, const Binary& plans);
std::unique_ptr<Kernel> compiled_kernel(Gpu& gpu, const CudnnCompiledAttention& parameters, const Binary& plans);
std::unique_ptr<Kernel> compiled_kernel(Gpu& gpu, const CudnnCompiledNorm& parameters, const Binary& plans);

}  // namespace kiln::cuda::kernels
