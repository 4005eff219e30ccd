// Which layout each value has: of what the target's tactics can take and give, the cheapest over the whole graph.
#include "compiler/formats.h"

#include <algorithm>
#include <map>

#include "compiler/min_cut.h"
#include "compiler/problems.h"
#include "compiler/signatures.h"

namespace kiln {
namespace {

using ir::Node;
using ir::Value;

constexpr double kForbidden = 1e15;
constexpr double kWorseTactic =
    8;  // what another tactic than the preferred one costs, for each byte that the node reads and writes
constexpr double kTurnsBadly =
    1.5;  // what a kernel costs that reads one layout and writes the other as a sideline, of a Reformat of the smaller side
constexpr double kFreeIsLast =
    1;  // what has the same bytes in either layout is channels-last where nothing speaks against it
constexpr int64_t kTypicalSymbol = 8;  // a dimension that only running can tell counts as this many

// Has the same bytes in either layout.
bool is_free(const Value* v) {
  return std::all_of(v->shape().begin() + 2, v->shape().end(), [](const Dim& d) { return d == Dim(1); });
}

bool has_layout(const Value* v) { return is_image(v) && !v->constant() && !is_free(v); }

Layout layout_of(const Value* v, bool channels_last) {
  return channels_last ? Layout::channels_last(static_cast<int>(v->rank())) : Layout();
}

class FormatChooser {
 public:
  FormatChooser(ir::Graph& graph, bool is_body, const Extents& extents, const SignatureFinder& finder)
      : graph_(graph),
        is_body_(is_body),
        extents_(extents),
        finder_(finder),
        nodes_(graph.node_list()),
        cut_(2 * nodes_.size()) {
    for (size_t i = 0; i < nodes_.size(); ++i) index_[nodes_[i]] = i;
  }

  void run(const std::vector<Layout>& outputs) {
    find_signatures();
    for (size_t i = 0; i < nodes_.size(); ++i) {
      add_node_cost(i);
      for (size_t k = 0; k < nodes_[i]->inputs().size(); ++k) add_input_cost(i, k);
    }
    for (size_t i = 0; i < graph_.outputs().size(); ++i) add_output_cost(graph_.outputs()[i], wanted(outputs, i));
    const std::vector<bool> last = cut_.solve();
    for (size_t i = 0; i < nodes_.size(); ++i) lay_out(i, last[reads(i)], last[writes(i)]);
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      Value* v = graph_.outputs()[i];
      if (v->layout != wanted(outputs, i)) graph_.set_output(i, reformatted(v, wanted(outputs, i), nullptr));
    }
  }

 private:
  // Each node has two labels: whether it reads images channels-last, and whether it writes them so.
  static size_t reads(size_t node) { return 2 * node; }
  static size_t writes(size_t node) { return 2 * node + 1; }

  static Layout wanted(const std::vector<Layout>& outputs, size_t i) {
    return i < outputs.size() ? outputs[i] : Layout();
  }

  void find_signatures() {
    signatures_.resize(nodes_.size());
    for (const Problem& problem : make_problems(extents_, finder_.threads(), graph_, is_body_))
      signatures_[index_.at(problem.node)] = finder_.of(problem);
  }

  double bytes(const Value* v) const {
    if (!v || !v->is_tensor() || !v->ranked()) return 0;
    const auto dims = extents_.guess(v->shape(), kTypicalSymbol);
    double n = dims ? bits(v->dtype()) / 8.0 : 0;
    if (dims)
      for (int64_t d : *dims) n *= static_cast<double>(d);
    return n;
  }

