// Tensors and steps of an engine whose device has memory of its own.
#include "compiler/place.h"

#include <algorithm>
#include <set>

#include "base/index.h"

namespace kiln {
namespace {

using plan::Storage;

enum Side : uint8_t { kDeviceSide, kHostSide };

class Placer {
 public:
  Placer(plan::Program& program, bool is_body, std::vector<StepDetail>& details,
         const std::map<int32_t, int32_t>& shares, const plan::Plan& plan)
      : program_(program), details_(details), shares_(shares), plan_(plan) {
    const bool has_values = !is_body && !plan.profiles.empty();
    const std::vector<plan::ProfileDims>* values = has_values ? &plan.profiles[0].values : nullptr;
    for (size_t i = 0; values && i < values->size(); ++i)
      if (!(*values)[i].opt.empty())
        given_on_host_.insert(program.inputs[i]);  // as the field has it: shapes are the host's
  }

  void run() {
    find_homes();
    find_readers();
    steps_ = std::move(program_.steps);
    details_.swap(old_details_);
    program_.steps.clear();
    for (int32_t t : program_.inputs) copy_for_readers(t);
    for (size_t i = 0; i < steps_.size(); ++i) place(i);
    set_waits();
  }

 private:
  Side side_of(const plan::StepInfo& step) const { return plan_.on_host(step) ? kHostSide : kDeviceSide; }

  plan::TensorInfo& tensor(int32_t t) { return nth(program_.tensors, t); }

  // Another name of bytes lies where they lie.
  int32_t root(int32_t t) const {
    for (auto it = shares_.find(t); it != shares_.end(); it = shares_.find(t)) t = it->second;
    return t;
  }

  Side home(int32_t t) const { return nth(homes_, root(t)); }

  void find_homes() {
    homes_.assign(program_.tensors.size(), kDeviceSide);
    for (size_t t = 0; t < homes_.size(); ++t)
      if (program_.tensors[t].storage == Storage::kSlot) homes_[t] = kHostSide;
    for (int32_t t : given_on_host_) nth(homes_, t) = kHostSide;
    for (const plan::StepInfo& step : program_.steps)
      for (int32_t t : step.outputs)
        if (t >= 0 && side_of(step) == kHostSide && tensor(t).storage == Storage::kArena) nth(homes_, t) = kHostSide;
    for (size_t t = 0; t < homes_.size(); ++t) {
      plan::TensorInfo& info = program_.tensors[t];
      const bool host = home(static_cast<int32_t>(t)) == kHostSide;
      if (host && info.storage == Storage::kArena) info.storage = Storage::kHostArena;
      if (info.storage == Storage::kInput) info.on_host = host;
    }
  }

  void find_readers() {
    const auto read = [&](const plan::StepInfo& step) {
      for (int32_t t : step.inputs)
        if (t >= 0 && tensor(t).storage != Storage::kConstant) readers_[t].insert(side_of(step));
    };
    for (const plan::StepInfo& step : program_.steps) {
      read(step);
      for (const plan::StepVariant& variant : step.variants) read(variant.step);
    }
  }

  // The tensor as a step of that side sees it; constants lie on both.
  int32_t seen_by(Side side, int32_t t) {
    if (t < 0) return t;
    if (tensor(t).storage == Storage::kConstant) return side == kDeviceSide ? t : host_constant(t);
    return home(t) == side ? t : twins_.at(t);
  }

  int32_t host_constant(int32_t t) {
    const auto [it, fresh] = twins_.try_emplace(t, static_cast<int32_t>(program_.tensors.size()));
    if (fresh) {
      program_.tensors.push_back(tensor(t));
      program_.tensors.back().on_host = true;
    }
    return it->second;
  }

  int32_t make_twin(int32_t t, Side side) {
    plan::TensorInfo info = tensor(t);
    info.name += side == kHostSide ? ".host" : ".device";
    info.storage = side == kHostSide ? Storage::kHostArena : Storage::kArena;
    info.on_host = false;
    program_.tensors.push_back(std::move(info));
    return static_cast<int32_t>(program_.tensors.size()) - 1;
  }

