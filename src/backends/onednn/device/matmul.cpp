// Kernel "matmul": a [..., m, k] times b [..., k, n]; leading axes broadcast. Inputs: a, b (packed or not), bias, residual.
#include <algorithm>

#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/views.h"
#include "backends/onednn/device/primitive_kernel.h"
#include "backends/onednn/device/registry.h"

namespace kiln::onednn {
namespace {

// Dimensions and strides of a batch of matrices.
struct Matrices {
  Ints dims, strides;

  // An axis that the operand lacks has one element.
  void add_axis(size_t from_end) {
    dims.insert(dims.end() - static_cast<int64_t>(from_end), 1);
    strides.insert(strides.end() - static_cast<int64_t>(from_end), 1);
  }
  // Strides of axes with one element say nothing: those that a dense tensor would have are what oneDNN knows best.
  void settle(size_t rank) {
    while (dims.size() < rank) add_axis(dims.size());
    for (size_t i = dims.size(); i-- > 0;)
      if (dims[i] == 1) strides[i] = i + 1 < dims.size() ? strides[i + 1] * dims[i + 1] : 1;
  }
  Desc desc() const { return Desc(dims, dnnl::memory::data_type::f32, strides); }
};

struct Form {
  bool has_rows = true, has_columns = true, transposed = false;
};

Matrices matrices_of(const Ints& dims, const Ints& strides, const Form& form, size_t rank) {
  Matrices m{dims, strides};
  if (!form.has_columns) m.add_axis(0);
  if (!form.has_rows) m.add_axis(1);
  if (m.dims.size() < 2 || m.dims.size() > rank)
    throw Error(Code::kShapeMismatch, "an operand of a product has the shape " + to_string(dims));
  if (form.transposed) {
    const size_t last = m.dims.size() - 1;
    std::swap(m.dims[last], m.dims[last - 1]);
    std::swap(m.strides[last], m.strides[last - 1]);
  }
  m.settle(rank);
  return m;
}

// All leading axes of dense matrices as rows.
Matrices joined(Matrices m) {
  for (size_t i = 1; i + 1 < m.dims.size(); ++i) m.dims[i] *= m.dims[i - 1];
  m.dims.erase(m.dims.begin(), m.dims.end() - 2);
  m.strides.erase(m.strides.begin(), m.strides.end() - 2);
  m.settle(2);
  return m;
}

class MatMul final : public PrimitiveKernel {
 public:
  explicit MatMul(MatMulParameters p)
      : PrimitiveKernel(std::move(p.primitive)),
        a_{.has_rows = !p.vector_a, .transposed = p.transpose_a},
        b_{.has_columns = !p.vector_b, .transposed = p.transpose_b},
        result_{.has_rows = a_.has_rows, .has_columns = b_.has_columns},
        b_dims_(std::move(p.b_dims)),
        alpha_(static_cast<float>(p.alpha)),
        epilogue_(p.epilogue) {}

 protected:
  Recipe describe(const KernelCall& call, const Attempt& attempt) const override {
    const Sizes s = sizes_of(call);
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &bias = call.inputs[2], &residual = call.inputs[3],
                     &c = call.outputs[0];
    const Operand left = operand(DNNL_ARG_SRC, 0, a, a_, s, attempt.copied);
    const Operand result = operand(DNNL_ARG_DST, kResult, c, result_, s, true);
    Recipe r;
    r.epilogue = split_epilogue(epilogue_, residual.present(), result.primitive, attempt.fused, alpha_);
    Operand right{.argument = DNNL_ARG_WEIGHTS, .input = 1, .primitive = {}, .packed = packed()};
    if (packed()) right.primitive = Desc(right_dims(s), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
    else right = operand(DNNL_ARG_WEIGHTS, 1, b, b_, s, attempt.copied);
    Operand added;
    const int rank = result.primitive.get_ndims();
    if (bias.present()) added = bias_operand(bias, result.primitive.get_dims().back(), rank, rank - 1);
    const dnnl::matmul::primitive_desc made(engine(), left.primitive, right.primitive, added.primitive,
                                            result.primitive, r.epilogue.attributes, true);
    if (!made) return r;
    right.primitive = made.weights_desc();
    r.primitive = made;
    r.operands = {left, right, result};
    if (bias.present()) r.operands.push_back(added);
    if (residual.present()) r.operands.push_back(operand(r.epilogue.residual_argument, 3, residual, result_, s, true));
    return r;
  }

  Desc plain_weights(const KernelCall& call) const override { return right_matrices(sizes_of(call)).desc(); }

 private:
  struct Sizes {
    size_t rank = 2;     // of the primitive, or of the operands before their leading axes are joined
    bool one_b = false;  // b is one matrix, so that all rows of a are those of one product
  };
  bool packed() const { return !b_dims_.empty(); }

  Sizes sizes_of(const KernelCall& call) const {
    if (call.inputs.size() != 4 || call.outputs.size() != 1)
      throw Error(Code::kMalformedPlan, "a product has four operands");
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &residual = call.inputs[3], &c = call.outputs[0];
    require_floats(a, "the left operand");
    require_floats(c, "the result");
    if (packed()) require_packed(call, b_dims_);
    else require_floats(b, "the right operand");
    if (residual.present()) {
      require_floats(residual, "the sum");
      if (!same_dims(residual, c)) throw Error(Code::kShapeMismatch, "the sum has another shape");
    }
    const Ints b_dims = packed() ? b_dims_ : dims_of(b);
    const size_t axes = b_dims.size() + (b_.has_columns ? 0 : 1);
    Sizes s;
    s.one_b = !a_.transposed &&
              (axes <= 2 || std::all_of(b_dims.begin(), b_dims.end() - 2, [](int64_t d) { return d == 1; }));
    s.rank = std::max({size_t{2}, axes, static_cast<size_t>(a.rank) + (a_.has_rows ? 0 : 1),
                       static_cast<size_t>(c.rank) + (result_.has_rows ? 0 : 1) + (result_.has_columns ? 0 : 1)});
    return s;
  }

  Matrices right_matrices(const Sizes& s) const {
    const Matrices m = matrices_of(b_dims_, row_major_strides(b_dims_), b_, s.rank);
    return s.one_b ? joined(m) : m;
  }
  Ints right_dims(const Sizes& s) const { return right_matrices(s).dims; }

  // `dense`: the primitive takes it without gaps.
  static Operand operand(int argument, int input, const TensorView& v, const Form& form, const Sizes& s, bool dense) {
    const Ints dims = dims_of(v);
    Operand o{.argument = argument, .input = input, .primitive = {}};
    if (!v.is_dense() && !dense && !s.one_b) {
      o.primitive = matrices_of(dims, Ints(v.strides, v.strides + v.rank), form, s.rank).desc();
      return o;
    }
    const Matrices m = matrices_of(dims, row_major_strides(dims), form, s.rank);
    o.primitive = (s.one_b ? joined(m) : m).desc();
    if (v.is_dense()) return o;
    o.lies = strided_desc(v);
    o.copy = dense_desc(dims);
    return o;
  }

  Form a_, b_, result_;
  Ints b_dims_;
  float alpha_;
  cpu::kernels::EpilogueParameters epilogue_;
};

}  // namespace

std::unique_ptr<Kernel> make_matmul(const Attributes& parameters) {
  return std::make_unique<MatMul>(read_parameters<MatMulParameters>(parameters));
}

}  // namespace kiln::onednn
