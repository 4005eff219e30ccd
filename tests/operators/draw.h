// Random choices of operator tests: shapes, types, values and axes out of one seed.
#pragma once
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "ops/op.h"

namespace kiln::operators {

// Tensors that exist already, for samples that continue a graph: a draw takes their sizes, types and elements more often than new ones.
struct Known {
  std::vector<Tensor> tensors;
  // One of this type and shape made out of them; invalid when that is not possible.
  std::function<Tensor(DType, const Dims&)> made;
};

// Decides once whether the sample is wild (NaN, infinities and -0 among its values; the extremes of its types too where `extremes` allows) and
// whether it may be empty.
class Draw {
 public:
  Draw(uint64_t seed, bool extremes);
  void prefer(const Known* known) { known_ = known; }

  int64_t integer(int64_t low, int64_t high);
  double real(double low, double high);
  bool chance(double p) { return real(0, 1) < p; }
  template <class T> T pick(const std::vector<T>& list) {
    return list[static_cast<size_t>(integer(0, static_cast<int64_t>(list.size()) - 1))];
  }
  std::string word(const std::vector<std::string>& list) { return pick(list); }
  int64_t flag() { return integer(0, 1); }

  // float32 in half of the cases where the set has it. No strings: engines do not hold them.
  DType type(TypeSet types);
  int64_t size();  // one dimension: mostly small, 1 often, 0 in samples that may be empty
  Dims dims(int64_t low_rank, int64_t high_rank);
  Dims dims(int64_t rank) { return dims(rank, rank); }
  int64_t axis(int64_t rank);             // in [-rank, rank)
  Ints axes(int64_t rank, int64_t most);  // different ones, of either sign, in any order
  Ints permutation(int64_t count);
  Dims broadcast_to(const Dims& dims);  // dims that broadcast to these
  bool is_wild() const { return wild_; }
  void tame() { wild_ = false; }
  void fill() { empty_ = false; }  // from here on no dimension is 0

  Tensor values(DType type, Dims dims);
  Tensor numbers(DType type, Dims dims, double low, double high);  // nothing special among them
  Tensor integers(DType type, Dims dims, int64_t low, int64_t high);
  Tensor vector(const Ints& values, DType type = DType::kI64);
  Tensor scalar(DType type, double value);  // of shape [] or [1]

 private:
  void special(Tensor& tensor, int64_t i);
  // One that is known of the type and shape, its elements within the bounds; invalid when there is none.
  Tensor known(DType type, const Dims& dims, double low, double high);
  std::mt19937_64 random_;
  const Known* known_ = nullptr;
  bool wild_, extremes_, empty_;
};

}  // namespace kiln::operators
