// The pass manager and the application of rules.
#include "passes/pass.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "base/work.h"

#include "base/error.h"

namespace kiln::passes {
namespace {

constexpr int kMaxSweeps = 100;
thread_local std::string last_reason;

class Applier {
 public:
  Applier(Graph& graph, const std::vector<const Rule*>& rules, PassContext& context)
      : graph_(graph), context_(context) {
    for (const Rule* rule : rules) {
      if (!context.enabled(*rule)) continue;
      if (rule->walk) walks_.push_back(rule);
      else if (rule->pattern.ops.empty()) everywhere_.push_back(rule);
      else
        for (const std::string& op : rule->pattern.ops) by_op_[op].push_back(rule);
    }
  }

  void run() {
    for (int sweep = 0; sweep < kMaxSweeps; ++sweep)
      if (!sweep_once()) return;
    throw Error(Code::kInternal, "the rules do not settle on graph '" + graph_.name + "'")
        .cause("rule '" + last_rule_ + "' fires again and again");
  }

 private:
  bool sweep_once() {
    bool fired = false;
    gone_.clear();
    for (Node* node : graph_.node_list()) {
      check_work();
      // What was folded before it tells more of its shape, on which in turn depends what folds behind it.
      if (!gone_.count(node)) graph_.infer(*node);
      fired = visit(node) || fired;
    }
    for (const Rule* rule : walks_)
      for (const Patch& patch : rule->walk(graph_)) {
        check_work();
        if (!context_.may_patch()) return false;
        apply(*rule, patch);
        fired = true;
      }
    return fired;
  }

  // Tries the rules on a node, and then on the nodes that they made.
  bool visit(Node* node) {
    bool fired = false;
    std::vector<Node*> pending{node};
    for (int budget = kMaxSweeps; !pending.empty() && budget > 0; --budget) {
      Node* n = pending.back();
      pending.pop_back();
      while (!gone_.count(n) && budget-- > 0) {
        auto added = try_rules(*n);
        if (!added) break;
        fired = true;
        pending.insert(pending.end(), added->begin(), added->end());
      }
    }
    return fired;
  }

  std::optional<std::vector<Node*>> try_rules(Node& node) {
    if (!context_.may_patch()) return std::nullopt;
    auto it = by_op_.find(node.op_name());
    if (it != by_op_.end())
      for (const Rule* rule : it->second)
        if (auto added = try_rule(*rule, node)) return added;
    for (const Rule* rule : everywhere_)
      if (auto added = try_rule(*rule, node)) return added;
    return std::nullopt;
  }

  std::optional<std::vector<Node*>> try_rule(const Rule& rule, Node& node) {
    const auto match = ir::match(rule.pattern, node);
    if (!match) return std::nullopt;
    if (const auto patch = patch_of(rule, *match, context_.options())) return apply(rule, *patch);
    if (const std::string reason = take_decline_reason(); !reason.empty()) context_.note_decline(rule, node, reason);
    return std::nullopt;
  }

  std::vector<Node*> apply(const Rule& rule, const Patch& patch) {
    last_rule_ = rule.name;
    ir::Applied applied;
    try {
      applied = patch.apply(graph_);
    } catch (Error& error) {
      error.add_node("rule '" + rule.name + "'");
      throw;
    }
    gone_.insert(applied.erased.begin(), applied.erased.end());
    for (Node* n : applied.added) gone_.erase(n);
    context_.note(rule, applied.name);
    return applied.added;
  }

  Graph& graph_;
  PassContext& context_;
  std::map<std::string, std::vector<const Rule*>, std::less<>> by_op_;
  std::vector<const Rule*> everywhere_, walks_;
  std::unordered_set<Node*> gone_;  // erased during this sweep
  std::string last_rule_;
};

}  // namespace

std::nullopt_t decline(std::string reason) {
  last_reason = std::move(reason);
  return std::nullopt;
}

std::string take_decline_reason() { return std::exchange(last_reason, {}); }

void PassContext::note(const Rule& rule, const std::string& name) {
  ++report_.counts[rule.name];
  report_.fired.push_back({pass_, rule.name, name});
  if (options_.logger) options_.logger->log(Severity::kVerbose, pass_ + ": " + rule.name + ": " + name);
}

void PassContext::note_decline(const Rule& rule, const Node& node, const std::string& reason) {
  if (options_.logger)
    options_.logger->log(Severity::kVerbose, pass_ + ": " + rule.name + " declines '" + node.name() + "': " + reason);
}

void PassContext::remark(const std::string& text) { remark_at(Severity::kInfo, text); }

void PassContext::warn(const std::string& text) { remark_at(Severity::kWarning, text); }

void PassContext::stays(const Node& node, const std::string& reason, Severity severity) {
  const std::string layer = "'" + node.name() + "' (", type = std::string(name(node.output()->dtype()));
  const auto speaks_of_it = [&](const std::string& line) {
    return line.starts_with(layer) && line.find(") stays in ") != std::string::npos;
  };
  if (std::any_of(report_.remarks.begin(), report_.remarks.end(), speaks_of_it)) return;
  remark_at(severity, layer + node.op_name() + ") stays in " + type + ": " + reason);
}

void PassContext::remark_at(Severity severity, const std::string& text) {
  report_.remarks.push_back(text);
  if (options_.logger) options_.logger->log(severity, pass_ + ": " + text);
}

std::optional<Patch> patch_of(const Rule& rule, const Match& match, const PassOptions& options) {
  return rule.rewrite ? rule.rewrite(match) : rule.rewrite_within(match, options);
}

void apply_rules(Graph& graph, const std::vector<const Rule*>& rules, PassContext& context) {
  for (const auto& n : graph.nodes())
    for (const auto& region : n->regions) apply_rules(*region, rules, context);
  Applier(graph, rules, context).run();
}

namespace {

// A line for each rule that fired in the last pass: how often, and the last node that came out.
void log_rules(const PassReport& report, size_t first, Logger& logger) {
  std::vector<std::pair<const PassReport::Fired*, size_t>> rules;
  for (size_t i = first; i < report.fired.size(); ++i) {
    const auto it = std::find_if(rules.begin(), rules.end(),
                                 [&](const auto& known) { return known.first->rule == report.fired[i].rule; });
    if (it == rules.end()) rules.emplace_back(&report.fired[i], 1);
    else *it = {&report.fired[i], it->second + 1};
  }
  for (const auto& [fired, count] : rules)
    logger.log(Severity::kInfo, fired->pass + ": " + fired->rule +
                                    (count == 1 ? ": " : " (" + std::to_string(count) + " times): ") + fired->name);
}

}  // namespace

void run_passes(Graph& graph, const std::vector<Pass>& passes, const PassOptions& options, PassReport& report) {
  PassContext context(options, report);
  for (const Pass& pass : passes) {
    const auto start = std::chrono::steady_clock::now();
    const size_t before = report.fired.size();
    context.begin(pass.name);
    pass.run(graph, context);
    graph.remove_dead();
    graph.infer_types();
    ir::verify(graph);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (options.logger) log_rules(report, before, *options.logger);
    report.passes.push_back({pass.name, elapsed.count(), report.fired.size() - before, graph.nodes().size()});
  }
}

PassReport run_passes(Graph& graph, const std::vector<Pass>& passes, const PassOptions& options) {
  PassReport report;
  run_passes(graph, passes, options, report);
  return report;
}

}  // namespace kiln::passes
