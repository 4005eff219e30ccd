// Chooses between row-major and channels-last for every value, by cost over the whole graph.
#include "passes/layout/choose_layouts.h"

#include <algorithm>
#include <map>
#include <set>

#include "passes/layout/min_cut.h"

namespace kiln::passes {
namespace {

constexpr double kForced = 1e15;
constexpr double kTypicalSymbol = 8;  // a symbolic dimension counts as this many
constexpr int kMinRank = 3;           // batch, channels and at least one spatial axis

// Run channels-last: their kernels read and write whole pixels.
const std::set<std::string, std::less<>> kSpatial = {"Conv",    "ConvInteger", "ConvTranspose",     "ExpandDepthwise",
                                                     "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
                                                     "LRN"};
// Run in either layout.
const std::set<std::string, std::less<>> kEither = {
    "Concat", "Split", "Slice", "Pad", "Resize", "BatchNormalization", "InstanceNormalization", "GroupNormalization"};

enum class Wish { kRow, kLast, kEither };

bool big_enough(const Value* v) { return v && v->is_tensor() && v->ranked() && v->rank() >= kMinRank; }

// A mean over all spatial axes of images.
bool is_mean_of_pixels(const Node& node) {
  const Value* axes = node.input(1);
  if (!node.is("ReduceMean") || !node.post.empty() || !big_enough(node.input(0)) || node.input(0)->rank() != 4)
    return false;
  if (axes && !axes->constant()) return false;
  Ints reduced = axes ? axes->constant()->to_ints() : Ints();
  for (int64_t& axis : reduced) axis = normalize_axis(axis, 4);
  std::sort(reduced.begin(), reduced.end());
  return reduced == Ints{2, 3};
}

void collect_run_time_symbols(const Value& value, std::set<std::string>& into) {
  if (!value.is_tensor() || !value.ranked()) return;
  for (const Dim& d : value.shape()) d.collect_symbols(into);
  std::erase_if(into, [](const std::string& s) { return s[0] != kRunTimeSymbol; });
}

// Whether its results have dimensions that only running the node can tell. A kernel writes what it sizes in row-major order.
bool sizes_results(const Node& node, std::set<std::string>& bound) {
  std::set<std::string> fresh;
  for (const Value* v : node.outputs()) collect_run_time_symbols(*v, fresh);
  std::erase_if(fresh, [&](const std::string& s) { return bound.count(s); });
  bound.insert(fresh.begin(), fresh.end());
  return !fresh.empty();
}

// Elements of less than a byte lie one behind the other in row-major order.
bool packs_elements(const Node& node) {
  const auto is_packed = [](const Value* v) { return v && v->is_tensor() && bits(v->dtype()) % 8 != 0; };
  return std::any_of(node.inputs().begin(), node.inputs().end(), is_packed) ||
         std::any_of(node.outputs().begin(), node.outputs().end(), is_packed);
}

Wish wish_of(const Node& node, std::set<std::string>& bound) {
  if (sizes_results(node, bound) || packs_elements(node)) return Wish::kRow;
  if (is_mean_of_pixels(node)) return Wish::kEither;
  if (!node.regions.empty() || node.outputs().empty() || !big_enough(node.output())) return Wish::kRow;
  const bool four = node.output()->rank() >= 4;
  if (kSpatial.count(node.op_name()) && big_enough(node.input(0)) && four && node.outputs().size() == 1)
    return Wish::kLast;
  if (kEither.count(node.op_name()) || node.op().is_pointwise()) return Wish::kEither;
  return Wish::kRow;
}

double bytes(const Value* v) {
  double n = bits(v->dtype()) / 8.0;
  for (const Dim& d : v->shape()) n *= d.is_constant() ? static_cast<double>(d.value()) : kTypicalSymbol;
  return n;
}

bool spatially_one(const Value* v) {
  for (size_t i = 2; i < v->shape().size(); ++i)
    if (!(v->shape()[i] == Dim(1))) return false;
  return true;
}

// An operand that takes part in the layout of its reader: the same rank as the result, not a constant and not the weights of a
// convolution.
bool tied(const Node& node, size_t input) {
  const Value* v = node.inputs()[input];
  const bool is_weight =
      kSpatial.count(node.op_name()) && input > 0 && input < static_cast<size_t>(node.base_input_count());
  return big_enough(v) && !v->constant() && !is_weight && v->rank() == node.output()->rank();
}

class Chooser {
 public:
  explicit Chooser(Graph& graph) : graph_(graph) {}

