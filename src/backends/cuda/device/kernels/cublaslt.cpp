// Kernel "cublaslt": a product of matrices by cuBLASLt, and what its kernels lack by one of ours. Inputs: a [..., rows, terms], b [...,
// terms, columns], bias (one element of the result's type for each column; may be absent), residual (like the result; may be absent); a
// program for the results, where there is one.
// float16, bfloat16, float32 or float64.
#include <algorithm>
#include <optional>

#include "backends/cuda/device/kernels/finish_call.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

struct Types {
  cudaDataType_t element, scale;
  cublasComputeType_t compute;
};

std::optional<Types> types_of(DType type, bool tf32) {
  switch (type) {
    case DType::kF16: return Types{CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case DType::kBF16: return Types{CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case DType::kF32: return Types{CUDA_R_32F, CUDA_R_32F, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F};
    case DType::kF64: return Types{CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F};
    default: return std::nullopt;
  }
}

// The axes but `column_axis` as rows at equal distances.
std::optional<LtMatrices> as_rows(const TensorView& v, int column_axis) {
  Loop rows{{}, {{}}};
  for (int i = 0; i < v.rank; ++i) {
    if (i == column_axis) continue;
    rows.dims.push_back(v.dims[i]);
    rows.strides[0].push_back(v.strides[i]);
  }
  const Loop one = merged(rows);
  LtMatrices m{one.count(), v.dims[column_axis], v.dims[column_axis], 0};
  if (one.dims.size() > 1 || (v.strides[column_axis] != 1 && m.columns != 1)) return std::nullopt;
  if (!one.dims.empty()) m.row = one.strides[0][0];
  return m;
}

// The last two axes.
std::optional<LtMatrices> as_matrix(const TensorView& v) {
  if (v.rank < 2) return std::nullopt;
  const int last = v.rank - 1;
  if (v.strides[last] != 1 && v.dims[last] != 1) return std::nullopt;
  return LtMatrices{v.dims[last - 1], v.dims[last], v.dims[last - 1] == 1 ? v.dims[last] : v.strides[last - 1], 0};
}

LtMatrices without_gaps(int64_t rows, int64_t columns, bool batches) {
  return {rows, columns, columns, batches ? rows * columns : 0};
}

class LtKernel final : public Kernel {
 public:
  LtKernel(Gpu& gpu, const LtParameters& p)
      : gpu_(gpu),
        image_(p.image),
        transpose_a_(p.transpose_a),
        transpose_b_(p.transpose_b),
        tf32_(p.tf32),
        alpha_(p.alpha),
        epilogue_(p.epilogue),
        proposal_(p.choice.proposal),
        finish_(gpu) {
    if (!gpu.is_there()) return;
    const int64_t wanted = p.choice.library;
    std::string reason;
    library_ = find_cublas_lt(reason);
    if (!library_)
      throw Error(Code::kPlanDevice, "a step of the engine runs in cuBLASLt " + std::to_string(wanted / 10000) + "." +
                                         std::to_string(wanted / 100 % 100) + ", which is not there")
          .cause(reason)
          .remedy("name the library's file in KILN_CUBLASLT, or build the engine with --disable=cublaslt");
    if (library_->version != wanted) proposal_ = 0;
    handle_ = lt_handle(*library_, gpu);
    if (p.built.rows == 0) return;
    const CurrentContext current(gpu_);
    choices_for(kind(p.built.type, p.built.bias)).build_for(p.built.shape(transpose_a_, transpose_b_));
  }

  size_t workspace(const KernelCall& call) noexcept override {
    size_t wanted = kNoWorkspace;
    (void)guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      wanted = 0;
      if (is_empty() || !gpu_.is_there()) return kOkStatus;
      choose();
      wanted = choices_->workspace();
      return kOkStatus;
    });
    return wanted;
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (is_empty() || !gpu_.is_there()) return kOkStatus;
      choose();
      const CurrentContext current(gpu_);
      taken_ = choices_->within(call.workspace_size);  // which was sized for other shapes
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    if (is_empty()) return kOkStatus;
    if (!library_) return {Code::kInvalidState, "a product was launched on a GPU that is not there"};
    const void *a = call.inputs[0].data, *b = call.inputs[1].data, *bias = call.inputs[2].data,
               *residual = call.inputs[3].data;
    void* y = call.outputs[0].data;
    for (const void* p : {a, b, bias, residual, static_cast<const void*>(y)})
      if (!is_aligned(p, LtChoices::kAlignment))
        return {Code::kInvalidArgument, "a tensor of a product does not lie at a multiple of 16 bytes"};
    const bool adds = residual && !epilogue_.residual_after && !has_program(call);
    {
      const CurrentContext current(gpu_);
      const LtProduct& p = choices_->product();
      if (bias)
        KILN_RETURN_IF_ERROR(status_of(*library_,
                                       library_->cublasLtMatmulDescSetAttribute(
                                           p.product(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias),
                                       "cuBLASLt does not take the bias of a product"));
      const double wide[] = {alpha_, adds ? 1.0 : 0.0};
      const float narrow[] = {static_cast<float>(alpha_), adds ? 1.0f : 0.0f};
      const bool doubles = types_.scale == CUDA_R_64F;
      const void* alpha = doubles ? static_cast<const void*>(&wide[0]) : &narrow[0];
      const void* beta = doubles ? static_cast<const void*>(&wide[1]) : &narrow[1];
      KILN_RETURN_IF_ERROR(
          status_of(*library_,
                    library_->cublasLtMatmul(handle_, p.product(), alpha, b, p.b(), a, p.a(), beta, adds ? residual : y,
                                             p.y(), y, p.y(), &taken_.algo, call.workspace, taken_.workspaceSize,
                                             static_cast<CUstream>(stream.native())),
                    "a product of cuBLASLt could not be queued"));
    }
    if (has_program(call)) return finish_.launch_program(stream, call, nullptr);
    return finish_.launch(stream, nullptr, epilogue_.residual_after ? residual : nullptr, y);
  }

 private:
  bool is_empty() const { return shape_.rows * shape_.columns * shape_.count == 0; }

  Status read(const KernelCall& call) {
    if ((call.inputs.size() != kBaseOperands && !has_program(call)) || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product has four operands"};
    const TensorView &a = call.inputs[0], &b = call.inputs[1], &bias = call.inputs[2], &residual = call.inputs[3],
                     &y = call.outputs[0];
    const auto types = types_of(a.dtype, tf32_);
    for (const TensorView* v : {&a, &b, &y})
      if (!types || !is_plain(*v) || v->dtype != a.dtype)
        return {Code::kMalformedPlan, "the operands of a product are of one floating-point type"};
    types_ = *types;
    type_ = a.dtype;
    shape_ = {};
    has_bias_ = false;
    if (y.elements() == 0 && a.rank >= 2 && b.rank >= 2) return kOkStatus;  // nothing to do, wherever rows would lie
    KILN_RETURN_IF_ERROR(read_matrices(a, b, y));
    LtShape& s = shape_;
    s.rows = transpose_a_ ? s.a.columns : s.a.rows;
    s.terms = transpose_a_ ? s.a.rows : s.a.columns;
    s.columns = s.y.columns;
    const int64_t b_terms = transpose_b_ ? s.b.columns : s.b.rows, b_columns = transpose_b_ ? s.b.rows : s.b.columns;
    if (s.rows != s.y.rows || s.terms != b_terms || s.columns != b_columns)
      return {Code::kShapeMismatch, "the operands of a product do not fit each other"};
    if (s.terms == 0) return {Code::kUnsupported, "a product has no terms"};
    for (int64_t n : {s.rows, s.columns, s.terms, s.count})
      if (n > INT32_MAX) return {Code::kUnsupported, "a product has too many rows, columns or terms"};
    if (bias.present() &&
        (bias.dtype != y.dtype || !is_plain(bias) || !bias.is_dense() || bias.elements() != s.columns))
      return {Code::kShapeMismatch, "the bias of a product is one element of its type for each column"};
    has_bias_ = bias.present();
    for (const TensorView* r : {&residual, second_residual(call)})
      if (r && r->present() &&
          (r->dtype != y.dtype || !is_plain(*r) || !same_dims(*r, y) ||
           !std::equal(r->strides, r->strides + r->rank, y.strides)))
        return {Code::kShapeMismatch, "the sum of a product has another shape, type or layout"};
    return has_program(call) ? plan_program(call) : plan_finish(y, residual.present());
  }

  // One product of all rows where b has no batch of its own.
  Status read_matrices(const TensorView& a, const TensorView& b, const TensorView& y) {
    const Status apart = {Code::kMalformedPlan, "the rows of an operand of a product do not lie at equal distances"};
    const auto right = as_matrix(b);
    if (!right) return apart;
    shape_.b = *right;
    if (extent(b, 0, b.rank - 2) == 1 && !transpose_a_ && a.rank == y.rank) {
      const int axis = image_ ? 1 : y.rank - 1;
      if (axis < 0 || axis >= y.rank) return {Code::kShapeMismatch, "a product has too few axes"};
      const auto left = as_rows(a, axis), result = as_rows(y, axis);
      if (!left || !result) return apart;
      shape_.a = *left;
      shape_.y = *result;
      return kOkStatus;
    }
    const auto left = as_matrix(a), result = as_matrix(y);
    if (!left || !result) return apart;
    shape_.a = *left;
    shape_.y = *result;
    const auto rank = static_cast<size_t>(y.rank - 2);
    if (a.rank > y.rank || b.rank > y.rank) return {Code::kShapeMismatch, "a product has fewer axes than an operand"};
    Loop loop{Dims(y.dims, y.dims + rank), {Dims(y.strides, y.strides + rank)}};
    for (const TensorView* v : {&a, &b}) {
      for (int i = 0; i < v->rank - 2; ++i)
        if (v->dims[i] != 1 && v->dims[i] != y.dims[y.rank - v->rank + i])
          return {Code::kShapeMismatch, "the batches of a product do not fit each other"};
      loop.strides.push_back(broadcast_strides(v->rank - 2, v->dims, v->strides, rank));
    }
    const Loop batch = merged(loop);
    if (batch.dims.size() > 1) return {Code::kUnsupported, "the batches of a product do not lie at equal distances"};
    shape_.count = batch.count();
    if (batch.dims.empty()) return kOkStatus;
    shape_.y.batch = batch.strides[0][0];
    shape_.a.batch = batch.strides[1][0];
    shape_.b.batch = batch.strides[2][0];
    return kOkStatus;
  }

  Status plan_finish(const TensorView& y, bool has_residual) {
    EpilogueParameters left = epilogue_;
    if (does_by_itself(left.activation, type_)) left.activation = Activation::kNone;
    const bool sums = has_residual && left.residual_after;
    if ((sums || left.activation != Activation::kNone) && shape_.y.row != shape_.columns)
      return {Code::kMalformedPlan, "results in this order cannot be finished"};
    return finish_.plan(y, shape_.columns, left, false, sums);
  }

  Status plan_program(const KernelCall& call) {
    if (shape_.y.row != shape_.columns || type_ == DType::kF64)
      return {Code::kMalformedPlan, "results of this type or in this order cannot be finished"};
    return finish_.plan_program(call, shape_.columns);
  }

  // The library's GELU is the one by tanh.
  static bool does_by_itself(Activation a, DType type) {
    return a == Activation::kNone || a == Activation::kRelu ||
           (a == Activation::kGeluTanh && type != DType::kF32 && type != DType::kF64);
  }

  LtKind kind(DType type, bool has_bias) const {
    const auto types = types_of(type, tf32_);
    if (!types) throw Error(Code::kMalformedPlan, "a product is of floating-point numbers");
    return {types->element, types->scale, types->compute, lt_epilogue(type, has_bias), transpose_a_, transpose_b_};
  }

  LtChoices& choices_for(const LtKind& kind) {
    if (!choices_ || choices_->kind() != kind) choices_.emplace(*library_, handle_, kind, proposal_);
    return *choices_;
  }

  void choose() {
    const CurrentContext current(gpu_);
    choices_for(kind(type_, has_bias_)).choose(shape_);
  }

  cublasLtEpilogue_t lt_epilogue(DType type, bool has_bias) const {
    const bool own = does_by_itself(epilogue_.activation, type);
    if (own && epilogue_.activation == Activation::kRelu)
      return has_bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    if (own && epilogue_.activation == Activation::kGeluTanh)
      return has_bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    return has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }

  Gpu& gpu_;
  bool image_, transpose_a_, transpose_b_, tf32_;
  double alpha_;
  EpilogueParameters epilogue_;
  int64_t proposal_;
  const CublasLt* library_ = nullptr;
  cublasLtHandle_t handle_ = nullptr;

  Types types_ = {};
  DType type_ = DType::kInvalid;
  LtShape shape_;
  bool has_bias_ = false;
  std::optional<LtChoices> choices_;
  cublasLtMatmulHeuristicResult_t taken_ = {};
  FinishCall finish_;
};

}  // namespace

LtShape LtBuilt::shape(bool transpose_a, bool transpose_b) const {
  return {rows,
          columns,
          terms,
          count,
          without_gaps(transpose_a ? terms : rows, transpose_a ? rows : terms, batches_a),
          without_gaps(transpose_b ? columns : terms, transpose_b ? terms : columns, batches_b),
          without_gaps(rows, columns, count > 1)};
}

std::unique_ptr<Kernel> make_cublaslt(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<LtKernel>(gpu, read_parameters<LtParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
