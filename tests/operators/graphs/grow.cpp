// Growing of random graphs.
#include "operators/graphs/grow.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "base/error.h"
#include "operators/graphs/phrases.h"
#include "operators/graphs/shaking.h"
#include "operators/sample.h"
#include "ops/movement.h"

namespace kiln::operators {
namespace {

constexpr int64_t kMostGrown = 4000;  // of a value
constexpr int kMostDepth = 2;         // of regions in regions
constexpr size_t kMostInputs = 8;

// Chosen more often than others: what rules are about.
constexpr const char* kFavourites[] = {
    "Add",        "Sub",       "Mul",      "Div",       "Relu",     "Sigmoid", "Clip",        "Cast",    "Concat",
    "Conv",       "MatMul",    "Gemm",     "Transpose", "Reshape",  "Slice",   "Split",       "Pad",     "Softmax",
    "ReduceMean", "ReduceSum", "Squeeze",  "Unsqueeze", "Gather",   "Shape",   "Identity",    "MaxPool", "Expand",
    "Where",      "NonZero",   "TopK",     "Range",     "Compress", "Tile",    "AveragePool", "Unique",  "Max",
    "Flatten",    "Resize",    "Constant", "Tanh",      "Neg",      "Sqrt"};

// The value of a graph under growth, and what it is: exact, shaken by each of kShakes, and for each item of the batch.
struct Edge {
  ir::Value* value = nullptr;
  std::vector<Tensor> variants;
  const Tensor& exact() const { return variants[0]; }
};

struct Setting {
  std::map<int64_t, std::string> symbols;  // by the size that they have; without a batch
  int64_t batch = 0;                       // items along the first axis; 0: none
  int depth = 0;                           // of the region that grows
};

struct Operand {
  enum How { kAbsent, kKnown, kConstant, kInput } how = kAbsent;
  size_t edge = 0;  // kKnown
  std::vector<Tensor> variants = {};
};

struct NodeDraft {
  const OpDef* op = nullptr;
  Attributes attributes;
  std::vector<Operand> operands;
  int outputs = 1;
  std::vector<std::unique_ptr<ir::Graph>> regions;
};

bool is_same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.dims() == b.dims() && (a.data() == b.data() || a.size() == 0);
}

bool is_finite(const Tensor& tensor) {
  if (!is_float(tensor.dtype())) return true;
  for (int64_t i = 0; i < tensor.size(); ++i)
    if (!std::isfinite(tensor.at(i))) return false;
  return true;
}

class Grower {
 public:
  Grower(ir::Graph& graph, Draw& draw, Setting setting, std::map<std::string, Tensor>* inputs)
      : graph_(graph), draw_(draw), setting_(std::move(setting)), inputs_(inputs) {
    known_.made = [this](DType type, const Dims& dims) { return made(type, dims); };
  }

  void add_edge(ir::Value* value, std::vector<Tensor> variants) {
    known_.tensors.push_back(variants[0]);
    edges_.push_back({value, std::move(variants)});
  }

  void grow(int64_t steps) {
    for (int64_t attempt = 0; steps > 0 && attempt < 12 * steps; ++attempt) {
      const size_t before = edges_.size();
      step();
      if (edges_.size() > before) --steps;
    }
  }

  // An input of the graph, to begin with: of sizes that are symbols, where there are any.
  void begin() {
    Dims dims = draw_.dims(1, 4);
    for (int64_t& d : dims)
      for (const auto& [size, symbol] : setting_.symbols)
        if (draw_.chance(0.4)) d = size;
    if (setting_.batch > 0) dims[0] = setting_.batch;
    const DType type = draw_.chance(0.75) ? draw_.type(kFloatTypes) : draw_.type(kNumericTypes | kBoolType);
    place({Operand::kInput, 0, variants_of_input(draw_.values(type, dims))});
  }

  const std::vector<Edge>& edges() const { return edges_; }

