// Rules: pattern, conditions, patch. A rule never edits the graph.
#pragma once
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/patch.h"
#include "passes/fusion_limits.h"

namespace kiln::passes {

using ir::any;
using ir::constant;
using ir::Graph;
using ir::Match;
using ir::Node;
using ir::node;
using ir::once;
using ir::one_of;
using ir::Patch;
using ir::PatchValue;
using ir::Pattern;
using ir::Value;

struct PassOptions;

struct Rule {
  std::string name;
  Pattern pattern;  // of the outermost node
  std::function<std::optional<Patch>(const Match&)> rewrite = nullptr;
  // Instead of it, for rules that ask what the target's kernels do in one step, or how large dimensions may become.
  std::function<std::optional<Patch>(const Match&, const PassOptions&)> rewrite_within = nullptr;
  // Instead of pattern and rewrite, for rules that compare nodes which have no edge in common: all patches of one walk over the graph.
  std::function<std::vector<Patch>(Graph&)> walk = nullptr;
  std::string_view makes = {};     // an operator of Kiln's own; the rule is for targets that run it
  std::string_view replaces = {};  // an operator; the rule is for targets that have no tactic for it
  int stage = 0;                   // rules of a later stage wait until the earlier ones are done
};

// What a rule that has a pattern makes of a match.
std::optional<Patch> patch_of(const Rule& rule, const Match& match, const PassOptions& options);

// For `return decline("weights are not constant");`. The reason of the last refusal on this thread goes to the verbose log.
std::nullopt_t decline(std::string reason);
std::string take_decline_reason();

// The lists of the families, in the order in which the rules are tried.
std::vector<const Rule*> canonical_rules();
std::vector<const Rule*> fusion_rules();
std::vector<const Rule*> precision_rules();
std::vector<const Rule*> narrow_rules();
std::vector<const Rule*> quantize_rules();
// Of all that can fire: the lists', then those that passes make of what a build is given.
std::vector<std::string> rule_names();

}  // namespace kiln::passes
