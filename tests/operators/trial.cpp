// One sample as engines.
#include "operators/trial.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/hash.h"
#include "compiler/engine_testing.h"
#include "operators/compare.h"

namespace kiln::operators {
namespace {

constexpr int kAttempts = 40;
constexpr uint64_t kPretendEvery =
    5;  // its kernels are the CPU's: what is asked is whether each operator finds its memory

std::string input_name(size_t i) { return "in" + std::to_string(i); }

std::vector<Datum> data_of(const Sample& sample) {
  std::vector<Datum> data;
  for (const Input& input : sample.inputs) data.emplace_back(input.value);
  return data;
}

bool known_when_built(Draw& draw, Input::Role role) {
  return draw.chance(role == Input::kData ? 0.06 : role == Input::kWeight ? 0.5 : 0.75);
}

// Absolute values; 1 for what is not finite.
Tensor magnitudes(const Tensor& tensor) {
  if (!tensor.valid() || !is_float(tensor.dtype())) return tensor;
  Tensor result = tensor.clone();
  for (int64_t i = 0; i < result.size(); ++i) result.set(i, std::isfinite(tensor.at(i)) ? std::abs(tensor.at(i)) : 1);
  return result;
}

// Bounds of a dimension around the sample's, tuned for another one.
struct Bounds {
  int64_t min, opt, max;
  Bounds(Draw& draw, int64_t size)
      : min(draw.chance(0.3) ? size : draw.integer(std::min<int64_t>(size, 1), size)),
        max(size + draw.integer(size <= 1 ? 2 : 0, 5)) {
    opt = draw.integer(min, max);
    if (opt == size || opt == 1) opt = max;
  }
};
using BoundsBySize = std::map<int64_t, Bounds>;

// A symbol does not broadcast where it happens to be 1. The optimum shows whether that of size 1 ought to, unless another size is the same.
bool is_ambiguous(const BoundsBySize& bounds, const Sample& sample) {
  const auto one = bounds.find(1);
  if (one == bounds.end()) return false;
  const int64_t opt = one->second.opt;
  return std::any_of(bounds.begin(), bounds.end(),
                     [&](const auto& b) { return b.first != 1 && b.second.opt == opt; }) ||
         std::any_of(sample.inputs.begin(), sample.inputs.end(), [&](const Input& input) {
           const Dims& dims = input.value.dims();
           return std::count(dims.begin(), dims.end(), opt) > 0;
         });
}

}  // namespace

Trial::Trial(const OpDef& op, uint64_t seed) : op_(op), seed_(seed) {
  const Sampler sampler = sampler_of(op);
  std::string refusal;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Draw draw(hash128(op.name()).low + seed * 1009 + static_cast<uint64_t>(attempt),
              op.accuracy() != Accuracy::kReduction);
    sample_ = sampler(draw);
    try {
      expected_ = evaluate(op, sample_.attributes, data_of(sample_), sample_.outputs);
    } catch (const Error& error) {
      if (error.code() == Code::kInternal) throw;
      refusal = error.what();
      continue;
    }
    constant_.clear();
    shapes_.clear();
    for (const Input& input : sample_.inputs) {
      constant_.push_back(input.value.valid() && known_when_built(draw, input.role));
      shapes_.push_back(to_shape(input.value.dims()));
    }
    if (!constant_.empty() && std::count(constant_.begin(), constant_.end(), false) == 0 && draw.chance(0.8))
      constant_[0] = false;
    return;
  }
  throw Error(Code::kInvalidArgument,
              "the sampler of " + op.name() + " draws no valid sample of seed " + std::to_string(seed))
      .cause(refusal);
}

bool Trial::make_dynamic() {
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < sample_.inputs.size(); ++i)
    if (!constant_[i])
      sizes.insert(sizes.end(), sample_.inputs[i].value.dims().begin(), sample_.inputs[i].value.dims().end());
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  Draw draw(hash128(op_.name()).low ^ seed_, false);
  for (int attempt = 0; attempt < 6 && !sizes.empty(); ++attempt) {
    BoundsBySize bounds;
    for (int64_t size : sizes)
      if (draw.chance(0.5)) bounds.emplace(size, Bounds(draw, size));
    if (bounds.empty()) bounds.emplace(sizes[0], Bounds(draw, sizes[0]));
    if (is_ambiguous(bounds, sample_)) continue;
    std::vector<Shape> shapes = shapes_, corners[3] = {shapes_, shapes_, shapes_};
    ProfileBounds profile;
    for (size_t i = 0; i < shapes.size(); ++i) {
      if (constant_[i] || !sample_.inputs[i].value.valid()) continue;
      for (size_t k = 0; k < shapes[i].size(); ++k) {
        const auto it = bounds.find(shapes[i][k].value());
        if (it == bounds.end()) continue;
        shapes[i][k] = Dim::symbol("s" + std::to_string(it->first));
        corners[0][i][k] = it->second.min, corners[1][i][k] = it->second.opt, corners[2][i][k] = it->second.max;
      }
      profile[input_name(i)] = {static_dims(corners[0][i]), static_dims(corners[1][i]), static_dims(corners[2][i])};
    }
    try {
      for (const auto& corner : corners) check(corner);
    } catch (const Error&) {
      continue;  // these dimensions are not free
    }
    shapes_ = shapes;
    profile_ = profile;
    return true;
  }
  return false;
}

