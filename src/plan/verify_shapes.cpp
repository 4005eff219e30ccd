// Values of dimension programs at the corners of the profiles.
#include "plan/verify_shapes.h"

#include <map>
#include <utility>

#include "base/index.h"

namespace kiln::plan {
namespace {

using Symbols = std::map<std::string, int64_t>;

DimValues evaluate_all(const Plan& plan, const Symbols& symbols) {
  DimValues values;
  for (const std::vector<DimOp>& program : plan.dims)
    values.push_back(evaluate(program, [&](const std::string& name) {
      const auto found = symbols.find(name);
      return found == symbols.end() ? std::nullopt : std::optional<int64_t>(found->second);
    }));
  return values;
}

// Calls visit(list of the profile, input number, position in the list's entry, symbol) for all that inputs bind.
template <class F> void for_each_binding(const Plan& plan, F visit) {
  const Program& main = plan.programs[0];
  for (size_t i = 0; i < main.inputs.size(); ++i) {
    const TensorInfo& input = nth(main.tensors, main.inputs[i]);
    for (size_t axis = 0; axis < input.dims.size(); ++axis) {
      const std::vector<DimOp>& program = plan.dims[input.dims[axis]];
      if (program.size() == 1 && program[0].kind == DimOp::kSymbol) visit(&Profile::inputs, i, axis, program[0].symbol);
      visit(&Profile::inputs, i, axis, input.name + "." + std::to_string(axis));
    }
    if (!plan.profiles[0].values.empty())
      for (size_t k = 0; k < plan.profiles[0].values[i].opt.size(); ++k)
        visit(&Profile::values, i, k, value_symbol(input.name, static_cast<int64_t>(k)));
  }
}

// Where inputs disagree about a symbol, only what suits them all can run: `better` says which of two values is that.
Symbols symbols_at(const Plan& plan, const Profile& profile, std::vector<int64_t> ProfileDims::*corner,
                   bool (*better)(int64_t, int64_t)) {
  Symbols symbols;
  for_each_binding(plan, [&](auto list, size_t input, size_t at, const std::string& name) {
    const int64_t value = ((profile.*list)[input].*corner)[at];
    const auto [found, added] = symbols.emplace(name, value);
    if (!added && better(value, found->second)) found->second = value;
  });
  return symbols;
}

}  // namespace

std::set<std::string> bound_symbols(const Plan& plan) {
  std::set<std::string> names;
  for_each_binding(plan, [&](auto, size_t, size_t, const std::string& name) { names.insert(name); });
  return names;
}

DimValues constant_dims(const Plan& plan) { return evaluate_all(plan, {}); }

bool lies_inside(const TensorInfo& view, const Dims& dims, const Dims& parent, int64_t start) {
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const bool part = axis == static_cast<size_t>(view.view_axis);
    if (part ? start < 0 || start > parent[axis] || dims[axis] > parent[axis] - start : dims[axis] != parent[axis])
      return false;
  }
  return true;
}

void for_each_corner(const Plan& plan, const std::function<void(const DimValues&)>& visit) {
  const auto greater = [](int64_t a, int64_t b) { return a > b; };
  const auto less = [](int64_t a, int64_t b) { return a < b; };
  for (const Profile& profile : plan.profiles) {
    visit(evaluate_all(plan, symbols_at(plan, profile, &ProfileDims::min, greater)));
    visit(evaluate_all(plan, symbols_at(plan, profile, &ProfileDims::opt, less)));
    visit(evaluate_all(plan, symbols_at(plan, profile, &ProfileDims::max, less)));
  }
}

}  // namespace kiln::plan
