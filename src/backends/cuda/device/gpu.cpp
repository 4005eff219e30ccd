// Functions of the embedded modules, and launches.
#include "backends/cuda/device/gpu.h"

#include <algorithm>

#include "backends/cuda/device/embedded.h"
#include "backends/cuda/device/stream.h"

namespace kiln::cuda {

namespace {

const EmbeddedModule& find_module(std::string_view name) {
  const auto all = embedded_modules();
  const auto found = std::find_if(all.begin(), all.end(), [&](const EmbeddedModule& m) { return m.name == name; });
  if (found == all.end()) throw Error(Code::kInternal, "there is no module '" + std::string(name) + "'");
  return *found;
}

// Tells without a GPU what loading would tell with one. Where nothing was compiled for the capability, those for others tell.
void require_function(std::string_view module, const std::string& name, int compute) {
  const std::string all = "\n" + std::string(find_module(module).functions),
                    of_chip = " " + std::to_string(compute) + "\n";
  const bool compiled = all.find(of_chip) != std::string::npos;
  if (all.find("\n" + name + (compiled ? of_chip : " ")) == std::string::npos)
    throw Error(Code::kInternal, "the module '" + std::string(module) + "' has no function '" + name + "' for " +
                                     std::to_string(compute / 10) + "." + std::to_string(compute % 10));
}

}  // namespace

CUfunction Gpu::function(std::string_view module_name, const std::string& name, int shared, unsigned cluster) {
  if (!driver_) {
    require_function(module_name, name, chip_.compute);
    return nullptr;
  }
  std::lock_guard lock(mutex_);
  auto module = modules_.find(module_name);
  if (module == modules_.end()) module = modules_.try_emplace(std::string(module_name)).first;
  Loaded& found = module->second.functions[name];
  if (!found.takes(shared, cluster)) load(module_name, module->second, name, shared, cluster, found);
  return found.function;
}

void Gpu::load(std::string_view module_name, LoadedModule& module, const std::string& name, int shared,
               unsigned cluster, Loaded& loaded) {
  const CurrentContext current(*this);
  if (!module.module)
    throw_if_failed(driver_->cuModuleLoadData(&module.module, find_module(module_name).image),
                    "kernels could not be loaded");
  if (!loaded.function)
    throw_if_failed(driver_->cuModuleGetFunction(&loaded.function, module.module, name.c_str()), name.c_str());
  if (shared > loaded.shared) {
    throw_if_failed(
        driver_->cuFuncSetAttribute(loaded.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared),
        "a kernel asks for more shared memory than the GPU has");
    loaded.shared = shared;
  }
  if (cluster > kPortableCluster && !loaded.takes_large_clusters) {
    throw_if_failed(
        driver_->cuFuncSetAttribute(loaded.function, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1),
        "a kernel asks for larger clusters than the GPU has");
    loaded.takes_large_clusters = true;
  }
}

Module::Module(Gpu& gpu, const void* image) : gpu_(gpu) {
  if (!gpu_.is_there()) return;
  const CurrentContext current(gpu_);
  throw_if_failed(gpu_.driver().cuModuleLoadData(&module_, image), "a generated kernel could not be loaded");
}

Module::~Module() {
  if (!module_) return;
  const CurrentContext current(gpu_);
  (void)gpu_.driver().cuModuleUnload(module_);  // a lost context has nothing left to unload
}

CUfunction Module::function(const char* name) const {
  if (!module_) return nullptr;
  const CurrentContext current(gpu_);
  CUfunction found = nullptr;
  throw_if_failed(gpu_.driver().cuModuleGetFunction(&found, module_, name), name);
  return found;
}

Status Gpu::launch_with(Stream& stream, const Launch& launch, void** arguments) const noexcept {
  if (launch.grid[0] == 0 || launch.grid[1] == 0 || launch.grid[2] == 0) return kOkStatus;
  if (!launch.function) return {Code::kInvalidState, "a kernel was launched on a GPU that is not there"};
  CUlaunchAttribute attributes[2] = {};
  CUlaunchConfig config = {};
  config.gridDimX = launch.grid[0];
  config.gridDimY = launch.grid[1];
  config.gridDimZ = launch.grid[2];
  config.blockDimX = launch.threads;
  config.blockDimY = config.blockDimZ = 1;
  config.sharedMemBytes = launch.shared;
  config.hStream = static_cast<CUstream>(stream.native());
  config.attrs = attributes;
  // An early start is beside the kernel before it in this stream, not beside work of other streams.
  if (chip_.has_programmatic_launch() && !static_cast<CudaStream&>(stream).starts_behind_event()) {
    CUlaunchAttribute& a = attributes[config.numAttrs++];
    a.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    a.value.programmaticStreamSerializationAllowed = 1;
  }
  if (launch.cluster > 1) {
    CUlaunchAttribute& a = attributes[config.numAttrs++];
    a.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    a.value.clusterDim.x = launch.cluster;
    a.value.clusterDim.y = a.value.clusterDim.z = 1;
  }
  const CurrentContext current(*this);
  const CUresult result = driver_->cuLaunchKernelEx(&config, launch.function, arguments, nullptr);
  return status_of(result,
                   loses_context(result) ? "work that was queued before failed" : "a kernel could not be launched");
}

}  // namespace kiln::cuda
