// cuBLASLt, NVIDIA's library of matrix products, opened when the first kernel or tactic asks for it.
#pragma once
#include <cublasLt.h>

#include "backends/cuda/device/gpu.h"

namespace kiln::cuda {

// The functions, called as those of the same names in NVIDIA's documentation.
struct CublasLt {
  CublasLt() = default;
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  FunctionTable slots;
  KILN_FUNCTION(cublasLtCreate)
  KILN_FUNCTION(cublasLtGetStatusString)
  KILN_FUNCTION(cublasLtGetVersion)
  KILN_FUNCTION(cublasLtMatmul)
  KILN_FUNCTION(cublasLtMatmulAlgoCheck)
  KILN_FUNCTION(cublasLtMatmulAlgoGetHeuristic)
  KILN_FUNCTION(cublasLtMatmulDescCreate)
  KILN_FUNCTION(cublasLtMatmulDescDestroy)
  KILN_FUNCTION(cublasLtMatmulDescSetAttribute)
  KILN_FUNCTION(cublasLtMatmulPreferenceCreate)
  KILN_FUNCTION(cublasLtMatmulPreferenceDestroy)
  KILN_FUNCTION(cublasLtMatmulPreferenceSetAttribute)
  KILN_FUNCTION(cublasLtMatrixLayoutCreate)
  KILN_FUNCTION(cublasLtMatrixLayoutDestroy)
  KILN_FUNCTION(cublasLtMatrixLayoutSetAttribute)
  int64_t version = 0;  // 130100: 13.1
};

// Looks for the file that the environment names as KILN_CUBLASLT, else for the library by the names of its versions. Null, with the
// reason, when there is none. Thread-safe.
const CublasLt* find_cublas_lt(std::string& reason);
// Opens it on a thread of its own, which takes some 60 ms: beside the start of a GPU, that is.
void begin_to_open_cublas_lt();
// The library's state for a GPU; made once, and kept. Throws Error. Thread-safe.
cublasLtHandle_t lt_handle(const CublasLt& library, const Gpu& gpu);

// The text is the calling thread's until its next failure.
Status status_of(const CublasLt& library, cublasStatus_t result, const char* what) noexcept;

}  // namespace kiln::cuda
