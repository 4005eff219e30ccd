// Structural mutations of plans.
#include "mutate_plan.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "plan/verify_shapes.h"

namespace kiln::plan {
namespace {

constexpr int64_t kNumbers[] = {0,
                                1,
                                -1,
                                2,
                                3,
                                4,
                                7,
                                8,
                                16,
                                17,
                                31,
                                32,
                                63,
                                64,
                                65,
                                127,
                                255,
                                256,
                                1 << 10,
                                1 << 16,
                                1 << 20,
                                (int64_t{1} << 30),
                                (int64_t{1} << 31) - 1,
                                int64_t{1} << 31,
                                int64_t{1} << 32,
                                int64_t{1} << 40,
                                int64_t{1} << 62,
                                std::numeric_limits<int64_t>::max(),
                                std::numeric_limits<int64_t>::min(),
                                -2,
                                -3,
                                -128,
                                -(int64_t{1} << 31),
                                -(int64_t{1} << 40)};
constexpr double kReals[] = {0,
                             -0.0,
                             1,
                             -1,
                             0.5,
                             1e-30,
                             1e30,
                             1e300,
                             1e-320,
                             std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()};

class Mutator {
 public:
  Mutator(Plan& plan, std::mt19937& random) : plan_(plan), random_(random) {}

  void edit() {
    Program& program = plan_.programs[pick(plan_.programs.size())];
    switch (pick(13)) {
      case 0:
      case 1:
      case 2:
      case 3: return parameters(program);
      case 4:
      case 5: return operands(program);
      case 6: return dim();
      case 7:
      case 8: return tensor(program);
      case 9: return step(program);
      case 10: return profile();
      case 11: return kernel(program);
      default: return layout(program);
    }
  }

 private:
  size_t pick(size_t n) { return random_() % n; }
  int64_t number() { return kNumbers[pick(std::size(kNumbers))]; }
  int64_t near(int64_t value) {
    switch (pick(4)) {
      case 0: return number();
      case 1: return value == std::numeric_limits<int64_t>::max() ? 0 : value + 1;
      case 2: return value == std::numeric_limits<int64_t>::min() ? 0 : value - 1;
      default: return value > 1 << 20 || value < -(1 << 20) ? 1 : value * 2;
    }
  }

  template <class T, class F> void change(std::vector<T>& list, F item) {
    if (list.empty() || pick(6) == 0) return list.push_back(item(T{}));
    if (pick(6) == 0) return list.pop_back();
    T& element = list[pick(list.size())];
    element = item(element);
  }

  struct Change {
    Mutator& m;
    void operator()(int64_t& v) const { v = m.near(v); }
    void operator()(double& v) const { v = kReals[m.pick(std::size(kReals))]; }
    void operator()(std::string& v) const { v = m.text(v); }
    void operator()(Ints& v) const {
      m.change(v, [this](int64_t i) { return m.near(i); });
    }
    void operator()(Floats& v) const {
      m.change(v, [this](double) { return kReals[m.pick(std::size(kReals))]; });
    }
    void operator()(Strings& v) const {
      m.change(v, [this](const std::string& s) { return m.text(s); });
    }
    void operator()(Tensor& v) const {
      if (v.size() == 0 || bits(v.dtype()) < 8 || v.dtype() == DType::kBool) return;
      v = v.clone();
      auto* bytes = static_cast<uint8_t*>(v.mutable_data());
      for (size_t i = 0; i < 4; ++i) bytes[m.pick(static_cast<size_t>(v.bytes()))] = static_cast<uint8_t>(m.number());
    }
  };

  // Some other text of the plan's steps, so that words change into words.
  std::string text(const std::string& old) {
    std::vector<std::string> words{"", old + "x"};
    for (const Program& p : plan_.programs)
      for (const StepInfo& s : p.steps) {
        words.push_back(s.op);
        for (const auto& [name, value] : s.parameters)
          if (const auto* word = std::get_if<std::string>(&value)) words.push_back(*word);
      }
    return words[pick(words.size())];
  }

  StepInfo* any_step(Program& program) {
    return program.steps.empty() ? nullptr : &program.steps[pick(program.steps.size())];
  }

  void parameters(Program& program) {
    StepInfo* s = any_step(program);
    if (s) change_one(s->parameters);
  }

