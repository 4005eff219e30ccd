// Numbers for symbolic dimensions.
#include "compiler/extents.h"

#include <algorithm>

#include "base/error.h"

namespace kiln {
namespace {

void check_bounds(const ir::Value& input, const InputBounds& b) {
  const auto rank = static_cast<size_t>(input.rank());
  auto bad = [&](const std::string& cause) {
    throw Error(Code::kInvalidArgument,
                "the profile of input '" + input.name() + "' " + to_string(input.shape()) + " is not valid")
        .cause(cause)
        .remedy("give min <= opt <= max with the input's rank and fixed dimensions");
  };
  if (b.min.size() != rank || b.opt.size() != rank || b.max.size() != rank)
    bad("its rank is " + std::to_string(b.opt.size()));
  for (size_t i = 0; i < rank; ++i) {
    if (b.min[i] < 0 || b.min[i] > b.opt[i] || b.opt[i] > b.max[i])
      bad("dimension " + std::to_string(i) + " has min " + std::to_string(b.min[i]) + ", opt " +
          std::to_string(b.opt[i]) + ", max " + std::to_string(b.max[i]));
    if (auto fixed = input.shape()[i].constant(); fixed && (b.min[i] != *fixed || b.max[i] != *fixed))
      bad("dimension " + std::to_string(i) + " is fixed at " + std::to_string(*fixed));
  }
}

bool is_symbol(const Dim& dim, std::string& name) {
  std::set<std::string> symbols;
  dim.collect_symbols(symbols);
  if (symbols.size() != 1 || !(dim == Dim::symbol(*symbols.begin()))) return false;
  return name = *symbols.begin(), true;
}

// Bounds of the elements of an input that gives dimensions; empty ones for others.
plan::ProfileDims value_bounds(const ir::Value& input, const ProfileBounds* values) {
  if (!input.elements()) return {};
  const auto it = values ? values->find(input.name()) : ProfileBounds::const_iterator();
  const size_t count = input.elements()->size();
  if (!values || it == values->end() || it->second.min.size() != count || it->second.opt.size() != count ||
      it->second.max.size() != count)
    throw Error(Code::kInvalidArgument, "a profile has no bounds for the " + std::to_string(count) +
                                            " elements of input '" + input.name() + "', which give shapes")
        .remedy("set its minimum, optimum and maximum values in every profile");
  for (size_t i = 0; i < count; ++i)
    if (it->second.min[i] < 0 || it->second.min[i] > it->second.opt[i] || it->second.opt[i] > it->second.max[i])
      throw Error(Code::kInvalidArgument, "the values of input '" + input.name() + "' have the bounds " +
                                              to_string(it->second.min) + ", " + to_string(it->second.opt) + ", " +
                                              to_string(it->second.max))
          .remedy("give 0 <= min <= opt <= max");
  return {it->second.min, it->second.opt, it->second.max};
}

// A sequence or optional has no shape that a profile could bound.
void add_unbounded(const ir::Value& input, const ProfileBounds& bounds, plan::Profile& profile) {
  if (bounds.count(input.name()))
    throw Error(Code::kInvalidArgument, "a profile bounds input '" + input.name() + "', which is " + input.type().str())
        .remedy("leave it out of the profile");
  profile.inputs.emplace_back();
  profile.values.emplace_back();
}

}  // namespace

void bind_fixed_symbols(ir::Graph& graph, const std::vector<ProfileBounds>& profiles) {
  std::map<std::string, std::optional<int64_t>> sizes;  // nothing: it varies
  for (const ir::Value* input : graph.inputs()) {
    if (!input->is_tensor() || !input->ranked()) continue;
    for (size_t d = 0; d < input->shape().size(); ++d) {
      std::string symbol;
      if (!is_symbol(input->shape()[d], symbol)) continue;
      for (const ProfileBounds& profile : profiles) {
        const auto it = profile.find(input->name());
        if (it == profile.end() || it->second.min.size() <= d || it->second.max.size() <= d)
          return;  // Extents says why
        std::optional<int64_t> size = it->second.min[d];
        if (it->second.max[d] != *size || *size < 0) size.reset();
        const auto [known, fresh] = sizes.emplace(symbol, size);
        if (!fresh && known->second != size) known->second.reset();
      }
    }
  }
  const auto size_of = [&](const std::string& symbol) -> std::optional<Dim> {
    const auto it = sizes.find(symbol);
    return it == sizes.end() || !it->second ? std::nullopt : std::optional<Dim>(*it->second);
  };
  for (ir::Value* input : graph.inputs()) {
    EdgeType type = input->type();
    if (input->is_tensor())
      for (Dim& d : type.tensor.shape) d = d.substitute(size_of);
    else if (!is_static(type.tensor.shape)) type.tensor = {type.tensor.dtype, {}, false};  // items may differ in size
    input->set_type(std::move(type));
  }
  graph.infer_types();
}

Extents::Extents(const ir::Graph& graph, const std::vector<ProfileBounds>& profiles,
                 const std::vector<ProfileBounds>& values, const std::vector<ir::DimFact>& facts) {
  const std::vector<ProfileBounds> wanted = profiles.empty() ? std::vector<ProfileBounds>(1) : profiles;
  for (size_t p = 0; p < wanted.size(); ++p) {
    plan::Profile profile;
    Bindings low, high, middle;
    for (const auto& [name, bounds] : wanted[p])
      if (std::none_of(graph.inputs().begin(), graph.inputs().end(), [&](auto* v) { return v->name() == name; }))
        throw Error(Code::kInvalidArgument, "a profile names '" + name + "', which is not an input of the network");
    for (const ir::Value* input : graph.inputs()) {
      if (!input->is_tensor()) {
        add_unbounded(*input, wanted[p], profile);
        continue;
      }
      InputBounds bounds;
      if (auto it = wanted[p].find(input->name()); it != wanted[p].end()) {
        bounds = it->second;
      } else if (!input->ranked()) {
        throw Error(Code::kUnsupported, "input '" + input->name() + "' is " + input->type().str() +
                                            "; tensors that an engine takes have a known rank");
      } else if (is_static(input->shape())) {
        bounds.min = bounds.opt = bounds.max = static_dims(input->shape());
      } else {
        throw Error(Code::kInvalidArgument, "input '" + input->name() + "' has the dynamic shape " +
                                                to_string(input->shape()) + " and no profile")
            .remedy("give its minimum, optimum and maximum (--minShapes, --optShapes, --maxShapes, or --shapes)");
      }
      check_bounds(*input, bounds);
      auto bind = [&](const Dim& dim, const plan::ProfileDims& b, size_t i) {
        std::string symbol;
        if (!is_symbol(dim, symbol)) return;
        int64_t &least = low.try_emplace(symbol, b.min[i]).first->second,
                &most = high.try_emplace(symbol, b.max[i]).first->second;
        least = std::max(least, b.min[i]);
        most = std::min(most, b.max[i]);
        if (least > most)
          throw Error(Code::kInvalidArgument, "the profile gives dimension '" + symbol + "' no size that input '" +
                                                  input->name() + "' and the inputs before it share")
              .cause("it is " + std::to_string(b.min[i]) + " to " + std::to_string(b.max[i]) + " in '" + input->name() +
                     "', and " +
                     (b.min[i] == least ? "at most " + std::to_string(most) : "at least " + std::to_string(least)) +
                     " elsewhere")
              .remedy("give dimensions of one name sizes that meet, or the dimensions different names");
        int64_t& usual = middle.try_emplace(symbol, b.opt[i]).first->second;
        usual = std::clamp(usual, least, most);
      };
      profile.inputs.push_back({bounds.min, bounds.opt, bounds.max});
      for (size_t d = 0; d < bounds.opt.size(); ++d) bind(input->shape()[d], profile.inputs.back(), d);
      profile.values.push_back(value_bounds(*input, p < values.size() ? &values[p] : nullptr));
      for (size_t i = 0; i < profile.values.back().opt.size(); ++i)
        bind((*input->elements())[i], profile.values.back(), i);
    }
    Corners corners{std::move(low), std::move(high), {}};
    given_.push_back(corners);
    narrow(corners, facts);
    settle_optimum(middle, corners, facts);
    if (p == 0) opt_ = middle;
    optima_.push_back(std::move(middle));
    narrowed_.push_back(std::move(corners));
    profiles_.push_back(std::move(profile));
  }
}

Extents Extents::at_profile(size_t profile) const {
  Extents same = *this;
  same.opt_ = optima_.at(profile);
  return same;
}

std::optional<Dims> Extents::evaluate_all(const Shape& shape, const Bindings& bindings,
                                          std::optional<int64_t> unbound) {
  Dims dims;
  for (const Dim& d : shape) {
    const auto value = d.constant() ? d.constant() : evaluate(d.program(), [&](const std::string& s) {
      auto it = bindings.find(s);
      return it == bindings.end() ? unbound : std::optional(it->second);
    });
    if (!value || *value < 0) return std::nullopt;
    dims.push_back(*value);
  }
  return dims;
}

std::optional<DimRange> Extents::range(const Dim& dim, const Corners& corners) {
  auto range = range_of(dim, corners.low, corners.high);
  if (!range || corners.sums.empty()) return range;
  const auto known = corners.sums.find(dim.str());
  return known == corners.sums.end() ? range : common(*range, known->second);
}

// Whether the dimension's range became smaller.
bool Extents::narrow(Corners& corners, const Dim& dim, DimRange to) {
  const auto now = range(dim, corners);
  if (dim.is_constant() || !now || (now->low >= to.low && now->high <= to.high)) return false;
  to = common(*now, to);
  std::string symbol;
  if (is_symbol(dim, symbol)) corners.low[symbol] = to.low, corners.high[symbol] = to.high;
  else corners.sums[dim.str()] = to;
  return true;
}

void Extents::narrow(Corners& corners, const std::vector<ir::DimFact>& facts) {
  constexpr int kRounds = 8;
  bool changed = true;
  for (int round = 0; changed && round < kRounds; ++round) {
    changed = false;
    for (const ir::DimFact& fact : facts) {
      const DimDemand& d = fact.demand;
      const auto same = range(d.same, corners), other = range(d.other, corners);
      if (!same || !other) continue;
      const bool is_one = d.or_one && other->low <= 1;
      if (!is_one && (same->high < other->low || other->high < same->low))
        throw Error(Code::kInvalidArgument, "no shape inside a profile fits the operands of " + fact.node)
            .cause("its dimensions " + d.same.str() + ", " + to_string(*same) + ", and " + d.other.str() + ", " +
                   to_string(*other) + ", must be equal")
            .remedy("give the inputs sizes that meet");
      changed |= narrow(corners, d.other, {is_one ? other->low : same->low, std::max<int64_t>(same->high, is_one)});
      if (!is_one) changed |= narrow(corners, d.same, *other);
    }
  }
}

// Symbols get the sizes that the facts ask for at the optimum.
void Extents::settle_optimum(Bindings& optimum, const Corners& corners, const std::vector<ir::DimFact>& facts) {
  for (const ir::DimFact& fact : facts) {
    const auto same = evaluate_all({fact.demand.same}, optimum), other = evaluate_all({fact.demand.other}, optimum);
    if (!same || !other || *same == *other || (fact.demand.or_one && other->front() == 1)) continue;
    std::string symbol;
    const bool first = is_symbol(fact.demand.same, symbol);
    if (!first && !is_symbol(fact.demand.other, symbol)) continue;
    optimum[symbol] = std::clamp((first ? other : same)->front(), corners.low.at(symbol), corners.high.at(symbol));
  }
}

// The lowest or highest value of a dimension; nothing when only running can tell, or it is negative.
std::optional<int64_t> Extents::bound(const Dim& dim, const Corners& corners, End end) {
  if (dim.is_constant()) return dim.value();
  if (const auto all = range(dim, corners)) {
    if (all->high < 0) return std::nullopt;
    return end == End::kHigh ? all->high : std::max<int64_t>(all->low, 0);
  }
  std::optional<int64_t> value;
  for (const Bindings* corner : {&corners.low, &corners.high})
    if (const auto at = evaluate_all({dim}, *corner))
      value = !value ? at->front() : end == End::kHigh ? std::max(*value, at->front()) : std::min(*value, at->front());
  return value;
}

std::optional<Dims> Extents::bounds(const Shape& shape, const std::vector<Corners>& profiles, End end) {
  std::optional<Dims> result;
  for (const Corners& corners : profiles) {
    Dims dims;
    for (const Dim& d : shape)
      if (const auto value = bound(d, corners, end)) dims.push_back(*value);
    if (dims.size() != shape.size()) continue;
    if (!result) result = dims;
    for (size_t i = 0; i < dims.size(); ++i)
      (*result)[i] = end == End::kHigh ? std::max((*result)[i], dims[i]) : std::min((*result)[i], dims[i]);
  }
  return result;
}

std::optional<Dims> Extents::max(const Shape& shape) const { return bounds(shape, narrowed_, End::kHigh); }
std::optional<Dims> Extents::min(const Shape& shape) const { return bounds(shape, narrowed_, End::kLow); }
std::optional<Dims> Extents::reserved(const Shape& shape) const { return bounds(shape, given_, End::kHigh); }

}  // namespace kiln
