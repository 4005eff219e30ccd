// Which operands of a step share bytes, and whether its kernel lets them.
#include "plan/overlap.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/checked.h"
#include "base/index.h"
#include "plan/container.h"

namespace kiln::plan {
namespace {

constexpr size_t kMaxViewDepth = 64;           // of views in views
constexpr size_t kMaxPairs = size_t{1} << 20;  // of operands in one tensor, in all steps of a program

const TensorInfo& at(const Program& program, int32_t tensor) { return nth(program.tensors, tensor); }

// All operands of a kernel lie on one side: there is one arena for a step.
bool in_arena(const TensorInfo& info) { return info.storage == Storage::kArena || info.storage == Storage::kHostArena; }

// Bytes of the arena that a step writes: those of a tensor, or of its workspace.
struct Written {
  uint64_t begin, end;
  int32_t root;  // -1: the workspace
};

// The operands of one step, as far as no shape is needed.
class Operands {
 public:
  Operands(const Program& program, const StepInfo& step) : program_(program), step_(step) {
    for (int32_t t : step.outputs)
      if (is_there(t)) ++writes_[root(t)];
    for (const auto& [root, count] : writes_)
      if (in_arena(at(program, root)))
        written_.push_back({at(program, root).offset, at(program, root).offset + at(program, root).size, root});
    written_.push_back({step.workspace_offset, step.workspace_offset + step.workspace_size, -1});
    std::erase_if(written_, [](const Written& w) { return w.begin == w.end; });
    std::sort(written_.begin(), written_.end(), [](const Written& a, const Written& b) { return a.begin < b.begin; });
  }

  // Why these operands may not lie where they do; null when they may.
  const char* refuse() const {
    if (step_.is_transfer()) return nullptr;  // from one memory to the other
    for (size_t i = 1; i < written_.size(); ++i)
      if (written_[i].begin < written_[i - 1].end) return "two of its results, or one and its workspace, share bytes";
    const std::set<int32_t> results(step_.outputs.begin(), step_.outputs.end());
    for (int32_t t : step_.inputs)
      if (is_there(t) && (results.count(t) || overwrites(t))) return "it writes over what it reads";
    return nullptr;
  }

  // Pairs of an operand that is written and another one in the same tensor.
  size_t pairs() const {
    size_t count = 0;
    for (const auto& [root, writes] : writes_) count += writes * (writes - 1);
    for (int32_t t : step_.inputs)
      if (is_there(t))
        if (const auto found = writes_.find(root(t)); found != writes_.end()) count += found->second;
    return count;
  }

 private:
  bool is_there(int32_t t) const { return t >= 0 && at(program_, t).storage != Storage::kNone; }
  int32_t root(int32_t t) const {
    const auto found = root_of(program_, t);
    if (!found) malformed("step '" + step_.name.substr(0, 100) + "' has a view that lies in too many views");
    return *found;
  }

  // Whether a part of another tensor than that of the operand is written into its bytes.
  bool overwrites(int32_t t) const {
    const int32_t whole = root(t);
    const TensorInfo& info = at(program_, whole);
    if (!in_arena(info) || info.size == 0) return false;
    const auto found = std::upper_bound(written_.begin(), written_.end(), info.offset,
                                        [](uint64_t begin, const Written& w) { return begin < w.end; });
    return found != written_.end() && found->begin < info.offset + info.size && found->root != whole && !is_in_place(t);
  }

  bool is_in_place(int32_t t) const {
    const int32_t result = step_.outputs.empty() ? -1 : step_.outputs[0];
    if (step_.sharing != Sharing::kInPlace || result < 0) return false;
    const TensorInfo &in = at(program_, t), &out = at(program_, result);
    return in.view_of < 0 && out.view_of < 0 && in.storage == out.storage && in.offset == out.offset &&
           in.size == out.size && in.dtype == out.dtype && in.dims == out.dims && in.layout == out.layout;
  }

