// How far two tensors are from each other.
#pragma once
#include <string>
#include <vector>

#include "kiln/kiln.h"

namespace kiln::tool {

// |got - want| <= quantum + atol * scale + rtol |want|, where the scale is the largest finite |want|, at least `least_scale`; 1 when
// both are zero. NaN agrees with NaN.
struct Tolerance {
  double rtol, atol;
  double least_scale = 0;
  double quantum = 0;  // a step of the numbers that a quantisation leaves
};

bool is_float(const std::string& type);
double largest_element(const api::HostTensor& tensor);  // of the finite ones, by absolute value

struct Difference {
  bool agree = true;
  std::string mismatch;        // of type or shape; then nothing below is set
  int64_t count = 0, bad = 0;  // elements; those beyond the tolerance
  // Of the worst element, in units of what is allowed.
  std::vector<int64_t> index;
  double got = 0, want = 0, absolute = 0, relative = 0, ratio = 0;
  double atol = 0;  // the least with which all elements agree

  std::string text() const;  // "agrees; …", "3 of 10 elements differ; worst at [0,3]: …"
};

Difference difference(const api::HostTensor& got, const api::HostTensor& want, const Tolerance& tolerance);
// The same where types may differ; the shapes are equal.
Difference difference_of_values(const api::HostTensor& got, const api::HostTensor& want, const Tolerance& tolerance);

}  // namespace kiln::tool
