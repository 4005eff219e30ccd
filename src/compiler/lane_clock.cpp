// Times of an engine that was just made.
#include "compiler/lane_clock.h"

#include <algorithm>
#include <deque>
#include <tuple>
#include <utility>
#include <vector>

#include "base/index.h"
#include "base/version.h"
#include "base/work.h"
#include "runtime/context.h"
#include "tuner/placed_step.h"
#include "tuner/tuner.h"

namespace kiln {
namespace {

using plan::Storage;

constexpr double kRunMilliseconds = 1;
constexpr int kMostInRun = 16, kRounds = 12, kFewRounds = 3;
constexpr double kClearly = 1.25;

class Clocked {
 public:
  explicit Clocked(const plan::Plan& plan)
      : engine_(Engine::from_plan(plan)),
        context_(engine_->create_context()),
        stream_(engine_->device().create_stream()),
        start_(engine_->device().create_event()),
        stop_(engine_->device().create_event()) {}

  bool bind() {
    const plan::Profile& profile = engine_->plan().profiles[0];
    const plan::Program& main = engine_->main();
    for (size_t i = 0; i < main.inputs.size(); ++i) {
      const plan::TensorInfo& info = nth(main.tensors, main.inputs[i]);
      if (info.storage == Storage::kSlot) return false;
      throw_if_error(context_->set_input_dims(main.inputs[i], profile.inputs[i].opt));
      if (!info.on_host) place(main.inputs[i], profile.inputs[i].opt);
      else give_values(main.inputs[i], profile.values.empty() ? Dims() : profile.values[i].opt);
    }
    for (int32_t t : main.outputs)
      if (nth(main.tensors, t).storage != Storage::kSlot) {
        const std::vector<int64_t>* dims = context_->dims(t);
        if (!dims) return false;
        place(t, *dims);
      }
    throw_if_error(stream_->synchronize());
    return true;
  }

  // One inference is queued when the one before it has ended; replays have several.
  LaneTimes times() {
    const auto once = [&](bool lanes) {
      return milliseconds(lanes, [&] { throw_if_error(context_->enqueue(*stream_)); });
    };
    for (bool lanes : {false, true}) once(lanes);
    const int count = in_run(once(false));
    LaneTimes result;
    std::tie(result.queued_serial, result.queued_lanes) = compared([&](bool lanes) {
      std::vector<double> list;
      for (int i = 0; i < count; ++i) list.push_back(once(lanes));
      return middle_half(std::move(list));
    });
    std::tie(result.serial, result.lanes) = std::pair(result.queued_serial, result.queued_lanes);
    if (engine_->capture_blocker()) return result;
    std::unique_ptr<Graph> graphs[2];
    for (bool lanes : {false, true}) {
      context_->set_side_by_side(lanes);
      graphs[lanes] = captured(*stream_, count, 1, [&](int) { return context_->enqueue(*stream_); });
      if (!graphs[lanes]) return result;
    }
    std::tie(result.serial, result.lanes) = compared([&](bool lanes) {
      return milliseconds(lanes, [&] { throw_if_error(graphs[lanes]->launch(*stream_)); }) / count;
    });
    return result;
  }

 private:
  static int in_run(double milliseconds) {
    return std::clamp(static_cast<int>(kRunMilliseconds / std::max(milliseconds, 1e-3)), 1, kMostInRun);
  }

  void* allocated(size_t size) {
    return blocks_.emplace_back(engine_->device().allocator(), std::max<size_t>(size, 1)).data();
  }

  void place(int32_t tensor, const Dims& dims) {
    const plan::TensorInfo& info = nth(engine_->main().tensors, tensor);
    const auto bytes = static_cast<size_t>(byte_size(info.dtype, storage_elements(info.layout, dims)).value_or(0));
    void* memory = allocated(bytes);
    throw_if_error(engine_->device().fill(*stream_, memory, std::byte{0}, bytes));
    throw_if_error(context_->set_address(tensor, memory));
  }

  void give_values(int32_t tensor, const Dims& values) {
    const plan::TensorInfo& info = nth(engine_->main().tensors, tensor);
    Tensor& held = values_.emplace_back(Tensor::allocate(info.dtype, *context_->dims(tensor)));
    for (size_t i = 0; i < values.size(); ++i) held.set_int(static_cast<int64_t>(i), values[i]);
    throw_if_error(context_->set_address(tensor, held.mutable_data()));
  }

