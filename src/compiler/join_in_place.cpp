// Concatenations whose parts lie in the result from the start.
#include "compiler/join_in_place.h"

#include <algorithm>
#include <set>

#include "base/index.h"

namespace kiln {
namespace {

using plan::Storage;

class Joiner {
 public:
  explicit Joiner(const MemoryPlan& memory)
      : m_(memory), tensors_(memory.program.tensors), steps_(memory.program.steps) {
    for (size_t i = 0; i < steps_.size(); ++i)
      for (int32_t t : steps_[i].outputs)
        if (t >= 0) producer_[t] = i;
    for (const auto& [to, from] : m_.shares) named_.insert({to, from});
  }

  void join(size_t i) {
    const ir::Node* node = m_.details[i].node;
    if (!node || !node->is("Concat") || !node->post.empty() || steps_[i].sharing != Sharing::kParts) return;
    const int32_t whole = steps_[i].outputs[0];
    if (!in_arena(whole) || named_.count(whole) || tensor(whole).view_of >= 0) return;
    const int64_t axis = normalize_axis(node->attributes.integer("axis"), node->output()->rank());
    Dim start = 0;
    std::set<int32_t> seen;
    for (const ir::Value* part : node->inputs()) {
      const Dim begin = start;
      start = start + nth(part->shape(), axis);
      const auto at = m_.tensors.find(part);
      if (at == m_.tensors.end() || !part->has_one_use() || !seen.insert(at->second).second) continue;
      const bool innermost = is_innermost(axis, *part);
      if (!(part->layout == node->output()->layout) || !may_lie_inside(at->second, whole, innermost)) continue;
      const int64_t alignment = alignment_of(at->second);
      if (innermost &&
          !(is_multiple(begin, whole, alignment) && is_multiple(nth(node->output()->shape(), axis), whole, alignment)))
        continue;
      plan::TensorInfo& info = tensor(at->second);
      info.view_of = whole;
      info.view_axis = static_cast<int32_t>(axis);
      info.view_start = m_.dim_of(begin);
    }
  }

 private:
  plan::TensorInfo& tensor(int32_t t) { return nth(tensors_, t); }
  bool in_arena(int32_t t) {
    return t >= 0 && (tensor(t).storage == Storage::kArena || tensor(t).storage == Storage::kHostArena);
  }

  static bool is_innermost(int64_t axis, const ir::Value& v) {
    return axis == (v.layout.order.empty() ? v.rank() - 1 : v.layout.order.back());
  }

  static bool may_be_slice(const StepDetail& step, bool innermost) {
    return step.strided_output || (step.strided_rows && innermost);
  }

  // The kernel that makes it can write it as a slice of the whole.
  bool may_lie_inside(int32_t part, int32_t whole, bool innermost) {
    const plan::TensorInfo& info = tensor(part);
    const auto made = producer_.find(part);
    return info.storage == tensor(whole).storage && !named_.count(part) && part < whole && info.view_of < 0 &&
           bits(info.dtype) % 8 == 0 && info.dtype == tensor(whole).dtype && made != producer_.end() &&
           may_be_slice(m_.details[made->second], innermost) && steps_[made->second].outputs[0] == part;
  }

  // Of the rows of a tensor, in bytes, as the kernel wants it that makes it.
  int64_t alignment_of(int32_t t) const {
    const StepDetail& step = m_.details[producer_.at(t)];
    return step.strided_output ? 1 : step.row_alignment;
  }
  bool is_multiple(const Dim& elements, int32_t whole, int64_t alignment) {
    const auto count = elements.constant();
    return alignment == 1 || (count && *count * (bits(tensor(whole).dtype) / 8) % alignment == 0);
  }

  const MemoryPlan& m_;
  std::vector<plan::TensorInfo>& tensors_;
  const std::vector<plan::StepInfo>& steps_;
  std::map<int32_t, size_t> producer_;
  std::set<int32_t> named_;  // with bytes that have two names
};

}  // namespace

void join_in_place(const MemoryPlan& memory) {
  Joiner joiner(memory);
  for (size_t i = 0; i < memory.program.steps.size(); ++i) joiner.join(i);
}

}  // namespace kiln
