// Einsum of one operand is a sum and a transpose; of two it is a matrix product, or a product of elements, between transposes and
// reshapes; of more it is one Einsum of two operands after the other.
#include <algorithm>

#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

bool has(const std::string& labels, char label) { return labels.find(label) != std::string::npos; }

// Terms of plain letters, each once; nothing for other equations.
std::optional<Equation> parse(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  if (arrow == std::string::npos || has(text, '.')) return std::nullopt;
  Equation equation{{""}, text.substr(arrow + 2)};
  for (char c : text.substr(0, arrow)) {
    if (c == ',') equation.inputs.emplace_back();
    else if (has(equation.inputs.back(), c)) return std::nullopt;
    else equation.inputs.back() += c;
  }
  return equation;
}

std::string united(const std::string& a, const std::string& b) {
  std::string labels = a;
  for (char c : b)
    if (!has(a, c)) labels += c;
  return labels;
}

std::string chosen(const std::string& from, auto keep) {
  std::string labels;
  std::copy_if(from.begin(), from.end(), std::back_inserter(labels), keep);
  return labels;
}

// Values under construction: labels name their axes, and sizes the labels.
class Builder {
 public:
  explicit Builder(const Match& m) : patch(m) {}

  void learn(const std::string& labels, const Shape& shape) {
    for (size_t i = 0; i < labels.size(); ++i) {
      const auto found =
          std::find_if(sizes_.begin(), sizes_.end(), [&](const auto& s) { return s.first == labels[i]; });
      if (found == sizes_.end()) sizes_.emplace_back(labels[i], shape[i]);
      else ok = ok && found->second == shape[i];
    }
  }
  PatchValue transposed(PatchValue value, const std::string& from, const std::string& to) {
    if (from == to) return value;
    Ints perm;
    for (char label : to) perm.push_back(static_cast<int64_t>(from.find(label)));
    return patch.add("Transpose", {value}, {{"perm", perm}});
  }
  // The shape in which each group of labels is one axis.
  Shape grouped(const std::vector<std::string>& groups) const {
    Shape shape;
    for (const std::string& group : groups) {
      Dim size = 1;
      for (char label : group)
        size =
            size * std::find_if(sizes_.begin(), sizes_.end(), [&](const auto& s) { return s.first == label; })->second;
      shape.push_back(size);
    }
    return shape;
  }
  // Of a tensor with these labels; symbols count as a typical size.
  double elements(const std::string& labels) const {
    constexpr double kTypical = 32;
    double count = 1;
    for (char label : labels)
      for (const auto& [known, size] : sizes_)
        if (known == label) count *= size.is_constant() ? static_cast<double>(size.value()) : kTypical;
    return count;
  }
  // Axes of one element for the labels of `to` that `from` lacks; those that both have are in the same order.
  PatchValue widened(PatchValue value, const std::string& from, const std::string& to) {
    std::vector<int64_t> axes;
    for (size_t i = 0; i < to.size(); ++i)
      if (!has(from, to[i])) axes.push_back(static_cast<int64_t>(i));
    if (axes.empty()) return value;
    return patch.add("Unsqueeze",
                     {value, patch.constant(Tensor::of<int64_t>({static_cast<int64_t>(axes.size())}, axes))});
  }
  PatchValue reshaped(PatchValue value, const Shape& from, const Shape& to) {
    if (from == to) return value;
    const auto target = reshape_target(from, to);
    ok = ok && target;
    return ok ? patch.add("Reshape", {value, patch.constant(*target)}) : value;
  }

  Patch patch;
  bool ok = true;

 private:
  std::vector<std::pair<char, Dim>> sizes_;
};

std::vector<std::string> singles(const std::string& labels) {
  std::vector<std::string> groups;
  for (char label : labels) groups.emplace_back(1, label);
  return groups;
}

std::vector<std::string> with(std::vector<std::string> groups, std::initializer_list<std::string> more) {
  groups.insert(groups.end(), more);
  return groups;
}

std::optional<Patch> of_one(const Match& m, const Equation& e) {
  const std::string& from = e.inputs[0];
  std::vector<int64_t> axes;
  for (size_t i = 0; i < from.size(); ++i)
    if (!has(e.output, from[i])) axes.push_back(static_cast<int64_t>(i));
  Builder b(m);
  PatchValue value = m.root().input(0);
  if (!axes.empty())
    value = b.patch.add("ReduceSum",
                        {value, b.patch.constant(Tensor::of<int64_t>({static_cast<int64_t>(axes.size())}, axes))},
                        {{"keepdims", int64_t{0}}});
  const std::string left = chosen(from, [&](char c) { return has(e.output, c); });
  if (axes.empty() && left == e.output) return decline("it changes nothing");
  b.patch.replace(m.root().output(), b.transposed(value, left, e.output));
  return b.patch;
}

// Labels that one operand alone has are summed first.
std::optional<Patch> summed_first(const Match& m, const Equation& e) {
  Builder b(m);
  std::vector<PatchValue> operands;
  std::string equation;
  bool summed = false;
  for (size_t i : {0, 1}) {
    const std::string &own = e.inputs[i], &other = e.inputs[1 - i];
    const std::string kept = chosen(own, [&](char c) { return has(other, c) || has(e.output, c); });
    PatchValue value = m.root().input(static_cast<int>(i));
    summed = summed || kept != own;
    if (kept != own) value = b.patch.add("Einsum", {value}, {{"equation", own + "->" + kept}});
    operands.push_back(value);
    equation += (i ? "," : "") + kept;
  }
  if (!summed) return decline("the result has labels that no operand has, or one twice");
  b.patch.replace(m.root().output(), b.patch.add("Einsum", operands, {{"equation", equation + "->" + e.output}}));
  return b.patch;
}

