// One GPU as its kernels see it: what it can do, the functions of the modules in this library, and launches.
#pragma once
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "backends/cuda/device/driver.h"
#include "device/device.h"

namespace kiln::cuda {

inline constexpr unsigned kPortableCluster = 8;  // blocks of a cluster that every GPU with clusters takes

struct Chip {
  int compute = 0;  // compute capability: 90 is 9.0
  int multiprocessors = 1;
  int shared_per_block = 48 << 10;  // bytes that a block may ask for
  int64_t cache = 0;                // bytes of the second-level cache
  bool has_cp_async() const { return compute >= 80; }
  // Kernels of compute_90a: they run on 9.0 alone.
  bool has_wgmma() const { return compute == 90; }
  // The copy engine brings boxes of tensors.
  bool has_boxes() const { return compute >= 90; }
  // Blocks may form clusters, which share their memory.
  bool has_clusters() const { return compute >= 90; }
  unsigned largest_cluster() const { return compute == 90 ? 16 : has_clusters() ? kPortableCluster : 1; }
  // A kernel may start while the one before it ends.
  bool has_programmatic_launch() const { return compute >= 90; }
};

// A launch without its arguments.
struct Launch {
  CUfunction function = nullptr;
  std::array<unsigned, 3> grid = {1, 1, 1};
  unsigned threads = 1;  // of a block
  unsigned shared = 0;   // bytes of dynamic shared memory
  unsigned cluster = 1;  // blocks along x that form a cluster; needs compute capability 9.0
};

// Thread-safe.
class Gpu {
 public:
  // Without a driver, functions are null and nothing can be launched: parameters, shapes and names of functions can be checked all the
  // same.
  Gpu(const Driver* driver, CUcontext context, const Chip& chip) : driver_(driver), context_(context), chip_(chip) {}
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  const Chip& chip() const { return chip_; }
  bool is_there() const { return driver_ != nullptr; }
  const Driver& driver() const { return *driver_; }
  CUcontext context() const { return context_; }

  // Function `name` of the module made of cu/<module>.cu, which may be launched with `shared` bytes of dynamic shared memory, and in
  // clusters of that many blocks. Kernels ask at each change of shapes: what is loaded is found without the driver.
  // Throws Error.
  CUfunction function(std::string_view module, const std::string& name, int shared = 0,
                      unsigned cluster = kPortableCluster);

  // Queues a kernel. It may start before the one queued last has ended, but for the first one behind an event: every kernel waits for its
  // inputs (cu/common.cuh).
  // A grid without blocks is no launch.
  template <class... Arguments>
  Status launch(Stream& stream, const Launch& launch, const Arguments&... arguments) const noexcept {
    void* pointers[] = {const_cast<void*>(static_cast<const void*>(&arguments))...};
    return launch_with(stream, launch, pointers);
  }

 private:
  Status launch_with(Stream& stream, const Launch& launch, void** arguments) const noexcept;
  struct Loaded {
    CUfunction function = nullptr;
    int shared = 0;
    bool takes_large_clusters = false;
    bool takes(int bytes, unsigned cluster) const {
      return function && bytes <= shared && (cluster <= kPortableCluster || takes_large_clusters);
    }
  };
  struct LoadedModule {
    CUmodule module = nullptr;
    std::map<std::string, Loaded, std::less<>> functions;
  };
  void load(std::string_view module_name, LoadedModule& module, const std::string& name, int shared, unsigned cluster,
            Loaded& loaded);

  const Driver* driver_;
  CUcontext context_;
  Chip chip_;
  std::mutex mutex_;
  std::map<std::string, LoadedModule, std::less<>> modules_;
};

// Machine code that is loaded as long as it lives. Thread-safe.
class Module {
 public:
  // Throws Error when the driver does not take the image.
  Module(Gpu& gpu, const void* image);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  CUfunction function(const char* name) const;  // null on a GPU that is not there; throws Error when there is none

 private:
  Gpu& gpu_;
  CUmodule module_ = nullptr;
};

// Makes the GPU's context the thread's own while it lives; the thread has its former one back afterwards.
class CurrentContext {
 public:
  explicit CurrentContext(const Gpu& gpu) noexcept : gpu_(gpu) {
    entered_ = gpu_.driver().cuCtxPushCurrent(gpu_.context()) == CUDA_SUCCESS;
  }
  ~CurrentContext() {
    CUcontext popped;
    if (entered_) (void)gpu_.driver().cuCtxPopCurrent(&popped);
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

 private:
  const Gpu& gpu_;
  bool entered_;
};

}  // namespace kiln::cuda
