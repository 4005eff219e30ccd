// Times of what is queued on a GPU.
#pragma once
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "cuda/node_check.h"

namespace kiln::cuda::testing {

// Microseconds of one replay of a captured queue, the median of five samples.
template <class Queue> double replay_time(Device& device, int replays, const Queue& queue) {
  const auto stream = device.create_stream();
  throw_if_error(queue(*stream));  // warm-up, which shows errors that captures hide
  throw_if_error(stream->synchronize());
  throw_if_error(stream->begin_capture());
  const Status queued = queue(*stream);
  std::unique_ptr<Graph> graph;
  throw_if_error(stream->end_capture(graph));
  throw_if_error(queued);
  const auto begin = device.create_event(), end = device.create_event();
  std::vector<double> samples;
  for (int sample = 0; sample < 6; ++sample) {
    throw_if_error(begin->record(*stream));
    for (int i = 0; i < replays; ++i) throw_if_error(graph->launch(*stream));
    throw_if_error(end->record(*stream));
    throw_if_error(stream->synchronize());
    if (sample > 0) samples.push_back(end->milliseconds_since(*begin) * 1e3 / replays);
  }
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

}  // namespace kiln::cuda::testing
