// The stages of a build, in order.
#include "compiler/compile.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/index.h"
#include "base/version.h"
#include "compiler/extents.h"
#include "compiler/formats.h"
#include "compiler/layer_precisions.h"
#include "compiler/lower.h"
#include "compiler/parked_constants.h"
#include "compiler/split.h"
#include "compiler/string_constants.h"

namespace kiln {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The engine returns each output under the name that the model gave it; passes may have put another value there.
void restore_output_names(ir::Graph& graph, const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    ir::Value* v = graph.outputs()[i];
    const bool computed = v->producer() && std::count(graph.outputs().begin(), graph.outputs().end(), v) == 1;
    if (v->name() == names[i] && computed) continue;
    if (!computed) {
      ir::Node* copy = graph.add_node({.op = find_op("Identity"),
                                       .inputs = {v},
                                       .attributes = {},
                                       .name = names[i] + ".copy",
                                       .origins = {},
                                       .regions = {},
                                       .output_names = {}});
      copy->output()->layout = v->layout;
      graph.set_output(i, copy->output());
      v = copy->output();
    }
    graph.rename(v, names[i]);
  }
}

// What only running can size lies in row-major order.
void check_layouts(const plan::Plan& plan) {
  for (int32_t t : plan.programs[0].outputs) {
    const plan::TensorInfo& info = nth(plan.programs[0].tensors, t);
    if (info.storage == plan::Storage::kSlot && !info.layout.is_row_major())
      throw Error(Code::kUnsupported, "the size of output '" + info.name + "' is known only when running")
          .cause("such outputs are row-major")
          .remedy("allow the format kLINEAR");
  }
}

// The value, when it follows from constants.
std::optional<Tensor> known_value(const ir::Value& value) {
  if (value.constant()) return *value.constant();
  const ir::Node* node = value.producer();
  if (!node || !node->regions.empty() || !node->post.empty()) return std::nullopt;
  std::vector<Datum> arguments;
  for (const ir::Value* input : node->inputs()) {
    if (input && !input->constant()) return std::nullopt;
    arguments.push_back(input ? Datum(*input->constant()) : Datum());
  }
  const std::vector<Datum> results = ir::evaluate(*node, std::move(arguments));
  for (size_t i = 0; i < results.size(); ++i)
    if (node->output(static_cast<int>(i)) == &value) return results[i].tensor;
  return std::nullopt;
}

// Checks what is known already. What is watched only and need not be any more is no output any longer.
std::vector<WatchedOutput> settle_watches(ir::Graph& graph, const CompileOptions& options,
                                          std::vector<std::string>& names) {
  std::set<size_t> settled;
  std::vector<WatchedOutput> open;
  for (const WatchedOutput& w : options.watched) {
    const auto known =
        w.kind == plan::Watch::kRequired ? known_value(*graph.outputs()[w.output]) : std::optional<Tensor>();
    if (!known) {
      open.push_back(w);
      continue;
    }
    for (int64_t i = 0; i < known->size(); ++i)
      if (known->int_at(i) == 0)
        throw Error(Code::kInvalidGraph, "an assertion does not hold: " + w.message).node(w.node);
    if (w.output >= options.returned) settled.insert(w.output);
  }
  for (const WatchedOutput& w : open) settled.erase(w.output);
  if (settled.empty()) return open;
  std::vector<ir::Value*> outputs;
  std::vector<std::string> kept;
  std::vector<size_t> place(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    place[i] = outputs.size();
    if (settled.count(i)) continue;
    outputs.push_back(graph.outputs()[i]);
    kept.push_back(names[i]);
  }
  for (WatchedOutput& w : open) w.output = place[w.output];
  graph.set_outputs(std::move(outputs));
  graph.remove_dead();
  names = std::move(kept);
  return open;
}

// Shapes whose bytes no engine can count.
void check_sizes(const ir::Graph& graph) {
  for (const auto& v : graph.values()) {
    if (!v->is_tensor() || !v->ranked() || bits(v->dtype()) == 0 || !is_static(v->shape())) continue;
    const auto count = checked_element_count(static_dims(v->shape()));
    if (!count || !byte_size(v->dtype(), *count))
      throw Error(Code::kOverflow,
                  "the bytes of '" + v->name() + "', which is " + v->type().str() + ", do not fit 64 bits")
          .remedy("correct its shape in the model, or those that were given");
  }
}

// There is no engine file yet: a plan or a kernel that is found unsound while building is a fault of the compiler.
Error own_fault(const Error& e) {
  Error fault = Error(Code::kInternal, "the compiler made a step that is unsound: " + e.message()).cause(e.cause());
  if (!e.node().empty()) fault.add_node(e.node());
  return fault;
}

// Types are compared by time.
bool chooses_types(const ir::Graph& graph, DType compute) {
  return compute != DType::kF32 || std::any_of(graph.nodes().begin(), graph.nodes().end(), [&](const auto& node) {
           return node->declared != DType::kInvalid ||
                  std::any_of(node->regions.begin(), node->regions.end(),
                              [&](const auto& region) { return chooses_types(*region, compute); });
         });
}

