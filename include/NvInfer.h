// Building engines: IBuilder, INetworkDefinition, layers, IBuilderConfig.
//
// Rules that hold wherever a comment says nothing else:
// - Errors. Nothing throws. What fails returns null, false or -1 (setters without result: what was set before stays) and tells why to the
//   logger and to the object's error recorder: code, node, shapes and types, cause, remedy.
// - Ownership. What a function of IBuilder, IBuilderConfig, IRuntime or ICudaEngine creates or builds belongs to the caller, who deletes it
//   with `delete` or destroy(). Tensors, layers, loops, conditionals and attentions belong to their network, profiles to their builder. Names
//   and messages are copied; what is given by pointer or reference besides (weights, loggers, recorders, allocators, monitors, caches,
//   profilers) stays the caller's and outlives its use.
// - Threads. A builder with its networks, configurations and profiles is used by one thread at a time, and so is a context; different ones
//   are independent. An engine is used by any number of threads at once. Loggers, recorders and allocators are called from all of them.
// - Units. Dimensions, counts and strides are elements; sizes are bytes; times are milliseconds. Axes count from 0, in masks bit i is axis i.
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
