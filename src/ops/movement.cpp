// Movement of elements of any type.
#include "ops/movement.h"

#include <algorithm>

#include "base/error.h"
#include "ops/numbers.h"

namespace kiln::ops {
namespace {

struct Bytes16 {
  uint64_t halves[2];
};

template <class T>
void pick_words(const Tensor& source, const std::vector<int64_t>& positions, Tensor& out) {
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
  if (source.dtype() != out.dtype()) throw Error(Code::kTypeMismatch, "elements of " + source.type_string() + " do not fit " + out.type_string());
  if (static_cast<int64_t>(positions.size()) != out.size()) throw_size_mismatch(out.size(), static_cast<int64_t>(positions.size()));
  for (int64_t p : positions)
    if (p >= source.size()) throw Error(Code::kInternal, "an element position is out of range");
  if (positions.empty()) return;
  if (source.dtype() == DType::kString) {
    auto& to = out.mutable_string_values();
    for (size_t i = 0; i < positions.size(); ++i)
      if (positions[i] >= 0) to[i] = source.string_values()[static_cast<size_t>(positions[i])];
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

void fill(Tensor& out, const Tensor& value) { pick(value, std::vector<int64_t>(static_cast<size_t>(out.size()), 0), out); }

void copy_all(const Tensor& source, Tensor& out) {
  if (source.size() != out.size()) throw_size_mismatch(out.size(), source.size());
  copy_elements(source, 0, out, 0, source.size());
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
  return c.elements(index);
}

std::optional<std::vector<Dim>> few_elements(const ShapeCall& c, std::string_view input) {
  for (int i = 0; i < c.input_count(); ++i)
    if (&c.info(i) == &c.info(input)) return few_elements(c, i);
  return std::nullopt;
}

std::vector<Dim> pick(const std::vector<Dim>& source, const std::vector<int64_t>& positions) {
  std::vector<Dim> result;
  for (int64_t p : positions) result.push_back(source[static_cast<size_t>(p)]);
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
  if (a.is_constant() && b.is_constant() && !(a == b)) throw Error(Code::kShapeMismatch, what).cause(a.str() + " is not " + b.str());
  return a.is_constant() ? a : b;
}

int64_t checked_index(int64_t index, int64_t extent, const char* op) {
  if (index < -extent || index >= extent)
    throw Error(Code::kInvalidArgument, std::string(op) + " index " + std::to_string(index) + " is outside an axis of " + std::to_string(extent));
  return index < 0 ? index + extent : index;
}

}  // namespace kiln::ops
