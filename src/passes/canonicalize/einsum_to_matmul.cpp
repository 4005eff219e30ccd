// Einsum of one operand is a sum and a transpose; of two it is a matrix product between transposes and reshapes.
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

std::optional<Patch> of_two(const Match& m, const Equation& e) {
  const std::string &a = e.inputs[0], &b = e.inputs[1], &out = e.output;
  const std::string batch = chosen(out, [&](char c) { return has(a, c) && has(b, c); });
  const std::string rows = chosen(out, [&](char c) { return has(a, c) && !has(b, c); });
  const std::string columns = chosen(out, [&](char c) { return !has(a, c) && has(b, c); });
  const std::string terms = chosen(a, [&](char c) { return has(b, c) && !has(out, c); });
  if (terms.empty()) return decline("nothing is summed");
  if (batch.size() + rows.size() + terms.size() != a.size() ||
      batch.size() + columns.size() + terms.size() != b.size() ||
      batch.size() + rows.size() + columns.size() != out.size())
    return decline("an operand is summed by itself");
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

}  // namespace

const Rule einsum_to_matmul{
    .name = "einsum_to_matmul",
    .pattern = one_of({"Einsum"}),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      const auto equation = parse(text(n, "equation"));
      if (!equation || equation->inputs.size() > 2 || !is_float(n.output()->dtype()))
        return decline("only sums of products of plain labels of one or two operands");
      for (size_t i = 0; i < equation->inputs.size(); ++i) {
        const Value* v = n.input(static_cast<int>(i));
        if (!v->ranked() || v->shape().size() != equation->inputs[i].size()) return decline("the rank is not known");
      }
      return equation->inputs.size() == 1 ? of_one(m, *equation) : of_two(m, *equation);
    },
};

}  // namespace kiln::passes
