// Movements of elements one after the other, of one tensor and around something joined, become one Gather: windows that are rolled, patches
// that are merged.
#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/work.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int64_t kMostFollowed = int64_t{1} << 24;        // that are followed
constexpr int64_t kMostFollowedRounds = int64_t{1} << 28;  // of the loops of following them
constexpr int64_t kLeastBytes = 32;                        // that stay together
constexpr int64_t kAnySamples = 2;                         // that stand for however many there are

bool joins(const Node& n) { return n.is("Concat") || (n.is("Gather") && n.input(1)->rank() == 1); }

// Elements of the first input, or of all that are joined, move as constants say.
bool moves_elements(const Node& n) {
  const bool known = only_names(n) || joins(n) || n.is("DepthToSpace") || n.is("Gather") || n.is("Slice") ||
                     n.is("SpaceToDepth") || n.is("Transpose");
  if (!known || !n.post.empty()) return false;
  const size_t moved = n.is("Concat") ? n.inputs().size() : 1;
  for (size_t i = 0; i < n.inputs().size(); ++i)
    if (const Value* v = n.inputs()[i]; v && (v->constant() != nullptr) == (i < moved)) return false;
  return true;
}

// All readers move the elements further: the last of them is the root of a match.
bool goes_on(const Value& v) {
  return !v.is_graph_output() && !v.uses().empty() &&
         std::all_of(v.uses().begin(), v.uses().end(), [](const ir::Use& use) { return moves_elements(*use.node); });
}

// Nodes between one tensor and the root, users first.
struct Movements {
  std::vector<Node*> nodes;
  Value* source = nullptr;
};

size_t count_of(const Movements& m, bool (*what)(const Node&)) {
  return static_cast<size_t>(std::count_if(m.nodes.begin(), m.nodes.end(), [=](const Node* n) { return what(*n); }));
}

class Walk {
 public:
  explicit Walk(Node& root) {
    take(root);
    while (keep_if_single(), take_one()) {
    }
  }
  const Movements& found() const { return found_; }

 private:
  void take(Node& n) {
    nodes_.push_back(&n);
    const size_t moved = n.is("Concat") ? n.inputs().size() : 1;
    for (size_t i = 0; i < moved; ++i)
      if (std::find(leaves_.begin(), leaves_.end(), n.inputs()[i]) == leaves_.end()) leaves_.push_back(n.inputs()[i]);
  }
  bool is_ours(const ir::Use& use) const { return std::find(nodes_.begin(), nodes_.end(), use.node) != nodes_.end(); }
  // A leaf that only these nodes read, made by a movement.
  bool take_one() {
    for (auto leaf = leaves_.begin(); leaf != leaves_.end(); ++leaf) {
      const Value* v = *leaf;
      if (!v->producer() || !moves_elements(*v->producer()) || v->is_graph_output()) continue;
      if (!std::all_of(v->uses().begin(), v->uses().end(), [this](const ir::Use& u) { return is_ours(u); })) continue;
      leaves_.erase(leaf);
      take(*v->producer());
      return true;
    }
    return false;
  }
  void keep_if_single() {
    if (leaves_.size() == 1) found_ = {nodes_, leaves_[0]};
  }
  std::vector<Node*> nodes_;
  std::vector<Value*> leaves_;
  Movements found_;
};

// Numbers of the source's elements, where they lie in the result.
std::optional<Tensor> follow(const Movements& m, const Dims& dims) {
  Tensor numbers = Tensor::allocate(DType::kI32, dims);
  auto* data = static_cast<int32_t*>(numbers.mutable_data());
  std::iota(data, data + numbers.size(), 0);
  std::map<const Value*, Datum> values{{m.source, Datum(numbers)}};
  try {
    const WorkScope scope({.name = "following movements", .most_rounds = kMostFollowedRounds});
    for (auto n = m.nodes.rbegin(); n != m.nodes.rend(); ++n) {
      std::vector<Datum> inputs;
      for (const Value* v : (*n)->inputs())
        inputs.push_back(!v ? Datum() : v->constant() ? Datum(*v->constant()) : values.at(v));
      values[(*n)->output()] = ir::evaluate(**n, std::move(inputs))[0];
    }
  } catch (const Error& error) {
    check_work();
    return decline(error.message());
  }
  return values.at(m.nodes[0]->output()).tensor;
}

// Where the rows of one sample come from; samples do not mix.
struct Rows {
  int64_t count = 0, length = 0;  // of the source, per sample
  std::vector<int32_t> from;
};

