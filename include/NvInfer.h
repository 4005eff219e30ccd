// Building engines: IBuilder, INetworkDefinition, layers, IBuilderConfig.
#pragma once
#include "nvinfer/builder.h"

extern "C" TENSORRTAPI void* createInferBuilder_INTERNAL(void* logger, int32_t version) noexcept;

namespace nvinfer1 {
namespace {
// Null when the library is of another version than this header. The logger outlives all that is made with it.
inline IBuilder* createInferBuilder(ILogger& logger) noexcept {
  return static_cast<IBuilder*>(createInferBuilder_INTERNAL(&logger, NV_TENSORRT_VERSION));
}
}  // namespace
}  // namespace nvinfer1
