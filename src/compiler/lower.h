// Writes a graph with its choices as a program of a plan.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/extents.h"
#include "compiler/plan_memory.h"

namespace kiln {

// Builds the plan of a whole network: dimension programs and constants are shared by all its programs.
class Lowering {
 public:
  // `aux_streams`: see CompileOptions.
  Lowering(const Extents& extents, const Target& target, TunerOptions tuner, Precisions precisions, int aux_streams,
           CompileReport& report);
  // Outputs behind the first `returned` are watched only.
  // Takes what no step reads itself out of the graph's nodes: the plan has it packed.
  plan::Plan run(ir::Graph& graph, const std::vector<WatchedOutput>& watched, size_t returned);

 private:
  struct Scope;  // one program under construction
  // The choices for the nodes of the main program at the optimum of a profile.
  struct ProfileTuning {
    uint32_t profile;
    std::vector<Problem> problems;
    std::vector<Choice> choices;
  };
  struct Tuned {  // sizes for which choices were made
    const std::vector<Problem>* problems;
    const std::vector<Choice>* choices;
  };
  struct ProfileChoice {  // for one node
    uint32_t profile;
    const Problem* problem;
    const Choice* choice;
  };
  std::vector<Problem> problems_of(const Extents& extents, const ir::Graph& graph, bool is_body) const;
  std::vector<ProfileTuning> tune_profiles(const ir::Graph& graph, const Tuned& first);
  static std::vector<ProfileChoice> choices_of(const std::vector<ProfileTuning>& others, size_t node);
  std::vector<int32_t> operands(Scope& scope, const ir::Node& node, const Emitted& emitted, const std::string& suffix);
  void add_variant(Scope& scope, plan::StepInfo& step, StepDetail& detail, const Choice& usual,
                   const ProfileChoice& other);
  void lower_program(ir::Graph& graph, size_t index, bool is_body);
  int32_t tensor_of(Scope& scope, const ir::Value* value);
  int32_t constant_tensor(Scope& scope, const Tensor& tensor, const std::string& name, const Layout& layout);
  uint32_t dim_of(const Dim& dim);
  void lower_control(Scope& scope, const ir::Node& node, size_t index);
  void lower_kernel(Scope& scope, const Problem& problem, const Choice& choice,
                    const std::vector<ProfileChoice>& others);
  static void let_go_packed(const Scope& scope, ir::Node& node);
  double bytes_of(const Scope& scope, int32_t tensor) const;
  std::string cost_on_host(const Scope& scope, const plan::StepInfo& step, const StepDetail& detail) const;
  void tell_hosts(const Scope& scope) const;
  void tell_copies(const Scope& scope) const;
  static bool is_late(const Scope& scope, const plan::StepInfo& step);
  bool is_sized(const Problem& problem) const;
  bool pays_copies(const std::vector<Problem>& problems) const;
  int32_t output_of(Scope& scope, const ir::Value* value);
  void note_devices();
  void plan_scope(Scope& scope, size_t index);
  void tell_time(const Problem& problem, const Choice& choice, StepDetail& detail) const;
  std::vector<Choice> choose(std::vector<Problem>& problems, bool is_body, const std::vector<Tuned>& elsewhere = {});
  bool shares_memory(const Scope& scope, const ir::Node& node) const;
  uint64_t add_constant(const Tensor& tensor);
  int32_t add_code(const Emitted& emitted);

  const Extents& extents_;
  const Target& target_;
  TunerOptions tuner_;
  Tuner device_tuner_;
  std::optional<Tuner> host_tuner_;  // of what the device cannot run
  Precisions precisions_;
  int aux_streams_;
  CompileReport& report_;
  plan::Plan plan_;
  std::vector<ArenaSizes> memory_;  // by program
  std::vector<WatchedOutput> watched_;
  std::set<const ir::Value*> watched_only_;
  std::map<std::string, uint32_t> dims_;
  std::map<Hash128, std::vector<uint64_t>> constant_offsets_;
};

}  // namespace kiln
