// The calling thread's last error.
#pragma once
#include "kiln_compat/cuda_runtime_api.h"

namespace kiln::api {

// Keeps an error for cudaGetLastError and returns it.
cudaError_t keep(cudaError_t error);

}  // namespace kiln::api