  const Program& program_;
  const StepInfo& step_;
  std::map<int32_t, size_t> writes_;  // by root: how many results lie in it
  std::vector<Written> written_;      // by place
};

// Positions along each axis of its root that a tensor takes.
struct Box {
  std::vector<int64_t> begin, end;
};

std::optional<Box> box_of(const Program& program, int32_t tensor, const DimValue& value) {
  Box box;
  for (uint32_t d : at(program, tensor).dims) {
    box.begin.push_back(0);
    const auto extent = value(d);
    if (!extent) return std::nullopt;
    box.end.push_back(*extent);
  }
  for (int32_t t = tensor; at(program, t).view_of >= 0; t = at(program, t).view_of) {
    const TensorInfo& view = at(program, t);
    const auto start = value(view.view_start);
    if (!start) return std::nullopt;
    for (auto* list : {&box.begin, &box.end}) {
      int64_t& position = nth(*list, view.view_axis);
      const auto moved = checked_add(position, *start);
      if (!moved) return std::nullopt;
      position = *moved;
    }
  }
  return box;
}

// Two parts of one root.
bool apart(const Box& a, const Box& b) {
  for (size_t i = 0; i < a.begin.size(); ++i)
    if (a.begin[i] >= a.end[i] || b.begin[i] >= b.end[i] || a.end[i] <= b.begin[i] || b.end[i] <= a.begin[i])
      return true;
  return false;
}

// Walks over the operands of a step and knows of each whether it is the part of result 0 behind those before it.
class PartWalk {
 public:
  PartWalk(const Program& program, const StepInfo& step, const DimValue& value)
      : program_(program), step_(step), value_(value) {
    for (int32_t t : step.inputs)
      if (axis_ < 0 && is_part(t)) axis_ = at(program, t).view_axis;
  }

  enum Place { kElsewhere, kBehind, kUnknown };
  Place next(int32_t t) {
    Place place = kElsewhere;
    if (is_part(t) && at(program_, t).view_axis == axis_) {
      const auto start = value_(at(program_, t).view_start);
      place = !start || !end_ ? kUnknown : *start == *end_ ? kBehind : kElsewhere;
    }
    if (axis_ >= 0) end_ = behind(t);
    return place;
  }

 private:
  bool is_part(int32_t t) const {
    return step_.sharing == Sharing::kParts && t >= 0 && at(program_, t).view_of >= 0 && !step_.outputs.empty() &&
           at(program_, t).view_of == step_.outputs[0];
  }

  std::optional<int64_t> behind(int32_t t) const {
    if (!end_ || t < 0 || at(program_, t).dims.size() <= static_cast<size_t>(axis_)) return std::nullopt;
    const auto extent = value_(nth(at(program_, t).dims, axis_));
    return extent ? checked_add(*end_, *extent) : std::nullopt;
  }

  const Program& program_;
  const StepInfo& step_;
  const DimValue& value_;
  int32_t axis_ = -1;
  std::optional<int64_t> end_ = 0;  // of the parts so far
};

}  // namespace

std::optional<int32_t> root_of(const Program& program, int32_t tensor) {
  for (size_t depth = 0; depth <= kMaxViewDepth; ++depth) {
    if (at(program, tensor).view_of < 0) return tensor;
    tensor = at(program, tensor).view_of;
  }
  return std::nullopt;
}

std::vector<const StepInfo*> check_sharing(const Program& program) {
  std::vector<const StepInfo*> inside;
  size_t pairs = 0;
  const auto look = [&](size_t i, const StepInfo& step) {
    const Operands operands(program, step);
    const size_t of_step = operands.pairs();
    pairs += of_step;
    const char* why = pairs > kMaxPairs ? "too many operands lie in one tensor" : operands.refuse();
    if (why) malformed("step " + std::to_string(i) + " '" + step.name.substr(0, 100) + "': " + why);
    if (of_step > 0) inside.push_back(&step);
  };
  for (size_t i = 0; i < program.steps.size(); ++i) {
    look(i, program.steps[i]);
    for (const StepVariant& variant : program.steps[i].variants) look(i, variant.step);
  }
  return inside;
}

std::optional<bool> keeps_apart(const Program& program, const StepInfo& step, const DimValue& value) {
  std::map<int32_t, std::vector<std::pair<Box, bool>>> written;  // by root; whether it is result 0
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    if (step.outputs[i] < 0) continue;
    auto& neighbours = written[*root_of(program, step.outputs[i])];
    auto box = box_of(program, step.outputs[i], value);
    if (!box) return std::nullopt;
    for (const auto& [other, first] : neighbours)
      if (!apart(*box, other)) return false;
    neighbours.emplace_back(std::move(*box), i == 0);
  }
  PartWalk parts(program, step, value);
  for (int32_t t : step.inputs) {
    const PartWalk::Place place = parts.next(t);
    if (t < 0) continue;
    const auto neighbours = written.find(*root_of(program, t));
    if (neighbours == written.end()) continue;
    const auto box = box_of(program, t, value);
    if (!box || place == PartWalk::kUnknown) return std::nullopt;
    for (const auto& [result, first] : neighbours->second)
      if (!apart(*box, result) && !(first && place == PartWalk::kBehind)) return false;
  }
  return true;
}

std::optional<bool> are_apart(const Program& program, const TensorPair& parts, const DimValue& value) {
  const auto a = box_of(program, parts.first, value), b = box_of(program, parts.second, value);
  if (!a || !b) return std::nullopt;
  return apart(*a, *b);
}

}  // namespace kiln::plan