  void transfer(int32_t from, int32_t to, Side side) {
    plan::StepInfo step;
    const bool to_host = side == kHostSide;
    step.name = std::string(to_host ? "copy to the host: " : "copy to the device: ") + tensor(to_host ? from : to).name;
    step.op = "Copy";
    step.kernel = to_host ? plan::kToHost : plan::kToDevice;
    step.tactic = "transfer";
    step.inputs = {from};
    step.outputs = {to};
    program_.steps.push_back(std::move(step));
    details_.emplace_back();
  }

  // Makes the copy that readers on the other side want.
  void copy_for_readers(int32_t t) {
    const Side other = home(t) == kHostSide ? kDeviceSide : kHostSide;
    const auto it = readers_.find(t);
    if (it == readers_.end() || !it->second.contains(other) || twins_.contains(t)) return;
    const int32_t twin = make_twin(t, other);
    twins_[t] = twin;
    transfer(t, twin, other);
  }

  void place(size_t i) {
    plan::StepInfo step = std::move(steps_[i]);
    const Side side = side_of(step);
    for (int32_t& t : step.inputs) t = seen_by(side, t);
    for (plan::StepVariant& variant : step.variants)
      for (int32_t& t : variant.step.inputs) t = seen_by(side, t);
    std::vector<std::pair<int32_t, int32_t>> delivered;  // to where the user wants them, or the branch or loop
    const std::vector<int32_t> results = step.outputs;
    for (int32_t& t : step.outputs)
      if (t >= 0 && home(t) != side) {
        const int32_t made = make_twin(t, side);
        delivered.emplace_back(made, t);
        twins_[t] = made;
        t = made;
      }
    for (plan::StepVariant& variant : step.variants) variant.step.outputs = step.outputs;
    program_.steps.push_back(std::move(step));
    details_.push_back(old_details_[i]);
    for (const auto& [from, to] : delivered) transfer(from, to, home(to));
    for (int32_t t : results) {
      if (t < 0) continue;
      copy_for_readers(t);
      for (const auto& [name, bytes] : shares_)
        if (root(name) == root(t)) copy_for_readers(name);
    }
  }

  // A step of the host waits when it reads what may still be under way, and the first one because what it writes may still be read
  // by copies of the last inference.
  void set_waits() {
    std::map<int32_t, size_t> copied;
    size_t waited = 0;
    bool first = true;
    for (size_t i = 0; i < program_.steps.size(); ++i) {
      plan::StepInfo& step = program_.steps[i];
      if (step.is_transfer()) {
        if (step.kernel == plan::kToHost) copied[step.outputs[0]] = i + 1;
        continue;
      }
      if (side_of(step) == kDeviceSide) continue;
      const auto fresh = [&](int32_t t) {
        const auto it = copied.find(t);
        return it != copied.end() && it->second > waited;
      };
      step.waits = first || std::any_of(step.inputs.begin(), step.inputs.end(), fresh);
      for (const plan::StepVariant& variant : step.variants)
        step.waits |= std::any_of(variant.step.inputs.begin(), variant.step.inputs.end(), fresh);
      for (plan::StepVariant& variant : step.variants) variant.step.waits = step.waits;
      if (step.waits) waited = i + 1;
      first = false;
    }
  }

  plan::Program& program_;
  std::vector<StepDetail>& details_;
  const std::map<int32_t, int32_t>& shares_;
  const plan::Plan& plan_;
  std::set<int32_t> given_on_host_;
  std::vector<Side> homes_;
  std::map<int32_t, std::set<Side>> readers_;
  std::map<int32_t, int32_t> twins_;
  std::vector<plan::StepInfo> steps_;
  std::vector<StepDetail> old_details_;
};

}  // namespace

void place_steps(plan::Program& program, bool is_body, std::vector<StepDetail>& details,
                 const std::map<int32_t, int32_t>& shares, const plan::Plan& plan) {
  Placer(program, is_body, details, shares, plan).run();
}

}  // namespace kiln
