// Streams and events behind the handles that programs pass: native handles of the device, adopted and never looked into.
#pragma once
#include "NvInferRuntimeBase.h"
#include "device/device.h"

namespace kiln::api {

// Null, 1 and 2 are the default stream and that of the thread. Throws kInvalidArgument for a handle that is none.
Stream& stream_of(Device& device, cudaStream_t handle);
Event& event_of(Device& device, cudaEvent_t handle);

}  // namespace kiln::api
