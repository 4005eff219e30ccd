// Writes a graph with its choices as a program of a plan.
#include "compiler/lower.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "compiler/problems.h"

namespace kiln {

using plan::Storage;

struct Lowering::Scope {
  plan::Program* program = nullptr;
  bool is_body = false;
  std::map<const ir::Value*, int32_t> tensors;
  std::map<int32_t, const ir::Value*> values;  // of tensors that are values of the graph
  std::map<int32_t, int32_t> shares;           // tensor: tensor whose bytes it reads as another shape
  std::vector<bool> in_place;                  // per step
  std::vector<bool> strided_output;            // per step
  std::vector<const ir::Node*> step_nodes;
};

namespace {

bool is_reshape(const ir::Node& node) {
  return node.is("Reshape") || node.is("Squeeze") || node.is("Unsqueeze") || node.is("Flatten") || node.is("Identity");
}

bool spatially_one(const ir::Value* v) {
  for (size_t i = 2; i < v->shape().size(); ++i)
    if (!(v->shape()[i] == Dim(1))) return false;
  return true;
}

// The bytes are in row-major order, whatever the layout is called.
bool reads_row_major(const ir::Value* v) {
  return v->layout.is_row_major() ||
         (v->layout == Layout::channels_last(static_cast<int>(v->rank())) && spatially_one(v));
}

const char* control_kernel(const ir::Node& node) {
  if (node.is("If")) return "if";
  if (node.is("Loop")) return "loop";
  if (node.is("Scan")) return "scan";
  throw Error(Code::kInternal, node.op_name() + " has regions and is no control operator");
}

}  // namespace

uint32_t Lowering::dim_of(const Dim& dim) {
  auto [it, fresh] = dims_.try_emplace(dim.str(), static_cast<uint32_t>(plan_.dims.size()));
  if (fresh) plan_.dims.push_back(dim.program());
  return it->second;
}

// Equal bytes are kept once. What a tensor borrows is copied, so that the model can go.
uint64_t Lowering::add_constant(const Tensor& tensor) {
  const auto size = static_cast<uint64_t>(tensor.bytes());
  const Hash128 hash = hash128({static_cast<const char*>(tensor.data()), size});
  for (uint64_t offset : constant_offsets_[hash]) {
    const std::byte* known = plan_.constants.at(offset, size);
    if (known && std::memcmp(known, tensor.data(), size) == 0) return offset;
  }
  auto kept = std::make_shared<Tensor>(tensor.borrows() ? tensor.clone() : tensor);
  const uint64_t offset = plan_.constants.add({static_cast<const std::byte*>(kept->data()), size}, kept);
  constant_offsets_[hash].push_back(offset);
  return offset;
}

int32_t Lowering::constant_tensor(Scope& scope, const Tensor& tensor, const std::string& name, const Layout& layout) {
  if (tensor.dtype() == DType::kString)
    throw Error(Code::kUnsupported, "the constant '" + name + "' holds strings; engines hold numbers")
        .remedy("remove the string constants from the model");
  plan::TensorInfo info;
  info.name = name;
  info.dtype = tensor.dtype();
  for (int64_t d : tensor.dims()) info.dims.push_back(dim_of(d));
  info.layout = layout;
  info.storage = Storage::kConstant;
  info.offset = add_constant(tensor);
  info.size = static_cast<uint64_t>(tensor.bytes());
  scope.program->tensors.push_back(std::move(info));
  return static_cast<int32_t>(scope.program->tensors.size()) - 1;
}

int32_t Lowering::tensor_of(Scope& scope, const ir::Value* value) {
  if (!value) return -1;
  if (auto it = scope.tensors.find(value); it != scope.tensors.end()) return it->second;
  if (value->constant())
    return scope.tensors[value] = constant_tensor(scope, *value->constant(), value->name(), value->layout);
  plan::TensorInfo info;
  info.name = value->name();
  info.kind = value->type().kind;
  info.dtype = value->dtype();
  info.ranked = value->ranked();
  info.layout = value->layout;
  for (const Dim& d : value->shape()) info.dims.push_back(dim_of(d));
  const auto max = value->is_tensor() && value->ranked() ? extents_.max(value->shape()) : std::nullopt;
  const bool from_control = value->producer() && !value->producer()->regions.empty();
  if (scope.is_body || !max || from_control || value->dtype() == DType::kString) {
    info.storage = Storage::kSlot;
  } else if (value->is_input()) {
    info.storage = Storage::kInput;
  } else if (value->is_graph_output() && !watched_only_.count(value)) {
    info.storage = Storage::kOutput;
  } else {
    info.storage = Storage::kArena;
    const auto bytes = byte_size(value->dtype(), storage_elements(value->layout, *max));
    if (!bytes) throw Error(Code::kOverflow, "the size of '" + value->name() + "' does not fit 64 bits");
    info.size = static_cast<uint64_t>(*bytes);
  }
  scope.program->tensors.push_back(std::move(info));
  const auto index = static_cast<int32_t>(scope.program->tensors.size()) - 1;
  scope.values[index] = value;
  return scope.tensors[value] = index;
}

// A node that only renames the bytes of its input.
bool Lowering::shares_memory(const Scope& scope, const ir::Node& node) const {
  if (scope.is_body || !is_reshape(node) || !node.post.empty()) return false;
  const ir::Value *in = node.input(0), *out = node.output();
  auto it = scope.tensors.find(in);
  if (it == scope.tensors.end() || out->is_graph_output() || !extents_.max(out->shape()) || !out->ranked())
    return false;
  return scope.program->tensors[static_cast<size_t>(it->second)].storage == Storage::kArena && reads_row_major(in) &&
         reads_row_major(out);
}

// Its workspace is sized when its shapes are known.
bool Lowering::is_late(const Scope& scope, const plan::StepInfo& step) {
  for (const auto* list : {&step.inputs, &step.outputs})
    for (int32_t t : *list)
      if (t >= 0 && scope.program->tensors[static_cast<size_t>(t)].storage == Storage::kSlot) return true;
  return false;
}

void Lowering::set_workspace(Scope& scope, plan::StepInfo& step) {
  auto kernel = open_device(step.device).create_kernel(step.kernel, step.parameters);
  if (!kernel) throw Error(Code::kInternal, "the device '" + step.device + "' has no kernel '" + step.kernel + "'");
  struct Held {
    Dims dims, strides;
  };
  std::vector<std::unique_ptr<Held>> held;
  auto view = [&](int32_t t) {
    if (t < 0) return TensorView{};
    const plan::TensorInfo& info = scope.program->tensors[static_cast<size_t>(t)];
    Shape shape;
    auto value = scope.values.find(t);
    std::optional<Dims> dims;
    if (value != scope.values.end()) {
      dims = value->second->ranked() ? extents_.max(value->second->shape()) : std::nullopt;
    } else {
      dims.emplace();
      for (uint32_t d : info.dims)
        dims->push_back(
            evaluate(plan_.dims[d], [](const std::string&) { return std::optional<int64_t>(); }).value_or(0));
    }
    if (!dims) return TensorView{};
    held.push_back(std::make_unique<Held>());
    Held& h = *held.back();
    h.dims = *dims;
    h.strides = info.layout.is_plain() ? strides(info.layout, h.dims) : Dims();
    void* data = info.storage == Storage::kConstant ? const_cast<std::byte*>(plan_.constants.at(info.offset, info.size))
                                                    : nullptr;
    return TensorView{data,
                      h.dims.data(),
                      info.layout.is_plain() ? h.strides.data() : nullptr,
                      static_cast<int>(h.dims.size()),
                      info.dtype,
                      &info.layout,
                      nullptr};
  };
  std::vector<TensorView> inputs, outputs;
  for (int32_t t : step.inputs) inputs.push_back(view(t));
  for (int32_t t : step.outputs) outputs.push_back(view(t));
  step.workspace_size = kernel->workspace({inputs, outputs, nullptr, 0});
}

void Lowering::lower_kernel(Scope& scope, const Problem& problem, const Choice& choice) {
  const ir::Node& node = *problem.node;
  for (const ir::Value* v : node.inputs()) static_cast<void>(v && !v->constant() ? tensor_of(scope, v) : 0);
  if (shares_memory(scope, node)) {
    const int32_t from = scope.tensors.at(node.input(0)), to = tensor_of(scope, node.output());
    scope.shares[to] = from;
    return;
  }
  const Emitted emitted = choice.emit(problem);
  plan::StepInfo step;
  step.name = node.name();
  step.op = node.op_name();
  step.device = emitted.device;
  step.kernel = emitted.kernel;
  step.tactic = choice.tactic_name();
  step.parameters = emitted.parameters;
  step.origins = node.origins;
  for (int from : emitted.inputs) {
    if (from >= 0) step.inputs.push_back(tensor_of(scope, node.input(from)));
    else if (from == Emitted::kAbsent) step.inputs.push_back(-1);
    else
      step.inputs.push_back(constant_tensor(scope, emitted.constants[static_cast<size_t>(-2 - from)],
                                            node.name() + ".packed" + std::to_string(-2 - from), Layout()));
  }
  for (size_t i = 0; i < node.outputs().size(); ++i)
    step.outputs.push_back(problem.outputs[i].present ? tensor_of(scope, node.outputs()[i]) : -1);
  if (!scope.is_body && !is_late(scope, step)) set_workspace(scope, step);
  report_.layers.push_back(
      {node.name(), node.op_name(), choice.tactic_name(), problem.str(), choice.milliseconds, choice.tried});
  scope.program->steps.push_back(std::move(step));
  scope.in_place.push_back(emitted.in_place);
  scope.strided_output.push_back(emitted.strided_output);
  scope.step_nodes.push_back(&node);
}

void Lowering::lower_control(Scope& scope, const ir::Node& node, size_t index) {
  plan::StepInfo step;
  step.name = node.name();
  step.op = node.op_name();
  step.kernel = control_kernel(node);
  step.tactic = "control";
  step.parameters = node.attributes;
  step.origins = node.origins;
  for (const ir::Value* v : node.inputs()) step.inputs.push_back(tensor_of(scope, v));
  for (const ir::Value* v : node.outputs()) step.outputs.push_back(tensor_of(scope, v));
  plan::Program finished = std::move(*scope.program);
  for (const auto& region : node.regions) {
    const size_t body = plan_.programs.size();
    step.bodies.push_back(static_cast<uint32_t>(body));
    plan_.programs.emplace_back();
    lower_program(*region, body, true);
  }
  plan_.programs[index] = std::move(finished);
  scope.program = &plan_.programs[index];
  scope.program->steps.push_back(std::move(step));
  scope.in_place.push_back(false);
  scope.strided_output.push_back(false);
  scope.step_nodes.push_back(&node);
}

void Lowering::lower_program(const ir::Graph& graph, size_t index, bool is_body) {
  Tuner tuner(target_, tuner_);
  const std::vector<Problem> problems = make_problems(extents_, tuner.threads(), graph, is_body);
  const std::vector<Choice> choices = tuner.choose(problems);
  Scope scope;
  scope.program = &plan_.programs[index];
  scope.is_body = is_body;
  for (const ir::Value* v : graph.inputs()) scope.program->inputs.push_back(tensor_of(scope, v));
  size_t next = 0;
  for (const auto& node : graph.nodes()) {
    try {
      if (!node->regions.empty()) lower_control(scope, *node, index);
      else lower_kernel(scope, problems[next], choices[next]);
    } catch (Error& error) {
      error.add_node("'" + node->name() + "' (" + node->op_name() + ")");
      throw;
    }
    if (node->regions.empty()) ++next;
  }
  for (const ir::Value* v : graph.outputs())
    if (is_body || !watched_only_.count(v)) scope.program->outputs.push_back(tensor_of(scope, v));
  if (is_body) return;
  for (const WatchedOutput& w : watched_)
    plan_.watches.push_back({tensor_of(scope, graph.outputs()[w.output]), w.kind, w.message});
  plan_memory(scope);
}

// Puts producers of a concatenation into its result where their kernels can write slices, merges buffers that share bytes,
// and places all of them.
void Lowering::plan_memory(Scope& scope) {
  auto& tensors = scope.program->tensors;
  auto& steps = scope.program->steps;
  std::map<int32_t, size_t> producer;
  for (size_t i = 0; i < steps.size(); ++i)
    for (int32_t t : steps[i].outputs)
      if (t >= 0) producer[t] = i;
  std::set<int32_t> shared;
  for (const auto& [to, from] : scope.shares) shared.insert({to, from});
  auto is_arena = [&](int32_t t) { return t >= 0 && tensors[static_cast<size_t>(t)].storage == Storage::kArena; };
  for (size_t i = 0; i < steps.size(); ++i) {
    const ir::Node& node = *scope.step_nodes[i];
    if (!node.is("Concat") || !node.post.empty()) continue;
    const int32_t whole = steps[i].outputs[0];
    if (!is_arena(whole) || shared.count(whole) || tensors[static_cast<size_t>(whole)].view_of >= 0) continue;
    const int64_t axis = normalize_axis(node.attributes.integer("axis"), node.output()->rank());
    Dim start = 0;
    std::set<int32_t> seen;
    for (size_t k = 0; k < node.inputs().size(); ++k) {
      const ir::Value* part = node.input(static_cast<int>(k));
      const Dim begin = start;
      start = start + part->shape()[static_cast<size_t>(axis)];
      auto it = scope.tensors.find(part);
      if (it == scope.tensors.end() || !is_arena(it->second) || shared.count(it->second) || !part->has_one_use() ||
          !seen.insert(it->second).second)
        continue;
      plan::TensorInfo& info = tensors[static_cast<size_t>(it->second)];
      auto made = producer.find(it->second);
      if (made == producer.end() || !scope.strided_output[made->second] || steps[made->second].outputs[0] != it->second)
        continue;
      if (info.view_of >= 0 || it->second >= whole || !(part->layout == node.output()->layout) ||
          bits(info.dtype) % 8 || info.dtype != tensors[static_cast<size_t>(whole)].dtype)
        continue;
      info.view_of = whole;
      info.view_axis = static_cast<int32_t>(axis);
      info.view_start = dim_of(begin);
      scope.in_place[made->second] = false;
    }
  }
  // Buffer of each tensor: that of its parent, of the tensor whose bytes it shares, or its own.
  std::vector<int32_t> root(tensors.size());
  std::vector<int32_t> last_use(tensors.size(), -1);
  for (size_t i = 0; i < steps.size(); ++i)
    for (const auto* list : {&steps[i].inputs, &steps[i].outputs})
      for (int32_t t : *list)
        if (t >= 0) last_use[static_cast<size_t>(t)] = static_cast<int32_t>(i);
  for (size_t t = 0; t < root.size(); ++t) root[t] = static_cast<int32_t>(t);
  auto find_root = [&](int32_t t) {
    while (root[static_cast<size_t>(t)] != t) t = root[static_cast<size_t>(t)];
    return t;
  };
  std::vector<int32_t> root_last(last_use);
  auto merge = [&](int32_t child, int32_t parent) {
    const int32_t c = find_root(child), p = find_root(parent);
    if (c == p) return;
    root[static_cast<size_t>(c)] = p;
    root_last[static_cast<size_t>(p)] = std::max(root_last[static_cast<size_t>(p)], root_last[static_cast<size_t>(c)]);
  };
  for (const auto& [to, from] : scope.shares) merge(to, from);
  for (size_t t = 0; t < tensors.size(); ++t)
    if (tensors[t].view_of >= 0) merge(static_cast<int32_t>(t), tensors[t].view_of);
  for (size_t i = 0; i < steps.size(); ++i) {
    const int32_t out = steps[i].outputs.empty() ? -1 : steps[i].outputs[0];
    if (!scope.in_place[i] || !is_arena(out) || tensors[static_cast<size_t>(out)].view_of >= 0 || find_root(out) != out)
      continue;
    for (int32_t in : steps[i].inputs) {
      if (!is_arena(in) || in == out || tensors[static_cast<size_t>(in)].view_of >= 0) continue;
      const plan::TensorInfo &a = tensors[static_cast<size_t>(in)], &b = tensors[static_cast<size_t>(out)];
      const int32_t r = find_root(in);
      const bool same = a.dtype == b.dtype && a.dims == b.dims && a.layout == b.layout && a.size == b.size;
      if (!same || root_last[static_cast<size_t>(r)] != static_cast<int32_t>(i) ||
          tensors[static_cast<size_t>(r)].size != b.size ||
          std::count_if(steps[i].inputs.begin(), steps[i].inputs.end(),
                        [&](int32_t t) { return t >= 0 && find_root(t) == r; }) != 1)
        continue;
      merge(out, r);
      break;
    }
  }
  std::map<int32_t, Buffer> buffers;
  for (size_t i = 0; i < steps.size(); ++i)
    for (const auto* list : {&steps[i].inputs, &steps[i].outputs})
      for (int32_t t : *list) {
        if (!is_arena(t)) continue;
        const int32_t r = find_root(t);
        auto [it, fresh] = buffers.try_emplace(r);
        if (fresh) it->second.first = static_cast<int32_t>(i);
        it->second.last = static_cast<int32_t>(i);
        it->second.size = std::max({it->second.size, static_cast<int64_t>(tensors[static_cast<size_t>(t)].size),
                                    static_cast<int64_t>(tensors[static_cast<size_t>(r)].size)});
      }
  std::vector<Buffer> list;
  std::map<int32_t, size_t> position;
  for (const auto& [r, buffer] : buffers) {
    position[r] = list.size();
    list.push_back(buffer);
  }
  const size_t workspaces = list.size();
  for (size_t i = 0; i < steps.size(); ++i)
    list.push_back(
        {static_cast<int64_t>(steps[i].workspace_size), static_cast<int32_t>(i), static_cast<int32_t>(i), 0});
  plan_.arena_size = static_cast<uint64_t>(list.empty() ? 0 : place_buffers(list));
  for (size_t i = 0; i < steps.size(); ++i)
    steps[i].workspace_offset = static_cast<uint64_t>(list[workspaces + i].offset);
  for (size_t t = 0; t < tensors.size(); ++t) {
    if (!is_arena(static_cast<int32_t>(t))) continue;
    auto it = position.find(find_root(static_cast<int32_t>(t)));
    if (it != position.end()) tensors[t].offset = static_cast<uint64_t>(list[it->second].offset);
  }
}

plan::Plan Lowering::run(const ir::Graph& graph, const std::vector<WatchedOutput>& watched, size_t returned) {
  watched_ = watched;
  for (size_t i = returned; i < graph.outputs().size(); ++i) watched_only_.insert(graph.outputs()[i]);
  plan_.programs.emplace_back();
  lower_program(graph, 0, false);
  plan_.profiles = extents_.profiles();
  return std::move(plan_);
}

}  // namespace kiln
