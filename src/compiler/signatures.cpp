// Which layouts the tactics of a target can take and give for a node: found by asking them.
#include "compiler/signatures.h"

#include <algorithm>

namespace kiln {
namespace {

constexpr size_t kMinRank = 3;

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

// Asks for a tactic with these inputs, and the outputs, in either layout, until `enough` says so of what was found; returns whether it did.
template <class Enough>
bool ask(const Problem& problem, const Tuner& tuner, const std::vector<size_t>& images, const Enough& enough) {
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
      if (enough(in, out, tuner.first_accepting(asked))) return true;
    }
  }
  return false;
}

Signatures with_images(const Problem& problem, const Tuner& tuner, std::vector<size_t> images) {
  Signatures found;
  found.images = std::move(images);
  ask(problem, tuner, found.images, [&](size_t in, size_t out, const Tuner::Preferred& tactic) {
    found.by[in][out] = tactic;
    return false;
  });
  return found;
}

Signatures signatures(const Problem& problem, const Tuner& tuner) {
  const std::vector<std::vector<size_t>> groups = image_groups(*problem.node);
  Signatures found = with_images(problem, tuner, groups.front());
  return found.by[1][0].tactic || found.by[1][1].tactic || groups.size() == 1
             ? found
             : with_images(problem, tuner, groups.back());
}

}  // namespace

bool is_image(const ir::Value* value) {
  return value && value->is_tensor() && value->ranked() && value->shape().size() >= kMinRank &&
         has_whole_bytes(value->dtype());
}

std::optional<size_t> Signatures::best() const {
  std::optional<size_t> least;
  for (const auto& row : by)
    for (const Tuner::Preferred& p : row)
      if (p.tactic) least = std::min(p.rank, least.value_or(p.rank));
  return least;
}

SignatureFinder::SignatureFinder(const Target& target, const TunerOptions& options)
    : has_tactics_(!target.tactics().all().empty()), own_(target, quiet(options)) {
  if (const Target* fallback = target.fallback()) fallback_.emplace_back(*fallback, quiet(options));
}

Signatures SignatureFinder::of(const Problem& problem) const {
  Signatures found = signatures(problem, own_);
  return !found.best() && !fallback_.empty() ? signatures(problem, fallback_.front()) : found;
}

bool SignatureFinder::takes(const Problem& problem) const {
  const auto groups = image_groups(*problem.node);
  return std::any_of(groups.begin(), groups.end(), [&](const std::vector<size_t>& images) {
    return ask(problem, own_, images,
               [](size_t, size_t, const Tuner::Preferred& found) { return found.tactic != nullptr; });
  });
}

}  // namespace kiln