std::optional<Rows> rows_of(const Tensor& moved, int64_t samples, int64_t given) {
  const auto* at = static_cast<const int32_t*>(moved.data());
  const int64_t made = moved.size() / samples;
  if (made == 0 || moved.size() % samples != 0) return std::nullopt;
  for (int64_t s = 1; s < samples; ++s)
    for (int64_t i = 0; i < made; ++i)
      if (at[s * made + i] != at[i] + s * given) return std::nullopt;
  int64_t length = std::gcd(made, given);
  for (int64_t i = 0; i < made; ++i) {
    if (at[i] >= given) return std::nullopt;
    if (i == 0 || at[i] != at[i - 1] + 1) length = std::gcd(length, std::gcd(i, int64_t{at[i]}));
  }
  Rows rows{given / length, length, {}};
  for (int64_t i = 0; i < made; i += length) rows.from.push_back(static_cast<int32_t>(at[i] / length));
  return rows;
}

// All axes but the first as one; nothing where a size is not known.
std::optional<int64_t> behind_first(const Shape& shape) {
  Dims dims;
  for (size_t i = 1; i < shape.size(); ++i) {
    if (!shape[i].is_constant()) return std::nullopt;
    dims.push_back(shape[i].value());
  }
  return checked_element_count(dims);
}

// The source as so many samples, of which each has `parts` entries of the first axis: windows of a picture.
struct Samples {
  Dim count;
  int64_t parts = 1;
};

Samples samples_of(const Movements& m) {
  const Shape &from = m.source->shape(), &to = m.nodes[0]->output()->shape();
  const auto given = behind_first(from), made = behind_first(to);
  if (!to.empty() && given.value_or(0) > 0 && made && *made % *given == 0) {
    const int64_t parts = *made / *given;
    if (parts > 0 && from[0] == to[0] * Dim(parts)) return {to[0], parts};
  }
  return {from[0], 1};
}

std::optional<Rows> rows_of(const Movements& m, const Samples& samples) {
  const Shape& shape = m.source->shape();
  if (!behind_first(shape)) return decline("a size is not known");
  const int64_t tried = samples.count.is_constant() ? samples.count.value() : kAnySamples;
  Dims dims{tried * samples.parts};
  for (size_t i = 1; i < shape.size(); ++i) dims.push_back(shape[i].value());
  const auto count = checked_element_count(dims);
  if (!count || *count == 0 || *count > kMostFollowed) return decline("the tensor is empty or too large");
  const auto moved = follow(m, dims);
  if (!moved || moved->size() > kMostFollowed) return std::nullopt;
  const auto rows = rows_of(*moved, tried, *count / tried);
  if (!rows) return decline("samples mix");
  if (rows->length * bits(m.source->dtype()) < 8 * kLeastBytes)
    return decline("only " + std::to_string(rows->length) + " elements stay together");
  return rows;
}

}  // namespace

const Rule gather_movements{
    .name = "gather_movements",
    .pattern = one_of({"Concat", "DepthToSpace", "Flatten", "Gather", "Reshape", "Slice", "SpaceToDepth", "Squeeze",
                       "Transpose", "Unsqueeze"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      Node& root = m.root();
      if (!moves_elements(root) || !root.output()->ranked() || goes_on(*root.output())) return std::nullopt;
      const Movements movements = Walk(root).found();
      if (count_of(movements, only_names) + 2 > movements.nodes.size()) return std::nullopt;
      if (count_of(movements, joins) == 0) return decline("nothing is joined: parts may be read in place");
      Value* x = movements.source;
      if (!x->ranked() || x->rank() == 0) return decline("the rank is not known");
      const Samples samples = samples_of(movements);
      const auto rows = rows_of(movements, samples);
      if (!rows) return std::nullopt;
      const auto made = static_cast<int64_t>(rows->from.size());
      const Shape given{samples.count, Dim(rows->count), Dim(rows->length)};
      const Shape taken{samples.count, Dim(made), Dim(rows->length)}, &wanted = root.output()->shape();
      const auto open = reshape_target(x->shape(), given), close = reshape_target(taken, wanted);
      if (!open || !close) return decline("a shape is not known when building");
      Patch p(m);
      for (Node* n : movements.nodes)
        if (n != &root) p.absorb(*n);
      PatchValue y = x;
      if (x->shape() != given) y = p.add("Reshape", {y, p.constant(*open)});
      y = p.add("Gather", {y, p.constant(Tensor::of<int32_t>({made}, rows->from))}, {{"axis", int64_t{1}}});
      if (taken != wanted) y = p.add("Reshape", {y, p.constant(*close)});
      p.replace(root.output(), y);
      return p;
    },
    .stage = 2,
};

}  // namespace kiln::passes
