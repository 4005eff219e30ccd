// Asks the driver.
#include "backends/cuda/device/cluster_room.h"

#include <dlfcn.h>

namespace kiln::cuda {
namespace {

// Apart from the driver's table, since only builds ask. Null where there is none.
PFN_cuOccupancyMaxActiveClusters_v11070 find_occupancy() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  const auto find =
      library ? reinterpret_cast<decltype(&cuGetProcAddress)>(dlsym(library, "cuGetProcAddress_v2")) : nullptr;
  void* found = nullptr;
  if (!find ||
      find("cuOccupancyMaxActiveClusters", &found, 11070, CU_GET_PROC_ADDRESS_DEFAULT, nullptr) != CUDA_SUCCESS)
    return nullptr;
  return reinterpret_cast<PFN_cuOccupancyMaxActiveClusters_v11070>(found);
}

// Whether one cluster has room.
bool fits(decltype(find_occupancy()) occupancy, CUfunction function, unsigned cluster, int shared) {
  CUlaunchAttribute attribute = {};
  attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attribute.value.clusterDim.x = cluster;
  attribute.value.clusterDim.y = attribute.value.clusterDim.z = 1;
  CUlaunchConfig config = {};
  config.gridDimX = cluster;
  config.gridDimY = config.gridDimZ = 1;
  config.blockDimX = 32;
  config.blockDimY = config.blockDimZ = 1;
  config.sharedMemBytes = static_cast<unsigned>(shared);
  config.attrs = &attribute;
  config.numAttrs = 1;
  int count = 0;
  const CUresult asked = occupancy(&count, function, &config);
  if (asked != CUDA_SUCCESS && asked != CUDA_ERROR_INVALID_CLUSTER_SIZE) return cluster <= kPortableCluster;
  return asked == CUDA_SUCCESS && count > 0;
}

}  // namespace

unsigned largest_cluster_of(int ordinal, const Chip& chip) {
  unsigned cluster = chip.largest_cluster();
  std::string reason;
  const Driver* driver = find_driver(reason);
  const auto occupancy = find_occupancy();
  if (cluster == 1 || !driver || !occupancy) return cluster;
  CUdevice device = 0;
  CUcontext context = nullptr;
  throw_if_failed(driver->cuDeviceGet(&device, ordinal), "the GPU cannot be opened");
  throw_if_failed(driver->cuDevicePrimaryCtxRetain(&context, device), "the GPU's context could not be made");
  Gpu gpu(driver, context, chip);
  const CUfunction function = gpu.function("cluster_room", "cluster_room", chip.shared_per_block, cluster);
  const CurrentContext current(gpu);
  while (cluster > 1 && !fits(occupancy, function, cluster, chip.shared_per_block)) cluster /= 2;
  return cluster;
}

}  // namespace kiln::cuda
