// The stream of a thread.
#include "api/run/streams.h"

#include "api/run/nv_common.h"

namespace kiln::api {

Stream& stream_of(cudaStream_t stream) {
  if (stream) return *stream->stream;
  thread_local std::unique_ptr<Stream> own = api_device().create_stream();
  return *own;
}

}  // namespace kiln::api
