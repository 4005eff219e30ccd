// Streams in which a context runs steps side by side, and the events that keep those in order.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "device/device.h"
#include "plan/plan.h"

namespace kiln {

// Made before the first run: a run makes nothing. One thread at a time.
class Lanes {
 public:
  // Of a program with more than one lane.
  Lanes(const plan::Program& program, Device& device);

  // The lanes behind the first one, which is the stream of a run, use these streams, as far as they go, and streams of their own behind
  // them. They outlive their use; all differ.
  void use(std::span<Stream* const> streams);

  // A run: what its steps are queued in, from begin to end.
  Status begin(Stream& user) noexcept;
  // Lets the step's lane wait for what the step wants; gives the stream of the lane.
  Status enter(size_t step, Stream*& stream) noexcept;
  // The step is queued.
  Status leave(size_t step) noexcept;
  // The user's stream goes on when all lanes have ended, also those of a run that failed.
  Status end(bool failed) noexcept;

 private:
  struct Step {
    uint32_t lane = 0;
    std::vector<Event*> waits;
    Event* ended = nullptr;  // null: nobody waits for it
  };
  struct Lane {
    std::unique_ptr<Stream> own;
    Stream* stream = nullptr;
    std::unique_ptr<Event> ended;
    bool is_awaited = false;  // steps of the user's stream wait for all of it
    bool has_begun = false;
  };
  std::vector<Step> steps_;
  std::vector<Lane> lanes_;  // the first one is the user's
  std::vector<std::unique_ptr<Event>> events_;
  std::unique_ptr<Event> start_;
};

}  // namespace kiln
