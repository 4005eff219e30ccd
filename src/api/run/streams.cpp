// Streams and events behind handles.
#include "api/run/streams.h"

namespace kiln::api {

Stream& stream_of(Device& device, cudaStream_t handle) {
  if (Stream* stream = device.adopt_stream(handle)) return *stream;
  throw Error(Code::kInvalidArgument, "the handle is not that of a stream")
      .cause("it was destroyed, or is another object's")
      .remedy("make it with cudaStreamCreate, and keep it until its work is done");
}

Event& event_of(Device& device, cudaEvent_t handle) {
  if (Event* event = handle ? device.adopt_event(handle) : nullptr) return *event;
  throw Error(Code::kInvalidArgument, "the handle is not that of an event")
      .cause("it is null, was destroyed, or is another object's")
      .remedy("make it with cudaEventCreate, and keep it until its work is done");
}

}  // namespace kiln::api
