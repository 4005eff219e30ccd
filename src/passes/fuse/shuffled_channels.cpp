// Convolutions behind shuffled channels (ShuffleNet) read them as they lie: the order goes into the weights, and what was shuffled, joined
// and split before becomes one Concat of slices.
#include <algorithm>
#include <numeric>

#include "passes/pass.h"
#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int kMostMovements = 64;  // that are followed from a convolution

// Channel `channel` of `source` [batch, channels, height, width].
struct Channel {
  Value* source = nullptr;
  int64_t channel = 0;
};
using Channels = std::vector<Channel>;

std::optional<int64_t> channels_of(const Value* v) {
  return v->ranked() && v->rank() == 4 ? v->shape()[1].constant() : std::nullopt;
}

bool is_along_channels(const Node& n) { return n.post.empty() && normalize_axis(integer(n, "axis"), 4) == 1; }

// What Reshape, Transpose and Reshape shuffle, in how many groups.
struct Shuffle {
  Value* source = nullptr;
  int64_t groups = 0;
};

std::optional<Shuffle> shuffle_of(const Value* v) {
  const Node* close = v->producer();
  const Node* turn = close && close->is("Reshape") ? close->input(0)->producer() : nullptr;
  const Node* open = turn && turn->is("Transpose") ? turn->input(0)->producer() : nullptr;
  if (!open || !open->is("Reshape") || permutation(*turn) != Ints{0, 2, 1, 3, 4}) return std::nullopt;
  Value* x = open->input(0);
  const Shape& cut = open->output()->shape();
  if (!close->post.empty() || !turn->post.empty() || !open->post.empty() || !same_type(x, v)) return std::nullopt;
  const auto channels = channels_of(v), groups = cut[1].constant(), each = cut[2].constant();
  const Shape& shape = v->shape();
  const bool cuts = channels && groups && each && *groups * *each == *channels && cut[0] == shape[0] &&
                    cut[3] == shape[2] && cut[4] == shape[3];
  return cuts ? std::optional(Shuffle{x, *groups}) : std::nullopt;
}

// Where the channels of a value come from.
class ChannelWalk {
 public:
  std::optional<Channels> channels(Value* v) {
    const auto count = channels_of(v);
    if (!count || ++movements_ > kMostMovements) return std::nullopt;
    if (const auto shuffle = shuffle_of(v)) return shuffled(*shuffle);
    const Node* n = v->producer();
    if (n && n->is("Concat") && is_along_channels(*n)) return joined(*n);
    if (n && n->is("Split") && is_along_channels(*n)) return part(*n, v);
    Channels own;
    for (int64_t c = 0; c < *count; ++c) own.push_back({v, c});
    return own;
  }
  bool met_shuffle() const { return met_shuffle_; }

 private:
  std::optional<Channels> shuffled(const Shuffle& shuffle) {
    met_shuffle_ = true;
    const auto given = channels(shuffle.source);
    if (!given) return std::nullopt;
    const auto each = static_cast<int64_t>(given->size()) / shuffle.groups;
    Channels made;
    for (int64_t i = 0; i < each; ++i)
      for (int64_t g = 0; g < shuffle.groups; ++g) made.push_back((*given)[static_cast<size_t>(g * each + i)]);
    return made;
  }
  std::optional<Channels> joined(const Node& concat) {
    Channels all;
    for (Value* v : concat.inputs()) {
      const auto one = channels(v);
      if (!one) return std::nullopt;
      all.insert(all.end(), one->begin(), one->end());
    }
    return all;
  }
  std::optional<Channels> part(const Node& split, const Value* v) {
    const auto whole = channels(split.input(0));
    if (!whole) return std::nullopt;
    size_t begin = 0;
    for (const Value* other : split.outputs()) {
      const auto count = channels_of(other);
      if (!count || begin + static_cast<size_t>(*count) > whole->size()) return std::nullopt;
      const auto first = whole->begin() + static_cast<std::ptrdiff_t>(begin);
      if (other == v) return Channels(first, first + *count);
      begin += static_cast<size_t>(*count);
    }
    return std::nullopt;
  }

  int movements_ = 0;
  bool met_shuffle_ = false;
};

bool has_constants(const Node& conv) {
  const Value *w = conv.input(1), *bias = conv.base_input_count() > 2 ? conv.input(2) : nullptr;
  return w && w->constant() && w->dtype() == DType::kF32 && w->rank() == 4 && (!bias || bias->constant());
}

bool mixes_channels(const Node& n) { return n.is("Conv") && has_constants(n) && integer(n, "group") == 1; }

// Keeps them apart, and does the same to each but for its weights.
bool keeps_channels(const Node& n) {
  return n.is("Conv") && has_constants(n) && n.output()->has_one_use() && acts_on_elements_alone(n) &&
         n.input(1)->shape()[1] == Dim(1) && n.input(1)->shape()[0].constant() == integer(n, "group");
}

