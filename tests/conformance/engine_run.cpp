// Back ends that compile the graph and run the engine.
#include <map>

#include "base/error.h"
#include "compiler/compile.h"
#include "conformance/conformance.h"
#include "placed.h"
#include "runtime/context.h"

namespace kiln::conformance {
namespace {

// One profile with exactly the shapes of the given inputs.
CompileOptions options_for(const ir::Graph& graph, const std::vector<Datum>& inputs, const std::string& target) {
  CompileOptions options;
  options.target = target;
  options.tuner.level = 0;
  ProfileBounds bounds;
  for (size_t i = 0; i < graph.inputs().size() && i < inputs.size(); ++i) {
    const ir::Value* v = graph.inputs()[i];
    if (v->is_tensor() && v->ranked())
      bounds[v->name()] = {inputs[i].tensor.dims(), inputs[i].tensor.dims(), inputs[i].tensor.dims()};
  }
  options.profiles.push_back(std::move(bounds));
  return options;
}

class Session {
 public:
  explicit Session(std::shared_ptr<Engine> engine)
      : engine_(std::move(engine)), context_(engine_->create_context()), stream_(engine_->device().create_stream()) {
    context_->set_output_allocate([this](std::string_view name, size_t size) -> void* {
      auto& bytes = sized_[std::string(name)];
      bytes.resize(size + 1);
      return bytes.data();
    });
  }

  std::vector<Datum> run(const std::vector<Datum>& inputs) {
    const auto& program = engine_->main();
    std::vector<testing::Placed> held, places;
    held.reserve(program.inputs.size());
    places.reserve(program.outputs.size());
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      if (i >= inputs.size()) throw Error(Code::kInvalidArgument, "too few inputs");
      if (tensor(program.inputs[i]).storage == plan::Storage::kSlot) {
        check(context_->set_input_value(program.inputs[i], inputs[i]));
        continue;
      }
      held.emplace_back(*engine_, tensor(program.inputs[i]), inputs[i].tensor.clone());
      check(context_->set_input_dims(program.inputs[i], inputs[i].tensor.dims()));
      check(context_->set_address(program.inputs[i], held.back().address()));
    }
    check(context_->prepare());
    std::vector<testing::Placed*> results(program.outputs.size(), nullptr);
    for (size_t i = 0; i < results.size(); ++i) {
      const plan::TensorInfo& info = tensor(program.outputs[i]);
      if (info.storage != plan::Storage::kOutput) continue;
      results[i] =
          &places.emplace_back(*engine_, info, Tensor::allocate(info.dtype, *context_->dims(program.outputs[i])));
      check(context_->set_address(program.outputs[i], results[i]->address()));
    }
    check(context_->enqueue(*stream_));
    throw_if_error(stream_->synchronize());
    std::vector<Datum> data;
    for (size_t i = 0; i < results.size(); ++i)
      data.push_back(results[i] ? Datum(results[i]->fetch()) : late_result(program.outputs[i]));
    return data;
  }

 private:
  const plan::TensorInfo& tensor(int32_t t) const { return engine_->main().tensors[static_cast<size_t>(t)]; }

  // Numbers come as the user's allocator got them, everything else from the context.
  Datum late_result(int32_t t) {
    const plan::TensorInfo& info = tensor(t);
    if (const Datum* slot = context_->slot(t);
        slot && (slot->kind != Datum::kTensor || slot->tensor.dtype() == DType::kString))
      return *slot;
    auto it = sized_.find(info.name);
    const auto* dims = context_->dims(t);
    if (it == sized_.end() || !dims) throw Error(Code::kExecution, "no result '" + info.name + "'");
    return Datum(Tensor::borrow(info.dtype, *dims, it->second.data()).clone());
  }

  void check(Status status) const {
    if (!status.ok()) throw Error(status.code, context_->error_text());
  }

  std::shared_ptr<Engine> engine_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<Stream> stream_;
  std::map<std::string, std::vector<std::byte>> sized_;
};

}  // namespace

std::vector<Datum> run_engine(const std::string& target, bool reload, const ir::Graph& graph,
                              const std::vector<Datum>& inputs) {
  plan::Plan plan = compile(graph.clone(), options_for(graph, inputs, target));
  if (!reload) return Session(Engine::from_plan(std::move(plan))).run(inputs);
  auto bytes = std::make_shared<std::vector<std::byte>>(plan::write(plan));
  return Session(Engine::load(*bytes, bytes)).run(inputs);
}

}  // namespace kiln::conformance
