// Sharing and placing of buffers.
#include "compiler/plan_memory.h"

#include <algorithm>

#include "base/index.h"
#include "compiler/memory.h"
#include "plan/lanes.h"

namespace kiln {
namespace {

using plan::Storage;

class Planner {
 public:
  Planner(const MemoryPlan& memory, plan::Plan& plan, const std::vector<ArenaSizes>& bodies, int64_t alignment)
      : tensors_(memory.program.tensors),
        steps_(memory.program.steps),
        m_(memory),
        plan_(plan),
        bodies_(bodies),
        alignment_(alignment),
        order_(memory.program.steps) {}

  ArenaSizes run() {
    find_uses();
    merge_names_and_views();
    for (size_t i = 0; i < steps_.size(); ++i) write_in_place(i);
    const uint64_t device = place(Storage::kArena);
    return {device, plan_.device_memory ? place(Storage::kHostArena) : 0};
  }

 private:
  plan::TensorInfo& tensor(int32_t t) { return nth(tensors_, t); }
  Storage storage(int32_t t) const { return t < 0 ? Storage::kNone : nth(tensors_, t).storage; }
  bool in_arena(int32_t t) const { return storage(t) == Storage::kArena || storage(t) == Storage::kHostArena; }

  void find_uses() {
    uses_.resize(tensors_.size());
    root_.resize(tensors_.size());
    for (size_t t = 0; t < root_.size(); ++t) root_[t] = static_cast<int32_t>(t);
    for_each_operand([&](size_t step, int32_t t) { nth(uses_, t).add(order_, step); });
  }

  template <class F> void for_each_operand(F&& visit) const {
    const auto visit_all = [&](size_t i, const std::vector<int32_t>& list) {
      for (int32_t t : list)
        if (t >= 0) visit(i, t);
    };
    for (size_t i = 0; i < steps_.size(); ++i) {
      visit_all(i, steps_[i].inputs);
      visit_all(i, steps_[i].outputs);
      for (const plan::StepVariant& variant : steps_[i].variants) visit_all(i, variant.step.inputs);
    }
  }

  // The tensor in whose buffer it lies.
  int32_t root(int32_t t) const {
    while (nth(root_, t) != t) t = nth(root_, t);
    return t;
  }

  void merge(int32_t child, int32_t parent) {
    const int32_t c = root(child), p = root(parent);
    if (c == p) return;
    nth(root_, c) = p;
    nth(uses_, p).add(nth(uses_, c));
  }

  void merge_names_and_views() {
    for (const auto& [to, from] : m_.shares) merge(to, from);
    for (size_t t = 0; t < tensors_.size(); ++t)
      if (tensors_[t].view_of >= 0) merge(static_cast<int32_t>(t), tensors_[t].view_of);
  }

  // The step's result takes over the buffer of an operand that nobody reads later.
  void write_in_place(size_t i) {
    const int32_t out = steps_[i].outputs.empty() ? -1 : steps_[i].outputs[0];
    if (steps_[i].sharing != Sharing::kInPlace || !in_arena(out) || tensor(out).view_of >= 0 || root(out) != out)
      return;
    for (int32_t in : steps_[i].inputs)
      if (in_arena(in) && in != out && may_take_over(i, in, out)) {
        merge(out, root(in));
        return;
      }
  }

  bool may_take_over(size_t i, int32_t in, int32_t out) {
    const plan::TensorInfo &a = tensor(in), &b = tensor(out);
    const int32_t r = root(in);
    return a.view_of < 0 && a.storage == b.storage && a.dtype == b.dtype && a.dims == b.dims && a.layout == b.layout &&
           a.size == b.size && nth(uses_, r).is_over(order_.behind(i)) && tensor(r).size == b.size &&
           std::count_if(steps_[i].inputs.begin(), steps_[i].inputs.end(),
                         [&](int32_t t) { return t >= 0 && root(t) == r; }) == 1;
  }