  // Of this type and, when given, these dimensions; computed ones first. Null when there is none.
  const Edge* find(DType type, const Dims* dims = nullptr) const {
    for (size_t i = edges_.size(); i-- > 0;)
      if (edges_[i].exact().dtype() == type && (!dims || edges_[i].exact().dims() == *dims)) return &edges_[i];
    return nullptr;
  }

  std::vector<ir::Value*> leaves() {
    std::vector<ir::Value*> values;
    for (const Edge& e : edges_)
      if (e.value->producer() && (e.value->uses().empty() || draw_.chance(0.1))) values.push_back(e.value);
    return values;
  }

 private:
  void step() {
    const double kind = draw_.real(0, 1);
    if (kind < 0.22) add_phrase();
    else if (kind < 0.34 && setting_.depth < kMostDepth && setting_.batch == 0) add_control();
    else add_op(*draw_op());
  }

  const OpDef* draw_op() {
    while (true) {
      const OpDef* op = draw_.chance(0.5) ? find_op(kFavourites[draw_.integer(0, std::ssize(kFavourites) - 1)])
                                          : draw_.pick(all_ops());
      if (op && op->deterministic() && op->region_count() == 0 && sampler_of(*op)) return op;
    }
  }

  bool add_op(const OpDef& op) {
    draw_.prefer(&known_);
    Sample sample;
    try {
      sample = sampler_of(op)(draw_);
    } catch (const Error& e) {
      if (e.code() != Code::kInvalidState) throw;  // the sampler edits what is known
      draw_.prefer(nullptr);
      return false;
    }
    draw_.prefer(nullptr);
    NodeDraft draft{&op, sample.attributes, {}, sample.outputs, {}};
    for (const Input& input : sample.inputs) draft.operands.push_back(operand(input.value, input.role));
    return add(std::move(draft));
  }

  Operand operand(const Tensor& tensor, Input::Role role) {
    if (!tensor.valid()) return {};
    for (size_t i = edges_.size(); i-- > 0;)
      if (is_same(edges_[i].exact(), tensor)) return {Operand::kKnown, i, edges_[i].variants};
    const double constant = role == Input::kData ? 0.25 : role == Input::kWeight ? 0.75 : 0.8;
    if (!inputs_ || inputs_->size() >= kMostInputs || draw_.chance(constant))
      return {Operand::kConstant, 0, std::vector<Tensor>(variant_count(), tensor)};
    return {Operand::kInput, 0, variants_of_input(tensor)};
  }

  size_t variant_count() const { return 1 + kShakes.size() + static_cast<size_t>(setting_.batch); }
  bool is_dynamic() const { return setting_.batch > 0 || !setting_.symbols.empty(); }
  bool is_batch(const Dims& dims) const { return setting_.batch > 0 && !dims.empty() && dims[0] == setting_.batch; }

  std::vector<Tensor> variants_of_input(const Tensor& tensor) const {
    std::vector<Tensor> variants(variant_count(), tensor);
    for (int64_t i = 0; i < setting_.batch && is_batch(tensor.dims()); ++i)
      variants[1 + kShakes.size() + static_cast<size_t>(i)] = ops::section(tensor, 0, i, 1);
    return variants;
  }

  Shape shape_of_input(const Dims& dims) const {
    Shape shape = to_shape(dims);
    if (setting_.batch > 0) {
      if (is_batch(dims)) shape[0] = Dim::symbol(kBatch);
      return shape;
    }
    for (Dim& d : shape)
      if (const auto it = setting_.symbols.find(d.value()); it != setting_.symbols.end()) d = Dim::symbol(it->second);
    return shape;
  }

