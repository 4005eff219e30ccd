// Forks and joins of a run.
#include "runtime/lanes.h"

#include <algorithm>

#include "plan/lanes.h"

namespace kiln {

Lanes::Lanes(const plan::Program& program, Device& device)
    : steps_(program.steps.size()),
      lanes_(plan::lane_count(program.steps)),
      start_(device.create_event(/*timing=*/false)) {
  const auto event = [&] { return device.create_event(/*timing=*/false); };
  for (auto lane = lanes_.begin() + 1; lane != lanes_.end(); ++lane) {
    lane->own = device.create_stream();
    lane->stream = lane->own.get();
    lane->ended = event();
  }
  const plan::StepOrder order(program.steps);
  plan::LaneClock clock = {}, ended = {};  // of the user's stream behind its last step, and of all
  for (size_t i = 0; i < steps_.size(); ++i) {
    const plan::StepInfo& info = program.steps[i];
    steps_[i].lane = info.lane;
    ended[info.lane] = order.place(i) + 1;
    if (info.lane == 0) clock = order.behind(i);
    for (uint32_t other : info.after) {
      if (!steps_[other].ended) steps_[other].ended = events_.emplace_back(event()).get();
      steps_[i].waits.push_back(steps_[other].ended);
    }
  }
  for (size_t lane = 1; lane < lanes_.size(); ++lane) lanes_[lane].is_awaited = clock[lane] == ended[lane];
}

void Lanes::use(std::span<Stream* const> streams) {
  for (size_t lane = 1; lane < lanes_.size(); ++lane)
    lanes_[lane].stream = lane <= streams.size() ? streams[lane - 1] : lanes_[lane].own.get();
}

Status Lanes::begin(Stream& user) noexcept {
  for (Lane& lane : lanes_) lane.has_begun = false;
  lanes_[0].stream = &user;
  lanes_[0].has_begun = true;
  return start_->record(user);
}

// What another step of the lane waited for, or what that waited for, began behind the start.
Status Lanes::enter(size_t step, Stream*& stream) noexcept {
  const Step& s = steps_[step];
  Lane& lane = lanes_[s.lane];
  stream = lane.stream;
  for (Event* event : s.waits) KILN_RETURN_IF_ERROR(stream->wait(*event));
  if (!lane.has_begun && s.waits.empty()) KILN_RETURN_IF_ERROR(stream->wait(*start_));
  lane.has_begun = true;
  return kOkStatus;
}

Status Lanes::leave(size_t step) noexcept {
  const Step& s = steps_[step];
  return s.ended ? s.ended->record(*lanes_[s.lane].stream) : kOkStatus;
}

Status Lanes::end(bool failed) noexcept {
  Status status = kOkStatus;
  for (size_t i = 1; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    if (!lane.has_begun || (lane.is_awaited && !failed)) continue;
    Status joined = lane.ended->record(*lane.stream);
    if (joined.ok()) joined = lanes_[0].stream->wait(*lane.ended);
    if (status.ok()) status = joined;
  }
  return status;
}

}  // namespace kiln
