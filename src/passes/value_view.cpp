// Values that are other names for elements of another value.
#include "passes/value_view.h"

#include "passes/value_queries.h"
#include "tensor/shape.h"

namespace kiln::passes {
namespace {

// The number by which a Gather takes one part of an axis, negative ones counted from the end.
std::optional<int64_t> one_index(const Node& gather) {
  const auto index = known_ints(gather.input(1));
  if (!index || gather.input(1)->rank() != 0) return std::nullopt;
  const auto axis = static_cast<size_t>(normalize_axis(integer(gather, "axis"), gather.input(0)->rank()));
  const int64_t size = gather.input(0)->shape()[axis].value(), at = (*index)[0] < 0 ? (*index)[0] + size : (*index)[0];
  return at >= 0 && at < size ? std::optional(at) : std::nullopt;
}

bool moves_nothing(const Node& n) {
  if (!n.post.empty() || n.outputs().size() != 1 || !n.output()->ranked() || !is_static(n.output()->shape()))
    return false;
  if (!n.input(0) || !n.input(0)->ranked() || !is_static(n.input(0)->shape())) return false;
  return only_names(n) ? is_told(n) : n.is("Transpose") || (n.is("Gather") && one_index(n));
}

// Groups of axes that hold the same elements are cut anew; one that does not lie without gaps cannot be.
bool reshape(ValueView& view, const Dims& to) {
  Dims dims, strides;
  for (size_t i = 0; i < view.dims.size(); ++i)
    if (view.dims[i] != 1) {
      dims.push_back(view.dims[i]);
      strides.push_back(view.strides[i]);
    }
  Dims result(to.size(), 1);
  for (size_t i = 0, k = 0; i < dims.size();) {
    size_t i_end = i + 1, k_end = k + 1;
    for (int64_t from_size = dims[i], to_size = to[k]; from_size != to_size;)
      if (to_size < from_size) to_size *= to[k_end++];
      else from_size *= dims[i_end++];
    for (; i + 1 < i_end; ++i)
      if (strides[i] != strides[i + 1] * dims[i + 1]) return false;
    int64_t stride = strides[i++];
    for (size_t j = k_end; j-- > k; stride *= to[j]) result[j] = stride;
    k = k_end;
  }
  view.dims = to;
  view.strides = std::move(result);
  return true;
}

bool apply(const Node& n, ValueView& view) {
  if (only_names(n)) return reshape(view, static_dims(n.output()->shape()));
  if (n.is("Transpose")) {
    const Ints order = *permutation(n);
    const Dims dims = view.dims, strides = view.strides;
    for (size_t i = 0; i < order.size(); ++i) {
      view.dims[i] = dims[static_cast<size_t>(order[i])];
      view.strides[i] = strides[static_cast<size_t>(order[i])];
    }
    return true;
  }
  const auto axis = static_cast<std::ptrdiff_t>(normalize_axis(integer(n, "axis"), n.input(0)->rank()));
  view.offset += *one_index(n) * view.strides[static_cast<size_t>(axis)];
  view.dims.erase(view.dims.begin() + axis);
  view.strides.erase(view.strides.begin() + axis);
  return true;
}

}  // namespace

std::optional<ValueView> view_of(Value* value) {
  ValueView view;
  for (Node* n = value->producer(); n && moves_nothing(*n); n = value->producer()) {
    view.nodes.push_back(n);
    value = n->input(0);
  }
  if (view.nodes.empty()) return std::nullopt;
  view.source = value;
  view.dims = static_dims(value->shape());
  if (element_count(view.dims) == 0) return std::nullopt;
  view.strides = row_major_strides(view.dims);
  for (size_t i = view.nodes.size(); i-- > 0;)
    if (!apply(*view.nodes[i], view)) return std::nullopt;
  return view;
}

Dims without_ones(const ValueView& view) {
  Dims list;
  for (size_t i = 0; i < view.dims.size(); ++i)
    if (view.dims[i] != 1) list.insert(list.end(), {view.dims[i], view.strides[i]});
  return list;
}

bool has_strides(const ValueView& view, const Dims& strides) {
  if (strides.size() != view.dims.size()) return false;
  for (size_t i = 0; i < strides.size(); ++i)
    if (view.dims[i] != 1 && view.strides[i] != strides[i]) return false;
  return true;
}

}  // namespace kiln::passes
