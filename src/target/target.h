// What a back end offers to the compiler: passes, tactics, packing.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/kept_code.h"
#include "device/device.h"
#include "ir/graph.h"
#include "passes/fusion_limits.h"

namespace kiln::passes {
struct Pass;
struct Rule;
}  // namespace kiln::passes

namespace kiln {

// An argument of a problem. Dimensions are numbers: those of the profile's optimum, and the largest of all profiles; guesses where
// only running can tell.
struct Argument {
  bool present = false;
  DType dtype = DType::kInvalid;
  bool ranked = true;
  Dims opt, max;  // equal when the shape is static
  bool is_static = true;
  Layout layout;
  const Tensor* constant = nullptr;  // known at build time
  Dims min = {};                     // the smallest of all profiles; empty: opt
  // The dimension is the same in every run.
  bool is_fixed(size_t axis) const { return opt[axis] == max[axis] && (min.empty() || min[axis] == opt[axis]); }
};

// One node with all that decides which kernel is best. Equal keys mean equal problems.
struct Problem {
  const ir::Node* node = nullptr;
  std::vector<Argument> inputs, outputs;  // inputs: of the base operator, then of the post-operations
  int threads = 1;
  bool sizes_results = false;  // only the kernel can tell the shape of a result
  bool tf32 = false;           // float32 products may round their operands to TF32 (10 bits of mantissa)
  KeptCode* kept = nullptr;    // where tactics find and leave code that they compile; null: nowhere
  const std::string& op() const { return node->op_name(); }
  const Attributes& attributes() const { return node->attributes; }
  const std::vector<ir::PostOp>& post() const { return node->post; }
  const Argument& input(int i) const;  // an absent argument when there is none
  // Hash of everything but names, kept code and the values of large constants.
  Hash128 key() const;
  std::string str() const;  // "Conv float32[1,64,56,56] float32[64,64,3,3] + Relu", for logs
};

// Empty: accepted. Else why not, with the values that decided.
struct Refusal {
  std::string reason;
  bool refused() const { return !reason.empty(); }
};
inline Refusal accept() { return {}; }
inline Refusal refuse(std::string reason) { return {std::move(reason)}; }

using Config = Attributes;  // parameters that the tuner may vary

// What a tactic makes of a problem: a kernel of a device with its arguments.
struct Emitted {
  std::string device;  // back end whose device runs it
  std::string kernel;
  Attributes parameters;
  // Kernel inputs: >= 0 an input of the problem, kAbsent, or constant k as from_constant(k).
  static constexpr int kAbsent = -1;
  static constexpr int from_constant(int k) { return -2 - k; }
  static constexpr bool is_constant(int from) { return from < kAbsent; }
  static constexpr int constant_of(int from) { return -2 - from; }
  std::vector<int> inputs;
  std::vector<Tensor> constants;                          // packed weights
  std::shared_ptr<const GeneratedKernel> code = nullptr;  // that the kernel runs, where it is a generated one
  bool strided_output = false;       // output 0 may be a slice of a wider tensor along its innermost axes
  bool strided_rows = false;         // or one along the axis that is innermost in memory alone
  int64_t row_alignment = 1;         // bytes: of which that begins, and its rows lie apart, at multiples
  uint32_t strided_inputs = 0;       // bit k: kernel input k may be one, too
  DType computes = DType::kInvalid;  // what it rounds operands to, or keeps weights in, where it does either
};

// What a launch takes, in seconds, by reasoning from what is known of a device.
struct Estimate {
  double compute = 0, move = 0;  // which overlap
  double launch = 0;
  double seconds() const { return (compute > move ? compute : move) + launch; }
};

// Its functions may run on several threads at once.
struct Tactic {
  std::string name;
  int version = 1;
  std::vector<std::string_view> ops = {};  // that it is for; empty: any
  std::string device = {};                 // whose kernels it emits; empty: the target's
  bool sizes_results = false;              // its kernel stores results whose shape it alone can tell
  std::string library = {};                // whose kernels it runs; who disables that name disables it
  int level = 0;                           // of a build, from which on it is tried
  // Seconds that emitting it may take where it compiles code, which the tuner does for many problems at once, and not when so much time is
  // not left.
  double compiles = 0;
  bool turns_layouts = false;  // reads row-major images and writes channels-last ones, or the reverse, at no cost
  // What it takes on a device, where more is known of it than estimate() in target/estimate.h finds by itself.
  std::function<Estimate(const Problem&, const DeviceFacts&)> estimate = nullptr;
  std::function<Refusal(const Problem&)> accepts;
  // At least one; in the order of preference when nothing is measured. Null: one empty configuration.
  std::function<std::vector<Config>(const Problem&)> configurations;
  // May throw Error; the tactic is then left out and the reason logged.
  std::function<Emitted(const Problem&, const Config&)> emit;
  // Why it does not take the problem: the operator is another one, or as `accepts` says.
  Refusal refusal(const Problem& problem) const;
};

// Tactics in the order of preference when nothing is measured.
class TacticList {
 public:
  explicit TacticList(std::vector<const Tactic*> all);
  const std::vector<const Tactic*>& all() const { return all_; }
  const std::vector<const Tactic*>& of(std::string_view op) const;
  std::set<std::string, std::less<>> ops() const;  // that a tactic names

 private:
  std::vector<const Tactic*> all_, for_any_;
  std::map<std::string_view, std::vector<const Tactic*>> of_;
};

// What a build may do to the numbers of a network beside rounding results as float32 does.
struct Precisions {
  DType compute =
      DType::kF32;  // of what the network has in float32: that, or kF16 or kBF16, which outputs are cast from
  DType second = DType::kF32;  // beside float16: kBF16, in which those compute that float16 does not suit; kF32: none
  bool tf32 = false;
  // Layers of the model that compute in a type of their own: kF32, `compute` or `second`. The last that fits counts.
  struct Layer {
    std::string name;
    DType type;
    bool is_pattern = false;  // '*' in the name stands for any text
  };
  std::vector<Layer> layers = {};
  bool obey = false;  // a layer that cannot is an error; else a warning
};

struct TargetOptions {
  std::set<std::string> disabled;  // rules and tactics by name, tactics also by their device
  Logger* logger = &null_logger();
  Precisions precisions = {};
};

class Target {
 public:
  virtual ~Target() = default;
  virtual std::string_view name() const = 0;
  virtual Device& device() const = 0;
  // The passes between import and choice, in order.
  virtual std::vector<passes::Pass> pipeline(const TargetOptions& options) const = 0;
  // Those in its pipeline that are its own, beside the lists of passes/.
  virtual std::vector<const passes::Rule*> rules() const { return {}; }
  // Empty where only the last resort runs operators.
  virtual const TacticList& tactics() const = 0;
  // Whether passes of this target let a network in float32 compute in that type.
  virtual bool computes_in(DType type) const { return type == DType::kF32; }
  // What its kernels do in one step.
  virtual passes::FusionLimits fusion() const { return {}; }
  // Whose tactics run on the host what this target's device, with memory of its own, cannot; null: reference evaluation does.
  virtual const Target* fallback() const { return nullptr; }
};

// All targets, by name; the list is src/backends/CMakeLists.txt, and behind it those that the program registered.
const std::vector<const Target*>& all_targets();
// Before any other thread asks for targets. It lives until the program ends.
void register_target(const Target& target);
const Target& find_target(std::string_view name);  // throws kNotFound
const Target& default_target();                    // the first whose device is there; throws kNotFound

// The last resort: reference evaluation of the node as a step. Accepts everything but control flow.
Emitted emit_reference(const Problem& problem);

}  // namespace kiln