// Of two types that are allowed, one that the target does not compute in goes.
void settle_types(const Target& target, Precisions& p) {
  if (p.second == DType::kF32) return;
  if (!target.computes_in(p.compute) && target.computes_in(p.second)) p.compute = p.second;
  if (!target.computes_in(p.second) || p.second == p.compute) p.second = DType::kF32;
}

bool speaks_of_files(Code code) { return code == Code::kMalformedPlan || code == Code::kPlanDevice; }

}  // namespace

plan::Plan compile(std::unique_ptr<ir::Graph> graph, const CompileOptions& options, CompileReport* report) {
  CompileReport own;
  CompileReport& r = report ? *report : own;
  const auto start = std::chrono::steady_clock::now();
  const Target& target = options.target.empty() ? default_target() : find_target(options.target);
  const NamedRange range(target.device(), "build");
  std::vector<std::string> output_names;
  for (const ir::Value* v : graph->outputs()) output_names.push_back(v->name());
  if (options.after_stage) options.after_stage("import", *graph);
  bind_fixed_symbols(*graph, options.profiles);
  std::vector<ir::DimFact> facts = ir::dim_facts(*graph);
  if (!options.precisions.layers.empty()) mark_precisions(*graph, target, options.precisions, *options.logger);
  TargetOptions target_options{options.passes.disabled, options.logger, options.precisions};
  settle_types(target, target_options.precisions);
  if (DType& type = target_options.precisions.compute; !target.computes_in(type)) {
    options.logger->log(Severity::kWarning, std::string(name(type)) + " is permitted; on the back end '" +
                                                std::string(target.name()) +
                                                "' each layer computes in the types of the model");
    type = DType::kF32;
  }
  std::vector<passes::Pass> pipeline = target.pipeline(target_options);
  std::vector<passes::Pass> asked;
  if (options.equalizes) asked.push_back(passes::equalize_layers());
  if (!options.ranges.empty()) asked.push_back(passes::quantize_by_ranges(options.ranges, options.range_options));
  if (options.weights) asked.push_back(passes::weights_in_few_bits(*options.weights));
  if (!asked.empty()) asked.insert(asked.begin(), passes::canonicalize());
  pipeline.insert(pipeline.begin(), asked.begin(), asked.end());
  passes::PassOptions pass_options = options.passes;
  pass_options.limits = target.fusion();
  const Extents bounds(*graph, options.profiles, options.values, facts);
  pass_options.largest = [&bounds](const Dim& dim) {
    const auto most = bounds.max({dim});
    return most ? std::optional(most->front()) : std::nullopt;
  };
  for (const passes::Pass& pass : pipeline) {
    passes::run_passes(*graph, {pass}, pass_options, r.passes);
    if (options.after_stage) options.after_stage(pass.name, *graph);
  }
  check_sizes(*graph);
  const std::vector<WatchedOutput> watched = settle_watches(*graph, options, output_names);
  std::ranges::move(ir::dim_facts(*graph), std::back_inserter(facts));
  const bool parks = options.tuner.level > 0 && target.device().facts().host_memory;
  if (parks) park_constants(*graph);
  const Extents extents(*graph, options.profiles, options.values, facts);
  TunerOptions tuner = options.tuner;
  tuner.logger = options.logger;
  tuner.disabled.insert(options.passes.disabled.begin(), options.passes.disabled.end());
  TimingCache times(
      target.device().fingerprint());  // of types that are compared; the choice of kernels reads them again
  if (!tuner.cache && chooses_types(*graph, target_options.precisions.compute)) tuner.cache = &times;
  SignatureFinder finder(target, tuner);
  if (split_declined(*graph, extents, finder,
                     *options.logger)) {  // what came off may continue in the pointwise node behind it
    passes::run_passes(*graph, {passes::chain_pointwise()}, pass_options, r.passes);
    split_declined(*graph, extents, finder, *options.logger);
  }
  choose_formats(*graph, extents, finder, options.output_layouts, target_options.precisions);
  if (parks) park_constants(*graph);  // those that became narrow, too
  if (options.after_stage) options.after_stage("formats", *graph);
  restore_output_names(*graph, output_names);
  compute_string_constants(*graph);
  ir::verify(*graph);
  if (options.after_stage) options.after_stage(kLastStage, *graph);
  r.seconds_passes = seconds_since(start);
  const auto choice_start = std::chrono::steady_clock::now();
  plan::Plan plan;
  try {
    plan = Lowering(extents, target, tuner, options.precisions, options.max_aux_streams, r)
               .run(*graph, watched, options.returned);
  } catch (const Error& e) {
    if (!speaks_of_files(e.code())) throw;
    throw own_fault(e);
  }
  r.seconds_choice = seconds_since(choice_start);
  plan.shows_results = options.shows_results;
  plan.built_by = std::string(version());
  plan.name = options.name;
  check_layouts(plan);
  try {
    plan::verify(plan);
  } catch (const Error& e) {
    throw own_fault(e);
  }
  r.seconds_total = seconds_since(start);
  return plan;
}

}  // namespace kiln
