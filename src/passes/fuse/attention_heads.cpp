// Attention whose operands are cut into heads by Reshape and Transpose, and whose result is joined so, takes and gives
// [batch, sequence, heads * size]. Operands cut out of one tensor that holds several of them become parts of a Split.
#include <map>
#include <set>

#include "passes/product_terms.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"
#include "passes/value_view.h"
#include "tensor/shape.h"

namespace kiln::passes {
namespace {

// Where an operand [batch, heads, sequence, size] lies: in part `part` of `parts` equal ones of the last axis of `source`.
struct HeadsPlace {
  Value* source = nullptr;
  int64_t part = 0, parts = 1;
  int64_t heads = 0;
  std::vector<Node*> nodes;
  Shape rows = source->shape();  // [batch, sequence, width], as which `source` is read
};

bool permutes(const Node& n, const Ints& wanted) {
  return n.is("Transpose") && n.post.empty() && permutation(n) == wanted;
}

// [batch, sequence, width] as axes behind the first two; null when the node is no such Reshape.
Value* cut_last_axis(const Node* n, size_t rank) {
  if (!n || !n->is("Reshape") || !n->post.empty() || !is_told(*n)) return nullptr;
  Value* source = n->input(0);
  const Shape& cut = n->output()->shape();
  if (!source->ranked() || source->rank() != 3 || cut.size() != rank) return nullptr;
  for (size_t i = 0; i < cut.size(); ++i)
    if (i < 2 ? !(cut[i] == source->shape()[i]) : !cut[i].is_constant()) return nullptr;
  return source;
}

std::optional<HeadsPlace> heads_of_whole(Node& transpose) {
  if (!permutes(transpose, {0, 2, 1, 3})) return std::nullopt;
  Node* reshape = transpose.input(0)->producer();
  Value* source = cut_last_axis(reshape, 4);
  if (!source) return std::nullopt;
  return HeadsPlace{source, 0, 1, reshape->output()->shape()[2].value(), {reshape, &transpose}};
}

// One of [batch, sequence, parts, heads, size], the parts brought to the front.
std::optional<HeadsPlace> heads_of_part(Node& gather) {
  Node* transpose = gather.input(0)->producer();
  if (!gather.is("Gather") || !gather.post.empty() || !transpose || !permutes(*transpose, {2, 0, 3, 1, 4}))
    return std::nullopt;
  const Value* index = gather.input(1);
  const auto chosen = known_ints(index);
  Node* reshape = transpose->input(0)->producer();
  Value* source = cut_last_axis(reshape, 5);
  if (!source || !chosen || index->rank() != 0 || normalize_axis(integer(gather, "axis"), 5) != 0) return std::nullopt;
  const Shape& cut = reshape->output()->shape();
  const int64_t parts = cut[2].value(), part = (*chosen)[0] < 0 ? (*chosen)[0] + parts : (*chosen)[0];
  if (part < 0 || part >= parts) return std::nullopt;
  return HeadsPlace{source, part, parts, cut[3].value(), {reshape, transpose, &gather}};
}

// However it is cut, where all sizes are known.
std::optional<HeadsPlace> heads_of_view(Value* v) {
  auto view = view_of(v);
  if (!view) return std::nullopt;
  const int64_t batch = view->dims[0], heads = view->dims[1], rows = view->dims[2], size = view->dims[3];
  const int64_t width = element_count(static_dims(view->source->shape())) / (batch * rows), part = heads * size;
  if (width % part != 0 || view->offset % part != 0 || view->offset >= width ||
      !has_strides(*view, {rows * width, size, width, 1}))
    return std::nullopt;
  return HeadsPlace{view->source, view->offset / part,    width / part,
                    heads,        std::move(view->nodes), to_shape({batch, rows, width})};
}

std::optional<HeadsPlace> heads_place(Value* v) {
  Node* n = v->producer();
  if (!n || !v->ranked() || v->rank() != 4) return std::nullopt;
  auto place = heads_of_whole(*n);
  if (!place) place = heads_of_part(*n);
  return place ? place : heads_of_view(v);
}

// [batch, heads, sequence, size] to [batch, sequence, heads, size].
bool joins_heads(Node& transpose) {
  if (permutes(transpose, {0, 2, 1, 3})) return true;
  const auto view = view_of(transpose.output());
  if (!view || view->source != transpose.input(0)) return false;
  const Dims y = static_dims(view->source->shape());
  ValueView joined{view->source, {y[0], y[2], y[1], y[3]}, {y[1] * y[2] * y[3], y[3], y[2] * y[3], 1}, 0, {}};
  return without_ones(*view) == without_ones(joined);
}

// The parts of each source that are used must be all of it, each once, and as large as each other.
bool are_all_parts(const std::vector<HeadsPlace>& places) {
  std::map<const Value*, std::set<int64_t>> used;
  std::map<const Value*, int64_t> parts;
  for (const HeadsPlace& p : places)
    if (parts.try_emplace(p.source, p.parts).first->second != p.parts ||
        (p.parts > 1 && !used[p.source].insert(p.part).second))
      return false;
  return std::all_of(places.begin(), places.end(), [&](const HeadsPlace& p) {
    return p.parts == 1 || static_cast<int64_t>(used[p.source].size()) == p.parts;
  });
}

// [batch, sequence, heads * size] of [batch, heads, sequence, size].
Dims joined_dims(const Shape& heads) {
  const Dims y = static_dims(heads);
  return {y[0], y[2], y[1] * y[3]};
}

PatchValue renamed(Patch& p, const PatchValue& v, const Shape& from, const Shape& to) {
  return from == to ? v : p.add("Reshape", {v, p.constant(*reshape_target(from, to))});
}

}  // namespace

const Rule attention_heads{
    .name = "attention_heads",
    .pattern = node("Reshape", {once(node("Transpose", {once(node("Attention"))}))}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node &attention = m["Attention"], &root = m.root();
      const Value* joined = root.output();
      if (attention.outputs().size() != 1) return decline("it has more than one result");
      for (int i = 4; i < attention.base_input_count(); ++i)
        if (attention.input(i)) return decline("it has a cache or lengths of sequences");
      const Shape& y = attention.output()->shape();
      if (y.size() != 4 || !joins_heads(m["Transpose"])) return decline("the heads are not joined");
      const bool plain =
          joined->ranked() && joined->rank() == 3 && joined->shape()[0] == y[0] && joined->shape()[1] == y[2];
      if (!plain && !(is_static(y) && joined->ranked() && is_static(joined->shape())))
        return decline("more than the heads is joined");
      std::vector<HeadsPlace> places;
      for (int i = 0; i < 3; ++i) {
        auto place = heads_place(attention.input(i));
        if (!place) return decline("an operand is not cut into heads from [batch, sequence, features]");
        places.push_back(*std::move(place));
      }
      if (!are_all_parts(places)) return decline("the operands are some parts of a tensor");
      Patch p(m);
      std::map<const Value*, PatchValue> sources, splits;
      std::vector<PatchValue> inputs;
      for (const HeadsPlace& place : places) {
        absorb_all(p, {place.nodes});
        const auto [whole, unseen] = sources.try_emplace(place.source, place.source);
        if (unseen) whole->second = renamed(p, whole->second, place.source->shape(), place.rows);
        if (place.parts == 1) {
          inputs.push_back(whole->second);
          continue;
        }
        const auto [at, fresh] = splits.try_emplace(place.source);
        if (fresh) at->second = p.add("Split", {whole->second}, {{"axis", int64_t{-1}}}, static_cast<int>(place.parts));
        inputs.push_back(at->second.result(static_cast<int>(place.part)));
      }
      if (Value* mask = attention.input(3)) inputs.emplace_back(mask);
      Attributes attributes = attention.attributes;
      attributes.set("q_num_heads", places[0].heads);
      attributes.set("kv_num_heads", places[1].heads);
      const PatchValue rows = p.add("Attention", std::move(inputs), std::move(attributes));
      p.replace(root.output(), plain ? rows : renamed(p, rows, to_shape(joined_dims(y)), joined->shape()));
      return p;
    },
};

}  // namespace kiln::passes
