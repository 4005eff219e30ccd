// Kernel "product_f64": a [..., m, k] times b [..., k, n], float64; leading axes broadcast, and an operand of rank 1 lacks m or n.
#include <algorithm>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/product_f64.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/parameter_fields.h"

namespace kiln::cpu::kernels {
namespace {

class ProductKernel final : public DenseKernel {
 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product has other operands"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &c = call.outputs[0];
    for (const TensorView* v : {&a, &b, &c})
      if (v->dtype != DType::kF64) return {Code::kMalformedPlan, "the product computes in float64"};
    if (a.rank < 1 || b.rank < 1) return {Code::kShapeMismatch, "an operand of a product is a scalar"};
    const bool row = a.rank == 1, column = b.rank == 1;
    one_.m = row ? 1 : a.dims[a.rank - 2];
    one_.k = a.dims[a.rank - 1];
    one_.n = column ? 1 : b.dims[b.rank - 1];
    one_.a_stride = one_.k;
    one_.b_stride = one_.c_stride = one_.n;
    if (b.dims[column ? 0 : b.rank - 2] != one_.k)
      return {Code::kShapeMismatch, "operands of a product do not fit each other"};
    Dims wanted = leading(a, row ? 1 : 2), other = leading(b, column ? 1 : 2);
    return set_batch(std::move(wanted), std::move(other), c, row, column);
  }

  static Dims leading(const TensorView& v, int own) { return {v.dims, v.dims + std::max(v.rank - own, 0)}; }

  // The leading axes of both operands, as many as the result's; steps of an operand that repeats are 0.
  Status set_batch(Dims a, Dims b, const TensorView& c, bool row, bool column) {
    const size_t rank = std::max(a.size(), b.size());
    a.insert(a.begin(), rank - a.size(), 1);
    b.insert(b.begin(), rank - b.size(), 1);
    batch_.assign(rank, 1);
    for (size_t i = 0; i < rank; ++i) {
      if (a[i] != b[i] && a[i] != 1 && b[i] != 1)
        return {Code::kShapeMismatch, "leading axes of a product do not broadcast"};
      batch_[i] = a[i] == 1 ? b[i] : a[i];
    }
    Dims whole = batch_;
    if (!row) whole.push_back(one_.m);
    if (!column) whole.push_back(one_.n);
    if (Dims(c.dims, c.dims + c.rank) != whole)
      return {Code::kShapeMismatch, "the result of a product has another shape"};
    a_steps_ = row_major_strides(a);
    b_steps_ = row_major_strides(b);
    for (size_t i = 0; i < rank; ++i) {
      if (a[i] == 1) a_steps_[i] = 0;
      if (b[i] == 1) b_steps_[i] = 0;
    }
    return kOkStatus;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const int64_t count = one_.m * one_.n == 0 ? 0 : call.outputs[0].elements() / (one_.m * one_.n);
    const int inner = count >= thread_count() ? 1 : thread_count();
    const auto one = [&](int64_t i) {
      int64_t a = 0, b = 0, rest = i;
      for (size_t d = batch_.size(); d-- > 0; rest /= batch_[d]) {
        a += rest % batch_[d] * a_steps_[d];
        b += rest % batch_[d] * b_steps_[d];
      }
      ProductF64 p = one_;
      p.a = static_cast<const double*>(call.inputs[0].data) + a * p.m * p.k;
      p.b = static_cast<const double*>(call.inputs[1].data) + b * p.k * p.n;
      p.c = static_cast<double*>(call.outputs[0].data) + i * p.m * p.n;
      multiply_f64(p, inner);
    };
    const double work = 0.2 * static_cast<double>(call.outputs[0].elements()) * static_cast<double>(one_.k);
    parallel_ranges(inner > 1 ? 1 : useful_threads(thread_count(), work), count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) one(i);
    });
    return kOkStatus;
  }

  ProductF64 one_;  // sizes and strides of each product
  Dims batch_, a_steps_, b_steps_;
};

}  // namespace

std::unique_ptr<Kernel> make_product_f64(const Attributes& parameters) {
  (void)read_parameters<NoParameters>(parameters);
  return std::make_unique<ProductKernel>();
}

}  // namespace kiln::cpu::kernels