  // Adds the node when its reference takes the operands and rounding does not decide what comes out.
  bool add(NodeDraft draft) {
    if (!is_defined(draft)) return false;
    std::vector<std::vector<Tensor>> results;
    try {
      for (size_t k = 0; k < variant_count(); ++k) results.push_back(run(draft, k));
    } catch (const Error& e) {
      if (e.code() == Code::kInternal) throw;
      return false;
    }
    for (size_t i = 0; i < results[0].size(); ++i)
      if (!is_sound(results, i)) return false;
    ir::NodeSpec spec;
    spec.op = draft.op;
    spec.attributes = draft.attributes;
    spec.output_count = draft.outputs;
    spec.regions = std::move(draft.regions);
    for (const Operand& o : draft.operands) spec.inputs.push_back(place(o));
    ir::Node* node = nullptr;
    try {
      node = graph_.add_node(std::move(spec));
    } catch (const Error&) {
      if (!is_dynamic()) throw;
      return false;  // dimensions that are only by chance the same
    }
    for (size_t i = 0; i < results[0].size(); ++i) {
      std::vector<Tensor> variants;
      for (auto& result : results) variants.push_back(std::move(result[i]));
      add_edge(node->output(static_cast<int>(i)), std::move(variants));
    }
    return true;
  }

  // Padding, masks and minimal filtering may leave out products by zero, which matters where a factor is not finite.
  static bool is_defined(const NodeDraft& draft) {
    static const std::set<std::string, std::less<>> kFinite = {"Attention", "Conv", "ConvTranspose", "DeformConv",
                                                               "LinearAttention"};
    return !kFinite.count(draft.op->name()) ||
           std::all_of(draft.operands.begin(), draft.operands.end(),
                       [](const Operand& o) { return o.how == Operand::kAbsent || is_finite(o.variants[0]); });
  }

  std::vector<Tensor> run(const NodeDraft& draft, size_t variant) {
    std::vector<Datum> data;
    for (const Operand& o : draft.operands) data.push_back(o.how == Operand::kAbsent ? Datum() : o.variants[variant]);
    const Shake how = variant >= 1 && variant <= kShakes.size() ? kShakes[variant - 1] : Shake::kNot;
    std::vector<Tensor> tensors;
    for (const Datum& d :
         evaluate_shaken(*draft.op, draft.attributes, data, draft.outputs, draft.regions, how, rounding_)) {
      if (d.kind != Datum::kTensor || !d.tensor.valid() || d.tensor.size() > kMostGrown)
        throw Error(Code::kUnsupported, "a random graph holds no such value");
      tensors.push_back(d.tensor);
    }
    return tensors;
  }

  bool is_sound(const std::vector<std::vector<Tensor>>& results, size_t output) const {
    const Tensor& exact = results[0][output];
    for (size_t k = 1; k <= kShakes.size(); ++k)
      if (!agrees(results[k][output], exact)) return false;
    for (size_t i = 0; i < static_cast<size_t>(setting_.batch); ++i) {
      const Tensor& item = results[1 + kShakes.size() + i][output];
      if (agrees(item, exact)) continue;
      if (!is_batch(exact.dims()) || !agrees(item, ops::section(exact, 0, static_cast<int64_t>(i), 1))) return false;
    }
    return true;
  }

  ir::Value* place(const Operand& o) {
    if (o.how == Operand::kAbsent) return nullptr;
    if (o.how == Operand::kKnown) return edges_[o.edge].value;
    const Tensor& tensor = o.variants[0];
    if (o.how == Operand::kConstant) return graph_.add_constant(tensor, "c");
    EdgeType type;
    type.tensor = {tensor.dtype(), shape_of_input(tensor.dims()), true};
    ir::Value* value = graph_.add_input("in", type);
    inputs_->emplace(value->name(), tensor);
    add_edge(value, o.variants);
    return disguised(value, tensor.dims());
  }

  // Now and then the same elements as a value whose size only running can tell.
  ir::Value* disguised(ir::Value* value, const Dims& dims) {
    if (dims.empty() || is_dynamic() || !draw_.chance(0.15)) return value;
    const auto axis = draw_.integer(0, std::ssize(dims) - 1);
    Tensor all = Tensor::allocate(DType::kBool, {dims[static_cast<size_t>(axis)]});
    for (int64_t i = 0; i < all.size(); ++i) all.set_int(i, 1);
    EdgeType type;
    type.tensor = {DType::kBool, to_shape(all.dims()), true};
    ir::Value* chosen = graph_.add_input("all", type);
    inputs_->emplace(chosen->name(), all);
    ir::NodeSpec spec;
    spec.op = find_op("Compress");
    spec.inputs = {value, chosen};
    spec.attributes.set("axis", axis);
    return graph_.add_node(std::move(spec))->output();
  }