// Nothing is summed: elements times elements.
std::optional<Patch> of_elements(const Match& m, const Equation& e) {
  Builder b(m);
  std::vector<PatchValue> operands;
  for (size_t i : {0, 1}) {
    const std::string& own = e.inputs[i];
    b.learn(own, m.root().input(static_cast<int>(i))->shape());
    const std::string order = chosen(e.output, [&](char c) { return has(own, c); });
    operands.push_back(b.widened(b.transposed(m.root().input(static_cast<int>(i)), own, order), order, e.output));
  }
  if (!b.ok) return decline("the sizes of a label differ");
  b.patch.replace(m.root().output(), b.patch.add("Mul", operands));
  return b.patch;
}

std::optional<Patch> of_two(const Match& m, const Equation& e) {
  const std::string &a = e.inputs[0], &b = e.inputs[1], &out = e.output;
  const std::string batch = chosen(out, [&](char c) { return has(a, c) && has(b, c); });
  const std::string rows = chosen(out, [&](char c) { return has(a, c) && !has(b, c); });
  const std::string columns = chosen(out, [&](char c) { return !has(a, c) && has(b, c); });
  const std::string terms = chosen(a, [&](char c) { return has(b, c) && !has(out, c); });
  if (batch.size() + rows.size() + terms.size() != a.size() ||
      batch.size() + columns.size() + terms.size() != b.size() ||
      batch.size() + rows.size() + columns.size() != out.size())
    return summed_first(m, e);
  if (terms.empty()) return of_elements(m, e);
  Builder build(m);
  build.learn(a, m.root().input(0)->shape());
  build.learn(b, m.root().input(1)->shape());
  if (!build.ok) return decline("the sizes of a label differ");
  const auto each = singles(batch);
  PatchValue left = build.transposed(m.root().input(0), a, batch + rows + terms);
  PatchValue right = build.transposed(m.root().input(1), b, batch + terms + columns);
  left = build.reshaped(left, build.grouped(singles(batch + rows + terms)), build.grouped(with(each, {rows, terms})));
  right = build.reshaped(right, build.grouped(singles(batch + terms + columns)),
                         build.grouped(with(each, {terms, columns})));
  PatchValue y = build.patch.add("MatMul", {left, right});
  y = build.reshaped(y, build.grouped(with(each, {rows, columns})), build.grouped(singles(batch + rows + columns)));
  if (!build.ok) return decline("a reshape cannot be written");
  build.patch.replace(m.root().output(), build.transposed(y, batch + rows + columns, out));
  return build.patch;
}

// The two operands whose product takes the fewest multiplications become one.
std::optional<Patch> of_many(const Match& m, const Equation& e) {
  Builder b(m);
  for (size_t i = 0; i < e.inputs.size(); ++i) b.learn(e.inputs[i], m.root().input(static_cast<int>(i))->shape());
  if (!b.ok) return decline("the sizes of a label differ");
  size_t first = 0, second = 1;
  double least = -1;
  for (size_t i = 0; i < e.inputs.size(); ++i)
    for (size_t j = i + 1; j < e.inputs.size(); ++j) {
      const double cost = b.elements(united(e.inputs[i], e.inputs[j]));
      if (least >= 0 && cost >= least) continue;
      least = cost;
      first = i, second = j;
    }
  std::string others = e.output, equation;
  std::vector<PatchValue> operands;
  for (size_t i = 0; i < e.inputs.size(); ++i) {
    if (i == first || i == second) continue;
    others += e.inputs[i];
    equation += e.inputs[i] + ",";
    operands.push_back(m.root().input(static_cast<int>(i)));
  }
  const std::string kept = chosen(united(e.inputs[first], e.inputs[second]), [&](char c) { return has(others, c); });
  operands.push_back(b.patch.add("Einsum",
                                 {m.root().input(static_cast<int>(first)), m.root().input(static_cast<int>(second))},
                                 {{"equation", e.inputs[first] + "," + e.inputs[second] + "->" + kept}}));
  b.patch.replace(m.root().output(),
                  b.patch.add("Einsum", operands, {{"equation", equation + kept + "->" + e.output}}));
  return b.patch;
}

}  // namespace

const Rule einsum_to_matmul{
    .name = "einsum_to_matmul",
    .pattern = one_of({"Einsum"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const auto equation = parse(text(n, "equation"));
      if (!equation || !is_float(n.output()->dtype())) return decline("only sums of products of plain labels");
      for (size_t i = 0; i < equation->inputs.size(); ++i) {
        const Value* v = n.input(static_cast<int>(i));
        if (!v->ranked() || v->shape().size() != equation->inputs[i].size()) return decline("the rank is not known");
      }
      if (equation->inputs.size() > 2) return of_many(m, *equation);
      return equation->inputs.size() == 1 ? of_one(m, *equation) : of_two(m, *equation);
    },
};

}  // namespace kiln::passes
