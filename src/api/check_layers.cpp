// Each layer of an engine against reference evaluation of its node.
#include "api/host_tensor.h"
#include "api/kiln_api.h"

namespace kiln::api {
namespace {

// Walks the lowered graph while the engine runs its steps. Values are the engine's as far as a step computed them, so that
// each node is evaluated on what the engine's layer read.
class Check {
 public:
  Check(const ir::Graph& graph, const std::vector<plan::StepInfo>& steps, std::vector<Datum> inputs)
      : graph_(graph), steps_(steps), next_(graph.nodes().begin()) {
    for (size_t i = 0; i < inputs.size(); ++i) values_[graph.inputs()[i]] = std::move(inputs[i]);
  }

  // Called in the order of steps and their outputs. Returns what the reference makes of the same inputs.
  Datum take(size_t step, size_t output, const Datum& got) {
    if (step != step_) begin(step);
    const ir::Value* value = current_->output(static_cast<int>(output));
    Datum want = std::move(values_[value]);
    values_[value] = got;
    return want;
  }

  const ir::Value& value(size_t output) const { return *current_->output(static_cast<int>(output)); }

 private:
  void begin(size_t step) {
    step_ = step;
    if (current_) release(*current_);
    current_ = nullptr;
    for (; !current_ && next_ != graph_.nodes().end(); ++next_) {
      const ir::Node& node = **next_;
      evaluate(node);
      if (node.name() == steps_[step].name) current_ = &node;
      else release(node);
    }
    if (!current_) throw Error(Code::kInternal, "the graph has no node '" + steps_[step].name + "'");
  }

  void evaluate(const ir::Node& node) {
    std::vector<Datum> arguments;
    for (const ir::Value* v : node.inputs())
      arguments.push_back(!v ? Datum() : v->constant() ? Datum(*v->constant()) : values_.at(v));
    std::vector<Datum> results;
    try {
      results = ir::evaluate(node, std::move(arguments));
    } catch (Error& error) {
      error.add_node("'" + node.name() + "' (" + node.op_name() + ")");
      throw;
    }
    for (size_t i = 0; i < results.size(); ++i) values_[node.output(static_cast<int>(i))] = std::move(results[i]);
  }

  void release(const ir::Node& node) {
    for (const ir::Value* v : node.inputs())
      if (v && ++reads_[v] == v->uses().size()) values_.erase(v);
  }

  const ir::Graph& graph_;
  const std::vector<plan::StepInfo>& steps_;
  std::list<std::unique_ptr<ir::Node>>::const_iterator next_;
  std::map<const ir::Value*, Datum> values_;
  std::map<const ir::Value*, size_t> reads_;
  const ir::Node* current_ = nullptr;
  size_t step_ = SIZE_MAX;
};

}  // namespace

std::vector<Datum> arguments_of(const ir::Graph& graph, const Values& inputs) {
  std::vector<Datum> arguments;
  for (const ir::Value* v : graph.inputs()) {
    auto it = inputs.find(v->name());
    if (it == inputs.end()) throw Error(Code::kNotFound, "there is no value for the input '" + v->name() + "'");
    arguments.emplace_back(from_host(it->second));
  }
  return arguments;
}

Values Engine::check_layers(const Values& inputs, int profile, const LayerObserver& observer) const {
  return guarded([&] {
    if (!state_->graph)
      throw Error(Code::kInvalidState, "the engine does not hold its graph")
          .remedy("build it in this process with keep_graph; a loaded engine cannot be checked");
    const std::vector<LayerInfo> infos = layers();
    Check check(*state_->graph, state_->engine->main().steps, arguments_of(*state_->graph, inputs));
    Session session = create_session();
    session.set_profile(profile);
    for (const auto& [name, tensor] : inputs) session.set_input(name, tensor);
    session.state_->context->set_observer([&](size_t step, size_t output, const Datum& got) {
      const Datum want = check.take(step, output, got);
      if (has_host_form(got) && has_host_form(want))
        observer(infos[step], check.value(output).name(), to_host(got.tensor), to_host(want.tensor));
    });
    session.enqueue();
    Values outputs;
    for (int32_t t : state_->engine->main().outputs) {
      const std::string& name = tensor(*state_->engine, t).name;
      outputs[name] = session.output(name);
    }
    return outputs;
  });
}

}  // namespace kiln::api