  void add_node_cost(size_t i) {
    const Signatures& s = signatures_[i];
    const std::optional<size_t> best = s.best();
    double read = 0, written = 0;
    for (size_t k : s.images) read += bytes(nodes_[i]->inputs()[k]);
    for (const Value* v : nodes_[i]->outputs()) written += bytes(v);
    const auto cost = [&](size_t in, size_t out) {
      const auto& [tactic, rank] = s.by[in][out];
      if (!tactic) return best || in || out ? kForbidden : 0.0;  // the reference reads and writes rows
      const double turned = in == out || tactic->turns_layouts ? 0 : kTurnsBadly * std::min(read, written);
      return turned + (rank == best ? 0 : kWorseTactic * (read + written));
    };
    const double both_row = cost(0, 0), both_last = cost(1, 1);
    double to_last = cost(0, 1), to_row = cost(1, 0);
    // A cut can tell only what favours equal labels.
    double& dearer = to_last > to_row ? to_last : to_row;
    dearer += std::max(0.0, both_row + both_last - to_last - to_row);
    cut_.add_label_cost(reads(i), both_row, to_row);
    cut_.add_label_cost(writes(i), 0, std::max(0.0, both_last - to_row));
    cut_.add_label_cost(writes(i), std::max(0.0, to_row - both_last), 0);
    cut_.add_pair_cost(reads(i), writes(i), to_last + to_row - both_row - both_last, 0);
    if (const Value* v = nodes_[i]->outputs().empty() ? nullptr : nodes_[i]->output(); is_image(v) && is_free(v))
      cut_.add_label_cost(writes(i), kFreeIsLast, 0);
  }

  bool is_tied(size_t i, size_t input) const {
    const std::vector<size_t>& images = signatures_[i].images;
    return std::find(images.begin(), images.end(), input) != images.end();
  }

  void add_input_cost(size_t i, size_t input) {
    const Value* v = nodes_[i]->inputs()[input];
    if (!has_layout(v)) return;
    const double cost = bytes(v);
    const bool tied = is_tied(i, input);
    if (v->producer() && tied) cut_.add_pair_cost(writes(index_.at(v->producer())), reads(i), cost, cost);
    else if (v->producer()) cut_.add_label_cost(writes(index_.at(v->producer())), 0, cost);
    else if (tied) add_fixed(reads(i), v->layout, cost);
  }

  void add_output_cost(const Value* v, const Layout& layout) {
    if (is_image(v) && v->producer()) add_fixed(writes(index_.at(v->producer())), layout, bytes(v));
  }

  // The other end has this layout.
  void add_fixed(size_t label, const Layout& layout, double cost) {
    if (layout.is_row_major()) cut_.add_label_cost(label, 0, cost);
    else cut_.add_label_cost(label, cost, 0);
  }

  void lay_out(size_t i, bool reads_last, bool writes_last) {
    Node& node = *nodes_[i];
    for (size_t k = 0; k < node.inputs().size(); ++k) {
      Value* v = node.inputs()[k];
      if (!has_layout(v)) continue;
      const Layout layout = layout_of(v, reads_last && is_tied(i, k));
      if (v->layout != layout) node.set_input(static_cast<int>(k), reformatted(v, layout, &node));
    }
    for (Value* v : node.outputs())
      if (writes_last && is_image(v)) v->layout = layout_of(v, true);
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

  ir::Graph& graph_;
  bool is_body_;
  const Extents& extents_;
  const SignatureFinder& finder_;
  std::vector<Node*> nodes_;
  std::map<const Node*, size_t> index_;
  std::vector<Signatures> signatures_;
  MinCut cut_;
  std::map<std::pair<Value*, bool>, Value*> copies_;
};

void choose_formats(ir::Graph& graph, bool is_body, const Extents& extents, const SignatureFinder& finder,
                    const std::vector<Layout>& outputs) {
  for (ir::Node* node : graph.node_list())
    for (const auto& region : node->regions) choose_formats(*region, true, extents, finder, {});
  FormatChooser(graph, is_body, extents, finder).run(outputs);
  graph.remove_dead();
}

}  // namespace

void choose_formats(ir::Graph& graph, const Extents& extents, const SignatureFinder& finder,
                    const std::vector<Layout>& outputs) {
  choose_formats(graph, false, extents, finder, outputs);
}

}  // namespace kiln
