// Which operators, and which of them on which element types, have kernels on the processor and none on GPUs.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "cuda/node_check.h"
#include "operators/sample.h"

namespace kiln::cuda::testing {
namespace {

constexpr uint64_t kSamples = 300;  // of an operator: each of its types is among them

NodeCase node_of(const OpDef& op, const operators::Sample& sample, bool constant_weights, bool channels_last) {
  NodeCase c{.op = op.name(), .attributes = sample.attributes, .inputs = {}, .outputs = sample.outputs};
  for (const operators::Input& input : sample.inputs) {
    Operand o;
    o.present = input.value.valid();
    if (o.present) {
      o.dims = input.value.dims();
      o.type = input.value.dtype();
      o.value = input.value;
      o.constant =
          input.role == operators::Input::kParameter || (input.role == operators::Input::kWeight && constant_weights);
    }
    c.inputs.push_back(std::move(o));
  }
  if (channels_last && !c.inputs.empty() && c.inputs[0].dims.size() == 4)
    c.inputs[0].layout = c.output_layout = Layout::channels_last(4);
  return c;
}

// "int8", or "int8 to float32" of operators that change the type.
std::string types_of(const Problem& p) {
  const DType from = p.input(0).dtype, to = p.outputs.empty() ? from : p.outputs[0].dtype;
  constexpr std::string_view kChanging[] = {"Cast", "CastLike", "QuantizeLinear", "DequantizeLinear"};
  const bool both = std::find(std::begin(kChanging), std::end(kChanging), p.op()) != std::end(kChanging);
  return std::string(name(from)) + (both ? " to " + std::string(name(to)) : "");
}

bool takes(const Target& target, const Problem& p) {
  const auto& all = target.tactics().of(p.op());
  return std::any_of(all.begin(), all.end(), [&](const Tactic* t) { return !t->refusal(p).refused(); });
}

// By types: whether the second target takes a sample that the first takes.
std::map<std::string, bool> compared(const OpDef& op, const Target& first, const Target& second) {
  std::map<std::string, bool> by_types;
  const operators::Sampler sampler = operators::sampler_of(op);
  for (uint64_t seed = 0; sampler && seed < kSamples; ++seed) {
    operators::Draw draw(seed, true);
    const operators::Sample sample = sampler(draw);
    for (int form = 0; form < 4; ++form) {
      try {
        const BuiltNode node(node_of(op, sample, form % 2 == 0, form / 2 == 1));
        if (!takes(first, node.problem())) continue;
        bool& taken = by_types[types_of(node.problem())];
        taken = taken || takes(second, node.problem());
      } catch (const Error&) {
        continue;  // no valid call, or only running can tell the shape of a result
      }
    }
  }
  return by_types;
}

// Pairs that GPUs lack, and why; no types: whatever the elements are.
struct Gap {
  const char *op, *types, *reason;
};
constexpr const char *kNoData = "reads no data: the host answers",
                     *kSizes = "only running can tell how large its result is",
                     *kMadeByRule = "a rule makes it for the processor alone; GPUs have its parts";
constexpr Gap kGaps[] = {
    {"ExpandDepthwise", "", kMadeByRule},
    {"Range", "", kSizes},
    {"Shape", "", kNoData},
    {"Size", "", kNoData},
};

bool is_gap(const Gap& gap, const std::string& op, const std::string& types) {
  return op == gap.op && (*gap.types == 0 || types == gap.types);
}

TEST(CudaTactics, CoverTheTypesOfTheProcessor) {
  const Target &cpu = find_target("cpu"), &gpu = find_target("cuda");
  std::set<const Gap*> seen;
  for (const OpDef* op : all_ops())
    for (const auto& [types, taken] : compared(*op, cpu, gpu)) {
      const auto gap = std::find_if(std::begin(kGaps), std::end(kGaps),
                                    [&, &types = types](const Gap& g) { return is_gap(g, op->name(), types); });
      EXPECT_EQ(taken, gap == std::end(kGaps))
          << op->name() << " of " << types << " needs a kernel or a reason, or the reason is none any more";
      if (gap != std::end(kGaps)) seen.insert(&*gap);
    }
  for (const Gap& gap : kGaps)
    EXPECT_TRUE(seen.count(&gap)) << "the processor has no " << gap.op << " of " << gap.types;
}

TEST(CudaTactics, CoverTheOperatorsOfTheProcessor) {
  const auto cpu = find_target("cpu").tactics().ops(), gpu = find_target("cuda").tactics().ops();
  std::set<std::string> missing;
  std::set_difference(cpu.begin(), cpu.end(), gpu.begin(), gpu.end(), std::inserter(missing, missing.begin()));
  const std::set<std::string> on_host{
      // Only running can tell how large their results are, which have no device memory then. SuppressBoxes does what takes time in
      // NonMaxSuppression.
      "Compress",
      "NonMaxSuppression",
      "NonZero",
      "Range",
      // They read no data.
      "Shape",
      "Size",
  };
  const std::set<std::string> of_the_processor{
      // A rule makes it where a target has it (FusionLimits): GPUs have its parts.
      "ExpandDepthwise",
      // A pointwise operator, which GPUs run without naming it.
      "Quantize",
  };
  std::set<std::string> expected = on_host;
  expected.insert(of_the_processor.begin(), of_the_processor.end());
  EXPECT_EQ(missing, expected);
}

}  // namespace
}  // namespace kiln::cuda::testing