bool is_mixed(const ir::Use& use) { return use.input == 0 && mixes_channels(*use.node); }

// Whether all that reads the value, moved further or not, are convolutions that can take its channels in any order.
bool may_be_reordered(const Value* v) {
  if (v->is_graph_output()) return false;
  return std::all_of(v->uses().begin(), v->uses().end(), [](const ir::Use& use) {
    const Node& n = *use.node;
    if (n.is("Conv")) return is_mixed(use) || (use.input == 0 && keeps_channels(n) && is_mixed(n.output()->uses()[0]));
    if (!n.is("Concat") && !n.is("Split") && !n.is("Reshape") && !n.is("Transpose")) return false;
    return std::all_of(n.outputs().begin(), n.outputs().end(), may_be_reordered);
  });
}

// Entries along `axis` in another order.
Tensor reordered(const Tensor& t, int64_t axis, const std::vector<size_t>& order) {
  Tensor made = Tensor::allocate(t.dtype(), t.dims());
  int64_t outer = 1, inner = 1;
  for (int64_t i = 0; i < t.rank(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : t.dims()[static_cast<size_t>(i)];
  const auto count = static_cast<int64_t>(order.size());
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < count; ++i)
      copy_elements(t, (o * count + static_cast<int64_t>(order[static_cast<size_t>(i)])) * inner, made,
                    (o * count + i) * inner, inner);
  return made;
}

// By sources as they are met, and within one as they lie.
std::vector<size_t> order_of(const Channels& channels) {
  std::vector<const Value*> sources;
  const auto rank = [&](const Channel& c) {
    return std::find(sources.begin(), sources.end(), c.source) - sources.begin();
  };
  for (const Channel& c : channels)
    if (rank(c) == std::ssize(sources)) sources.push_back(c.source);
  std::vector<size_t> order(channels.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(rank(channels[a]), channels[a].channel) < std::pair(rank(channels[b]), channels[b].channel);
  });
  return order;
}

// One Concat of what lies side by side.
PatchValue gathered(Patch& p, const Channels& channels, const std::vector<size_t>& order) {
  const auto row = [&](int64_t value) { return p.constant(Tensor::of<int64_t>({1}, {value})); };
  std::vector<PatchValue> parts;
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    const Channel& first = channels[order[begin]];
    for (end = begin + 1; end < order.size(); ++end) {
      const Channel& next = channels[order[end]];
      if (next.source != first.source || next.channel != first.channel + static_cast<int64_t>(end - begin)) break;
    }
    const auto count = static_cast<int64_t>(end - begin);
    const bool whole = channels_of(first.source) == count;
    parts.push_back(whole ? PatchValue(first.source)
                          : p.add("Slice", {first.source, row(first.channel), row(first.channel + count), row(1)}));
  }
  return parts.size() == 1 ? parts[0] : p.add("Concat", std::move(parts), {{"axis", int64_t{1}}});
}

PatchValue conv(Patch& p, const Node& n, PatchValue x, Tensor weights, std::optional<Tensor> bias) {
  std::vector<PatchValue> inputs{x, p.constant(std::move(weights), n.input(1)->name())};
  if (bias) inputs.push_back(p.constant(*std::move(bias), n.input(2)->name()));
  else if (n.base_input_count() > 2 && n.input(2)) inputs.emplace_back(n.input(2));
  const PatchValue y = p.add("Conv", std::move(inputs), n.attributes);
  p.take_post_ops(y, n);
  return y;
}

}  // namespace

const Rule shuffled_channels{
    .name = "shuffled_channels",
    .pattern = node("Conv").with_post_ops(),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      Node& root = m.root();
      if (!options.limits.cheap_steps || !mixes_channels(root)) return std::nullopt;
      Node* between = root.input(0)->producer();
      if (between && !keeps_channels(*between)) between = nullptr;
      Value* x = between ? between->input(0) : root.input(0);
      ChannelWalk walk;
      const auto channels = walk.channels(x);
      if (!channels || !walk.met_shuffle()) return std::nullopt;
      if (!may_be_reordered(x)) return decline("the shuffled channels are read elsewhere");
      const std::vector<size_t> order = order_of(*channels);
      Patch p(m);
      PatchValue y = gathered(p, *channels, order);
      if (between) {
        const Value* bias = between->base_input_count() > 2 ? between->input(2) : nullptr;
        y = conv(p, *between, y, reordered(*between->input(1)->constant(), 0, order),
                 bias ? std::optional(reordered(*bias->constant(), 0, order)) : std::nullopt);
        p.absorb(*between);
      }
      p.replace(root.output(), conv(p, root, y, reordered(*root.input(1)->constant(), 1, order), std::nullopt));
      return p;
    },
    .stage = 2,
};

}  // namespace kiln::passes