  // Operators one after the other on what is given, or nothing when one of them is refused.
  bool then(const char* op, Attributes attributes, const std::vector<Tensor>& parameters) {
    NodeDraft draft{find_op(op), std::move(attributes), {}, 1, {}};
    draft.operands.push_back({Operand::kKnown, edges_.size() - 1, edges_.back().variants});
    for (const Tensor& p : parameters)
      draft.operands.push_back({Operand::kConstant, 0, std::vector<Tensor>(variant_count(), p)});
    return add(std::move(draft));
  }

  // Another value cast, cut or repeated, and reshaped.
  Tensor made(DType type, const Dims& dims) {
    if (is_dynamic() || edges_.empty()) return {};
    const auto from = static_cast<size_t>(draw_.integer(0, std::ssize(edges_) - 1));
    const Tensor source = edges_[from].exact();
    const int64_t count = element_count(dims);
    if (source.size() == 0 || count > kMostGrown || is_complex(type) || is_complex(source.dtype())) return {};
    NodeDraft first{find_op("Cast"), {}, {{Operand::kKnown, from, edges_[from].variants}}, 1, {}};
    first.attributes.set("to", std::string(name(type)));
    if (!add(std::move(first))) return {};
    if (source.size() != count) {
      if (!then("Reshape", {}, {draw_.vector({-1})})) return {};
      if (source.size() < count && !then("Tile", {}, {draw_.vector({count / source.size() + 1})})) return {};
      if (!then("Slice", {}, {draw_.vector({0}), draw_.vector({count})})) return {};
    }
    if (edges_.back().exact().dims() != dims && !then("Reshape", {}, {draw_.vector(dims)})) return {};
    return edges_.back().exact();
  }

  // ---- nodes with regions

  std::vector<size_t> draw_edges(int64_t least, int64_t most) {
    std::vector<size_t> chosen;
    if (edges_.empty()) return chosen;
    for (int64_t count = draw_.integer(least, most); count > 0; --count)
      chosen.push_back(static_cast<size_t>(draw_.integer(0, std::ssize(edges_) - 1)));
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    return chosen;
  }

  Operand known(size_t edge) const { return {Operand::kKnown, edge, edges_[edge].variants}; }

  static std::vector<Tensor> repeated(const Tensor& tensor, size_t count) { return std::vector<Tensor>(count, tensor); }

  // A graph with inputs like these, with some nodes.
  struct Region {
    std::unique_ptr<ir::Graph> graph = std::make_unique<ir::Graph>();
    std::unique_ptr<Grower> grower;
  };
  Region region(const std::string& name) {
    Region r;
    r.graph->name = name;
    Setting inner = setting_;
    ++inner.depth;
    r.grower = std::make_unique<Grower>(*r.graph, draw_, std::move(inner), nullptr);
    return r;
  }
  void take_edges(Region& r, const std::vector<size_t>& edges) {
    for (size_t e : edges)
      r.grower->add_edge(r.graph->add_input("captured", edges_[e].value->type()), edges_[e].variants);
  }

  static ir::Value* identity(ir::Graph& graph, ir::Value* value) {
    ir::NodeSpec spec;
    spec.op = find_op("Identity");
    spec.inputs = {value};
    return graph.add_node(std::move(spec))->output();
  }

  void add_control() {
    const int64_t kind = draw_.integer(0, 2);
    if (kind == 0) add_if();
    else if (kind == 1) add_loop();
    else add_scan();
  }

