// Which layouts the tactics of a target can take and give for a node, and what that takes: found by asking them.
#include "compiler/signatures.h"

#include <algorithm>

#include "target/estimate.h"

namespace kiln {
namespace {

constexpr size_t kMinRank = 3;
constexpr double kBehind =
    16;  // times its estimate: a tactic behind the preferred one, where neither knows more than the roofline

TunerOptions quiet(TunerOptions options) {
  options.logger = &null_logger();
  return options;
}

void set_row_major(std::vector<Argument>& arguments) {
  for (Argument& a : arguments) a.layout = Layout();
}

// Elements of less than a byte lie one behind the other in row-major order.
bool has_whole_bytes(DType type) { return bits(type) % 8 == 0; }

void set_channels_last(Argument& a) {
  if (a.present && a.ranked && a.opt.size() >= kMinRank && has_whole_bytes(a.dtype))
    a.layout = Layout::channels_last(static_cast<int>(a.opt.size()));
}

// Inputs that may be channels-last together: all images of one rank, or the first and those of post-operations, where the others are
// weights.
std::vector<std::vector<size_t>> image_groups(const ir::Node& node) {
  std::vector<size_t> all, data;
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const ir::Value* v = node.inputs()[i];
    if (!is_image(v) || v->constant() || (!all.empty() && v->rank() != node.inputs()[all.front()]->rank())) continue;
    all.push_back(i);
    if (i == 0 || i >= static_cast<size_t>(node.base_input_count())) data.push_back(i);
  }
  if (all == data) return {all};
  return {all, data};
}

// The problem with these inputs, and the outputs, in either layout, until `enough` says so of one; returns whether it did.
template <class Enough> bool ask(const Problem& problem, const std::vector<size_t>& images, const Enough& enough) {
  const bool gives_images = std::any_of(problem.node->outputs().begin(), problem.node->outputs().end(),
                                        [](const ir::Value* v) { return is_image(v); });
  Problem asked = problem;
  for (const size_t in : {0, 1}) {
    for (const size_t out : {0, 1}) {
      if ((in && images.empty()) || (out && (!gives_images || problem.sizes_results))) continue;
      set_row_major(asked.inputs);
      set_row_major(asked.outputs);
      if (in)
        for (size_t i : images) set_channels_last(asked.inputs[i]);
      if (out)
        for (Argument& a : asked.outputs) set_channels_last(a);
      if (enough(in, out, asked)) return true;
    }
  }
  return false;
}

// Tactics stand in the order of preference: one that does not tell its time is behind those that go before it.
void add_preference(Signatures& found) {
  std::optional<size_t> best;
  for (const auto& row : found.by)
    for (const Signatures::Offer& o : row)
      if (o.preferred.tactic) best = std::min(o.preferred.rank, best.value_or(o.preferred.rank));
  for (auto& row : found.by)
    for (Signatures::Offer& o : row)
      if (o.preferred.tactic && !o.preferred.tactic->estimate && o.preferred.rank != best) o.seconds *= kBehind;
}

Signatures with_images(const Problem& problem, const Tuner& tuner, const DeviceFacts& facts,
                       std::vector<size_t> images) {
  Signatures found;
  found.images = std::move(images);
  ask(problem, found.images, [&](size_t in, size_t out, const Problem& asked) {
    Signatures::Offer& offer = found.by[in][out];
    offer.preferred = tuner.first_accepting(asked);
    if (offer.preferred.tactic) offer.seconds = estimate(*offer.preferred.tactic, asked, facts).seconds();
    return false;
  });
  add_preference(found);
  return found;
}

Signatures signatures(const Problem& problem, const Tuner& tuner, const DeviceFacts& facts) {
  const std::vector<std::vector<size_t>> groups = image_groups(*problem.node);
  Signatures found = with_images(problem, tuner, facts, groups.front());
  return found.by[1][0].preferred.tactic || found.by[1][1].preferred.tactic || groups.size() == 1
             ? found
             : with_images(problem, tuner, facts, groups.back());
}

}  // namespace

bool is_image(const ir::Value* value) {
  return value && value->is_tensor() && value->ranked() && value->shape().size() >= kMinRank &&
         has_whole_bytes(value->dtype());
}

bool Signatures::any() const {
  return std::any_of(by.begin(), by.end(), [](const auto& row) {
    return std::any_of(row.begin(), row.end(), [](const Offer& o) { return o.preferred.tactic != nullptr; });
  });
}

SignatureFinder::SignatureFinder(const Target& target, const TunerOptions& options)
    : target_(target), has_tactics_(!target.tactics().all().empty()), own_(target, quiet(options)) {
  if (const Target* fallback = target.fallback()) fallback_.emplace_back(*fallback, quiet(options));
}

const DeviceFacts& SignatureFinder::facts() const { return target_.device().facts(); }

Signatures SignatureFinder::of(const Problem& problem) const {
  Signatures found = signatures(problem, own_, facts());
  if (found.any() || fallback_.empty()) return found;
  return signatures(problem, fallback_.front(), target_.fallback()->device().facts());
}

std::optional<double> SignatureFinder::measure(const Problem& problem) {
  const auto milliseconds = own_.fastest(problem);
  return milliseconds ? std::optional(*milliseconds * 1e-3) : std::nullopt;
}

bool SignatureFinder::takes(const Problem& problem) const {
  const auto groups = image_groups(*problem.node);
  return std::any_of(groups.begin(), groups.end(), [&](const std::vector<size_t>& images) {
    return ask(problem, images, [&](size_t, size_t, const Problem& asked) { return own_.accepts(asked); });
  });
}

}  // namespace kiln
