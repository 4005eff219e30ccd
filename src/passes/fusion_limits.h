// What the kernels of a target do in one step.
#pragma once
#include <set>
#include <string>
#include <string_view>

namespace kiln::passes {

// Nothing, until a target says more.
struct FusionLimits {
  using Names = std::set<std::string, std::less<>>;
  Names operators = {};      // that its tactics run; rules that make others of Kiln's own are left out
  Names bases = {};          // operators that take post-operations: biases, sums and activations
  Names activations = {};    // that finish a base, one in a step
  size_t sums = 0;           // tensors known only when running that a base may add
  bool sums_behind = false;  // may they be added behind the activation, too?
  // Operators on floating-point numbers, one behind a base with constant weights and its bias, whose other operands are numbers, constants
  // along the columns, or `sums` tensors of the result's shape.
  Names programs = {};
  // Operators that join the result and a tensor of its shape. Behind such a base and its bias so many of them may follow each other, with one
  // activation before, between or behind them.
  Names joins = {};
  size_t joined = 0;
  bool real_codes = false;  // products by weights of float4 and float8, whose codes are unpacked as they are multiplied
  bool words = false;       // products and convolutions of integers of 16 bits by constant bytes
  bool cheap_steps = false;  // does a small step take about as long as its bytes, with no launch on a device?
};

}  // namespace kiln::passes