  bool add_if() {
    const std::vector<size_t> captured = draw_edges(1, 3);
    if (captured.empty()) return false;
    NodeDraft draft{find_op("If"), {}, {operand(Tensor::scalar<bool>(draw_.flag() != 0), Input::kData)}, 1, {}};
    DType type = DType::kInvalid;
    for (const char* name : {"then", "else"}) {
      Region r = region(name);
      take_edges(r, captured);
      r.grower->grow(draw_.integer(1, 3));
      if (type == DType::kInvalid) type = r.grower->edges().back().exact().dtype();
      const Edge* result = r.grower->find(type);
      if (!result) return false;
      r.graph->set_outputs({result->value->producer() ? result->value : identity(*r.graph, result->value)});
      r.graph->remove_dead();
      draft.regions.push_back(std::move(r.graph));
    }
    for (size_t e : captured) draft.operands.push_back(known(e));
    draft.attributes.set("captures", std::ssize(captured));
    return add(std::move(draft));
  }

  bool add_loop() {
    const std::vector<size_t> state = draw_edges(1, 1), captured = draw_edges(0, 2);
    if (state.empty()) return false;
    NodeDraft draft{find_op("Loop"), {}, {}, 1, {}};
    draft.operands.push_back(operand(Tensor::scalar<int64_t>(draw_.integer(0, 4)), Input::kParameter));
    if (draw_.flag()) draft.operands.push_back({});
    else draft.operands.push_back(operand(Tensor::scalar<bool>(draw_.chance(0.9)), Input::kParameter));
    Region r = region("body");
    EdgeType count, condition;
    count.tensor = {DType::kI64, {}, true};
    condition.tensor = {DType::kBool, {}, true};
    r.grower->add_edge(r.graph->add_input("i", count), repeated(Tensor::scalar<int64_t>(0), variant_count()));
    ir::Value* go = r.graph->add_input("go", condition);
    take_edges(r, state);
    take_edges(r, captured);
    r.grower->grow(draw_.integer(1, 3));
    const Tensor& before = edges_[state[0]].exact();
    const Edge* after = r.grower->find(before.dtype(), &before.dims());
    std::vector<ir::Value*> outputs{identity(*r.graph, go),
                                    after->value->producer() ? after->value : identity(*r.graph, after->value)};
    if (ir::Value* scanned = r.grower->edges().back().value; scanned->producer() && draw_.chance(0.6)) {
      outputs.push_back(scanned);
      ++draft.outputs;
    }
    r.graph->set_outputs(outputs);
    r.graph->remove_dead();
    draft.regions.push_back(std::move(r.graph));
    draft.operands.push_back(known(state[0]));
    for (size_t e : captured) draft.operands.push_back(known(e));
    draft.attributes.set("captures", std::ssize(captured));
    return add(std::move(draft));
  }

  bool add_scan() {
    const std::vector<size_t> scanned = draw_edges(1, 1), state = draw_edges(0, 1), captured = draw_edges(0, 1);
    if (scanned.empty() || edges_[scanned[0]].exact().rank() == 0) return false;
    const Edge& source = edges_[scanned[0]];
    if (source.exact().dims()[0] == 0 || !source.value->ranked()) return false;
    NodeDraft draft{find_op("Scan"), {}, {}, 1, {}};
    Region r = region("body");
    take_edges(r, state);
    EdgeType slice = source.value->type();
    slice.tensor.shape.erase(slice.tensor.shape.begin());
    std::vector<Tensor> slices;
    const Dims dims(source.exact().dims().begin() + 1, source.exact().dims().end());
    for (const Tensor& t : source.variants) slices.push_back(ops::section(t, 0, 0, 1).reshaped(dims));
    r.grower->add_edge(r.graph->add_input("slice", slice), slices);
    take_edges(r, captured);
    r.grower->grow(draw_.integer(1, 3));
    ir::Value* result = r.grower->edges().back().value;
    std::vector<ir::Value*> outputs;
    if (!state.empty()) {
      const Tensor& before = edges_[state[0]].exact();
      const Edge* after = r.grower->find(before.dtype(), &before.dims());
      outputs.push_back(after->value->producer() ? after->value : identity(*r.graph, after->value));
    }
    outputs.push_back(result->producer() ? result : identity(*r.graph, result));
    draft.outputs = static_cast<int>(outputs.size());
    r.graph->set_outputs(outputs);
    r.graph->remove_dead();
    draft.regions.push_back(std::move(r.graph));
    for (size_t e : state) draft.operands.push_back(known(e));
    draft.operands.push_back(known(scanned[0]));
    for (size_t e : captured) draft.operands.push_back(known(e));
    draft.attributes.set("num_scan_inputs", int64_t{1});
    draft.attributes.set("captures", std::ssize(captured));
    if (draw_.flag()) draft.attributes.set("scan_input_directions", Ints{1});
    if (draw_.chance(0.3)) draft.attributes.set("scan_output_directions", Ints{1});
    return add(std::move(draft));
  }

