// NonZero: the indices of the elements that are not zero, one column for each.
#include "base/index.h"
#include "ops/index/order.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void non_zero_reference(RefCall& c) {
  const Tensor& x = c.input("X");
  Tensor with_zero = make_tensor(x.dtype(), {x.size() + 1});
  copy_elements(x, 0, with_zero, 0, x.size());
  const std::vector<int64_t> keys = order_keys(with_zero);  // the last one is that of zero
  const Dims strides = row_major_strides(x.dims());
  std::vector<int64_t> found;
  for (int64_t i = 0; i < x.size(); ++i)
    if (nth(keys, i) != keys.back()) found.push_back(i);
  std::vector<int64_t> y;
  for (size_t k = 0; k < strides.size(); ++k)
    for (int64_t i : found) y.push_back(i / strides[k] % x.dims()[k]);
  c.set_output(0, Tensor::of<int64_t>({x.rank(), static_cast<int64_t>(found.size())}, y));
}

}  // namespace

const OpDef non_zero = op("NonZero")
                           .input("X", kAnyType)
                           .output("Y", fixed_type(DType::kI64))
                           .shape([](ShapeCall& c) { return Shape{c.rank("X"), c.unknown_dim(0, 1)}; })
                           .reference(non_zero_reference);

}  // namespace kiln::ops