  void run() {
    std::map<const Node*, size_t> index;
    std::vector<Node*> nodes = graph_.node_list();
    for (size_t i = 0; i < nodes.size(); ++i) index[nodes[i]] = i;
    MinCut cut(nodes.size());
    bool any = std::any_of(graph_.inputs().begin(), graph_.inputs().end(),
                           [](const Value* v) { return !v->layout.is_row_major(); });
    std::set<std::string> bound;
    for (const Value* v : graph_.inputs()) collect_run_time_symbols(*v, bound);
    for (size_t i = 0; i < nodes.size(); ++i) {
      const Wish wish = wish_of(*nodes[i], bound);
      any = any || wish == Wish::kLast;
      if (wish == Wish::kLast) cut.add_label_cost(i, kForced, 0);
      if (wish == Wish::kRow) cut.add_label_cost(i, 0, kForced);
      if (wish == Wish::kEither && big_enough(nodes[i]->output()) && nodes[i]->output()->is_graph_output())
        cut.add_label_cost(i, 0, bytes(nodes[i]->output()));
      for (const Value* v : nodes[i]->inputs()) {
        if (!v || !big_enough(v) || v->constant() || spatially_one(v)) continue;
        if (v->producer()) cut.add_pair_cost(index.at(v->producer()), i, bytes(v));
        else if (wish == Wish::kEither && v->layout.is_row_major()) cut.add_label_cost(i, 0, bytes(v));
        else if (wish == Wish::kEither) cut.add_label_cost(i, bytes(v), 0);
      }
    }
    if (!any) return;
    const std::vector<bool> last = cut.solve();
    for (size_t i = 0; i < nodes.size(); ++i) apply(*nodes[i], last[i]);
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      Value* v = graph_.outputs()[i];
      if (!v->layout.is_row_major()) graph_.set_output(i, reformatted(v, Layout(), nullptr));
    }
  }

 private:
  void apply(Node& node, bool channels_last) {
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      Value* v = node.inputs()[i];
      if (!v || v->constant() || !v->is_tensor()) continue;
      const bool reads_pixels = i == 0 && (kSpatial.count(node.op_name()) || is_mean_of_pixels(node));
      const bool wants_last = channels_last && (tied(node, i) || reads_pixels);
      const Layout wanted = wants_last ? Layout::channels_last(static_cast<int>(v->rank())) : Layout();
      if (v->layout == wanted || (big_enough(v) && spatially_one(v))) continue;
      node.set_input(static_cast<int>(i), reformatted(v, wanted, &node));
    }
    if (!channels_last) return;
    for (Value* v : node.outputs())
      if (big_enough(v)) v->layout = Layout::channels_last(static_cast<int>(v->rank()));
  }

  Value* reformatted(Value* v, const Layout& layout, Node* before) {
    Value*& copy = copies_[{v, layout.is_row_major()}];
    if (!copy) {
      Node* node = graph_.add_node({.op = find_op("Reformat"),
                                    .inputs = {v},
                                    .attributes = {},
                                    .name = "reformat " + v->name(),
                                    .origins = {},
                                    .regions = {},
                                    .output_names = {}},
                                   before);
      node->output()->layout = layout;
      copy = node->output();
    }
    return copy;
  }

  Graph& graph_;
  std::map<std::pair<Value*, bool>, Value*> copies_;
};

}  // namespace

Pass choose_layouts() {
  return {"layout", [](Graph& graph, PassContext&) { Chooser(graph).run(); }};
}

}  // namespace kiln::passes