  void change_one(Attributes& parameters) {
    if (parameters.empty()) return;
    auto at = parameters.begin();
    std::advance(at, pick(parameters.size()));
    const std::string name = at->first;
    if (pick(12) == 0) return parameters.erase(name);
    Attribute value = at->second;
    std::visit(Change{*this}, value);
    parameters.set(name, std::move(value));
  }

  void operands(Program& program) {
    StepInfo* s = any_step(program);
    if (!s) return;
    change(pick(2) ? s->inputs : s->outputs,
           [&](int32_t) { return static_cast<int32_t>(pick(program.tensors.size() + 1)) - 1; });
  }

  void dim() {
    if (plan_.dims.empty()) return;
    std::vector<DimOp>& program = plan_.dims[pick(plan_.dims.size())];
    if (program.empty()) return;
    DimOp& op = program[pick(program.size())];
    if (op.kind == DimOp::kConstant) op.value = near(op.value);
    else if (op.kind != DimOp::kSymbol) op.kind = static_cast<DimOp::Kind>(DimOp::kAdd + pick(8));
  }

  void tensor(Program& program) {
    if (program.tensors.empty()) return;
    TensorInfo& t = program.tensors[pick(program.tensors.size())];
    switch (pick(9)) {
      case 0: t.dtype = static_cast<DType>(pick(kDTypeCount)); break;
      case 1: t.storage = static_cast<Storage>(pick(6)); break;
      case 2: t.view_of = static_cast<int32_t>(pick(program.tensors.size() + 1)) - 1; break;
      case 3: t.view_start = static_cast<uint32_t>(pick(plan_.dims.size())); break;
      case 4: t.kind = static_cast<Datum::Kind>(pick(3)); break;
      case 5: t.ranked = !t.ranked; break;
      default: change(t.dims, [&](uint32_t) { return static_cast<uint32_t>(pick(plan_.dims.size())); });
    }
  }

  void step(Program& program) {
    StepInfo* s = any_step(program);
    if (!s) return;
    switch (pick(7)) {
      case 0: s->kernel = any_step(program)->kernel; break;
      case 5: s->sharing = static_cast<Sharing>(pick(3)); break;
      case 1: s->workspace_size = 0; break;
      case 2: s->workspace_size = static_cast<uint64_t>(number()); break;
      case 3: std::swap(*s, *any_step(program)); break;
      case 4: s->parameters = any_step(program)->parameters; break;
      default: change(s->bodies, [&](uint32_t) { return static_cast<uint32_t>(pick(plan_.programs.size())); });
    }
  }

  // Which code a step runs, or what the code is and says.
  void kernel(Program& program) {
    if (plan_.kernels.empty()) return;
    GeneratedKernel& k = plan_.kernels[pick(plan_.kernels.size())];
    StepInfo* s = any_step(program);
    switch (pick(5)) {
      case 0:
        if (s) s->code = static_cast<int32_t>(pick(plan_.kernels.size() + 1)) - 1;
        break;
      case 1: k.version = near(k.version); break;
      case 2: k.architecture = text(k.architecture); break;
      case 3: k.binary = k.binary.first(pick(k.binary.size()) + 1); break;
      default: change_one(k.parameters);
    }
  }

  void profile() {
    Profile& p = plan_.profiles[pick(plan_.profiles.size())];
    if (p.inputs.empty()) return;
    ProfileDims& d = p.inputs[pick(p.inputs.size())];
    if (d.min.empty()) return;
    const size_t axis = pick(d.min.size());
    const int64_t value = near(d.max[axis]);
    if (pick(2)) d.max[axis] = std::max(value, d.opt[axis]);
    else d.min[axis] = std::clamp<int64_t>(value, 0, d.opt[axis]);
  }

  void layout(Program& program) {
    if (program.tensors.empty()) return;
    TensorInfo& t = program.tensors[pick(program.tensors.size())];
    const int rank = static_cast<int>(t.dims.size());
    t.layout = pick(2) ? Layout() : Layout::channels_last(rank);
    if (pick(4) == 0 && rank > 0) {
      t.layout = {};
      for (int i = 0; i < rank; ++i) t.layout.order.push_back(i);
      std::shuffle(t.layout.order.begin(), t.layout.order.end(), random_);
    }
    if (pick(8) == 0 && rank > 0) t.layout.blocks = {{static_cast<int>(pick(t.dims.size())), 4}};
  }

