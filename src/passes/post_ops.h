// Appending pointwise nodes to the node that computes their operand.
#pragma once
#include "passes/pass.h"

namespace kiln::passes {

// The rule that is asked whether a program may do it.
inline constexpr std::string_view kProgramsOnResults = "programs_on_results";

// Whether kernels within these limits do `root` behind what `base` does already, when operand `x` of `root` is the result so far: as one
// activation and sums, or by a program.
bool finishes_plainly(const Node& base, const Node& root, int x, const FusionLimits& limits);
bool finishes_by_program(const Node& base, const Node& root, int x, const FusionLimits& limits);
// Either, but for what is switched off.
bool finishes(const Node& base, const Node& root, int x, const PassOptions& options);

// Of a post-operation; nullopt is the running result.
using PostOpOperands = std::vector<std::optional<PatchValue>>;
// Those of `root` when its operand `i` is the running result. Nothing, with a reason, where one is absent or would grow or shrink that.
std::optional<PostOpOperands> post_op_operands(const Node& root, int i);

// Makes the root of the match a post-operation of the producer of its operand `i`, if the producer is one of those that `accepts`
// takes, nobody else reads it, and no operand would grow or shrink its result. Nothing, with a reason, otherwise.
std::optional<Patch> append_post_op(const Match& match, int i, size_t limit,
                                    const std::function<bool(const Node&)>& accepts);

// The same behind a base of the target's whose kernels `finishes` says do it.
std::optional<Patch> append_to_base(const Match& match, const FusionLimits& limits,
                                    bool (*finishes)(const Node&, const Node&, int, const FusionLimits&));

// Whether what the node does afterwards is the same wherever an element lies: its operands are scalars that are known.
bool acts_on_elements_alone(const Node& node);
// The post-operations of `node` as nodes of their own that begin with `value`.
PatchValue with_post_ops_behind(Patch& patch, const Node& node, PatchValue value);
// An activation without attributes and further operands that fused operators take by its name.
bool is_plain_activation(const ir::PostOp& post);

}  // namespace kiln::passes
