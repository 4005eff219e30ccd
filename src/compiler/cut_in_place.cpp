// Splits for which nothing is left to do.
#include "compiler/cut_in_place.h"

#include <algorithm>
#include <set>

#include "base/index.h"
#include "compiler/remove_steps.h"

namespace kiln {
namespace {

using plan::Storage;

class Cutter {
 public:
  Cutter(const MemoryPlan& memory, const plan::Plan& plan)
      : m_(memory), plan_(plan), tensors_(memory.program.tensors), steps_(memory.program.steps) {
    for (size_t i = 0; i < steps_.size(); ++i) {
      for (size_t k = 0; k < steps_[i].inputs.size(); ++k) readers_[steps_[i].inputs[k]].push_back({i, k});
      for (int32_t t : steps_[i].outputs) producers_[t] = i;
    }
    for (const auto& [to, from] : m_.shares) renamed_.insert({to, from});
    for (const plan::Watch& w : plan.watches) watched_.insert(w.tensor);
  }

  void run() {
    std::vector<bool> done;
    for (size_t i = 0; i < steps_.size(); ++i) done.push_back(cut(i));
    remove_steps(m_, done);
  }

 private:
  struct Reader {
    size_t step, input;
  };

  const plan::TensorInfo& tensor(int32_t t) const { return nth(tensors_, t); }
  bool on_device(size_t step) const { return !plan_.on_host(steps_[step]); }

  // Its bytes lie in the arena, in an order in which a part of them is a slice.
  bool can_hold(int32_t t) const {
    return t >= 0 && tensor(t).storage == Storage::kArena && tensor(t).layout.is_row_major() &&
           bits(tensor(t).dtype) % 8 == 0 && tensor(t).view_of < 0;
  }

  bool takes_slice(const Reader& r) const {
    return on_device(r.step) && r.input < 32 && (m_.details[r.step].strided_inputs >> r.input & 1) != 0;
  }

  bool may_be_slice(int32_t part) const {
    if (!can_hold(part) || renamed_.count(part) || watched_.count(part)) return false;
    const auto readers = readers_.find(part);
    return readers != readers_.end() &&
           std::all_of(readers->second.begin(), readers->second.end(), [&](const Reader& r) { return takes_slice(r); });
  }

  // What the host makes is copied to the device under another name.
  bool is_made_on_device(int32_t t) const {
    for (auto it = m_.shares.find(t); it != m_.shares.end(); it = m_.shares.find(t)) t = it->second;
    const auto made = producers_.find(t);
    return made != producers_.end() && on_device(made->second);
  }

  bool cut(size_t i) {
    const ir::Node* node = m_.details[i].node;
    const std::vector<int32_t>& parts = steps_[i].outputs;
    if (!node || !node->is("Split") || !node->post.empty() || steps_[i].inputs.empty()) return false;
    const int32_t whole = steps_[i].inputs[0];
    if (!can_hold(whole) || !is_made_on_device(whole) ||
        !std::all_of(parts.begin(), parts.end(), [&](int32_t part) { return may_be_slice(part); }))
      return false;
    const int64_t axis = normalize_axis(node->attributes.integer("axis", 0), node->input(0)->rank());
    Dim start = 0;
    for (size_t k = 0; k < parts.size(); ++k) {
      plan::TensorInfo& info = nth(tensors_, parts[k]);
      info.view_of = whole;
      info.view_axis = static_cast<int32_t>(axis);
      info.view_start = m_.dim_of(start);
      start = start + nth(node->outputs()[k]->shape(), axis);
    }
    return true;
  }

  const MemoryPlan& m_;
  const plan::Plan& plan_;
  std::vector<plan::TensorInfo>& tensors_;
  std::vector<plan::StepInfo>& steps_;
  std::map<int32_t, std::vector<Reader>> readers_;
  std::map<int32_t, size_t> producers_;
  std::set<int32_t> renamed_, watched_;
};

}  // namespace

void cut_in_place(const MemoryPlan& memory, const plan::Plan& plan) { Cutter(memory, plan).run(); }

}  // namespace kiln
