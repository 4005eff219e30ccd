// Gemm: alpha * a' * b' + beta * c, where a' and b' may be transposed and c broadcasts to the product.
#include "base/index.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/matrix/wrapping.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape gemm_shape(ShapeCall& c) {
  require_rank(c, "a", 2);
  require_rank(c, "b", 2);
  const bool ta = c.integer("transA") != 0, tb = c.integer("transB") != 0;
  const Shape &a = c.dims("a"), &b = c.dims("b");
  require_same(a[ta ? 0 : 1], b[tb ? 1 : 0], "inner dimensions of a and b");
  const Shape y{a[ta ? 1 : 0], b[tb ? 0 : 1]};
  if (c.present("c")) {
    const Shape all = broadcast(y, c.dims("c"));
    if (all.size() != 2)
      throw Error(Code::kShapeMismatch, "c " + to_string(c.dims("c")) + " does not broadcast to " + to_string(y));
    for (size_t i = 0; i < 2; ++i) require_same(all[i], y[i], "dimensions of c and of the product");
  }
  return y;
}

template <class T> std::vector<T> transposed(const std::vector<T>& a, int64_t rows, int64_t columns) {
  std::vector<T> t(a.size());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) nth(t, j * rows + i) = nth(a, i * columns + j);
  return t;
}

template <class T>
std::vector<T> gemm_values(const RefCall& call, std::vector<T> a, std::vector<T> b, const std::vector<T>& c,
                           const Dims& y_dims) {
  const Dims &a_dims = call.input("a").dims(), &b_dims = call.input("b").dims();
  const bool ta = call.integer("transA") != 0;
  if (ta) a = transposed(a, a_dims[0], a_dims[1]);
  if (call.integer("transB") != 0) b = transposed(b, b_dims[0], b_dims[1]);
  const int64_t m = y_dims[0], n = y_dims[1], k = a_dims[ta ? 0 : 1];
  const double alpha = call.real("alpha"), beta = call.real("beta");
  const auto scaled = [](T value, double factor) {
    return factor == 1 ? value : static_cast<T>(static_cast<double>(value) * factor);
  };
  const Dims c_strides = call.present("c") ? broadcast_strides(call.input("c").dims(), y_dims) : Dims{0, 0};
  std::vector<T> y(static_cast<size_t>(m * n), T(0));
  for (int64_t i = 0; i < m; ++i) {
    T* row = y.data() + i * n;
    for (int64_t j = 0; j < k; ++j) {
      poll_work(n);
      for (int64_t x = 0; x < n; ++x) row[x] = with_product(row[x], nth(a, i * k + j), nth(b, j * n + x));
    }
    for (int64_t x = 0; x < n; ++x) {
      row[x] = scaled(row[x], alpha);
      if (!c.empty()) row[x] = with_product(row[x], scaled(nth(c, i * c_strides[0] + x * c_strides[1]), beta), T(1));
    }
  }
  return y;
}

void gemm_reference(RefCall& c) {
  const Tensor &a = c.input("a"), &b = c.input("b");
  const bool has_c = c.present("c");
  if (is_float(a.dtype()))
    store(c.output(), gemm_values(c, doubles(a), doubles(b), has_c ? doubles(c.input("c")) : std::vector<double>{},
                                  c.output().dims()));
  else
    store(c.output(), gemm_values(c, integers(a), integers(b), has_c ? integers(c.input("c")) : std::vector<int64_t>{},
                                  c.output().dims()));
}

constexpr TypeSet kGemmTypes = kFloatTypes | TypeSet{DType::kU32, DType::kU64, DType::kI32, DType::kI64};

}  // namespace

const OpDef gemm = op("Gemm")
                       .input("a", kGemmTypes)
                       .input("b", kGemmTypes, "a")
                       .optional_input("c", kGemmTypes, "a")
                       .attr("alpha", 1.0)
                       .attr("beta", 1.0)
                       .attr("transA", int64_t{0})
                       .attr("transB", int64_t{0})
                       .output("y", same_type("a"))
                       .shape(gemm_shape)
                       .reference(gemm_reference)
                       .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
