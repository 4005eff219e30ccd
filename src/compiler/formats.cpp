// Which layout and which type each value has: of what the target's tactics can take and give, the cheapest over the whole graph.
#include "compiler/formats.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>

#include "compiler/min_cut.h"
#include "compiler/narrow_forms.h"
#include "compiler/problems.h"
#include "compiler/signatures.h"
#include "target/estimate.h"
#include "tensor/let_go.h"

namespace kiln {
namespace {

using ir::Node;
using ir::Value;

// Costs are whole picoseconds, so that equal ones stay equal however they are summed.
constexpr double kForbidden = 1e15;
constexpr double kTurnsBadly =
    1.5;  // what a kernel costs that reads one layout and writes the other as a sideline, of a Reformat of the smaller side
constexpr double kFreeIsLast =
    1;  // what has the same bytes in either layout is channels-last where nothing speaks against it
constexpr int64_t kTypicalSymbol = 8;  // a dimension that only running can tell counts as this many
constexpr int kMostRounds = 4;         // of choosing layouts for the types and types for the layouts

double picoseconds(double seconds) { return std::min(std::round(seconds * 1e12), kForbidden); }

// Has the same bytes in either layout.
bool is_free(const Value* v) {
  return std::all_of(v->shape().begin() + 2, v->shape().end(), [](const Dim& d) { return d == Dim(1); });
}

bool has_layout(const Value* v) { return is_image(v) && !v->constant() && !is_free(v); }

Layout layout_of(const Value* v, bool channels_last) {
  return channels_last ? Layout::channels_last(static_cast<int>(v->rank())) : Layout();
}

// That of an input or output alone: neither row-major nor channels-last, so that nodes read and write it through a Reformat.
bool is_foreign(const Layout& layout, const Value* v) { return !layout.is_row_major() && layout != layout_of(v, true); }
bool is_foreign(const Value* v) { return is_image(v) && is_foreign(v->layout, v); }

// What a node does at one of its ends: whether images are channels-last there, and whether numbers are narrow.
struct End {
  bool last = false, narrow = false;
  bool operator==(const End&) const = default;
};
struct Label {
  End reads, writes;
  Form form() const { return {reads.narrow, writes.narrow}; }
  bool operator==(const Label&) const = default;
};
using Axis = bool End::*;  // what is chosen while the other stays

// Of float32, that may compute in the type.
bool has_products_in(const ir::Graph& graph, DType type) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [&](const auto& n) {
    return n->precision == type && !n->outputs().empty() && n->output()->dtype() == DType::kF32;
  });
}

// The narrower type that products may read and write.
DType narrow_type(const ir::Graph& graph, const Precisions& precisions) {
  for (DType type : {precisions.compute, precisions.second})
    if (has_products_in(graph, type)) return type;
  return DType::kF32;
}

class FormatChooser {
 public:
  FormatChooser(ir::Graph& graph, bool is_body, const Extents& extents, SignatureFinder& finder,
                const Precisions& precisions, const std::vector<Layout>& outputs)
      : graph_(graph),
        is_body_(is_body),
        extents_(extents),
        finder_(finder),
        compute_(narrow_type(graph, precisions)),
        tf32_(precisions.tf32),
        outputs_(outputs),
        nodes_(graph.node_list()),
        types_(nodes_.size(), DType::kF32),
        offers_(nodes_.size()),
        labels_(nodes_.size()) {
    for (size_t i = 0; i < nodes_.size(); ++i) index_[nodes_[i]] = i;
  }

