// NVRTC, NVIDIA's compiler as a library, opened when the first kernel is generated.
#pragma once
#include <nvrtc.h>

#include <string>
#include <vector>

#include "backends/cuda/device/compiled_once.h"
#include "backends/cuda/device/driver.h"

namespace kiln::cuda {

// The functions, called as those of the same names in NVIDIA's documentation.
struct Nvrtc {
  Nvrtc() = default;
  Nvrtc(const Nvrtc&) = delete;
  Nvrtc& operator=(const Nvrtc&) = delete;

  FunctionTable slots;
  KILN_FUNCTION(nvrtcCompileProgram)
  KILN_FUNCTION(nvrtcCreateProgram)
  KILN_FUNCTION(nvrtcDestroyProgram)
  KILN_FUNCTION(nvrtcGetCUBIN)
  KILN_FUNCTION(nvrtcGetCUBINSize)
  KILN_FUNCTION(nvrtcGetErrorString)
  KILN_FUNCTION(nvrtcGetNumSupportedArchs)
  KILN_FUNCTION(nvrtcGetProgramLog)
  KILN_FUNCTION(nvrtcGetProgramLogSize)
  KILN_FUNCTION(nvrtcGetSupportedArchs)
  KILN_FUNCTION(nvrtcVersion)
  int version = 0;                 // 13000: 13.0, as the driver counts
  std::vector<int> architectures;  // compute capabilities that it compiles for: 90 is 9.0
};

// Looks for the file that the environment names as KILN_NVRTC, else for the library by the names of its versions. Null, with the
// reason, when there is none. Thread-safe.
const Nvrtc* find_nvrtc(std::string& reason);

// Why programs are not compiled for that compute capability here; empty: they are. Thread-safe.
std::string compiler_lack(int compute);

// Machine code ("cubin") of a program of CUDA C++, which may include the headers in this library (embedded.h). Equal programs are
// compiled once in a process, and not at all where `kept` has what was made of the same source, headers and options for the same architecture
// by the same version of NVRTC; else it is left there. Null: nothing is kept. Thread-safe. Throws Error.
Binary compile(const std::string& source, int compute, KeptCode* kept = nullptr);

}  // namespace kiln::cuda
