// Movement of elements of any type.
#include "ops/movement.h"

#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "base/require.h"
#include "ops/reference_math.h"
#include "ops/shape_elements.h"
#include "tensor/dim_demands.h"

namespace kiln::ops {
namespace {

struct Bytes16 {
  uint64_t halves[2];
};

template <class T> void pick_words(const Tensor& source, const std::vector<int64_t>& positions, Tensor& out) {
  const T* from = static_cast<const T*>(source.data());
  T* to = static_cast<T*>(out.mutable_data());
  for (size_t i = 0; i < positions.size(); ++i)
    if (positions[i] >= 0) to[i] = from[positions[i]];
}

}  // namespace

std::vector<int64_t> strided_positions(int64_t start, const Dims& dims, const Dims& strides) {
  std::vector<int64_t> positions;
  const int64_t count = element_count(dims);
  positions.reserve(static_cast<size_t>(count));
  if (count == 0) return positions;
  Dims index(dims.size(), 0);
  do positions.push_back(start + dot(index, strides));
  while (advance(index, dims));
  return positions;
}

void pick(const Tensor& source, const std::vector<int64_t>& positions, Tensor& out) {
  if (source.dtype() != out.dtype())
    throw Error(Code::kTypeMismatch, "elements of " + source.type_string() + " do not fit " + out.type_string());
  if (static_cast<int64_t>(positions.size()) != out.size())
    throw_size_mismatch(out.size(), static_cast<int64_t>(positions.size()));
  for (int64_t p : positions) require(p < source.size(), Code::kInternal, "an element position is out of range");
  if (positions.empty()) return;
  if (source.dtype() == DType::kString) {
    auto& to = out.mutable_string_values();
    for (size_t i = 0; i < positions.size(); ++i)
      if (positions[i] >= 0) to[i] = nth(source.string_values(), positions[i]);
    return;
  }
  switch (bits(source.dtype())) {
    case 8: return pick_words<uint8_t>(source, positions, out);
    case 16: return pick_words<uint16_t>(source, positions, out);
    case 32: return pick_words<uint32_t>(source, positions, out);
    case 64: return pick_words<uint64_t>(source, positions, out);
    case 128: return pick_words<Bytes16>(source, positions, out);
    default:
      for (size_t i = 0; i < positions.size(); ++i)
        if (positions[i] >= 0) copy_elements(source, positions[i], out, static_cast<int64_t>(i), 1);
  }
}

Tensor make_tensor(DType type, Dims dims) {
  if (type != DType::kString) return Tensor::allocate(type, std::move(dims));
  const auto count = static_cast<size_t>(element_count(dims));
  return Tensor::strings(std::move(dims), std::vector<std::string>(count));
}

Tensor picked(const Tensor& source, const std::vector<int64_t>& positions, Dims dims) {
  Tensor out = make_tensor(source.dtype(), std::move(dims));
  pick(source, positions, out);
  return out;
}

void fill(Tensor& out, const Tensor& value) {
  pick(value, std::vector<int64_t>(static_cast<size_t>(out.size()), 0), out);
}

void copy_all(const Tensor& source, Tensor& out) {
  if (source.size() != out.size()) throw_size_mismatch(out.size(), source.size());
  copy_elements(source, 0, out, 0, source.size());
}

Tensor concatenated(const std::vector<Tensor>& tensors, int64_t axis) {
  const auto at = static_cast<size_t>(axis);
  Dims dims = tensors.front().dims();
  dims[at] = 0;
  for (const Tensor& t : tensors) {
    Dims others = t.dims();
    if (others.size() != dims.size())
      throw Error(Code::kShapeMismatch, "cannot join " + tensors.front().type_string() + " and " + t.type_string());
    dims[at] += others[at];
    others[at] = dims[at];
    if (others != dims)
      throw Error(Code::kShapeMismatch, "cannot join " + tensors.front().type_string() + " and " + t.type_string() +
                                            " along axis " + std::to_string(axis));
  }
  Tensor out = make_tensor(tensors.front().dtype(), dims);
  int64_t to = 0;
  for (int64_t o = 0; o < product(dims, 0, at); ++o)
    for (const Tensor& t : tensors) {
      const int64_t run = product(t.dims(), at, t.dims().size());
      copy_elements(t, o * run, out, to, run);
      to += run;
    }
  return out;
}

Tensor stacked(const std::vector<Tensor>& tensors, int64_t axis) {
  std::vector<Tensor> parts;
  for (const Tensor& t : tensors) {
    Dims dims = t.dims();
    dims.insert(dims.begin() + axis, 1);
    parts.push_back(t.reshaped(dims));
  }
  return concatenated(parts, axis);
}

Tensor section(const Tensor& tensor, int64_t axis, int64_t begin, int64_t count) {
  const auto at = static_cast<size_t>(axis);
  Dims dims = tensor.dims();
  const int64_t extent = dims[at], run = product(dims, at + 1, dims.size());
  if (begin < 0 || count < 0 || begin + count > extent)
    throw Error(Code::kInvalidArgument, "elements " + std::to_string(begin) + " to " + std::to_string(begin + count) +
                                            " of an axis of " + std::to_string(extent));
  dims[at] = count;
  Tensor out = make_tensor(tensor.dtype(), dims);
  for (int64_t o = 0; o < product(dims, 0, at); ++o)
    copy_elements(tensor, (o * extent + begin) * run, out, o * count * run, count * run);
  return out;
}

Tensor transposed(const Tensor& tensor, const Ints& perm) {
  const Dims dims = permuted(tensor.dims(), perm);
  return picked(tensor, strided_positions(0, dims, permuted(row_major_strides(tensor.dims()), perm)), dims);
}

std::optional<std::vector<Dim>> few_elements(const ShapeCall& c, int index) {
  if (!c.present(index)) return std::nullopt;
  const InputInfo& info = c.info(index);
  if (info.constant && info.constant->size() > kMaxElements) return std::nullopt;
  if (info.elements && static_cast<int64_t>(info.elements->size()) > kMaxElements) return std::nullopt;
  return partial_elements(c, index);
}

std::optional<std::vector<Dim>> few_elements(const ShapeCall& c, std::string_view input) {
  for (int i = 0; i < c.input_count(); ++i)
    if (&c.info(i) == &c.info(input)) return few_elements(c, i);
  return std::nullopt;
}

std::vector<Dim> pick(const std::vector<Dim>& source, const std::vector<int64_t>& positions) {
  std::vector<Dim> result;
  for (int64_t p : positions) result.push_back(nth(source, p));
  return result;
}

OpDef::ElementRule same_elements(std::string input) {
  return [input = std::move(input)](ShapeCall& c) { return few_elements(c, input); };
}

std::optional<int64_t> static_length(const ShapeCall& c, std::string_view input) {
  if (!c.present(input) || !c.ranked(input)) return std::nullopt;
  const Shape& dims = c.dims(input);
  if (dims.empty()) return 1;
  return dims.size() == 1 ? dims[0].constant() : std::nullopt;
}

Ints normalized_axes(const Ints& axes, int64_t rank) {
  Ints result;
  for (int64_t a : axes) result.push_back(normalize_axis(a, rank));
  std::sort(result.begin(), result.end());
  if (std::adjacent_find(result.begin(), result.end()) != result.end())
    throw Error(Code::kInvalidArgument, "the axes " + to_string(axes) + " name one axis twice");
  return result;
}

Dim same_dim(const Dim& a, const Dim& b, const std::string& what) {
  if (a.is_constant() && b.is_constant() && !(a == b))
    throw Error(Code::kShapeMismatch, what).cause(a.str() + " is not " + b.str());
  DimDemands::note(a, b);
  return a.is_constant() ? a : b;
}

int64_t checked_index(int64_t index, int64_t extent, const char* op) {
  if (index < -extent || index >= extent)
    throw Error(Code::kInvalidArgument, std::string(op) + " index " + std::to_string(index) +
                                            " is outside an axis of " + std::to_string(extent));
  return index < 0 ? index + extent : index;
}

}  // namespace kiln::ops
