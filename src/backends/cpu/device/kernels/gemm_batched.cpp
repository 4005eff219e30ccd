// Kernel "gemm_batched": a [..., m, k] times b [..., k, n] whose values are known only at run time; leading axes broadcast.
// Inputs: a, b, bias, residual. Parameters `vector_a`, `vector_b`: the operand has no axis m, n; `transpose_b`: b is [..., n, k].
#include <algorithm>
#include <vector>

#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/product_parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

// Distances between neighbours along one leading axis; 0 where an operand repeats.
struct BatchAxis {
  int64_t count, a, b, c, residual;
  bool continues(const BatchAxis& inner) const {
    return a == inner.a * inner.count && b == inner.b * inner.count && c == inner.c * inner.count &&
           residual == inner.residual * inner.count;
  }
};

struct ProductShape {
  GemmCall gemm;
  RightOperand b;
  int64_t residual_stride = 0;
  GemmBatch batch;               // the innermost leading axis
  std::vector<BatchAxis> outer;  // the others, outermost first
};

// A tensor's last axes as a matrix; an axis that it lacks has one element.
struct MatrixView {
  MatrixView(const TensorView& v, bool has_rows, bool has_columns) {
    int axis = v.rank;
    if (has_columns) take(v, --axis, columns, column_stride);
    if (has_rows) take(v, --axis, rows, row_stride);
    leading = axis;
  }
  static void take(const TensorView& v, int axis, int64_t& extent, int64_t& stride) {
    if (axis < 0) return;
    extent = v.dims[axis];
    stride = v.strides[axis];
  }
  bool adjacent_columns() const { return columns == 1 || column_stride == 1; }
  int64_t rows = 1, columns = 1, row_stride = 0, column_stride = 0;
  int leading;  // leading axes; negative: the tensor has too few
};

