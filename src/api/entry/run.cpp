// Where programs enter: both libraries offer these, so that a program may link either.
#include "api/run/nv_common.h"

extern "C" {

void* createInferRuntime_INTERNAL(void* logger, int32_t version) noexcept {
  if (!logger || version / 10000 != NV_TENSORRT_MAJOR) return nullptr;
  return kiln::api::make_runtime(static_cast<nvinfer1::ILogger*>(logger));
}
int32_t getInferLibVersion() noexcept { return NV_TENSORRT_VERSION; }
int32_t getInferLibMajorVersion() noexcept { return NV_TENSORRT_MAJOR; }
int32_t getInferLibMinorVersion() noexcept { return NV_TENSORRT_MINOR; }
int32_t getInferLibPatchVersion() noexcept { return NV_TENSORRT_PATCH; }
int32_t getInferLibBuildVersion() noexcept { return NV_TENSORRT_BUILD; }

}  // extern "C"
