// Runs every tactic of NVIDIA GPUs that accepts a node, on a GPU or up to the launch, and compares with reference evaluation.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backends/cuda/target/target.h"

namespace kiln::cuda::testing {

struct Operand {
  Dims dims;
  DType type = DType::kF32;
  bool constant = false;
  Layout layout = {};
  std::optional<Tensor> value = {};  // random when absent
  bool present = true;
};

struct NodeCase {
  std::string op;
  Attributes attributes = {};
  std::vector<Operand> inputs = {};
  Layout output_layout = {};
  std::vector<ir::PostOp> post = {};  // operands >= 0 count within `extra`
  std::vector<Operand> extra = {};
  int outputs = 1;
  bool tf32 = false;
  bool compiles = false;         // tactics that compile for seconds run, too
  std::string only = "";         // the tactic that runs; empty: each that accepts
  size_t share = 0, shares = 1;  // of the configurations of a tactic: each `shares`-th from `share` on
  double tolerance = 0;          // of ||difference|| / ||wanted||; 0: what the type of the first input allows
};

ir::PostOp post(const std::string& op, std::vector<int> operands, Attributes attributes = {});
Tensor random_tensor(DType type, const Dims& dims, unsigned seed);

// The node alone in a graph, its problem, and what its inputs hold.
class BuiltNode {
 public:
  explicit BuiltNode(const NodeCase& node_case);
  const Problem& problem() const { return problem_; }
  const std::vector<Tensor>& values() const { return values_; }
  std::vector<Tensor> wanted() const;  // by reference evaluation

 private:
  ir::Value* add(const Operand& operand);
  ir::Graph graph_;
  Problem problem_;
  std::vector<Tensor> values_;
};

// What a tactic made of a node, in the memory of a device.
class PlacedStep {
 public:
  PlacedStep(Device& device, const BuiltNode& node, const Emitted& emitted);  // throws Error
  ~PlacedStep();
  PlacedStep(const PlacedStep&) = delete;
  PlacedStep& operator=(const PlacedStep&) = delete;
  void prepare();  // throws Error
  Status launch(Stream& stream) { return kernel_->launch(stream, call()); }
  void poison(Stream& stream);  // results and the workspace become NaN
  std::vector<Tensor> results(Stream& stream) const;

 private:
  struct Place {
    Tensor host;  // the bytes as they lie
    Dims dims;
    Layout layout;
    DType type = DType::kInvalid;
    bool constant = false;
    void* memory = nullptr;
    Dims strides = {};  // of a plain layout
  };
  void place(Place place);
  TensorView view(const Place& place) const;
  KernelCall call() const { return {inputs_, outputs_, workspace_, workspace_size_}; }

  Device& device_;
  std::unique_ptr<Kernel> kernel_;
  std::vector<Place> places_;  // inputs, then outputs
  size_t input_count_ = 0;
  std::vector<TensorView> inputs_, outputs_;
  void* workspace_ = nullptr;
  size_t workspace_size_ = 0;
};

// The step up to its launch, on a chip of that compute capability that is not there. The text is good until the next call.
Status prepare_without_gpu(const BuiltNode& node, const Emitted& emitted, int compute);

// The GPU to run on; null, with the reason, where there is none.
Device* gpu(std::string& reason);

// Emitting what it makes compiles for seconds.
bool compiles_long(const Tactic& tactic);

// Names of the tactics that accepted. Each configuration is prepared for the chips that tactics know, and run where there is a GPU.
std::set<std::string> check(const NodeCase& node_case);
// The reason for which the tactic refuses; empty when it accepts.
std::string refusal(const NodeCase& node_case, const std::string& tactic);

}  // namespace kiln::cuda::testing
