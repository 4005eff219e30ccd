// Checks of random graphs.
#include "operators/graphs/checks.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "compiler/engine_testing.h"
#include "ir/reduce.h"
#include "ir/text.h"
#include "operators/graphs/shaking.h"
#include "ops/movement.h"

namespace kiln::operators {
namespace {

using Binding = std::map<std::string, int64_t>;
constexpr const char* kReference = "reference";

Dims dims_at(const Shape& shape, const Binding& binding) {
  Dims dims;
  for (const Dim& d : shape)
    dims.push_back(d.substitute([&](const std::string& symbol) -> std::optional<Dim> {
                      const auto it = binding.find(symbol);
                      return it == binding.end() ? std::nullopt : std::optional<Dim>(it->second);
                    }).value());
  return dims;
}

// The elements over and over in other dimensions.
Tensor resized(const Tensor& tensor, const Dims& dims) {
  if (tensor.dims() == dims) return tensor;
  if (tensor.size() == 0) return Tensor::allocate(tensor.dtype(), dims);
  std::vector<int64_t> positions(static_cast<size_t>(element_count(dims)));
  for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int64_t>(i) % tensor.size();
  return ops::picked(tensor, positions, dims);
}

// A smaller graph's inputs may be values that the whole one computes: they are named after those.
const Tensor* find_value(const Values& values, std::string name) {
  while (true) {
    if (const auto it = values.find(name); it != values.end()) return &it->second;
    const size_t end = name.rfind(".given");
    if (end == std::string::npos) return nullptr;
    name.resize(end);
  }
}

std::set<std::string> rule_names() {
  std::set<std::string> names;
  for (const auto& list : {passes::canonical_rules(), passes::fusion_rules(), passes::precision_rules(),
                           passes::narrow_rules(), passes::quantize_rules()})
    for (const passes::Rule* rule : list) names.insert(rule->name);
  return names;
}

class Checker {
 public:
  Checker(const Subject& subject, std::string only) : subject_(subject), only_(std::move(only)) {
    for (const auto& [name, bounds] : *subject.symbols) {
      drawn_[name] = bounds.drawn;
      least_[name] = bounds.min;
      most_[name] = bounds.max;
    }
  }

  std::optional<Finding> run() {
    try {
      inputs_ = inputs_at(drawn_);
    } catch (const Error&) {
      return std::nullopt;
    }
    check("types", [&] { return types(); });
    if (found_) return found_;
    try {
      expected_ = expect(*subject_.graph, inputs_);
    } catch (const Error& e) {
      if (e.code() == Code::kInternal) throw;
      return std::nullopt;  // cut down too far
    }
    CompileReport report;
    CompileOptions options = options_for("cpu");
    check("cpu", [&] { return engine(options, &report); });
    check("memory", [&] { return not_reloaded(); });
    check("ref", [&] { return engine(options_for("ref")); });
    check("no rules", [&] {
      CompileOptions bare = options_for("cpu");
      bare.passes.disabled = rule_names();
      return engine(bare);
    });
    if (!only_.empty()) without(only_);
    for (const auto& [rule, count] : report.passes.counts) without("rule " + rule);
    for (const LayerReport& layer : report.layers)
      if (layer.tactic != kReference) without("tactic " + layer.tactic);
    if (is_dynamic()) {
      check("least sizes", [&] { return corner(least_); });
      check("most sizes", [&] { return corner(most_); });
    }
    if (subject_.batched) check("items", [&] { return items(); });
    return found_;
  }

 private:
  void check(const std::string& name, const std::function<std::string()>& what) {
    if (found_ || (!only_.empty() && only_ != name)) return;
    std::string text;
    try {
      text = what();
    } catch (const std::exception& e) {
      text = e.what();
    }
    if (!text.empty()) found_ = Finding{name, text};
  }

  bool is_dynamic() const { return !subject_.symbols->empty(); }

  std::vector<Tensor> inputs_at(const Binding& binding) const {
    std::vector<Tensor> inputs;
    for (const ir::Value* v : subject_.graph->inputs()) {
      const Tensor* value = find_value(*subject_.values, v->name());
      if (!value) throw Error(Code::kNotFound, "no value for " + v->name());
      inputs.push_back(resized(*value, dims_at(v->shape(), binding)));
    }
    return inputs;
  }