  template <class Queue> double milliseconds(bool lanes, const Queue& queue) {
    context_->set_side_by_side(lanes);
    return milliseconds_between(*start_, *stop_, *stream_, queue);
  }

  // One after another, and side by side: in turns, so that both meet the same conditions, until one of them is clearly faster.
  template <class Time> static std::pair<double, double> compared(const Time& time) {
    std::vector<double> runs[2];
    const auto is_clear = [&](bool faster) {
      return *std::ranges::max_element(runs[faster]) * kClearly < *std::ranges::min_element(runs[!faster]);
    };
    for (int i = 0; i < kRounds; ++i) {
      check_work();
      for (bool lanes : {false, true}) runs[lanes].push_back(time(lanes));
      if (i + 1 >= kFewRounds && (is_clear(false) || is_clear(true))) break;
    }
    return {middle_half(std::move(runs[0])), middle_half(std::move(runs[1]))};
  }

  std::shared_ptr<Engine> engine_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> start_, stop_;
  std::deque<DeviceBlock> blocks_;
  std::deque<Tensor> values_;
};

// What tells the engine from others in the timing cache.
Hash128 key_of(const plan::Program& main) {
  std::string text = "lanes\n";
  for (const plan::StepInfo& step : main.steps) {
    text += step.kernel + " " + step.tactic + " " + std::to_string(step.lane);
    for (uint32_t other : step.after) text += " <" + std::to_string(other);
    for (const auto* list : {&step.inputs, &step.outputs})
      for (int32_t t : *list) {
        const plan::TensorInfo* info = t < 0 ? nullptr : &nth(main.tensors, t);
        text += info ? " " + std::string(name(info->dtype)) + ":" + std::to_string(info->size) : " -";
      }
    text += "\n";
  }
  return hash128(text);
}

constexpr std::pair<const char*, double LaneTimes::*> kTimes[] = {
    {"side by side", &LaneTimes::lanes},
    {"one after another", &LaneTimes::serial},
    {"queued side by side", &LaneTimes::queued_lanes},
    {"queued one after another", &LaneTimes::queued_serial}};

std::optional<LaneTimes> known_times(const TimingCache* cache, const Hash128& key) {
  LaneTimes times;
  for (const auto& [name, place] : kTimes) {
    const auto known = cache ? cache->find(key, name) : std::nullopt;
    if (!known) return std::nullopt;
    times.*place = known->milliseconds;
  }
  return times;
}

LaneUse use_for(const LaneTimes& times) {
  constexpr double kFaster = 0.98, kQueuedFaster = 0.95;  // times of the host are less sure
  if (times.lanes >= kFaster * times.serial) return LaneUse::kNever;
  return times.queued_lanes < kQueuedFaster * times.queued_serial ? LaneUse::kAlways : LaneUse::kInCaptures;
}

}  // namespace

std::optional<LaneTimes> time_lanes(const plan::Plan& plan) {
  Clocked clocked(plan);
  if (!clocked.bind()) return std::nullopt;
  return clocked.times();
}

LaneUse use_of_lanes(const plan::Plan& plan, const TunerOptions& options, bool is_spent) {
  const Hash128 key = key_of(plan.programs[0]);
  std::optional<LaneTimes> times = known_times(options.cache, key);
  const bool asks = !times && !options.cache_only && open_device(plan.device).is_present();
  if (asks && is_spent) return LaneUse::kNever;
  try {
    if (asks) {
      plan::Plan trial = plan;
      trial.built_by = std::string(version());
      times = time_lanes(trial);
    }
  } catch (const Error& error) {
    check_work();
    options.logger->log(Severity::kVerbose,
                        std::string("the engine could not be timed with its lanes: ") + error.what());
  }
  if (!times) return asks ? LaneUse::kNever : LaneUse::kAlways;
  const LaneUse use = use_for(*times);
  std::string text = use == LaneUse::kNever    ? "layers run one after another"
                     : use == LaneUse::kAlways ? "layers run side by side"
                                               : "layers run side by side where they are captured";
  for (const auto& [name, place] : kTimes) {
    text += ", " + std::string(name) + " " + std::to_string((*times).*place) + " ms";
    if (asks && options.cache) options.cache->put(key, name, {(*times).*place, (*times).*place});
  }
  options.logger->log(Severity::kVerbose, text);
  return use;
}

}  // namespace kiln