  // Buffers by the tensor in which they are rooted.
  std::map<int32_t, Buffer> buffers(Storage arena) {
    std::map<int32_t, Buffer> result;
    for_each_operand([&](size_t step, int32_t t) {
      if (storage(t) != arena) return;
      const int32_t r = root(t);
      Buffer& buffer = result[r];
      buffer.life.add(order_, step);
      buffer.life.add(order_, busy_until(step));
      buffer.size = std::max({buffer.size, static_cast<int64_t>(tensor(t).size), static_cast<int64_t>(tensor(r).size)});
    });
    return result;
  }

  // A copy to the device may read the host's memory until the host next waits.
  size_t busy_until(size_t step) const {
    size_t end = step;
    if (steps_[step].kernel == plan::kToDevice && steps_[step].is_transfer())
      while (end + 1 < steps_.size() && !steps_[end].waits) ++end;
    return end;
  }

  bool works_in(const plan::StepInfo& step, Storage arena) const {
    return plan_.on_host(step) == (arena == Storage::kHostArena);
  }

  // One body runs at a time.
  uint64_t body_bytes(const plan::StepInfo& step, Storage arena) const {
    uint64_t most = 0;
    for (uint32_t body : step.bodies)
      most = std::max(most, arena == Storage::kArena ? bodies_[body].device : bodies_[body].host);
    return most;
  }

  void move_bodies(const plan::StepInfo& step, Storage arena, uint64_t by) {
    for (uint32_t body : step.bodies) {
      for (plan::TensorInfo& t : plan_.programs[body].tensors)
        if (t.storage == arena) t.offset += by;
      for (plan::StepInfo& inner : plan_.programs[body].steps) {
        if (works_in(inner, arena)) inner.workspace_offset += by;
        move_bodies(inner, arena, by);
      }
    }
  }

  uint64_t place(Storage arena) {
    std::vector<Buffer> list;
    std::map<int32_t, size_t> position;
    for (const auto& [r, buffer] : buffers(arena)) {
      position[r] = list.size();
      list.push_back(buffer);
    }
    std::vector<std::pair<plan::StepInfo*, size_t>> workspaces, bodies;
    for (size_t i = 0; i < steps_.size(); ++i) {
      plan::StepSpan life;
      life.add(order_, i);
      if (works_in(steps_[i], arena)) {
        workspaces.emplace_back(&steps_[i], list.size());
        list.push_back({static_cast<int64_t>(steps_[i].workspace_size), life});
      }
      if (const uint64_t bytes = body_bytes(steps_[i], arena)) {
        bodies.emplace_back(&steps_[i], list.size());
        list.push_back({static_cast<int64_t>(bytes), life});
      }
    }
    const auto size = static_cast<uint64_t>(list.empty() ? 0 : place_buffers(list, alignment_));
    for (const auto& [step, at] : bodies) move_bodies(*step, arena, static_cast<uint64_t>(list[at].offset));
    for (const auto& [step, at] : workspaces) {
      step->workspace_offset = static_cast<uint64_t>(list[at].offset);
      for (plan::StepVariant& variant : step->variants) variant.step.workspace_offset = step->workspace_offset;
    }
    for (size_t t = 0; t < tensors_.size(); ++t)
      if (tensors_[t].storage == arena)
        if (const auto it = position.find(root(static_cast<int32_t>(t))); it != position.end())
          tensors_[t].offset = static_cast<uint64_t>(list[it->second].offset);
    return size;
  }

  std::vector<plan::TensorInfo>& tensors_;
  std::vector<plan::StepInfo>& steps_;
  const MemoryPlan& m_;
  plan::Plan& plan_;
  const std::vector<ArenaSizes>& bodies_;
  int64_t alignment_;
  const plan::StepOrder order_;
  std::vector<int32_t> root_;
  std::vector<plan::StepSpan> uses_;  // of roots: of all that lies in them
};

}  // namespace

ArenaSizes plan_memory(const MemoryPlan& memory, plan::Plan& plan, const std::vector<ArenaSizes>& bodies,
                       int64_t alignment) {
  return Planner(memory, plan, bodies, alignment).run();
}

}  // namespace kiln