  CompileOptions options_for(const std::string& target) const {
    CompileOptions options = testing::options_of(target, 0);
    ProfileBounds bounds;
    for (const ir::Value* v : subject_.graph->inputs())
      if (!is_static(v->shape()))
        bounds[v->name()] = {dims_at(v->shape(), least_), dims_at(v->shape(), drawn_), dims_at(v->shape(), most_)};
    if (!bounds.empty()) options.profiles = {bounds};
    return options;
  }

  std::string types() const {
    std::string text;
    ir::evaluate(*subject_.graph, {inputs_.begin(), inputs_.end()}, [&](const ir::Value& v, const Datum& d) {
      if (text.empty()) text = type_fault(v, d.tensor);
    });
    return text;
  }

  // Where the type that is inferred is not the one that is computed.
  std::string type_fault(const ir::Value& v, const Tensor& tensor) const {
    const std::string what = "'" + v.name() + "' is inferred as " + v.type().str() + " and is " + tensor.type_string();
    if (v.dtype() != tensor.dtype()) return what;
    if (!v.ranked()) return "";
    if (v.rank() != tensor.rank()) return what;
    const auto bind = [&](const std::string& symbol) -> std::optional<Dim> {
      const auto it = drawn_.find(symbol);
      return it == drawn_.end() ? std::nullopt : std::optional<Dim>(it->second);
    };
    for (size_t i = 0; i < v.shape().size(); ++i)
      if (const auto size = v.shape()[i].substitute(bind).constant(); size && *size != tensor.dims()[i]) return what;
    for (size_t i = 0; v.elements() && i < v.elements()->size(); ++i)
      if (const auto element = (*v.elements())[i].substitute(bind).constant();
          element && *element != tensor.int_at(static_cast<int64_t>(i)))
        return "element " + std::to_string(i) + " of '" + v.name() + "' is inferred as " + std::to_string(*element) +
               " and is " + std::to_string(tensor.int_at(static_cast<int64_t>(i)));
    return "";
  }

  static std::string difference_of(const std::vector<Expected>& expected, const std::vector<Tensor>& actual) {
    for (size_t i = 0; i < expected.size(); ++i)
      if (const std::string text = difference_from(expected[i], actual.at(i)); !text.empty())
        return "output " + std::to_string(i) + ": " + text;
    return "";
  }

  std::string engine(const CompileOptions& options, CompileReport* report = nullptr) {
    const plan::Plan plan = compile(subject_.graph->clone(), options, report);
    return difference_of(expected_, testing::run(*testing::reload(plan)->create_context(), inputs_));
  }

  // The engine that is built and the one that is read back compute the same bits.
  std::string not_reloaded() {
    const plan::Plan plan = compile(subject_.graph->clone(), options_for("cpu"));
    const std::vector<Tensor> built = testing::run(*Engine::from_plan(plan)->create_context(), inputs_),
                              reloaded = testing::run(*testing::reload(plan)->create_context(), inputs_);
    for (size_t i = 0; i < built.size(); ++i)
      if (!built[i].identical(reloaded[i])) return "output " + std::to_string(i) + " is another one after reloading";
    return "";
  }

  void without(const std::string& name) {
    const size_t space = name.find(' ');
    const std::string kind = name.substr(0, space);
    if (kind != "rule" && kind != "tactic") return;
    check(name, [&] {
      CompileOptions options = options_for("cpu");
      (kind == "rule" ? options.passes.disabled : options.tuner.disabled).insert(name.substr(space + 1));
      return engine(options);
    });
  }

  std::vector<Tensor> run_at(const Binding& binding) {
    if (!dynamic_) dynamic_ = Engine::from_plan(compile(subject_.graph->clone(), options_for("cpu")));
    return testing::run(*dynamic_->create_context(), inputs_at(binding));
  }

  std::string corner(const Binding& binding) {
    std::vector<Expected> expected;
    try {
      expected = expect(*subject_.graph, inputs_at(binding));
    } catch (const Error& e) {
      if (e.code() == Code::kInternal) throw;
      return "";  // not valid at these sizes
    }
    const bool ambiguous = std::any_of(binding.begin(), binding.end(), [](const auto& b) { return b.second == 1; });
    try {
      return difference_of(expected, run_at(binding));
    } catch (const Error& e) {
      if (ambiguous && e.code() != Code::kInternal) return "";  // a symbol does not broadcast where it happens to be 1
      throw;
    }
  }

