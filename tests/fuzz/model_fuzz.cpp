// Any model, imported, built for the CPU without measuring, and run; and beside it evaluated by the reference. An Error may refuse.
// What both compute has the same types and shapes. Its seeds are models and mutations of their messages (model_seeds.py).
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "compiler/compile.h"
#include "frontends/onnx/import.h"
#include "runtime/context.h"

namespace {

using namespace kiln;

constexpr int64_t kMostElements = 1 << 14;  // of a value, as far as it is known
constexpr uint64_t kMostArena = 1 << 20;    // bytes
constexpr int64_t kDynamic = 2;             // what an unknown dimension of an input is

// Small, and ends: a loop may run for as long as it likes.
bool is_small(const ir::Graph& graph) {
  for (const auto& value : graph.values()) {
    if (!value->ranked() || !is_static(value->shape())) continue;
    const auto count = checked_element_count(static_dims(value->shape()));
    if (!count || *count > kMostElements) return false;
  }
  for (const auto& node : graph.nodes()) {
    if (node->is("Loop") || node->is("Scan")) return false;
    for (const auto& region : node->regions)
      if (!is_small(*region)) return false;
  }
  return true;
}

Tensor ramp(DType type, const Dims& dims) {
  Tensor values = Tensor::allocate(DType::kF32, dims);
  int64_t i = 0;
  for (float& x : values.as_mutable<float>()) x = static_cast<float>(++i % 5);
  return values.cast(type);
}

// A value for each input; empty when one is no tensor of numbers.
std::vector<Tensor> inputs_of(const ir::Graph& graph) {
  std::vector<Tensor> inputs;
  for (const ir::Value* v : graph.inputs()) {
    if (!v->is_tensor() || !v->ranked() || v->dtype() == DType::kString) return {};
    Dims dims;
    for (const Dim& d : v->shape()) dims.push_back(d.constant().value_or(kDynamic));
    inputs.push_back(ramp(v->dtype(), dims));
  }
  return inputs;
}

ProfileBounds bounds_of(const ir::Graph& graph, const std::vector<Tensor>& inputs) {
  ProfileBounds bounds;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!is_static(graph.inputs()[i]->shape()))
      bounds[graph.inputs()[i]->name()] = {inputs[i].dims(), inputs[i].dims(), inputs[i].dims()};
  return bounds;
}

// The results, or nothing when the engine refuses.
std::vector<Tensor> run_engine(const ir::Graph& graph, const std::vector<Tensor>& inputs) {
  CompileOptions options;
  options.target = "cpu";
  options.tuner.level = 0;
  if (ProfileBounds bounds = bounds_of(graph, inputs); !bounds.empty()) options.profiles = {std::move(bounds)};
  plan::Plan plan = compile(graph.clone(), options);
  if (plan.arena_size > kMostArena) return {};
  auto engine = Engine::from_plan(std::move(plan));
  auto context = engine->create_context();
  const plan::Program& program = engine->main();
  for (size_t i = 0; i < inputs.size(); ++i) {
    throw_if_error(context->set_input_dims(program.inputs[i], inputs[i].dims()));
    throw_if_error(context->set_address(program.inputs[i], const_cast<void*>(inputs[i].data())));
  }
  throw_if_error(context->prepare());
  std::vector<Tensor> outputs(program.outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const plan::TensorInfo& info = program.tensors[static_cast<size_t>(program.outputs[i])];
    if (info.storage == plan::Storage::kSlot) continue;
    outputs[i] = Tensor::allocate(info.dtype, *context->dims(program.outputs[i]));
    throw_if_error(context->set_address(program.outputs[i], outputs[i].mutable_data()));
  }
  auto stream = engine->device().create_stream();
  throw_if_error(context->enqueue(*stream));
  return outputs;
}

void build_and_run(const ir::Graph& graph) {
  if (!is_small(graph)) return;
  const std::vector<Tensor> inputs = inputs_of(graph);
  if (inputs.size() != graph.inputs().size()) return;
  const std::vector<Tensor> got = run_engine(graph, inputs);
  const std::vector<Datum> wanted = ir::evaluate(graph, {inputs.begin(), inputs.end()});
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i].valid() && (got[i].dims() != wanted[i].tensor.dims() || got[i].dtype() != wanted[i].tensor.dtype()))
      __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto graph = kiln::onnx::import_bytes(std::as_bytes(std::span(data, size)));
    ir::verify(*graph);
    build_and_run(*graph);
  } catch (const Error& e) {
    if (e.code() == Code::kInternal) __builtin_trap();
  }
  return 0;
}
