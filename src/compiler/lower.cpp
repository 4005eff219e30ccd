// Writes a graph with its choices as a program of a plan.
#include "compiler/lower.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/checked.h"
#include "base/error.h"
#include "base/index.h"
#include "compiler/cut_in_place.h"
#include "compiler/join_in_place.h"
#include "compiler/lane_clock.h"
#include "compiler/lanes.h"
#include "compiler/problems.h"
#include "compiler/remove_steps.h"
#include "device/workspace.h"
#include "passes/value_queries.h"
#include "plan/lanes.h"
#include "target/estimate.h"
#include "target/step_call.h"
#include "tensor/let_go.h"
#include "tensor/number_text.h"

namespace kiln {

using plan::Storage;

struct Lowering::Scope {
  plan::Program* program = nullptr;
  bool is_body = false;
  std::map<const ir::Value*, int32_t> tensors;
  std::map<int32_t, const ir::Value*> values;  // of tensors that are values of the graph
  std::map<int32_t, int32_t> shares;           // tensor: tensor whose bytes it reads as another shape
  std::vector<StepDetail> details;             // per step
};

namespace {

bool is_reshape(const ir::Node& node) {
  return node.is("Flatten") || node.is("Identity") ||
         ((node.is("Reshape") || node.is("Squeeze") || node.is("Unsqueeze")) && passes::is_told(node));
}

// It gives the bytes of its input another shape: where memory can be shared, it is no step.
bool is_rename(const ir::Node& node) { return is_reshape(node) && node.post.empty(); }

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

// What the plan keeps of the step's kernel: its workspace and what its operands may share.
void ask_kernel(const Problem& problem, const Emitted& emitted, plan::StepInfo& step) {
  const StepCall call(problem, emitted, StepCall::Shapes::kLargest);
  const std::unique_ptr<Kernel> kernel = make_kernel(emitted);
  const size_t wanted = kernel->workspace(call.call());
  step.workspace_size = wanted == kNoWorkspace ? 0 : wanted;  // the runner reserves what the shapes that meet want
  step.sharing = kernel->sharing();
}

const char* control_kernel(const ir::Node& node) {
  if (node.is("If")) return "if";
  if (node.is("Loop")) return "loop";
  if (node.is("Scan")) return "scan";
  throw Error(Code::kInternal, node.op_name() + " has regions and is no control operator");
}

}  // namespace

namespace {

TunerOptions host_options(TunerOptions options) {
  options.cache = nullptr;  // its times are the device's
  options.level = 0;        // copies cost more than a better tactic saves
  options.progress = nullptr;
  return options;
}

// Elements of all operands at their optimum.
double size_of(const std::vector<Problem>& problems) {
  double sum = 0;
  for (const Problem& problem : problems)
    for (const auto* list : {&problem.inputs, &problem.outputs})
      for (const Argument& a : *list) sum += a.ranked ? static_cast<double>(element_count(a.opt)) : 0;
  return sum;
}

// Places in the order in which the smallest and the largest size come first, then the middle between each two that came.
std::vector<size_t> ends_and_middles(const std::vector<double>& sizes) {
  std::vector<size_t> sorted(sizes.size());
  std::iota(sorted.begin(), sorted.end(), size_t{0});
  std::stable_sort(sorted.begin(), sorted.end(), [&](size_t a, size_t b) { return sizes[a] < sizes[b]; });
  std::vector<size_t> order{sorted.front()};
  if (sorted.size() > 1) order.push_back(sorted.back());
  std::vector<std::pair<size_t, size_t>> between{{0, sorted.size() - 1}};
  for (size_t k = 0; k < between.size(); ++k) {
    const auto [low, high] = between[k];
    if (high - low < 2) continue;
    const size_t middle = (low + high) / 2;
    order.push_back(sorted[middle]);
    between.insert(between.end(), {{low, middle}, {middle, high}});
  }
  return order;
}

// Each profile is a share of all that is to be tuned.
TunerOptions counting(TunerOptions options, size_t profiles) {
  if (profiles < 2 || !options.progress) return options;
  auto passed = std::make_shared<size_t>(0);  // profiles that are done
  options.progress = [report = options.progress, passed, profiles](size_t done, size_t total,
                                                                   const std::string& layer) {
    const bool goes_on = report(std::min(*passed, profiles - 1) * total + done, profiles * total, layer);
    *passed += done == total;
    return goes_on;
  };
  return options;
}

}  // namespace

Lowering::Lowering(const Extents& extents, const Target& target, TunerOptions tuner, Precisions precisions,
                   int aux_streams, CompileReport& report)
    : extents_(extents),
      target_(target),
      tuner_(std::move(tuner)),
      device_tuner_(target, counting(tuner_, tuner_.level > 0 ? extents.profiles().size() : 1)),
      precisions_(precisions),
      aux_streams_(aux_streams),
      report_(report) {
  if (const Target* host = target.fallback()) host_tuner_.emplace(*host, host_options(tuner_));
}

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

// The place of its generated code among those of the plan, each once; -1 when it has none.
int32_t Lowering::add_code(const Emitted& emitted) {
  if (!emitted.code) return -1;
  std::vector<GeneratedKernel>& known = plan_.kernels;
  const auto it = std::find_if(known.begin(), known.end(),
                               [&](const GeneratedKernel& k) { return is_same_request(k, *emitted.code); });
  if (it != known.end()) return static_cast<int32_t>(it - known.begin());
  known.push_back(*emitted.code);
  return static_cast<int32_t>(known.size()) - 1;
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
  const bool collection =
      value->is_input() && !value->is_tensor() && !scope.is_body;  // no profile gives its items' sizes
  info.ranked = value->ranked() && !collection;
  info.layout = value->layout;
  if (info.ranked)
    for (const Dim& d : value->shape()) info.dims.push_back(dim_of(d));
  const auto max = value->is_tensor() && value->ranked() ? extents_.reserved(value->shape()) : std::nullopt;
  const bool from_control = value->producer() && !value->producer()->regions.empty();
  const bool passed = scope.is_body && (value->is_input() || value->is_graph_output());  // between a body and its step
  if (passed || !max || from_control || value->dtype() == DType::kString) {
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
  if (plan_.device_memory && max && info.size == 0) {  // what a copy of it takes, where there is one
    const auto bytes = byte_size(value->dtype(), storage_elements(value->layout, *max));
    info.size = bytes ? static_cast<uint64_t>(*bytes) : 0;
  }
  scope.program->tensors.push_back(std::move(info));
  const auto index = static_cast<int32_t>(scope.program->tensors.size()) - 1;
  scope.values[index] = value;
  return scope.tensors[value] = index;
}

// A node that only renames the bytes of its input.
bool Lowering::shares_memory(const Scope& scope, const ir::Node& node) const {
  if (!is_rename(node)) return false;
  const ir::Value *in = node.input(0), *out = node.output();
  auto it = scope.tensors.find(in);
  if (it == scope.tensors.end() || out->is_graph_output() || !extents_.reserved(out->shape()) || !out->ranked())
    return false;
  return nth(scope.program->tensors, it->second).storage == Storage::kArena && reads_row_major(in) &&
         reads_row_major(out);
}

// Its workspace is sized when its shapes are known.
bool Lowering::is_late(const Scope& scope, const plan::StepInfo& step) {
  for (const auto* list : {&step.inputs, &step.outputs})
    for (int32_t t : *list)
      if (t >= 0 && nth(scope.program->tensors, t).storage == Storage::kSlot) return true;
  return false;
}

std::vector<int32_t> Lowering::operands(Scope& scope, const ir::Node& node, const Emitted& emitted,
                                        const std::string& suffix) {
  std::vector<int32_t> inputs;
  for (int from : emitted.inputs) {
    if (Emitted::is_constant(from)) {
      const int k = Emitted::constant_of(from);
      inputs.push_back(constant_tensor(scope, nth(emitted.constants, k),
                                       node.name() + ".packed" + std::to_string(k) + suffix, Layout()));
    } else {
      inputs.push_back(from == Emitted::kAbsent ? -1 : tensor_of(scope, node.input(from)));
    }
  }
  return inputs;
}

// Another profile's choice where it differs. What the memory of the step allows, each of its kernels must allow.
void Lowering::add_variant(Scope& scope, plan::StepInfo& step, StepDetail& detail, const Choice& usual,
                           const ProfileChoice& other) {
  if (other.choice->tactic == usual.tactic && other.choice->config == usual.config) return;
  const Emitted emitted = other.choice->emit(*other.problem);
  if (open_device(emitted.device).host_memory() != open_device(step.device).host_memory()) return;
  const int32_t code = add_code(emitted);
  for (plan::StepVariant& known : step.variants)
    if (known.step.kernel == emitted.kernel && known.step.parameters == emitted.parameters &&
        known.step.device == emitted.device && known.step.code == code) {
      known.profiles.push_back(other.profile);
      return;
    }
  plan::StepVariant variant{{other.profile}, step};
  variant.step.variants.clear();
  variant.step.device = emitted.device;
  variant.step.kernel = emitted.kernel;
  variant.step.tactic = other.choice->tactic_name();
  variant.step.parameters = emitted.parameters;
  variant.step.code = code;
  variant.step.inputs = operands(scope, *other.problem->node, emitted, "." + std::to_string(other.profile));
  ask_kernel(*other.problem, emitted, variant.step);
  detail.strided_output = detail.strided_output && emitted.strided_output;
  detail.strided_rows = detail.strided_rows && emitted.strided_rows;
  detail.row_alignment = std::max(detail.row_alignment, emitted.row_alignment);
  detail.strided_inputs = 0;
  step.workspace_size = std::max(step.workspace_size, variant.step.workspace_size);
  if (variant.step.sharing != step.sharing) step.sharing = Sharing::kNothing;
  step.variants.push_back(std::move(variant));
  for (plan::StepVariant& each : step.variants) {
    each.step.workspace_size = step.workspace_size;
    each.step.sharing = step.sharing;
  }
}

void Lowering::lower_kernel(Scope& scope, const Problem& problem, const Choice& choice,
                            const std::vector<ProfileChoice>& others) {
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
  step.code = add_code(emitted);
  step.origins = node.origins;
  step.inputs = operands(scope, node, emitted, "");
  for (size_t i = 0; i < node.outputs().size(); ++i)
    step.outputs.push_back(problem.outputs[i].present ? tensor_of(scope, node.outputs()[i]) : -1);
  for (const Argument& a : problem.inputs)  // the plan holds what the kernel reads
    if (a.constant) let_go(*a.constant);
  StepDetail detail{&node, emitted.strided_output, emitted.strided_rows, emitted.row_alignment, emitted.strided_inputs};
  tell_time(problem, choice, detail);
  if (!is_late(scope, step)) {
    ask_kernel(problem, emitted, step);
    for (const ProfileChoice& other : others) add_variant(scope, step, detail, choice, other);
  }
  const DType computes = type_computed(problem, emitted);
  report_.layers.push_back({node.name(), node.op_name(), choice.tactic_name(), problem.str(), choice.milliseconds,
                            choice.tried, computes, choice.guessed});
  tuner_.logger->log(Severity::kVerbose, node.name() + ": " + problem.str() + " is computed in " +
                                             std::string(name(computes)) + " by " + choice.tactic_name());
  scope.program->steps.push_back(std::move(step));
  scope.details.push_back(detail);
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
  scope.details.push_back({&node});
}

std::vector<Problem> Lowering::problems_of(const Extents& extents, const ir::Graph& graph, bool is_body) const {
  std::vector<Problem> problems = make_problems(extents, device_tuner_.threads(), graph, is_body);
  for (Problem& problem : problems) {
    problem.tf32 = precisions_.tf32;
    problem.kept = device_tuner_.kept_code();
  }
  return problems;
}

// What is best at the optima of the profiles behind the first. The smallest and the largest come first: between sizes at which the same is
// best, nothing is measured.
std::vector<Lowering::ProfileTuning> Lowering::tune_profiles(const ir::Graph& graph, const Tuned& first) {
  std::vector<ProfileTuning> list;
  if (tuner_.level == 0) return list;
  std::vector<double> sizes{size_of(*first.problems)};
  for (size_t p = 1; p < extents_.profiles().size(); ++p) {
    list.push_back({static_cast<uint32_t>(p), problems_of(extents_.at_profile(p), graph, false), {}});
    sizes.push_back(size_of(list.back().problems));
  }
  std::vector<Tuned> tuned{first};
  for (size_t p : ends_and_middles(sizes)) {
    if (p == 0) continue;
    ProfileTuning& tuning = list[p - 1];
    tuning.choices = choose(tuning.problems, false, tuned);
    tuned.push_back({&tuning.problems, &tuning.choices});
  }
  return list;
}

std::vector<Lowering::ProfileChoice> Lowering::choices_of(const std::vector<ProfileTuning>& others, size_t node) {
  std::vector<ProfileChoice> list;
  for (const ProfileTuning& tuning : others)
    list.push_back({tuning.profile, &tuning.problems[node], &tuning.choices[node]});
  return list;
}

// Large weights of the node whose step was made last leave memory, unless the plan refers to them or another node reads them.
void Lowering::let_go_packed(const Scope& scope, ir::Node& node) {
  constexpr int64_t kLarge = 1 << 16;
  bool found = false;
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const ir::Value* v = node.inputs()[i];
    if (!v || !v->constant() || v->constant()->bytes() < kLarge || !v->has_one_use() || scope.tensors.count(v))
      continue;
    node.set_input(static_cast<int>(i), nullptr);
    found = true;
  }
  if (found) node.graph().remove_dead();
}

void Lowering::lower_program(ir::Graph& graph, size_t index, bool is_body) {
  std::vector<Problem> problems = problems_of(extents_, graph, is_body);
  const std::vector<Choice> choices = choose(problems, is_body);
  const std::vector<ProfileTuning> others =
      is_body ? std::vector<ProfileTuning>() : tune_profiles(graph, {&problems, &choices});
  Scope scope;
  scope.program = &plan_.programs[index];
  scope.is_body = is_body;
  for (const ir::Value* v : graph.inputs()) scope.program->inputs.push_back(tensor_of(scope, v));
  size_t next = 0;
  for (const auto& node : graph.nodes()) {
    try {
      if (!node->regions.empty()) lower_control(scope, *node, index);
      else lower_kernel(scope, problems[next], choices[next], choices_of(others, next));
    } catch (Error& error) {
      error.add_node("'" + node->name() + "' (" + node->op_name() + ")");
      throw;
    }
    if (node->regions.empty()) ++next, let_go_packed(scope, *node);
  }
  for (const ir::Value* v : graph.outputs())
    if (is_body || !watched_only_.count(v)) scope.program->outputs.push_back(output_of(scope, v));
  if (!is_body)
    for (const WatchedOutput& w : watched_)
      plan_.watches.push_back({tensor_of(scope, graph.outputs()[w.output]), w.kind, w.message});
  plan_scope(scope, index);
}

// Bodies give their results on the host.
int32_t Lowering::output_of(Scope& scope, const ir::Value* value) {
  if (!scope.is_body || !plan_.device_memory || !value || !value->constant()) return tensor_of(scope, value);
  const int32_t index = constant_tensor(scope, *value->constant(), value->name(), value->layout);
  nth(scope.program->tensors, index).on_host = true;
  return index;
}

void Lowering::plan_scope(Scope& scope, size_t index) {
  const MemoryPlan memory{*scope.program, scope.details, scope.shares, scope.tensors,
                          [this](const Dim& d) { return dim_of(d); }};
  remove_unread_steps(memory, plan_);
  if (plan_.device_memory) tell_hosts(scope);
  cut_in_place(memory, plan_);
  if (plan_.device_memory) place_steps(*scope.program, scope.is_body, scope.details, scope.shares, plan_);
  join_in_place(memory);
  if (!scope.is_body)
    assign_lanes(*scope.program, scope.details, scope.shares, plan_,
                 lane_options(target_.device(), plan_, aux_streams_, tuner_));
  const auto lay = [&] {
    memory_.resize(plan_.programs.size());
    memory_[index] =
        plan_memory(memory, plan_, memory_, std::max(plan::kAlignment, target_.device().facts().alignment));
    if (scope.is_body) return;
    plan_.arena_size = memory_[index].device;
    plan_.host_arena_size = memory_[index].host;
  };
  lay();
  if (scope.is_body) return;
  note_devices();
  if (aux_streams_ < 0 && plan::lane_count(scope.program->steps) > 1) {
    const LaneUse use = use_of_lanes(plan_, tuner_, device_tuner_.spent());
    plan_.lanes_in_captures = use == LaneUse::kInCaptures;
    if (use == LaneUse::kNever) {
      clear_lanes(*scope.program);
      lay();
    }
  }
  if (plan_.device_memory) tell_copies(scope);
}

void Lowering::tell_time(const Problem& problem, const Choice& choice, StepDetail& detail) const {
  const DeviceFacts& facts = target_.device().facts();
  const Estimate by_reason = choice.tactic ? estimate(*choice.tactic, problem, facts)
                                           : roofline(workload_of(problem), type_of_products(problem), facts);
  detail.measured = choice.milliseconds > 0;
  detail.milliseconds = detail.measured ? choice.milliseconds : by_reason.seconds() * 1e3;
  detail.share = std::min(1.0, std::max(by_reason.compute, by_reason.move) * 1e3 / detail.milliseconds);
}

// Bytes of a tensor at the profile's optimum; 0 where only running can tell, and for constants, which lie on both sides.
double Lowering::bytes_of(const Scope& scope, int32_t tensor) const {
  const auto value = scope.values.find(tensor);
  if (value == scope.values.end() || value->second->constant()) return 0;
  const auto dims = extents_.opt(value->second->shape());
  return dims ? static_cast<double>(element_count(*dims)) * bits(value->second->dtype()) / 8.0 : 0;
}

// "sum (CumSum: reads 16384 bytes, writes 16384, takes 0.012 ms)"; the time where it was measured.
std::string Lowering::cost_on_host(const Scope& scope, const plan::StepInfo& step, const StepDetail& detail) const {
  double read = 0, written = 0;
  for (int32_t t : step.inputs)
    if (t >= 0) read += bytes_of(scope, t);
  for (int32_t t : step.outputs)
    if (t >= 0) written += bytes_of(scope, t);
  std::string text = step.name + " (" + step.op + ": reads " + std::to_string(static_cast<int64_t>(read)) +
                     " bytes, writes " + std::to_string(static_cast<int64_t>(written));
  if (detail.measured) text += ", takes " + real_text(std::round(detail.milliseconds * 1e4) / 1e4) + " ms";
  return text + ")";
}

// Layers that the device cannot run.
void Lowering::tell_hosts(const Scope& scope) const {
  size_t count = 0;
  std::string names;
  for (size_t i = 0; i < scope.program->steps.size(); ++i) {
    const plan::StepInfo& step = scope.program->steps[i];
    if (step.device.empty() || !plan_.on_host(step)) continue;
    names += (names.empty() ? "" : ", ") + cost_on_host(scope, step, scope.details[i]);
    ++count;
  }
  if (count == 0) return;
  tuner_.logger->log(scope.is_body ? Severity::kVerbose : Severity::kWarning,
                     std::to_string(count) + " layers run on the host, and their operands are copied: " + names);
}

// What layers of the host cost: an inference stops for each wait, until the device has done all that it was given.
void Lowering::tell_copies(const Scope& scope) const {
  size_t copies = 0, waits = 0;
  double bytes = 0;
  for (const plan::StepInfo& step : scope.program->steps) {
    waits += step.waits;
    if (!step.is_transfer()) continue;
    ++copies;
    for (int32_t t : {step.inputs.at(0), step.outputs.at(0)}) {
      const double own = bytes_of(scope, t);
      bytes += own;
      if (own > 0) break;
    }
  }
  if (copies == 0 && waits == 0) return;
  tuner_.logger->log(Severity::kWarning, "each inference makes " + std::to_string(copies) + " copies, of " +
                                             std::to_string(static_cast<int64_t>(bytes)) +
                                             " bytes in all, between the device and the host, which waits " +
                                             std::to_string(waits) + " times for the device");
}

// What lies in a slot can be copied to the device when its shape is known before running.
bool Lowering::is_sized(const Problem& problem) const {
  const auto sized = [&](const ir::Value* v) {
    return !v || v->constant() ||
           (v->is_tensor() && v->ranked() && v->dtype() != DType::kString && extents_.opt(v->shape()) &&
            extents_.reserved(v->shape()));
  };
  const ir::Node& node = *problem.node;
  return !problem.sizes_results && std::all_of(node.inputs().begin(), node.inputs().end(), sized) &&
         std::all_of(node.outputs().begin(), node.outputs().end(), sized);
}

// Whether a layer of a body reads and writes so much that it pays to copy what the body takes and gives to the device and back.
bool Lowering::pays_copies(const std::vector<Problem>& problems) const {
  constexpr double kBytes = 1 << 18;  // what a processor reads while it waits for two small copies
  const auto bytes = [](const std::vector<Argument>& list) {
    double sum = 0;
    for (const Argument& a : list)
      if (a.present && a.ranked) sum += static_cast<double>(element_count(a.opt)) * bits(a.dtype) / 8.0;
    return sum;
  };
  return std::any_of(problems.begin(), problems.end(), [&](const Problem& p) {
    return is_sized(p) && bytes(p.inputs) + bytes(p.outputs) >= kBytes && device_tuner_.accepts(p);
  });
}

// What the device cannot run, tactics of the host take, and what they decline its reference evaluation.
std::vector<Choice> Lowering::choose(std::vector<Problem>& problems, bool is_body,
                                     const std::vector<Tuned>& elsewhere) {
  std::vector<Tuner::Elsewheres> mine_elsewhere;
  const auto look_elsewhere = [&](size_t node) {
    if (elsewhere.empty()) return;
    Tuner::Elsewheres& list = mine_elsewhere.emplace_back();
    for (const Tuned& tuned : elsewhere) list.push_back({&(*tuned.problems)[node], &(*tuned.choices)[node]});
  };
  if (!plan_.device_memory) {
    for (size_t i = 0; i < problems.size(); ++i) look_elsewhere(i);
    return device_tuner_.choose(problems, mine_elsewhere);
  }
  std::vector<Problem> mine, hosts;
  std::vector<bool> on_host;
  const bool stays = is_body && !pays_copies(problems);
  for (size_t i = 0; i < problems.size(); ++i) {
    Problem& problem = problems[i];
    on_host.push_back(stays || !is_sized(problem) || !device_tuner_.accepts(problem));
    if (on_host.back()) {
      if (host_tuner_) problem.threads = host_tuner_->threads();
    } else {
      look_elsewhere(i);
    }
    (on_host.back() ? hosts : mine).push_back(problem);
  }
  std::vector<Choice> device_choices = device_tuner_.choose(mine, mine_elsewhere);
  std::vector<size_t> steps;
  for (size_t i = 0; i < mine.size(); ++i)
    if (!is_rename(*mine[i].node)) steps.push_back(i);
  device_tuner_.settle(mine, steps, device_choices);
  const std::vector<Choice> host_choices = host_tuner_ ? host_tuner_->choose(hosts) : std::vector<Choice>(hosts.size());
  std::vector<Choice> all;
  size_t next_mine = 0, next_host = 0;
  for (bool host : on_host) all.push_back(host ? host_choices[next_host++] : device_choices[next_mine++]);
  return all;
}

plan::Plan Lowering::run(ir::Graph& graph, const std::vector<WatchedOutput>& watched, size_t returned) {
  graph.remove_dead();
  watched_ = watched;
  for (size_t i = returned; i < graph.outputs().size(); ++i) watched_only_.insert(graph.outputs()[i]);
  plan_.programs.emplace_back();
  plan_.device = std::string(target_.device().name());
  plan_.fingerprint = target_.device().fingerprint();
  plan_.device_memory = !target_.device().host_memory();
  plan_.profiles = extents_.profiles();
  lower_program(graph, 0, false);
  return std::move(plan_);
}

void Lowering::note_devices() {
  std::set<std::string> names;
  for (const plan::Program& program : plan_.programs)
    for (const plan::StepInfo& step : program.steps) {
      names.insert(step.device);
      for (const plan::StepVariant& variant : step.variants) names.insert(variant.step.device);
    }
  names.erase("");  // control and transfers
  names.erase(plan_.device);
  for (const std::string& name : names) plan_.others.push_back({name, open_device(name).fingerprint()});
}

}  // namespace kiln
