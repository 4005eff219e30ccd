// The boundary of the library: what throws becomes an error, and the calling thread's last error is kept.
#pragma once
#include <new>

#include "base/error.h"
#include "kiln_compat/cuda_runtime_api.h"

namespace kiln::api {

// Keeps an error for cudaGetLastError and returns it.
cudaError_t keep(cudaError_t error);
cudaError_t error_of(Status status);

template <class F> cudaError_t call(F&& body) noexcept {
  try {
    return keep(body());
  } catch (const Error& e) {
    return keep(e.code() == Code::kInvalidArgument ? cudaErrorInvalidResourceHandle : error_of({e.code()}));
  } catch (const std::bad_alloc&) {
    return keep(cudaErrorMemoryAllocation);
  } catch (...) {
    return keep(cudaErrorUnknown);
  }
}

}  // namespace kiln::api