  void run() {
    find_offers();
    choose(&End::last);
    if (!problems_.empty()) choose_types();
    call_free_rows();
    for (size_t i = 0; i < nodes_.size(); ++i) apply(i);
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      Value* v = graph_.outputs()[i];
      if (is_image(v)) v = delivered(typed(v, output_types_[i], nullptr), wanted(i));
      else if (narrowed_.count(v)) v = typed(v, output_types_[i], nullptr);
      if (v != graph_.outputs()[i]) graph_.set_output(i, v);
    }
    for (Node* node : nodes_)
      if (copies(*node)) graph_.replace_uses(node->output(), reformatted(node->input(0), node->output()->layout, node));
  }

 private:
  // What tactics offer for a node in a form.
  struct Offer {
    Form form;
    Signatures signatures;
    double correction = 0;  // of its estimates, in picoseconds, by what was measured
  };

  static size_t reads(size_t node) { return 2 * node; }
  static size_t writes(size_t node) { return 2 * node + 1; }
  Layout wanted(size_t i) const { return i < outputs_.size() ? outputs_[i] : Layout(); }

  void find_offers() {
    for (const Value* v : graph_.outputs()) output_types_.push_back(v->dtype());
    std::vector<Problem> problems = make_problems(extents_, finder_.threads(), graph_, is_body_);
    for (Problem& problem : problems) {
      const size_t i = index_.at(problem.node);
      problem.tf32 = tf32_;
      problem.kept = finder_.kept_code();
      offers_[i].push_back({{}, finder_.of(problem)});
    }
    // What casts has no reason to leave that out where nobody computes in the type.
    std::set<DType> computed;
    for (const bool pointwise : {false, true})
      for (const Problem& problem : problems) {
        if (problem.node->op().is_pointwise() != pointwise) continue;
        for (const DType type : narrow_types(*problem.node, compute_)) {
          const size_t i = index_.at(problem.node);
          if (!may_narrow(i) && (!pointwise || computed.count(type))) find_narrow_offers(i, problem, type);
          if (may_narrow(i)) computed.insert(type);
        }
      }
  }

  void find_narrow_offers(size_t i, const Problem& wide, DType type) {
    types_[i] = type;
    for (const Form form : narrow_forms(*wide.node, type)) {
      const FormProblem problem(wide, form, type);
      const bool vanishes = copies(*problem.get().node);
      Offer offer{form, vanishes ? offers_[i].front().signatures : finder_.of(problem.get())};
      if (vanishes)
        for (auto& row : offer.signatures.by)
          for (Signatures::Offer& o : row) o.seconds = 0;
      if (offer.signatures.any()) offers_[i].push_back(std::move(offer));
    }
    if (may_narrow(i)) problems_.emplace(i, wide);
  }

  const Offer* offer_of(size_t i, Form form) const {
    for (const Offer& offer : offers_[i])
      if (offer.form == form) return &offer;
    return nullptr;
  }
  bool may_narrow(size_t i) const { return offers_[i].size() > 1; }

  void choose_types() {
    measure_forms();
    for (int round = 0; round < kMostRounds; ++round) {
      const std::vector<Label> before = labels_;
      choose(&End::narrow);
      choose(&End::last);
      if (labels_ == before) return;
    }
  }

  // Estimates of the wide form and of the narrow one are put right where both can be measured; what mixes types is off as the narrow one. The
  // wide form of what may round can do what both mixed ones do, so it takes no longer than they say, however it was measured.
  void measure_forms() {
    for (const auto& [i, problem] : problems_) {
      const Offer *wide = offer_of(i, {}), *narrow = offer_of(i, {true, true});
      const bool may_round = problem.node->precision == types_[i];
      const bool computes = may_round || problem.node->declared == types_[i];
      if (!narrow || !computes || problem.node->op().is_pointwise()) continue;
      const double first = measured(problem, i),
                   second = measured(FormProblem(problem, narrow->form, types_[i]).get(), i);
      if (first < 0 || second < 0) continue;
      const double other = second - estimated_cost(i, *narrow, labels_[i]);
      double rounding = 0;
      for (const Offer& offer : offers_[i])
        if (offer.form.reads != offer.form.writes) rounding += estimated_cost(i, offer, labels_[i]) - (second - other);
      const double least = may_round ? std::min(first, second + std::max(0.0, rounding)) : first;
      const double own = least - estimated_cost(i, *wide, labels_[i]);
      for (Offer& offer : offers_[i]) offer.correction = offer.form == Form() ? own : other;
    }
  }

  double measured(Problem problem, size_t i) {
    for (size_t k : offers_[i].front().signatures.images)
      problem.inputs[k].layout = layout_of(nodes_[i]->inputs()[k], labels_[i].reads.last);
    for (size_t k = 0; k < problem.outputs.size(); ++k)
      if (is_image(nodes_[i]->outputs()[k]))
        problem.outputs[k].layout = layout_of(nodes_[i]->outputs()[k], labels_[i].writes.last);
    const auto seconds = finder_.measure(problem);
    return seconds ? picoseconds(*seconds) : -1;
  }

  double elements(const Value* v) const {
    if (!v || !v->is_tensor() || !v->ranked()) return 0;
    const auto dims = extents_.guess(v->shape(), kTypicalSymbol);
    double n = dims ? 1 : 0;
    for (size_t i = 0; dims && i < dims->size(); ++i) n *= static_cast<double>((*dims)[i]);
    return n;
  }
  static double bytes_of(DType type) { return bits(type) / 8.0; }
  // As a number of that type, where it is of float32.
  double bytes(const Value* v, DType type) const {
    return v ? elements(v) * bytes_of(v->dtype() == DType::kF32 ? type : v->dtype()) : 0;
  }
  double bytes(const Value* v, size_t node, bool narrow) const { return bytes(v, narrow ? types_[node] : DType::kF32); }

  double move_cost(double read, double written) const {
    return picoseconds(estimate_move(read, written, finder_.facts()).seconds());
  }

  double estimated_cost(size_t i, const Offer& offer, const Label& label) const {
    const Signatures& s = offer.signatures;
    const auto& [preferred, seconds] = s.by[label.reads.last][label.writes.last];
    // The reference reads and writes rows.
    if (!preferred.tactic) return s.any() || label.reads.last || label.writes.last ? kForbidden : 0.0;
    if (label.reads.last == label.writes.last || preferred.tactic->turns_layouts) return picoseconds(seconds);
    double read = 0, written = 0;
    for (size_t k : s.images) read += bytes(nodes_[i]->inputs()[k], i, label.reads.narrow);
    for (const Value* v : nodes_[i]->outputs()) written += bytes(v, i, label.writes.narrow);
    const double smaller = std::min(read, written);
    return std::min(picoseconds(seconds) + std::round(kTurnsBadly * move_cost(smaller, smaller)), kForbidden);
  }

  double node_cost(size_t i, const Label& label) const {
    const Offer* offer = offer_of(i, label.form());
    if (!offer) return offers_[i].empty() && label == Label() ? 0.0 : kForbidden;  // a node with bodies
    const double cost = estimated_cost(i, *offer, label);
    return cost < kForbidden ? std::max(0.0, cost + offer->correction) : cost;
  }

  // One minimum cut over two labels of each node: what it reads, and what it writes.
  void choose(Axis axis) {
    MinCut cut(2 * nodes_.size());
    for (size_t i = 0; i < nodes_.size(); ++i) {
      add_node_cost(cut, axis, i);
      for (size_t k = 0; k < nodes_[i]->inputs().size(); ++k) add_input_cost(cut, axis, i, k);
    }
    for (size_t i = 0; i < graph_.outputs().size(); ++i) add_output_cost(cut, axis, i);
    const std::vector<bool> chosen = cut.solve();
    for (size_t i = 0; i < nodes_.size(); ++i) {
      labels_[i].reads.*axis = chosen[reads(i)];
      labels_[i].writes.*axis = chosen[writes(i)];
    }
  }

  void add_node_cost(MinCut& cut, Axis axis, size_t i) {
    const auto cost = [&](bool in, bool out) {
      Label label = labels_[i];
      label.reads.*axis = in;
      label.writes.*axis = out;
      return node_cost(i, label);
    };
    const double both_false = cost(false, false), both_true = cost(true, true);
    double to_true = cost(false, true), to_false = cost(true, false);
    // A cut can tell only what favours equal labels.
    double& dearer = to_true > to_false ? to_true : to_false;
    dearer += std::max(0.0, both_false + both_true - to_true - to_false);
    cut.add_label_cost(reads(i), both_false, to_false);
    cut.add_label_cost(writes(i), 0, std::max(0.0, both_true - to_false));
    cut.add_label_cost(writes(i), std::max(0.0, to_false - both_true), 0);
    cut.add_pair_cost(reads(i), writes(i), to_true + to_false - both_false - both_true, 0);
    const Value* v = nodes_[i]->outputs().empty() ? nullptr : nodes_[i]->output();
    if (axis == &End::last && is_image(v) && is_free(v)) cut.add_label_cost(writes(i), kFreeIsLast, 0);
  }

  // Whether the input goes with what the node reads, or the type of a post-operation's with what it writes; others are row-major and of the
  // type of the model.
  bool is_tied(Axis axis, size_t i, size_t input) const {
    if (axis == &End::narrow) return may_narrow(i) && side_of(*nodes_[i], input, types_[i]) != Side::kNone;
    if (offers_[i].empty()) return false;
    const std::vector<size_t>& images = offers_[i].front().signatures.images;
    return std::find(images.begin(), images.end(), input) != images.end();
  }

  bool can_differ(Axis axis, const Value* v) const {
    return axis == &End::last ? has_layout(v) : v && !v->constant() && v->is_tensor() && v->dtype() == DType::kF32;
  }

  double cast_cost(const Value* v, DType type) const { return move_cost(bytes(v, DType::kF32), bytes(v, type)); }

  double reformat_cost(const Value* v) const {
    const bool narrow = v->producer() && labels_[index_.at(v->producer())].writes.narrow;
    const double size = narrow ? bytes(v, index_.at(v->producer()), true) : bytes(v, DType::kF32);
    return move_cost(size, size);
  }

  void add_input_cost(MinCut& cut, Axis axis, size_t i, size_t input) {
    const Value* v = nodes_[i]->inputs()[input];
    if (!can_differ(axis, v) || (axis == &End::last && is_foreign(v))) return;
    const bool tied = is_tied(axis, i, input);
    if (axis == &End::narrow)
      return add_cast_cost(cut, v, i, tied ? side_of(*nodes_[i], input, types_[i]) : Side::kNone);
    const double cost = reformat_cost(v);
    if (v->producer() && tied) cut.add_pair_cost(writes(index_.at(v->producer())), reads(i), cost, cost);
    else if (v->producer()) cut.add_label_cost(writes(index_.at(v->producer())), 0, cost);
    else if (tied) add_fixed(cut, reads(i), !v->layout.is_row_major(), cost);
  }

  // Where two types meet, each end that has a narrow one casts from or to float32.
  void add_cast_cost(MinCut& cut, const Value* v, size_t i, Side side) {
    const size_t own = side == Side::kWrites ? writes(i) : reads(i);
    const Node* from = v->producer();
    const DType given = from ? types_[index_.at(from)] : DType::kF32;
    if (from && side != Side::kNone && (given == types_[i] || given == DType::kF32)) {
      const double cost = cast_cost(v, types_[i]);
      cut.add_pair_cost(writes(index_.at(from)), own, narrow_source(v, types_[i]) ? 0 : cost, cost);
      return;
    }
    if (from) cut.add_label_cost(writes(index_.at(from)), 0, cast_cost(v, given));
    if (side != Side::kNone) add_fixed(cut, own, false, cast_cost(v, types_[i]));
  }

  // What a value of float32 was cast from, where that has the type.
  static Value* narrow_source(const Value* v, DType type) {
    const Node* from = v->producer();
    const bool widened = from && v->dtype() == DType::kF32 && from->is("Cast") && from->post.empty();
    return widened && from->input(0)->dtype() == type && bits(type) < bits(DType::kF32) ? from->input(0) : nullptr;
  }

  void add_output_cost(MinCut& cut, Axis axis, size_t i) {
    const Value* v = graph_.outputs()[i];
    if (!v->producer() || !(axis == &End::last ? is_image(v) : can_differ(axis, v))) return;
    if (axis == &End::last && is_foreign(wanted(i), v)) return;
    const size_t from = index_.at(v->producer());
    if (axis == &End::narrow) add_fixed(cut, writes(from), false, cast_cost(v, types_[from]));
    else add_fixed(cut, writes(from), !wanted(i).is_row_major(), reformat_cost(v));
  }

  // The other end has this label.
  static void add_fixed(MinCut& cut, size_t label, bool other, double cost) {
    if (other) cut.add_label_cost(label, cost, 0);
    else cut.add_label_cost(label, 0, cost);
  }

  // Where both layouts are the same bytes and somebody reads rows, they are called rows, as far up as that costs no node anything.
  void call_free_rows() {
    std::vector<bool> can(nodes_.size()), becomes(nodes_.size());
    for (size_t i = 0; i < nodes_.size(); ++i) can[i] = writes_free_rows(i, can);
    for (size_t i = nodes_.size(); i-- > 0;) {
      if (!can[i] || !has_reader_of_rows(nodes_[i]->output(), becomes)) continue;
      becomes[i] = true;
      labels_[i].reads.last = labels_[i].writes.last = false;
    }
  }

  // `can`: of the nodes before it.
  bool writes_free_rows(size_t i, const std::vector<bool>& can) const {
    const Node& node = *nodes_[i];
    if (!labels_[i].writes.last || node.outputs().size() != 1 || offers_[i].empty()) return false;
    if (!is_image(node.output()) || !is_free(node.output())) return false;
    for (size_t k : offers_[i].front().signatures.images) {
      const Value* v = node.inputs()[k];
      if (has_layout(v)) return false;
      const Node* from = v->producer();
      if (from ? labels_[index_.at(from)].writes.last && !can[index_.at(from)] : !v->layout.is_row_major())
        return false;
    }
    Label rows = labels_[i];
    rows.reads.last = rows.writes.last = false;
    return node_cost(i, rows) <= node_cost(i, labels_[i]);
  }

  bool has_reader_of_rows(const Value* v, const std::vector<bool>& becomes) const {
    return std::any_of(v->uses().begin(), v->uses().end(), [&](const ir::Use& use) {
      const size_t reader = index_.at(use.node);
      return becomes[reader] || !labels_[reader].reads.last ||
             !is_tied(&End::last, reader, static_cast<size_t>(use.input));
    });
  }

  // Producers have their types and layouts already.
  void apply(size_t i) {
    Node& node = *nodes_[i];
    const Label& label = labels_[i];
    const DType type = types_[i];
    for (size_t k = 0; k < node.inputs().size(); ++k) {
      Value* v = node.inputs()[k];
      const Side side = side_of(node, k, type);
      const End& end = side == Side::kWrites ? label.writes : label.reads;
      const bool stays = side != Side::kNone && end.narrow && v && v->dtype() == type;
      if (narrowed_.count(v) && !stays) node.set_input(static_cast<int>(k), typed(v, DType::kF32, &node));
    }
    take_form(node, label.form(), type, [&](Value* v) { return typed(v, type, &node); });
    for (size_t k = 0; k < node.inputs().size(); ++k) {
      Value* v = node.inputs()[k];
      if (!has_layout(v) && !is_foreign(v)) continue;
      const Layout layout = layout_of(v, label.reads.last && is_tied(&End::last, i, k));
      if (v->layout != layout) node.set_input(static_cast<int>(k), reformatted(v, layout, &node));
    }
    for (Value* v : node.outputs()) {
      if (label.writes.narrow) narrowed_.insert(v);
      if (label.writes.last && is_image(v)) v->layout = layout_of(v, true);
    }
  }

  // The value in that type: itself, a constant, or a Cast of it.
  Value* typed(Value* v, DType type, Node* before) {
    if (v->dtype() == type) return v;
    Value*& copy = casts_[{v, type}];
    if (copy) return copy;
    if (v->constant()) {
      copy = graph_.add_constant(v->constant()->cast(type), v->name());
      let_go(*v->constant());
      return copy;
    }
    if (Value* source = narrow_source(v, type)) return copy = source;
    if (is_foreign(v)) v = reformatted(v, Layout(), before);
    copy = converted(v, "Cast", {{"to", std::string(name(type))}}, before);
    copy->layout = v->layout;
    return copy;
  }

  Value* reformatted(Value* v, const Layout& layout, Node* before) {
    if (v->layout == layout) return v;
    Value*& copy = copies_[{v, layout.is_row_major()}];
    if (!copy) copy = converted(v, "Reformat", {}, before);
    copy->layout = layout;
    return copy;
  }

  // An output of the graph. One that has a layout of its own is read by nobody else.
  Value* delivered(Value* v, const Layout& layout) {
    if (!is_foreign(layout, v)) return reformatted(v, layout, nullptr);
    if (is_foreign(v)) v = reformatted(v, Layout(), nullptr);
    Value* copy = converted(v, "Reformat", {}, nullptr);
    copy->layout = layout;
    return copy;
  }

  Value* converted(Value* v, const char* op, Attributes attributes, Node* before) {
    std::string name = op;
    name[0] = static_cast<char>(std::tolower(name[0]));
    return graph_
        .add_node({.op = find_op(op),
                   .inputs = {v},
                   .attributes = std::move(attributes),
                   .name = name + " " + v->name(),
                   .origins = {},
                   .regions = {},
                   .output_names = {}},
                  before)
        ->output();
  }

  ir::Graph& graph_;
  bool is_body_;
  const Extents& extents_;
  SignatureFinder& finder_;
  DType compute_;
  bool tf32_;
  const std::vector<Layout>& outputs_;
  std::vector<Node*> nodes_;
  std::map<const Node*, size_t> index_;
  std::vector<DType> types_;                // by node: of its narrow forms
  std::vector<std::vector<Offer>> offers_;  // by node; the first is of the form of the model
  std::map<size_t, Problem> problems_;      // of nodes with other forms
  std::vector<Label> labels_;
  std::vector<DType> output_types_;
  std::set<const Value*> narrowed_;
  std::map<std::pair<Value*, DType>, Value*> casts_;
  std::map<std::pair<Value*, bool>, Value*> copies_;
};

void choose_formats(ir::Graph& graph, bool is_body, const Extents& extents, SignatureFinder& finder,
                    const Precisions& precisions, const std::vector<Layout>& outputs) {
  for (ir::Node* node : graph.node_list())
    for (const auto& region : node->regions) choose_formats(*region, true, extents, finder, precisions, {});
  FormatChooser(graph, is_body, extents, finder, precisions, outputs).run();
  graph.remove_dead();
}

}  // namespace

void choose_formats(ir::Graph& graph, const Extents& extents, SignatureFinder& finder,
                    const std::vector<Layout>& outputs, const Precisions& precisions) {
  choose_formats(graph, false, extents, finder, precisions, outputs);
}

}  // namespace kiln