  Plan& plan_;
  std::mt19937& random_;
};

bool has_room(const TensorInfo& t) {
  return (t.storage == Storage::kConstant || t.storage == Storage::kArena) && t.view_of < 0;
}

// Bytes at these shapes; 0 when there is no telling.
uint64_t bytes_of(const TensorInfo& t, const DimValues& values) {
  Dims dims;
  for (uint32_t d : t.dims) {
    if (d >= values.size() || !values[d] || *values[d] < 0) return 0;
    dims.push_back(*values[d]);
  }
  const auto bytes = byte_size(t.dtype, storage_elements(t.layout, dims));
  return bytes ? static_cast<uint64_t>(*bytes) : 0;
}

// Behind a gap.
uint64_t next_place(uint64_t end) { return (end + 2 * kAlignment - 1) / kAlignment * kAlignment; }

// A constant as it was, cut off or followed by zeros. Returns its place.
uint64_t add_resized(Constants& to, const Plan& plan, const TensorInfo& old, uint64_t size) {
  auto owner = std::make_shared<Tensor>(Tensor::allocate(DType::kU8, {static_cast<int64_t>(size)}));
  const uint64_t kept = std::min(size, old.size);
  if (const std::byte* from = plan.constants.at(old.offset, kept))
    std::copy_n(from, kept, static_cast<std::byte*>(owner->mutable_data()));
  return to.add({static_cast<const std::byte*>(owner->data()), size}, owner);
}

bool profiles_fit(const Plan& plan) {
  const Program& main = plan.programs[0];
  for (const Profile& p : plan.profiles) {
    if (p.inputs.size() != main.inputs.size()) return false;
    for (size_t i = 0; i < main.inputs.size(); ++i)
      if (p.inputs[i].max.size() != main.tensors[static_cast<size_t>(main.inputs[i])].dims.size()) return false;
  }
  return true;
}

}  // namespace

void mutate(Plan& plan, std::mt19937& random) {
  Mutator mutator(plan, random);
  for (size_t edits = 1 + random() % 3; edits > 0; --edits) mutator.edit();
}

void take_step(Plan& plan, const Plan& other, std::mt19937& random) {
  const auto any_step = [&](auto& from) {
    auto& program = from.programs[random() % from.programs.size()];
    return program.steps.empty() ? nullptr : &program.steps[random() % program.steps.size()];
  };
  StepInfo* step = any_step(plan);
  const StepInfo* source = any_step(other);
  if (!step || !source || !source->bodies.empty()) return;
  step->device = source->device;
  step->kernel = source->kernel;
  step->parameters = source->parameters;
  step->bodies.clear();
  step->code = -1;
}

void fit_storage(Plan& plan) {
  constexpr uint64_t kMost = uint64_t{1} << 26;  // bytes; larger plans stay as they are
  if (!profiles_fit(plan)) return;
  Plan fitted = plan;
  fitted.constants = {};
  for (Program& p : fitted.programs)
    for (TensorInfo& t : p.tensors)
      if (has_room(t)) t.size = 0;
  for_each_corner(fitted, [&](const DimValues& values) {
    for (Program& p : fitted.programs)
      for (TensorInfo& t : p.tensors)
        if (has_room(t)) t.size = std::max(t.size, bytes_of(t, values));
  });
  uint64_t arena = 0;
  for (size_t i = 0; i < fitted.programs.size(); ++i) {
    Program& p = fitted.programs[i];
    for (size_t k = 0; k < p.tensors.size(); ++k) {
      TensorInfo& t = p.tensors[k];
      if (!has_room(t)) continue;
      if (t.size > kMost || arena + t.size > kMost) return;
      if (t.storage == Storage::kConstant) {
        t.offset = add_resized(fitted.constants, plan, plan.programs[i].tensors[k], t.size);
      } else {
        t.offset = arena;
        arena = next_place(arena + t.size);
      }
    }
    for (StepInfo& s : p.steps) {
      s.workspace_offset = arena;
      if (s.workspace_size > kMost || arena + s.workspace_size > kMost) return;
      arena = next_place(arena + s.workspace_size);
    }
  }
  fitted.arena_size = arena;
  plan = std::move(fitted);
}

}  // namespace kiln::plan
