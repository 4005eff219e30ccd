// Appending pointwise nodes to the node that computes their operand.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

// Makes the root of the match a post-operation of the producer of its operand `i`, if the producer is one of those that `accepts`
// takes, nobody else reads it, and no operand would grow or shrink its result. Nothing, with a reason, otherwise.
std::optional<Patch> append_post_op(const Match& match, int i, size_t limit,
                                    const std::function<bool(const Node&)>& accepts);

// An activation without attributes and further operands that fused operators take by its name.
bool is_plain_activation(const ir::PostOp& post);

}  // namespace kiln::passes
