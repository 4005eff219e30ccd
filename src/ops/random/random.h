// Random numbers of the random operators: a pure function of seed and position, so that every run gives the same.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

// Independent of the order in which elements are asked for.
class RandomElements {
 public:
  explicit RandomElements(const RefCall& c) : key_(static_cast<uint64_t>(c.integer("key"))) {}
  double uniform(int64_t i, uint64_t stream = 0) const;  // in [0, 1)
  double normal(int64_t i) const;                        // mean 0, deviation 1

 private:
  uint64_t key_;
};

// The element type of attribute `dtype`, or that of input 0 when it is empty and there is one, or float32.
TypeRule random_type();
// Every element by `value(i)`.
template <class Value> void fill_random(RefCall& c, Value value) {
  Tensor& out = c.output();
  for (int64_t i = 0; i < out.size(); ++i) out.set(i, value(i));
}

void fill_uniform(RefCall& c);  // of [low, high), attributes of the operator
void fill_normal(RefCall& c);   // of its mean and scale

}  // namespace kiln::ops
