// Random choices of operator tests.
#include "operators/draw.h"

#include <algorithm>
#include <complex>
#include <limits>
#include <utility>

namespace kiln::operators {
namespace {

constexpr int64_t kMostElements = 3000;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double largest_of(DType type) {
  if (type == DType::kF16) return 65504;
  if (type == DType::kF32 || type == DType::kBF16) return type == DType::kF32 ? 0x1.fffffep127 : 0x1.fep127;
  return type == DType::kF64 ? std::numeric_limits<double>::max() : 16;
}

bool within(const Tensor& tensor, double low, double high) {
  if (low == -kInfinity && high == kInfinity) return true;
  for (int64_t i = 0; i < tensor.size(); ++i)
    if (!(tensor.at(i) >= low && tensor.at(i) <= high)) return false;
  return true;
}

}  // namespace

Draw::Draw(uint64_t seed, bool extremes) : random_(seed), extremes_(extremes) {
  wild_ = chance(0.3);
  empty_ = chance(0.12);
}

Tensor Draw::known(DType type, const Dims& dims, double low, double high) {
  if (!known_ || !chance(0.85)) return {};
  std::vector<Tensor> fitting;
  for (const Tensor& t : known_->tensors)
    if (t.dtype() == type && t.dims() == dims && within(t, low, high)) fitting.push_back(t);
  if (!fitting.empty()) return pick(fitting);
  if (!known_->made || !chance(0.6)) return {};
  const Tensor made = known_->made(type, dims);
  return made.valid() && within(made, low, high) ? made : Tensor();
}

int64_t Draw::integer(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
double Draw::real(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }

DType Draw::type(TypeSet types) {
  if (known_ && !known_->tensors.empty() && chance(0.7)) {
    const DType type = pick(known_->tensors).dtype();
    if (types.has(type)) return type;
  }
  if (types.has(DType::kF32) && chance(0.5)) return DType::kF32;
  std::vector<DType> list = types.list();
  std::erase(list, DType::kString);
  return pick(list);
}

int64_t Draw::size() {
  if (known_ && !known_->tensors.empty() && chance(0.5))
    if (const Dims dims = pick(known_->tensors).dims(); !dims.empty()) return pick(dims);
  const double kind = real(0, 1);
  if (empty_ && kind < 0.25) return 0;
  if (kind < 0.4) return 1;
  if (kind < 0.75) return integer(2, 5);
  return kind < 0.95 ? 2 * integer(3, 9) - flag() : integer(19, 40);
}

Dims Draw::dims(int64_t low_rank, int64_t high_rank) {
  if (known_ && !known_->tensors.empty() && chance(0.7)) {
    const Dims dims = pick(known_->tensors).dims();
    if (const auto rank = static_cast<int64_t>(dims.size()); rank >= low_rank && rank <= high_rank) return dims;
  }
  Dims dims(static_cast<size_t>(integer(low_rank, high_rank)));
  for (int64_t& d : dims) d = size();
  while (element_count(dims) > kMostElements) {
    auto largest = std::max_element(dims.begin(), dims.end());
    *largest = (*largest + 1) / 2;
  }
  return dims;
}

int64_t Draw::axis(int64_t rank) { return integer(-rank, rank - 1); }

Ints Draw::axes(int64_t rank, int64_t most) {
  Ints axes = permutation(rank);
  axes.resize(static_cast<size_t>(integer(0, std::min(rank, most))));
  for (int64_t& a : axes) a -= flag() * rank;
  return axes;
}

Ints Draw::permutation(int64_t count) {
  Ints result;
  for (int64_t i = 0; i < count; ++i) result.push_back(i);
  std::shuffle(result.begin(), result.end(), random_);
  return result;
}

Dims Draw::broadcast_to(const Dims& dims) {
  if (chance(0.4)) return dims;
  Dims result(dims.begin() + integer(0, static_cast<int64_t>(dims.size())), dims.end());
  for (int64_t& d : result)
    if (chance(0.35)) d = 1;
  return result;
}

void Draw::special(Tensor& tensor, int64_t i) {
  const DType type = tensor.dtype();
  if (!is_float(type)) {
    const int width = bits(type);
    const uint64_t top = uint64_t{1} << (width - 1), high = top - 1 + top;  // as bits of the type
    const int64_t reduced = integer(-3, 3);
    return tensor.set_int(i, extremes_ ? static_cast<int64_t>(pick<uint64_t>({0, high, top, top - 1})) : reduced);
  }
  std::vector<double> list = {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity, -0.0, 0.0};
  if (extremes_) list.insert(list.end(), {largest_of(type), -largest_of(type)});
  tensor.set(i, pick(list));
}

Tensor Draw::values(DType type, Dims dims) {
  if (Tensor t = known(type, dims, -kInfinity, kInfinity); t.valid()) return t;
  if (is_complex(type)) {
    Tensor t = Tensor::allocate(type, std::move(dims));
    for (int64_t i = 0; i < t.size(); ++i) {
      if (type == DType::kC64)
        t.as_mutable<std::complex<float>>()[static_cast<size_t>(i)] = {static_cast<float>(integer(-2, 2)), 1.5f};
      else
        t.as_mutable<std::complex<double>>()[static_cast<size_t>(i)] = {real(-2, 2),
                                                                        static_cast<double>(integer(-2, 2))};
    }
    return t;
  }
  const Known* all = std::exchange(known_, nullptr);
  Tensor t = is_float(type) ? numbers(type, std::move(dims), type == DType::kF8E8M0 ? 0.1 : -3, 3)
                            : integers(type, std::move(dims), is_signed_integer(type) ? -9 : 0, 12);
  known_ = all;
  if (wild_ && type != DType::kBool)
    for (int64_t i = 0; i < t.size(); ++i)
      if (chance(0.15)) special(t, i);
  return t;
}

Tensor Draw::numbers(DType type, Dims dims, double low, double high) {
  if (Tensor t = known(type, dims, low, high); t.valid()) return t;
  Tensor t = Tensor::allocate(type, std::move(dims));
  for (int64_t i = 0; i < t.size(); ++i) t.set(i, chance(0.1) ? std::clamp(0.0, low, high) : real(low, high));
  return t;
}

Tensor Draw::integers(DType type, Dims dims, int64_t low, int64_t high) {
  if (Tensor t = known(type, dims, static_cast<double>(low), static_cast<double>(high)); t.valid()) return t;
  Tensor t = Tensor::allocate(type, std::move(dims));
  for (int64_t i = 0; i < t.size(); ++i) {
    if (is_float(type)) t.set(i, static_cast<double>(integer(low, high)));
    else t.set_int(i, type == DType::kBool ? flag() : integer(low, high));
  }
  return t;
}

Tensor Draw::vector(const Ints& values, DType type) {
  Tensor t = Tensor::allocate(type, {static_cast<int64_t>(values.size())});
  for (size_t i = 0; i < values.size(); ++i) t.set_int(static_cast<int64_t>(i), values[i]);
  return t;
}

Tensor Draw::scalar(DType type, double value) {
  Tensor t = Tensor::allocate(type, chance(0.5) ? Dims{} : Dims{1});
  t.set(0, value);
  return t;
}

}  // namespace kiln::operators
