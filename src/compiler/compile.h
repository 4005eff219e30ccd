// From a graph to an engine: passes, problems, choice, memory plan, plan.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/pass.h"
#include "passes/quantize/by_range.h"
#include "passes/quantize/few_bits.h"
#include "plan/plan.h"
#include "target/target.h"
#include "tuner/tuner.h"

namespace kiln {

// Bounds of one input in one profile.
struct InputBounds {
  Dims min, opt, max;
};
using ProfileBounds = std::map<std::string, InputBounds>;  // by input name; inputs of static shape may be left out

// The graph as it is lowered: each node becomes a step of the same name, or none when it only renames bytes or no step reads its results.
inline constexpr const char* kLastStage = "final";

// An output of the graph that contexts look at.
struct WatchedOutput {
  size_t output;  // index in the graph's outputs
  plan::Watch::Kind kind = plan::Watch::kShown;
  std::string node, message;  // of what is required: who requires it, and the text of the error
};

struct CompileOptions {
  std::string target;                   // back end; empty: default_target()
  std::string name;                     // of the network
  std::vector<ProfileBounds> profiles;  // none: all inputs must be static
  // One per profile, or none at all: bounds of the elements of inputs whose elements are dimensions of the graph.
  std::vector<ProfileBounds> values;
  // What is required is checked at once when its value is known, and left out of the plan.
  std::vector<WatchedOutput> watched;
  size_t returned = SIZE_MAX;  // outputs of the graph behind the first so many are watched only, not the engine's
  bool shows_results = false;  // see Plan
  // Of the outputs in order, with one block at most; row-major where there is none. An input's is that of its value.
  std::vector<Layout> output_layouts;
  TunerOptions tuner;
  passes::PassOptions passes;
  passes::TensorRanges ranges;  // some: products compute in int8 where their operands have one
  passes::RangeOptions range_options;
  bool equalizes = false;                       // see passes::equalize_layers
  std::optional<passes::FewBits> weights = {};  // of products, in few bits
  Precisions precisions;
  // Streams beside the user's in which steps may run, at most; negative: as many as pay by the clock, none where nothing is measured.
  int max_aux_streams = -1;
  Logger* logger = &null_logger();
  // Called after each stage with its name ("import", "canonicalize", …, kLastStage) and the graph; for dumps.
  std::function<void(const std::string& stage, const ir::Graph& graph)> after_stage;
};

struct LayerReport {
  std::string name, op, tactic, problem;
  double milliseconds = -1;  // as measured; negative when it was not
  std::vector<Tried> tried = {};
  DType computes = DType::kInvalid;  // type_computed()
  bool guessed = false;              // see Choice
};

struct CompileReport {
  passes::PassReport passes;
  std::vector<LayerReport> layers;
  double seconds_passes = 0, seconds_choice = 0, seconds_total = 0;
};

// Takes the graph apart. Throws Error. Same graph, options, device and timing cache: the same plan.
plan::Plan compile(std::unique_ptr<ir::Graph> graph, const CompileOptions& options, CompileReport* report = nullptr);

}  // namespace kiln
