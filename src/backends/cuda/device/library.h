// NVIDIA's libraries beside the driver, opened when they are asked for.
#pragma once
#include <string>
#include <vector>

#include "backends/cuda/device/driver.h"

namespace kiln::cuda {

struct LibraryFiles {
  const char* title;               // "cuBLASLt"
  const char* variable;            // of the environment: names a file, which is then the only one
  std::vector<const char*> names;  // looked for where libraries are, in this order
};

// Opens the first that is there and fills the table. Why not, else empty.
std::string open_library(const LibraryFiles& files, const FunctionTable& functions);

// A library with a table `slots`, for good: kernels that end late still use it.
template <class Library> class OpenedLibrary {
 public:
  // `start` is called with the library when it is open and says why it cannot be used, else nothing.
  template <class Start> OpenedLibrary(const LibraryFiles& files, const Start& start) {
    reason_ = open_library(files, library_.slots);
    if (reason_.empty()) reason_ = start(library_);
  }
  // Null, with the reason, when it cannot be used.
  const Library* get(std::string& reason) const {
    if (reason_.empty()) return &library_;
    reason = reason_;
    return nullptr;
  }

 private:
  Library library_;
  std::string reason_;
};

}  // namespace kiln::cuda
