// Einsum: sums of products in Einstein's notation: "ij,jk->ik", "...ii->...i"; letters that the output lacks are summed.
#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/index.h"
#include "ops/matrix/wrapping.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// A label is a letter, or, for a dimension that an ellipsis stands for, a negative number that counts from the right: -1 is the last.
using Labels = std::vector<int>;
struct Equation {
  std::vector<Labels> inputs;
  Labels output;
};

[[noreturn]] void fail(const std::string& equation, const std::string& why) {
  throw Error(Code::kInvalidArgument, "Einsum equation '" + equation + "' is wrong").cause(why);
}

bool is_letter(char ch) { return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'); }

// `ellipsis` is the number of dimensions that "..." stands for.
Labels parse_term(const std::string& equation, const std::string& term, int64_t ellipsis) {
  Labels labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (is_letter(term[i])) {
      labels.push_back(term[i]);
    } else if (term.compare(i, 3, "...") == 0) {
      for (int64_t k = ellipsis; k > 0; --k) labels.push_back(static_cast<int>(-k));
      i += 2;
    } else {
      fail(equation, std::string("'") + term[i] + "' is neither a letter nor part of '...'");
    }
  }
  return labels;
}

// Without "->": the ellipsis, then all letters that occur once, sorted.
Labels implicit_output(const std::vector<Labels>& inputs) {
  std::map<int, int> uses;
  for (const Labels& labels : inputs)
    for (int label : labels) ++uses[label];
  Labels output;
  for (const auto& [label, count] : uses)
    if (label < 0 || count == 1) output.push_back(label);
  return output;
}

Equation parse(std::string text, const std::vector<int64_t>& ranks) {
  const std::string whole = text;
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  const std::string left = text.substr(0, arrow);
  Equation equation;
  int64_t widest = 0;
  size_t start = 0;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const size_t comma = left.find(',', start);
    if ((comma == std::string::npos) != (i + 1 == ranks.size()))
      fail(whole, "it does not have one term for each of " + std::to_string(ranks.size()) + " inputs");
    const std::string term = left.substr(start, comma == std::string::npos ? comma : comma - start);
    const auto letters = static_cast<int64_t>(std::count_if(term.begin(), term.end(), is_letter));
    const bool open = term.find("...") != std::string::npos;
    if (open ? letters > ranks[i] : letters != ranks[i])
      fail(whole, "term '" + term + "' does not fit an input of rank " + std::to_string(ranks[i]));
    equation.inputs.push_back(parse_term(whole, term, ranks[i] - letters));
    widest = std::max(widest, ranks[i] - letters);
    start = comma + 1;
  }
  equation.output =
      arrow == std::string::npos ? implicit_output(equation.inputs) : parse_term(whole, text.substr(arrow + 2), widest);
  return equation;
}

template <class Call> Equation equation_of(const Call& c, const std::vector<int64_t>& ranks) {
  return parse(c.text("equation"), ranks);
}

// Sizes of all labels.
std::map<int, Dim> label_sizes(const ShapeCall& c, const Equation& equation) {
  std::map<int, Dim> sizes;
  for (size_t i = 0; i < equation.inputs.size(); ++i)
    for (size_t k = 0; k < equation.inputs[i].size(); ++k) {
      const Dim& size = c.dims(static_cast<int>(i))[k];
      auto [it, fresh] = sizes.emplace(equation.inputs[i][k], size);
      if (!fresh) it->second = broadcast({it->second}, {size})[0];
    }
  return sizes;
}

OutputShape einsum_shape(ShapeCall& c) {
  std::vector<int64_t> ranks;
  for (int i = 0; i < c.input_count(); ++i) ranks.push_back(static_cast<int64_t>(c.dims(i).size()));
  const Equation equation = equation_of(c, ranks);
  const std::map<int, Dim> sizes = label_sizes(c, equation);
  Shape shape;
  for (int label : equation.output) {
    const auto it = sizes.find(label);
    if (it == sizes.end()) fail(c.text("equation"), "the output names a letter that no input has");
    if (std::count(equation.output.begin(), equation.output.end(), label) > 1)
      fail(c.text("equation"), "the output names a letter twice");
    shape.push_back(it->second);
  }
  return shape;
}

// The loops: one per label, those of the output first; strides of each operand along each.
struct Loops {
  Dims sizes;
  size_t output_rank;
  std::vector<Dims> strides;
};

// A factor: its labels, sizes along them, which are 1 where it is repeated, and elements.
template <class T> struct Factor {
  Labels labels;
  Dims dims;
  std::vector<T> elements;
};
using Sizes = std::map<int, int64_t>;

template <class T> Loops make_loops(const std::vector<Factor<T>>& factors, const Labels& output, const Sizes& sizes) {
  Loops loops;
  Labels order = output;
  loops.output_rank = order.size();
  for (const Factor<T>& f : factors)
    for (int label : f.labels)
      if (std::find(order.begin(), order.end(), label) == order.end()) order.push_back(label);
  for (int label : order) loops.sizes.push_back(sizes.at(label));
  for (const Factor<T>& f : factors) {
    const Dims own = row_major_strides(f.dims);
    Dims strides(order.size(), 0);
    for (size_t k = 0; k < f.dims.size(); ++k)
      if (f.dims[k] != 1) nth(strides, std::find(order.begin(), order.end(), f.labels[k]) - order.begin()) += own[k];
    loops.strides.push_back(strides);
  }
  return loops;
}

