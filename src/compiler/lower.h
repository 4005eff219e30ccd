// Writes a graph with its choices as a program of a plan.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/extents.h"

namespace kiln {

// Builds the plan of a whole network: dimension programs and constants are shared by all its programs.
class Lowering {
 public:
  Lowering(const Extents& extents, const Target& target, TunerOptions tuner, Precisions precisions,
           CompileReport& report)
      : extents_(extents), target_(target), tuner_(std::move(tuner)), precisions_(precisions), report_(report) {}
  // Outputs behind the first `returned` are watched only.
  plan::Plan run(const ir::Graph& graph, const std::vector<WatchedOutput>& watched, size_t returned);

 private:
  struct Scope;  // one program under construction
  void lower_program(const ir::Graph& graph, size_t index, bool is_body);
  int32_t tensor_of(Scope& scope, const ir::Value* value);
  int32_t constant_tensor(Scope& scope, const Tensor& tensor, const std::string& name, const Layout& layout);
  uint32_t dim_of(const Dim& dim);
  void lower_control(Scope& scope, const ir::Node& node, size_t index);
  void lower_kernel(Scope& scope, const Problem& problem, const Choice& choice);
  static bool is_late(const Scope& scope, const plan::StepInfo& step);
  void ask_kernel(Scope& scope, plan::StepInfo& step);
  bool host_only(const Problem& problem, bool is_body) const;
  std::vector<Choice> choose(std::vector<Problem>& problems, bool is_body);
  bool shares_memory(const Scope& scope, const ir::Node& node) const;
  uint64_t add_constant(const Tensor& tensor);

  const Extents& extents_;
  const Target& target_;
  TunerOptions tuner_;
  Precisions precisions_;
  CompileReport& report_;
  plan::Plan plan_;
  std::vector<WatchedOutput> watched_;
  std::set<const ir::Value*> watched_only_;
  std::map<std::string, uint32_t> dims_;
  std::map<Hash128, std::vector<uint64_t>> constant_offsets_;
};

}  // namespace kiln
