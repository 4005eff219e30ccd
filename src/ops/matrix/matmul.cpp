// MatMul: numpy.matmul; leading dimensions broadcast, a 1-D operand counts as a row or a column.
#include "base/error.h"
#include "base/require.h"
#include "base/work.h"
#include "ops/broadcasting.h"
#include "ops/dim_checks.h"
#include "ops/matrix/wrapping.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// Splits a shape into batch dimensions and the matrix, adding the missing dimension of a vector.
template <class List> List as_matrix(List dims, bool left) {
  if (dims.size() == 1) dims.insert(left ? dims.begin() : dims.end(), 1);
  return dims;
}

OutputShape matmul_shape(ShapeCall& c) {
  const bool row = c.rank("a") == 1, column = c.rank("b") == 1;
  require(c.rank("a") != 0 && c.rank("b") != 0, Code::kShapeMismatch, "MatMul takes no scalars");
  const Shape a = as_matrix(c.dims("a"), true), b = as_matrix(c.dims("b"), false);
  require_same(a.back(), b[b.size() - 2],
               "inner dimensions of a " + to_string(c.dims("a")) + " and b " + to_string(c.dims("b")));
  Shape y = broadcast_shapes(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!row) y.push_back(a[a.size() - 2]);
  if (!column) y.push_back(b.back());
  return y;
}

// y[m,n] = sum over k of a[m,k] * b[k,n] in T, for each pair of matrices of the broadcast batch.
template <class T>
std::vector<T> products(const std::vector<T>& a, const Dims& a_dims, const std::vector<T>& b, const Dims& b_dims) {
  const Dims a_batch(a_dims.begin(), a_dims.end() - 2), b_batch(b_dims.begin(), b_dims.end() - 2);
  const Dims batch = broadcast(a_batch, b_batch);
  const int64_t m = a_dims[a_dims.size() - 2], k = a_dims.back(), n = b_dims.back();
  const Dims a_strides = broadcast_strides(a_batch, batch), b_strides = broadcast_strides(b_batch, batch);
  std::vector<T> y(static_cast<size_t>(element_count(batch) * m * n), T(0));
  if (y.empty()) return y;
  Dims index(batch.size(), 0);
  T* out = y.data();
  do {
    const T* pa = a.data() + dot(index, a_strides) * m * k;
    const T* pb = b.data() + dot(index, b_strides) * k * n;
    for (int64_t i = 0; i < m; ++i, out += n)
      for (int64_t j = 0; j < k; ++j) {
        poll_work(n);
        for (int64_t x = 0; x < n; ++x) out[x] = with_product(out[x], pa[i * k + j], pb[j * n + x]);
      }
  } while (advance(index, batch));
  return y;
}

void matmul_reference(RefCall& c) {
  const Tensor &a = c.input("a"), &b = c.input("b");
  const Dims a_dims = as_matrix(a.dims(), true), b_dims = as_matrix(b.dims(), false);
  if (a_dims.back() != b_dims[b_dims.size() - 2])
    throw Error(Code::kShapeMismatch, "MatMul of " + a.type_string() + " and " + b.type_string());
  if (is_float(a.dtype())) store(c.output(), products(doubles(a), a_dims, doubles(b), b_dims));
  else store(c.output(), products(integers(a), a_dims, integers(b), b_dims));
}

}  // namespace

const OpDef matmul = op("MatMul")
                         .input("a", kNumericTypes)
                         .input("b", kNumericTypes, "a")
                         .output("y", same_type("a"))
                         .shape(matmul_shape)
                         .reference(matmul_reference)
                         .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