std::unique_ptr<ir::Graph> Trial::graph() const {
  auto graph = std::make_unique<ir::Graph>();
  ir::NodeSpec spec;
  for (size_t i = 0; i < shapes_.size(); ++i) {
    const Tensor& value = sample_.inputs[i].value;
    EdgeType type;
    type.tensor = {value.dtype(), shapes_[i], true};
    if (!value.valid()) spec.inputs.push_back(nullptr);
    else if (constant_[i]) spec.inputs.push_back(graph->add_constant(value, input_name(i)));
    else spec.inputs.push_back(graph->add_input(input_name(i), type));
  }
  spec.op = &op_;
  spec.attributes = sample_.attributes;
  spec.name = "node";
  spec.output_count = sample_.outputs;
  graph->set_outputs(graph->add_node(std::move(spec))->outputs());
  return graph;
}

// Throws Error when the operator takes no inputs of these shapes; what changes its shape is zero.
void Trial::check(const std::vector<Shape>& shapes) const {
  std::vector<Datum> data = data_of(sample_);
  for (size_t i = 0; i < data.size(); ++i)
    if (const Tensor& value = data[i].tensor; value.valid() && static_dims(shapes[i]) != value.dims())
      data[i].tensor = Tensor::allocate(value.dtype(), static_dims(shapes[i]));
  evaluate(op_, sample_.attributes, std::move(data), sample_.outputs);
}

std::vector<Tensor> Trial::arguments() const {
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < sample_.inputs.size(); ++i)
    if (!constant_[i] && sample_.inputs[i].value.valid()) tensors.push_back(sample_.inputs[i].value);
  return tensors;
}

Tensor Trial::magnitude_of(size_t output) const {
  if (op_.accuracy() != Accuracy::kReduction) return {};
  std::vector<Datum> data;
  for (const Input& input : sample_.inputs) data.emplace_back(magnitudes(input.value));
  try {
    const Tensor result = evaluate(op_, sample_.attributes, std::move(data), sample_.outputs)[output].tensor;
    return result.dims() == expected_[output].tensor.dims() ? result : Tensor();
  } catch (const Error&) {
    return {};  // the absolute values are no valid sample
  }
}

// The first difference of a plan's engine, after saving and loading.
std::string Trial::run(const plan::Plan& plan) const {
  const auto context = testing::reload(plan)->create_context();
  const std::vector<Tensor> results = testing::run(*context, arguments());
  if (results.size() != expected_.size()) return "gives " + std::to_string(results.size()) + " results";
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string text = difference(results[i], expected_[i].tensor, op_.accuracy());
    if (text.empty()) continue;
    const std::string again = difference(results[i], expected_[i].tensor, op_.accuracy(), magnitude_of(i));
    if (!again.empty()) return "output " + std::to_string(i) + ": " + again;
  }
  return "";
}

void Trial::run_tactics(const std::string& target, std::vector<std::string>& failures) const {
  CompileOptions options = testing::options_of(target, 0);
  if (!profile_.empty()) options.profiles = {profile_};
  std::string lowered;
  options.after_stage = [&](const std::string& stage, const ir::Graph& graph) {
    if (stage == kLastStage) lowered = ir::to_text(graph);
  };
  for (bool more = true; more;) {
    more = false;
    CompileReport report;
    std::string text;
    try {
      text = run(compile(graph(), options, &report));
    } catch (const std::exception& error) {
      text = error.what();
    }
    std::string names;
    for (const LayerReport& layer : report.layers) {
      names += " " + layer.tactic;

      more |= layer.tactic != "reference" && options.tuner.disabled.insert(layer.tactic).second;
    }
    if (!text.empty())
      failures.push_back("on " + target + " by" + (names.empty() ? " no step" : names) + ": " + text + "\nlowered to " +
                         lowered);
  }
}

std::vector<std::string> Trial::failures(bool measured) const {
  pretend::register_pretend();
  std::vector<std::string> failures;
  for (const Target* target : all_targets()) {
    const std::string name(target->name());
    std::string reason;
    if ((name == "pretend" && seed_ % kPretendEvery != 0) || !try_open_device(name, reason)) continue;
    run_tactics(name, failures);
    if (!measured) continue;
    CompileOptions options = testing::options_of(name, 4);
    if (!profile_.empty()) options.profiles = {profile_};
    try {
      const std::string text = run(compile(graph(), options));
      if (!text.empty()) failures.push_back("on " + name + ", measured: " + text);
    } catch (const std::exception& error) {
      failures.push_back("on " + name + ", measured: " + error.what());
    }
  }
  return failures;
}

std::string Trial::str() const {
  std::string text = op_.name() + " seed " + std::to_string(seed_) + " of";
  for (const Input& input : sample_.inputs) text += input.value.valid() ? " " + input.value.type_string() : " _";
  for (size_t i = 0; i < constant_.size(); ++i)
    if (const Tensor& value = sample_.inputs[i].value;
        !constant_[i] && value.valid() && value.size() <= ir::kInlineElements)
      text += "\n" + input_name(i) + " = " + to_string(Attribute(value));
  for (const auto& [name, bounds] : profile_)
    text += "\n" + name + " from " + to_string(bounds.min) + " by " + to_string(bounds.opt) + " to " +
            to_string(bounds.max);
  return text + "\n" + ir::to_text(*graph());
}

}  // namespace kiln::operators
