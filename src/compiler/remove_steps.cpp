// Steps that a program does not need.
#include "compiler/remove_steps.h"

#include <algorithm>
#include <set>

namespace kiln {
namespace {

// Tensors that are read, by whose bytes they are.
class Read {
 public:
  explicit Read(const std::map<int32_t, int32_t>& shares) : shares_(shares) {}
  bool contains(int32_t t) const { return tensors_.contains(root(t)); }
  void add(int32_t t) { tensors_.insert(root(t)); }
  void add(const std::vector<int32_t>& list) {
    for (int32_t t : list) add(t);
  }

 private:
  int32_t root(int32_t t) const {
    for (auto it = shares_.find(t); it != shares_.end(); it = shares_.find(t)) t = it->second;
    return t;
  }

  const std::map<int32_t, int32_t>& shares_;
  std::set<int32_t> tensors_;
};

}  // namespace

void remove_steps(const MemoryPlan& m, const std::vector<bool>& which) {
  std::vector<plan::StepInfo>& steps = m.program.steps;
  size_t kept = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (which[i]) continue;
    if (kept != i) {
      steps[kept] = std::move(steps[i]);
      m.details[kept] = m.details[i];
    }
    ++kept;
  }
  steps.resize(kept);
  m.details.resize(kept);
}

void remove_unread_steps(const MemoryPlan& m, const plan::Plan& plan) {
  const std::vector<plan::StepInfo>& steps = m.program.steps;
  Read read(m.shares);
  read.add(m.program.outputs);
  if (&m.program == &plan.programs[0])
    for (const plan::Watch& watch : plan.watches) read.add(watch.tensor);
  std::vector<bool> unread(steps.size());
  for (size_t i = steps.size(); i-- > 0;) {
    const plan::StepInfo& step = steps[i];
    unread[i] = step.bodies.empty() && std::none_of(step.outputs.begin(), step.outputs.end(),
                                                    [&](int32_t t) { return t >= 0 && read.contains(t); });
    if (unread[i]) continue;
    read.add(step.inputs);
    for (const plan::StepVariant& variant : step.variants) read.add(variant.step.inputs);
  }
  remove_steps(m, unread);
}

}  // namespace kiln