class GemmBatched final : public Kernel {
 public:
  explicit GemmBatched(const GemmBatchedParameters& p)
      : vector_a_(p.vector_a),
        vector_b_(p.vector_b),
        transpose_b_(p.transpose_b),
        epilogue_(p.epilogue),
        blocks_(p.blocks) {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read(call, shape_));
    if (workspace(call) > call.workspace_size) return {Code::kMalformedPlan, "the workspace of a product is too small"};
    return kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    run(call, 0, static_cast<const float*>(call.inputs[0].data), static_cast<const float*>(call.inputs[1].data),
        static_cast<float*>(call.outputs[0].data), static_cast<const float*>(call.inputs[3].data));
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    ProductShape s;
    if (!read(call, s).ok()) return kNoWorkspace;
    return static_cast<size_t>(gemm_unpacked_workspace(s.gemm, blocks_, s.batch)) * sizeof(float);
  }

 private:
  void run(const KernelCall& call, size_t axis, const float* a, const float* b, float* c,
           const float* residual) noexcept {
    if (axis < shape_.outer.size()) {
      const BatchAxis& x = shape_.outer[axis];
      for (int64_t i = 0; i < x.count; ++i)
        run(call, axis + 1, a + i * x.a, b + i * x.b, c + i * x.c, residual ? residual + i * x.residual : nullptr);
      return;
    }
    GemmCall item = shape_.gemm;
    item.a = a;
    item.c = c;
    RightOperand right = shape_.b;
    right.data = b;
    Epilogue e = make_epilogue(epilogue_, call.inputs[2], call.inputs[3], shape_.residual_stride);
    e.residual = residual;
    gemm_unpacked(item, right, e, blocks_, shape_.batch, static_cast<float*>(call.workspace));
  }

  Status read(const KernelCall& call, ProductShape& s) const noexcept {
    if (call.inputs.size() != 4 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product has four operands"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &bias = call.inputs[2], &residual = call.inputs[3],
                     &c = call.outputs[0];
    for (const TensorView* v : {&a, &b, &c, &residual})
      if ((v->present() || v != &residual) && (!is_f32(*v) || !is_plain(*v)))
        return {Code::kMalformedPlan, "operands of a product are not plain float32"};
    const MatrixView ma(a, !vector_a_, true), mc(c, !vector_a_, !vector_b_);
    MatrixView mb(b, true, !vector_b_);
    if (transpose_b_) {
      std::swap(mb.rows, mb.columns);
      std::swap(mb.row_stride, mb.column_stride);
    }
    if (ma.leading < 0 || mb.leading < 0 || mc.leading < 0 || ma.leading > mc.leading || mb.leading > mc.leading)
      return {Code::kShapeMismatch, "operands of a product have too few or too many axes"};
    if (ma.columns != mb.rows || mc.rows != ma.rows || mc.columns != mb.columns)
      return {Code::kShapeMismatch, "operands of a product do not fit each other"};
    if (!ma.adjacent_columns() || !mc.adjacent_columns())
      return {Code::kMalformedPlan, "rows of a product are not adjacent elements"};
    s = {};
    s.gemm.m = ma.rows;
    s.gemm.n = mb.columns;
    s.gemm.k = ma.columns;
    s.gemm.a_stride = ma.row_stride;
    s.gemm.c_stride = mc.row_stride;
    if (mb.adjacent_columns()) s.b = {nullptr, mb.row_stride, false};
    else if (mb.rows == 1 || mb.row_stride == 1) s.b = {nullptr, mb.column_stride, true};
    else return {Code::kMalformedPlan, "the right operand of a product has neither adjacent columns nor adjacent rows"};
    if (bias.present() && !is_vector(bias, s.gemm.n))
      return {Code::kShapeMismatch, "the bias of a product has another size"};
    if (residual.present()) {
      const MatrixView mr(residual, !vector_a_, !vector_b_);
      if (residual.rank != c.rank || !std::equal(c.dims, c.dims + c.rank, residual.dims) || !mr.adjacent_columns())
        return {Code::kShapeMismatch, "the sum of a product has another shape"};
      s.residual_stride = mr.row_stride;
    }
    return read_batch(a, ma.leading, b, mb.leading, c, mc.leading, residual, s);
  }

  // Leading axes, neighbours merged where all operands allow it.
  static Status read_batch(const TensorView& a, int a_axes, const TensorView& b, int b_axes, const TensorView& c,
                           int c_axes, const TensorView& residual, ProductShape& s) noexcept {
    for (int i = 0; i < c_axes; ++i) {
      BatchAxis axis{c.dims[i], 0, 0, c.strides[i], residual.present() ? residual.strides[i] : 0};
      for (const auto& [view, axes, stride] : {std::tuple(&a, a_axes, &axis.a), std::tuple(&b, b_axes, &axis.b)}) {
        const int own = i - (c_axes - axes);
        if (own < 0 || view->dims[own] == 1) continue;
        if (view->dims[own] != axis.count) return {Code::kShapeMismatch, "leading axes of a product do not broadcast"};
        *stride = view->strides[own];
      }
      if (axis.count == 1) continue;
      if (!s.outer.empty() && s.outer.back().continues(axis)) {
        axis.count *= s.outer.back().count;
        s.outer.pop_back();
      }
      s.outer.push_back(axis);
    }
    if (s.outer.empty()) return kOkStatus;
    const BatchAxis last = s.outer.back();
    s.outer.pop_back();
    GemmCall& g = s.gemm;
    const bool rows_continue = last.b == 0 && last.a == g.a_stride * g.m && last.c == g.c_stride * g.m &&
                               last.residual == s.residual_stride * g.m;
    if (rows_continue) g.m *= last.count;
    else s.batch = {last.count, last.a, last.b, last.c, last.residual, 0};
    return kOkStatus;
  }

  bool vector_a_, vector_b_, transpose_b_;
  EpilogueParameters epilogue_;
  BlockConfig blocks_;
  ProductShape shape_;
};

}  // namespace

std::unique_ptr<Kernel> make_gemm_batched(const Attributes& parameters) {
  return std::make_unique<GemmBatched>(read_parameters<GemmBatchedParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
