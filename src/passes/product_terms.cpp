// Taking products apart.
#include "passes/product_terms.h"

#include <algorithm>

#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr size_t kMaxFactors = 8;

void collect(Value* v, bool root, ProductTerms& terms) {
  Node* n = v->producer();
  if (auto number = scalar_for(v, v->rank())) {
    terms.number *= *number;
  } else if (!n || !n->post.empty() || (!root && !v->has_one_use()) || terms.values.size() > kMaxFactors) {
    terms.values.push_back(v);
  } else if (n->is("Mul")) {
    terms.nodes.push_back(n);
    collect(n->input(0), false, terms);
    collect(n->input(1), false, terms);
  } else if (auto divisor = n->is("Div") ? scalar_for(n->input(1), v->rank()) : std::nullopt) {
    terms.nodes.push_back(n);
    terms.number /= *divisor;
    collect(n->input(0), false, terms);
  } else if (auto exponent = n->is("Pow") ? scalar_for(n->input(1), v->rank()) : std::nullopt;
             exponent == 2.0 || exponent == 3.0) {
    terms.nodes.push_back(n);
    terms.values.insert(terms.values.end(), static_cast<size_t>(*exponent), n->input(0));
  } else {
    terms.values.push_back(v);
  }
}

}  // namespace

bool ProductTerms::is(double wanted, const Value* x) const { return is_about(number, wanted) && is_power(x, 1); }

bool ProductTerms::is_power(const Value* x, size_t exponent) const {
  return values.size() == exponent && std::all_of(values.begin(), values.end(), [&](const Value* v) { return v == x; });
}

ProductTerms factors_of(Value* root) {
  ProductTerms terms;
  collect(root, true, terms);
  return terms;
}

ProductTerms factors_of(Node& root) { return factors_of(root.output()); }

std::optional<HalfGate> half_gate(const ProductTerms& terms, std::string_view function) {
  if (terms.values.size() != 2) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    Node* sum = terms.values[i]->producer();
    if (!sum || !sum->is("Add") || !sum->post.empty()) continue;
    for (int k = 0; k < 2; ++k) {
      Node* inner = sum->input(k)->producer();
      if (!inner || !inner->is(function) || !inner->post.empty() ||
          scalar_for(sum->input(1 - k), sum->output()->rank()) != 1.0)
        continue;
      return HalfGate{terms.values[1 - i], inner->input(0), {sum, inner}};
    }
  }
  return std::nullopt;
}

void absorb_all(Patch& patch, const std::vector<std::vector<Node*>>& groups) {
  for (const auto& group : groups)
    for (Node* n : group) patch.absorb(*n);
}

}  // namespace kiln::passes
