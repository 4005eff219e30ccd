// What the reductions share.
#include "ops/reduce/reduction.h"

#include "base/error.h"
#include "base/index.h"
#include "ops/reference_math.h"

namespace kiln::ops {
namespace {

// The axes to reduce; nothing when only running can tell.
std::optional<Ints> reduced_axes(const ShapeCall& c) {
  Ints axes;
  if (c.present("axes")) {
    auto given = c.int_values("axes");
    if (!given) return std::nullopt;
    axes = normalized_axes(*given, c.rank("data"));
  }
  if (axes.empty() && c.integer("noop_with_empty_axes") == 0)
    for (int64_t i = 0; i < c.rank("data"); ++i) axes.push_back(i);
  return axes;
}

OutputShape reduced_shape(ShapeCall& c) {
  const bool keep = c.integer("keepdims") != 0;
  auto axes = reduced_axes(c);
  if (!axes) {
    if (keep) return c.unknown_shape(0, c.rank("data"));
    auto count = static_length(c, "axes");
    return count && *count > 0 && *count <= c.rank("data") ? OutputShape(c.unknown_shape(0, c.rank("data") - *count))
                                                           : unranked();
  }
  Shape shape;
  for (int64_t i = 0; i < c.rank("data"); ++i) {
    const bool reduced = contains(*axes, i);
    if (!reduced || keep) shape.push_back(reduced ? Dim(1) : nth(c.dims("data"), i));
  }
  return shape;
}

// Whether elements taken in that order of axes lie one behind the other. An axis of one may stand anywhere.
bool keeps_places(const Ints& order, const Dims& dims) {
  int64_t last = -1;
  for (int64_t axis : order) {
    if (nth(dims, axis) == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

template <class T>
void reduce_values(RefCall& c, std::vector<T> values, const std::function<T(std::span<const T>)>& finish) {
  const Tensor& data = c.input("data");
  const Ints axes = *reduced_axes(c.shapes());
  Ints order;  // kept axes, then reduced ones
  for (int64_t i = 0; i < data.rank(); ++i)
    if (!contains(axes, i)) order.push_back(i);
  order.insert(order.end(), axes.begin(), axes.end());
  const Dims dims = permuted(data.dims(), order);
  const auto run = static_cast<size_t>(product(dims, dims.size() - axes.size(), dims.size()));
  if (!keeps_places(order, data.dims())) {
    std::vector<T> sorted;
    sorted.reserve(values.size());
    for (int64_t p : strided_positions(0, dims, permuted(row_major_strides(data.dims()), order)))
      sorted.push_back(nth(values, p));
    values = std::move(sorted);
  }
  std::vector<T> results;
  for (size_t i = 0; i < static_cast<size_t>(c.output().size()); ++i)
    results.push_back(finish(std::span<const T>(values).subspan(i * run, run)));
  store(c.output(), results);
}

}  // namespace

OpDef reduction(std::string name, TypeSet types) {
  return op(std::move(name))
      .input("data", types)
      .optional_input("axes", DType::kI64)
      .attr("keepdims", int64_t{1})
      .attr("noop_with_empty_axes", int64_t{0})
      .output("reduced", same_type("data"))
      .shape(reduced_shape)
      .accuracy(Accuracy::kReduction);
}

void reduce_doubles(RefCall& c, const std::function<double(std::span<const double>)>& finish) {
  reduce_values<double>(c, doubles(c.input("data")), finish);
}

void reduce_integers(RefCall& c, const std::function<int64_t(std::span<const int64_t>)>& finish) {
  reduce_values<int64_t>(c, integers(c.input("data")), finish);
}

OpDef::Reference real_reference(double (*finish)(std::span<const double>)) {
  return [finish](RefCall& c) { reduce_doubles(c, finish); };
}

OpDef::Reference exact_reference(double (*finish)(std::span<const double>),
                                 int64_t (*finish_integers)(std::span<const int64_t>)) {
  return [finish, finish_integers](RefCall& c) {
    if (is_float(c.input("data").dtype())) reduce_doubles(c, finish);
    else reduce_integers(c, finish_integers);
  };
}

OpDef::ElementRule folded_elements(Dim first, Dim (*combine)(const Dim&, const Dim&)) {
  return [first, combine](ShapeCall& c) -> std::optional<std::vector<Dim>> {
    auto elements = few_elements(c, "data");
    auto axes = reduced_axes(c);
    if (!elements || !axes || c.rank("data") != 1 || axes->size() != 1) return std::nullopt;
    Dim result = first;
    for (const Dim& d : *elements) result = combine(result, d);
    return std::vector<Dim>{result};
  };
}

}  // namespace kiln::ops