// The sum of products along the last loop.
template <class T> T sum_line(const std::vector<const T*>& at, const std::vector<int64_t>& steps, int64_t count) {
  T sum = 0;
  for (int64_t t = 0; t < count; ++t) {
    T p = at[0][t * steps[0]];
    for (size_t i = 1; i < at.size(); ++i) p = with_product(T(0), p, at[i][t * steps[i]]);
    sum = with_product(sum, p, T(1));
  }
  return sum;
}

template <class T>
std::vector<T> contract(Loops loops, const std::vector<std::vector<T>>& operands, size_t output_size) {
  std::vector<T> y(output_size, T(0));
  if (element_count(loops.sizes) == 0) return y;
  if (loops.sizes.size() == loops.output_rank) {  // nothing to sum: a loop of one
    loops.sizes.push_back(1);
    for (Dims& s : loops.strides) s.push_back(0);
  }
  const int64_t line = loops.sizes.back();
  const Dims outer(loops.sizes.begin(), loops.sizes.end() - 1);
  const int64_t repeats = product(outer, loops.output_rank, outer.size());
  std::vector<int64_t> steps;
  for (const Dims& s : loops.strides) steps.push_back(s.back());
  for (Dims& s : loops.strides) s.pop_back();
  std::vector<const T*> at(operands.size());
  Dims index(outer.size(), 0);
  for (T& out : y)
    for (int64_t r = 0; r < repeats; ++r) {
      for (size_t i = 0; i < at.size(); ++i) at[i] = operands[i].data() + dot(index, loops.strides[i]);
      out = with_product(out, sum_line(at, steps, line), T(1));
      advance(index, outer);
    }
  return y;
}

template <class T>
Factor<T> product_of(const std::vector<Factor<T>>& factors, const Labels& output, const Sizes& sizes) {
  Factor<T> result{output, {}, {}};
  for (int label : output) result.dims.push_back(sizes.at(label));
  std::vector<std::vector<T>> operands;
  for (const Factor<T>& f : factors) operands.push_back(f.elements);
  result.elements =
      contract(make_loops(factors, output, sizes), operands, static_cast<size_t>(element_count(result.dims)));
  return result;
}

// The labels of some factors that the output or another factor names.
template <class T>
Labels kept(const std::vector<Factor<T>>& some, const std::vector<Factor<T>>& others, const Labels& output) {
  Labels labels;
  const auto names = [](const Labels& list, int label) {
    return std::find(list.begin(), list.end(), label) != list.end();
  };
  for (const Factor<T>& f : some)
    for (int label : f.labels) {
      const bool needed =
          names(output, label) ||
          std::any_of(others.begin(), others.end(), [&](const Factor<T>& other) { return names(other.labels, label); });
      if (needed && !names(labels, label)) labels.push_back(label);
    }
  return labels;
}

// Three factors and more two at a time: the loops over the labels of all of them together may be endless.
template <class T> Factor<T> contract_all(std::vector<Factor<T>> factors, const Labels& output, const Sizes& sizes) {
  for (size_t i = 0; i < factors.size() && factors.size() > 2; ++i) {
    const std::vector<Factor<T>> one{std::move(factors[i])};
    factors.erase(factors.begin() + static_cast<int64_t>(i));
    Sizes own;  // what is repeated is so later
    for (size_t k = 0; k < one[0].dims.size(); ++k) {
      const auto [known, fresh] = own.emplace(one[0].labels[k], one[0].dims[k]);
      if (!fresh && known->second == 1) known->second = one[0].dims[k];
    }
    Factor<T> summed = product_of(one, kept(one, factors, output), own);
    factors.insert(factors.begin() + static_cast<int64_t>(i), std::move(summed));
  }
  while (factors.size() > 2) {
    const std::vector<Factor<T>> pair{factors[0], factors[1]};
    factors.erase(factors.begin(), factors.begin() + 2);
    factors.push_back(product_of(pair, kept(pair, factors, output), sizes));
  }
  return product_of(factors, output, sizes);
}

template <class T> void run(RefCall& c, std::vector<T> (*load)(const Tensor&)) {
  std::vector<int64_t> ranks;
  for (int i = 0; i < c.input_count(); ++i) ranks.push_back(c.input(i).rank());
  const Equation equation = equation_of(c, ranks);
  std::vector<Factor<T>> factors;
  for (int i = 0; i < c.input_count(); ++i)
    factors.push_back({equation.inputs[static_cast<size_t>(i)], c.input(i).dims(), load(c.input(i))});
  Sizes sizes;
  for (const auto& [label, size] : label_sizes(c.shapes(), equation)) sizes[label] = size.value();
  store(c.output(), contract_all(std::move(factors), equation.output, sizes).elements);
}

}  // namespace

const OpDef einsum =
    op("Einsum")
        .variadic_input("inputs", kNumericTypes, "inputs")
        .required_attr("equation", std::string())
        .output("output", same_type("inputs"))
        .shape(einsum_shape)
        .reference([](RefCall& c) { is_float(c.input(0).dtype()) ? run(c, doubles) : run(c, integers); })
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
