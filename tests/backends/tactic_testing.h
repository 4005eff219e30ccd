// Runs every tactic that accepts a node, in each of its configurations, and compares with reference evaluation.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "target/target.h"

namespace kiln::tactic_testing {

struct Operand {
  Dims dims;
  bool constant = false;
  Layout layout = {};
  int64_t slack = 0;                 // the tensor is a slice along axis 1 of one with so many more elements there
  std::optional<Tensor> value = {};  // random in [-1, 1] when absent
  bool present = true;
};

struct NodeCase {
  std::string op;
  Attributes attributes = {};
  std::vector<Operand> inputs = {};
  Layout output_layout = {};
  int64_t output_slack = 0;
  std::vector<ir::PostOp> post = {};  // operands >= 0 count within `extra`
  std::vector<Operand> extra = {};
  int threads = 2;
  double tolerance = 2e-5;                        // of the largest result
  std::map<std::string, double> tolerances = {};  // of single tactics
  // Dims that the inputs (base, then extra) have when the kernel runs; empty: those of the problem.
  std::vector<Dims> run_dims = {};
};

using Names = std::set<std::string>;
bool has(const Names& names, const char* name);

ir::PostOp post(const std::string& op, std::vector<int> operands, Attributes attributes = {});
// Names of the tactics that accepted; each has been compared. Tactics of other operators must refuse with a reason.
Names check(const NodeCase& c);
// The reason for which the tactic refuses; empty when it accepts.
std::string refusal(const NodeCase& c, const std::string& tactic);

}  // namespace kiln::tactic_testing
