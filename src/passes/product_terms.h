// Products taken apart: the factors of a tree of Mul, Div by a number and small powers, whatever their order.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

struct ProductTerms {
  double number = 1;                                     // product of the constant factors
  std::vector<Value*> values;                            // the others; x ** 3 counts as three times x
  std::vector<Node*> nodes;                              // the tree
  bool is(double wanted, const Value* x) const;          // number * x
  bool is_power(const Value* x, size_t exponent) const;  // the values are x, so many times
};

// Follows only values that nobody else reads; the root itself may be read by many.
ProductTerms factors_of(Node& root);
ProductTerms factors_of(Value* root);

// Terms that are x and 1 + f(argument).
struct HalfGate {
  Value* x = nullptr;
  Value* argument = nullptr;
  std::vector<Node*> nodes;
};
std::optional<HalfGate> half_gate(const ProductTerms& terms, std::string_view function);

void absorb_all(Patch& patch, const std::vector<std::vector<Node*>>& groups);

}  // namespace kiln::passes