  // ---- graphs that a rule matches

  void add_phrase() {
    const Phrases& all = phrases();
    const ir::Graph& phrase = *all[static_cast<size_t>(draw_.integer(0, std::ssize(all) - 1))];
    std::map<const ir::Value*, Operand> operands;
    draw_.prefer(&known_);
    for (const ir::Value* v : phrase.inputs())
      operands[v] = operand(draw_.values(v->dtype(), static_dims(v->shape())), Input::kData);
    draw_.prefer(nullptr);
    for (const auto& node : phrase.nodes()) {
      NodeDraft draft{&node->op(), node->attributes, {}, static_cast<int>(node->outputs().size()), {}};
      for (const ir::Value* v : node->inputs()) {
        if (!v) draft.operands.push_back({});
        else if (v->constant())
          draft.operands.push_back({Operand::kConstant, 0, std::vector<Tensor>(variant_count(), *v->constant())});
        else draft.operands.push_back(operands.at(v));
      }
      for (const auto& r : node->regions) draft.regions.push_back(r->clone());
      if (!add(std::move(draft))) return;
      for (const ir::Value* v : node->inputs())  // what has become an input is one from now on
        if (v && !v->constant() && operands.at(v).how == Operand::kInput)
          operands.at(v) = operand(operands.at(v).variants[0], Input::kData);
      const size_t made_here = edges_.size() - node->outputs().size();
      for (size_t i = 0; i < node->outputs().size(); ++i)
        operands[node->output(static_cast<int>(i))] = known(made_here + i);
    }
  }

  ir::Graph& graph_;
  Draw& draw_;
  Setting setting_;
  std::map<std::string, Tensor>* inputs_;  // null in regions: they have none of their own
  std::vector<Edge> edges_;
  Known known_;
  std::mt19937_64 rounding_{7};
};

Setting draw_setting(Draw& draw, std::map<std::string, SymbolBounds>& symbols) {
  Setting setting;
  if (!draw.chance(0.45)) return setting;
  const auto add = [&](const char* name, int64_t size, int64_t least) {
    setting.symbols[size] = name;
    symbols[name] = {least, size, size + draw.integer(1, 3)};
  };
  if (draw.chance(0.5)) {
    setting.batch = 3;
    symbols[kBatch] = {1, 3, 3 + draw.integer(1, 3)};
  } else {
    add("a", 4, draw.integer(2, 4));
    if (draw.flag()) add("b", 6, draw.integer(2, 6));
  }
  return setting;
}

}  // namespace

Grown grow(uint64_t seed) {
  Draw draw(seed * 7919 + 17, false);
  Grown grown;
  grown.graph = std::make_unique<ir::Graph>();
  const Setting setting = draw_setting(draw, grown.symbols);
  grown.batched = setting.batch > 0;
  Grower grower(*grown.graph, draw, setting, &grown.inputs);
  // Something to begin with, of the sizes that are symbols.
  for (int64_t i = draw.integer(1, 2); i > 0; --i) grower.begin();
  grower.grow(draw.integer(2, 14));
  grown.graph->set_outputs(grower.leaves());
  grown.graph->remove_dead();
  return grown;
}

}  // namespace kiln::operators
