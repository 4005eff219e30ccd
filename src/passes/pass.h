// Passes and their manager: a list of passes reads from top to bottom, each is verified, timed and logged.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "passes/rule.h"

namespace kiln::passes {

struct PassOptions {
  std::set<std::string> disabled = {};  // names of rules
  int64_t stop_after = -1;              // patches in all; negative: no limit. For bisection
  Logger* logger = nullptr;
  FusionLimits limits = {};  // of the target
  // The largest size of a dimension in any profile; nothing where only running tells. Null: of those that are no numbers nothing is known.
  std::function<std::optional<int64_t>(const Dim&)> largest = nullptr;
};

struct PassReport {
  struct Timing {
    std::string pass;
    double seconds = 0;
    size_t patches = 0;
    size_t nodes_after = 0;
  };
  struct Fired {
    std::string pass, rule, name;  // name of the node that came out: "conv1 + relu1"
  };
  std::vector<Timing> passes;
  std::map<std::string, size_t> counts;  // per rule
  std::vector<Fired> fired;
  std::vector<std::string> remarks;  // on layers that stay as they were, and why
};

// What a running pass sees: options, and where it notes what it did.
class PassContext {
 public:
  PassContext(const PassOptions& options, PassReport& report) : options_(options), report_(report) {}
  bool enabled(const Rule& rule) const {
    const auto& run = options_.limits.operators;
    return !options_.disabled.count(rule.name) && (rule.makes.empty() || run.count(rule.makes)) &&
           (rule.replaces.empty() || !run.count(rule.replaces));
  }
  const PassOptions& options() const { return options_; }
  const FusionLimits& limits() const { return options_.limits; }
  bool may_apply(const Rule& rule) const { return enabled(rule) && may_patch(); }
  bool may_patch() const {
    return options_.stop_after < 0 || static_cast<int64_t>(report_.fired.size()) < options_.stop_after;
  }
  void note(const Rule& rule, const std::string& name);
  void note_decline(const Rule& rule, const Node& node, const std::string& reason);
  void remark(const std::string& text);  // goes to the log and to the report
  void warn(const std::string& text);    // the same of what was asked for and is not done
  // Why a layer stays in the type that it has. Of each the first reason is told.
  void stays(const Node& node, const std::string& reason, Severity severity = Severity::kInfo);
  void begin(std::string pass) { pass_ = std::move(pass); }

 private:
  void remark_at(Severity severity, const std::string& text);

  const PassOptions& options_;
  PassReport& report_;
  std::string pass_;
};

struct Pass {
  std::string name;
  std::function<void(Graph&, PassContext&)> run;
};

Pass canonicalize();
// Within the limits of the target.
Pass fuse();
// Of that only what makes one node of pointwise nodes in a row.
Pass chain_pointwise();
// Products of quantized tensors become products of integers with post-operations, and what only moves or chooses elements does so with
// integers. The log says which products stay wide, and why.
Pass quantize();
// Dequantized constants become constants: behind quantize(), those that no product of integers reads.
Pass dequantize_constants();
// For targets whose kernels compute in float32: what computes on float16 and bfloat16 does so between casts, which round as the
// types say, and constants are dequantized. Such a node says what the model has there (Node::declared).
Pass compute_in_float32();

// What computes on float32 does so on `type`, float16 or bfloat16, between casts, where the operator has such a form. Nodes whose precision
// is `second` compute in that, and so do beside float16 products whose weights it cannot hold; float32: there is no second type.
Pass compute_in(DType type, DType second = DType::kF32);

// Products and convolutions of float32 by constants may take bfloat16 and sum in float32; tactics that do are compared by time with those
// in float32.
Pass multiply_in_bfloat16();

// Products by constant weights that float16 or bfloat16 holds, or that are free to be rounded to `compute` (float32: none are), may keep them
// in that type: tactics that do are compared by time with those that do not.
Pass keep_narrow_weights(DType compute);

// Runs the passes in order. After each: dead nodes removed, types inferred again, the graph verified. What `report` has already, of passes
// before, counts among the patches that stop_after allows.
void run_passes(Graph& graph, const std::vector<Pass>& passes, const PassOptions& options, PassReport& report);
PassReport run_passes(Graph& graph, const std::vector<Pass>& passes, const PassOptions& options = {});
// Applies the rules to this graph and those nested in it, in topological order, until none fires.
void apply_rules(Graph& graph, const std::vector<const Rule*>& rules, PassContext& context);

}  // namespace kiln::passes