  std::string items() {
    const std::vector<Tensor> whole = run_at(drawn_);
    Binding one = drawn_;
    one[kBatch] = 1;
    for (int64_t item = 0; item < drawn_[kBatch]; ++item) {
      std::vector<Tensor> inputs = inputs_;
      for (size_t i = 0; i < inputs.size(); ++i) {
        const Shape& shape = subject_.graph->inputs()[i]->shape();
        if (!shape.empty() && shape[0] == Dim::symbol(kBatch)) inputs[i] = ops::section(inputs[i], 0, item, 1);
      }
      std::vector<Expected> expected;
      try {
        expected = expect(*subject_.graph, inputs);
      } catch (const Error&) {
        return "";
      }
      const std::vector<Tensor> single = testing::run(*dynamic_->create_context(), inputs);
      for (size_t i = 0; i < whole.size(); ++i) {
        // By the reference, each item is computed for itself.
        if (is_batched(i) && distance(expected[i].value, ops::section(expected_[i].value, 0, item, 1)) == 0.0)
          expected[i].value = ops::section(whole[i], 0, item, 1);
        if (const std::string text = difference_from(expected[i], single[i]); !text.empty())
          return "item " + std::to_string(item) + " of output " + std::to_string(i) + ": " + text;
      }
    }
    return "";
  }

  bool is_batched(size_t output) const {
    const ir::Value* v = subject_.graph->outputs()[output];
    return v->ranked() && v->rank() > 0 && v->shape()[0] == Dim::symbol(kBatch);
  }

  const Subject& subject_;
  std::string only_;
  Binding drawn_, least_, most_;
  std::vector<Tensor> inputs_;
  std::vector<Expected> expected_;
  std::shared_ptr<Engine> dynamic_;
  std::optional<Finding> found_;
};

std::string described(const ir::Graph& graph, const Values& values) {
  std::string text;
  for (const ir::Value* v : graph.inputs())
    if (const Tensor* value = find_value(values, v->name()); value && (!v->uses().empty() || v->is_graph_output()))
      text += "  " + v->name() + " = " +
              (value->size() <= ir::kInlineElements ? to_string(Attribute(*value)) : value->type_string()) + "\n";
  return text + ir::to_text(graph);
}

}  // namespace

std::optional<Finding> first_finding(const Subject& subject, const std::string& only) {
  return Checker(subject, only).run();
}

std::string reduced(const Grown& grown, const Finding& finding) {
  Values values = grown.inputs;
  std::vector<Datum> inputs;
  for (const ir::Value* v : grown.graph->inputs()) inputs.emplace_back(values.at(v->name()));
  ir::evaluate(*grown.graph, inputs, [&](const ir::Value& v, const Datum& d) { values[v.name()] = d.tensor; });
  std::string text;
  const auto fails = [&](const ir::Graph& graph) {
    const auto found = first_finding({&graph, &values, &grown.symbols, grown.batched}, finding.check);
    if (found) text = found->text;
    return found.has_value();
  };
  const auto graph = ir::reduce(grown.graph->clone(), fails);
  return text + "\n" + described(*graph, values);
}

std::string report_of(uint64_t seed) {
  std::string where = "seed " + std::to_string(seed) + ": ";
  Grown grown;
  try {
    grown = grow(seed);
  } catch (const std::exception& e) {
    return where + "while it grows: " + e.what();
  }
  if (grown.graph->outputs().empty()) return "";
  std::optional<Finding> finding;
  try {
    finding = first_finding({grown.graph.get(), &grown.inputs, &grown.symbols, grown.batched});
  } catch (const std::exception& e) {
    return where + e.what() + "\n" + ir::to_text(*grown.graph);
  }
  if (!finding) return "";
  for (const auto& [name, bounds] : grown.symbols)
    where += name + " from " + std::to_string(bounds.min) + " to " + std::to_string(bounds.max) + ", ";
  return where + finding->check + ": " + finding->text + "\nreduced: " + reduced(grown, *finding);
}

}  // namespace kiln::operators
