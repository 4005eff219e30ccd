// Kernel "cublaslt": a product of matrices by cuBLASLt, and what its kernels lack by one of ours. Inputs: a [..., rows, terms], b [...,
// terms, columns], bias (one element of the result's type for each column; may be absent), residual (like the result; may be absent); a
// program for the results, where there is one.
// float16, bfloat16, float32 or float64.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "backends/cuda/device/cublas_lt.h"
#include "backends/cuda/device/kernels/finish_call.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kMostProposals = LtChoice::kMostProposals;
constexpr size_t kMostWorkspace = size_t{32} << 20;  // that proposals may want
constexpr uint32_t kOperandAlignment = 16;           // bytes
constexpr size_t kMostShapes = 8;  // whose proposals a kernel keeps: asking takes tenths of a millisecond

// One of the library's descriptions, which goes with its owner.
template <class Handle> class Described {
 public:
  using Destroy = cublasStatus_t (*)(Handle);
  Described() = default;
  Described(Described&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), destroy_(std::exchange(other.destroy_, nullptr)) {}
  Described& operator=(Described&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(destroy_, other.destroy_);
    return *this;
  }
  ~Described() {
    if (handle_) (void)destroy_(handle_);
  }
  template <class Make> void make(Make make, Destroy destroy) {
    *this = Described();
    destroy_ = destroy;
    make(&handle_);
  }
  Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
  Destroy destroy_ = nullptr;
};

// Rows of adjacent elements, in elements.
struct Matrices {
  int64_t rows = 0, columns = 0, row = 0;  // `row`: between rows
  int64_t batch = 0;                       // between matrices; 0: all are the same
  bool operator==(const Matrices&) const = default;
};

struct Shape3 {
  int64_t rows = 0, columns = 0, terms = 0, count = 1;
  Matrices a, b, y, residual;
  bool operator==(const Shape3&) const = default;
};

// A product as the library knows it, and what it proposed.
struct Asked {
  Shape3 shape;
  Described<cublasLtMatmulDesc_t> product;
  Described<cublasLtMatrixLayout_t> a, b, y, residual;
  cublasLtMatmulHeuristicResult_t chosen = {};
  // The first proposal within less workspace than the chosen one wants, where there is so little.
  std::optional<size_t> least;
  cublasLtMatmulHeuristicResult_t smaller = {};
};

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
std::optional<Matrices> as_rows(const TensorView& v, int column_axis) {
  Loop rows{{}, {{}}};
  for (int i = 0; i < v.rank; ++i) {
    if (i == column_axis) continue;
    rows.dims.push_back(v.dims[i]);
    rows.strides[0].push_back(v.strides[i]);
  }
  const Loop one = merged(rows);
  Matrices m{one.count(), v.dims[column_axis], v.dims[column_axis], 0};
  if (one.dims.size() > 1 || (v.strides[column_axis] != 1 && m.columns != 1)) return std::nullopt;
  if (!one.dims.empty()) m.row = one.strides[0][0];
  return m;
}

// The last two axes.
std::optional<Matrices> as_matrix(const TensorView& v) {
  if (v.rank < 2) return std::nullopt;
  const int last = v.rank - 1;
  if (v.strides[last] != 1 && v.dims[last] != 1) return std::nullopt;
  return Matrices{v.dims[last - 1], v.dims[last], v.dims[last - 1] == 1 ? v.dims[last] : v.strides[last - 1], 0};
}

class LtProduct final : public Kernel {
 public:
  LtProduct(Gpu& gpu, const LtParameters& p)
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
  }

  size_t workspace(const KernelCall& call) noexcept override {
    size_t wanted = kNoWorkspace;
    (void)guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      wanted = 0;
      if (gpu_.is_there() && !is_empty()) {
        KILN_RETURN_IF_ERROR(ask());
        wanted = asked_.front().chosen.workspaceSize;
      }
      return kOkStatus;
    });
    return wanted;
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (is_empty() || !gpu_.is_there()) return kOkStatus;
      KILN_RETURN_IF_ERROR(ask());
      Asked& asked = asked_.front();
      taken_ = asked.chosen;
      if (taken_.workspaceSize <= call.workspace_size) return kOkStatus;
      // The workspace was sized for other shapes.
      if (asked.least != call.workspace_size) {
        asked.least.reset();
        KILN_RETURN_IF_ERROR(choose(asked, call.workspace_size, 0, asked.smaller));
        asked.least = call.workspace_size;
      }
      taken_ = asked.smaller;
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
      if (!is_aligned(p, kOperandAlignment))
        return {Code::kInvalidArgument, "a tensor of a product does not lie at a multiple of 16 bytes"};
    const bool adds = residual && !epilogue_.residual_after && !has_program(call);
    {
      const CurrentContext current(gpu_);
      const Asked& asked = asked_.front();
      if (bias) KILN_RETURN_IF_ERROR(set(asked, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias));
      const double wide[] = {alpha_, adds ? 1.0 : 0.0};
      const float narrow[] = {static_cast<float>(alpha_), adds ? 1.0f : 0.0f};
      const bool doubles = types_.scale == CUDA_R_64F;
      const void* alpha = doubles ? static_cast<const void*>(&wide[0]) : &narrow[0];
      const void* beta = doubles ? static_cast<const void*>(&wide[1]) : &narrow[1];
      KILN_RETURN_IF_ERROR(
          status_of(*library_,
                    library_->cublasLtMatmul(handle_, asked.product.get(), alpha, b, asked.b.get(), a, asked.a.get(),
                                             beta, adds ? residual : y, adds ? asked.residual.get() : asked.y.get(), y,
                                             asked.y.get(), &taken_.algo, call.workspace, taken_.workspaceSize,
                                             static_cast<CUstream>(stream.native())),
                    "a product of cuBLASLt could not be queued"));
    }
    if (has_program(call)) return finish_.launch_program(stream, call, nullptr);
    return finish_.launch(stream, nullptr, epilogue_.residual_after ? residual : nullptr, y);
  }

 private:
  bool is_empty() const { return shape_.rows * shape_.columns * shape_.count == 0; }

  Status read(const KernelCall& call) {
    if ((call.inputs.size() != kProgramOperand && !has_program(call)) || call.outputs.size() != 1)
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
    Shape3& s = shape_;
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
    if (residual.present()) {
      if (residual.dtype != y.dtype || !is_plain(residual) || !same_dims(residual, y) ||
          !std::equal(residual.strides, residual.strides + residual.rank, y.strides))
        return {Code::kShapeMismatch, "the sum of a product has another shape, type or layout"};
      s.residual = s.y;
    }
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
    if (does_by_itself(left.activation)) left.activation = Activation::kNone;
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
  bool does_by_itself(Activation a) const {
    return a == Activation::kNone || a == Activation::kRelu ||
           (a == Activation::kGeluTanh && type_ != DType::kF32 && type_ != DType::kF64);
  }

  template <class T>
  Status set(const Asked& asked, cublasLtMatmulDescAttributes_t attribute, const T& value) const noexcept {
    return status_of(*library_,
                     library_->cublasLtMatmulDescSetAttribute(asked.product.get(), attribute, &value, sizeof value),
                     "cuBLASLt does not take a setting of a product");
  }

  // Brings what was asked for the present shape to the front.
  Status ask() {
    const auto known = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& a) { return a.shape == shape_; });
    if (known != asked_.end()) {
      std::rotate(asked_.begin(), known, known + 1);
      return kOkStatus;
    }
    Asked fresh;
    fresh.shape = shape_;
    KILN_RETURN_IF_ERROR(describe(fresh));
    KILN_RETURN_IF_ERROR(choose(fresh, kMostWorkspace, proposal_, fresh.chosen));
    if (asked_.size() == kMostShapes) asked_.pop_back();
    asked_.insert(asked_.begin(), std::move(fresh));
    return kOkStatus;
  }

  // The library counts columns first: it multiplies b^T by a^T, which has the result's bytes.
  Status describe(Asked& to) const {
    const CublasLt& lib = *library_;
    Status status = kOkStatus;
    const auto note = [&](cublasStatus_t result) {
      if (status.ok()) status = status_of(lib, result, "cuBLASLt does not take the shape of a product");
    };
    to.product.make([&](auto* made) { note(lib.cublasLtMatmulDescCreate(made, types_.compute, types_.scale)); },
                    lib.cublasLtMatmulDescDestroy.call);
    KILN_RETURN_IF_ERROR(status);
    const cublasOperation_t left = transpose_b_ ? CUBLAS_OP_T : CUBLAS_OP_N,
                            right = transpose_a_ ? CUBLAS_OP_T : CUBLAS_OP_N;
    KILN_RETURN_IF_ERROR(set(to, CUBLASLT_MATMUL_DESC_TRANSA, left));
    KILN_RETURN_IF_ERROR(set(to, CUBLASLT_MATMUL_DESC_TRANSB, right));
    KILN_RETURN_IF_ERROR(set(to, CUBLASLT_MATMUL_DESC_EPILOGUE, lt_epilogue()));
    const auto lay_out = [&](Described<cublasLtMatrixLayout_t>& layout, const Matrices& m) {
      layout.make(
          [&](auto* handle) {
            note(lib.cublasLtMatrixLayoutCreate(handle, types_.element, static_cast<uint64_t>(m.columns),
                                                static_cast<uint64_t>(m.rows), m.row));
          },
          lib.cublasLtMatrixLayoutDestroy.call);
      if (!status.ok() || shape_.count == 1) return;
      const auto count = static_cast<int32_t>(shape_.count);
      note(
          lib.cublasLtMatrixLayoutSetAttribute(layout.get(), CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
      note(lib.cublasLtMatrixLayoutSetAttribute(layout.get(), CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m.batch,
                                                sizeof m.batch));
    };
    lay_out(to.a, shape_.a);
    lay_out(to.b, shape_.b);
    lay_out(to.y, shape_.y);
    lay_out(to.residual, shape_.y);
    return status;
  }

  cublasLtEpilogue_t lt_epilogue() const {
    const bool own = does_by_itself(epilogue_.activation);
    if (own && epilogue_.activation == Activation::kRelu)
      return has_bias_ ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    if (own && epilogue_.activation == Activation::kGeluTanh)
      return has_bias_ ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    return has_bias_ ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }

  // Asks for proposals within so much workspace, and takes one of them.
  Status choose(const Asked& asked, size_t most_workspace, int64_t proposal,
                cublasLtMatmulHeuristicResult_t& chosen) const {
    const CublasLt& lib = *library_;
    const CurrentContext current(gpu_);
    Status status = kOkStatus;
    const auto note = [&](cublasStatus_t result) {
      if (status.ok()) status = status_of(lib, result, "cuBLASLt has no kernel for a product");
    };
    Described<cublasLtMatmulPreference_t> preference;
    preference.make([&](auto* to) { note(lib.cublasLtMatmulPreferenceCreate(to)); },
                    lib.cublasLtMatmulPreferenceDestroy.call);
    KILN_RETURN_IF_ERROR(status);
    const auto want = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      note(lib.cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value));
    };
    want(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace);
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      want(attribute, kOperandAlignment);
    std::array<cublasLtMatmulHeuristicResult_t, kMostProposals> proposals = {};
    int count = 0;
    note(lib.cublasLtMatmulAlgoGetHeuristic(handle_, asked.product.get(), asked.b.get(), asked.a.get(),
                                            asked.residual.get(), asked.y.get(), preference.get(),
                                            static_cast<int>(kMostProposals), proposals.data(), &count));
    KILN_RETURN_IF_ERROR(status);
    if (proposal >= count) return {Code::kUnsupported, "cuBLASLt makes fewer proposals for a product"};
    chosen = proposals[static_cast<size_t>(proposal)];
    return status_of(lib, chosen.state, "a proposal of cuBLASLt cannot be used");
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
  Shape3 shape_;
  bool has_bias_ = false;
  std::vector<Asked> asked_;  // the present shape's first, then by when they were last used
  cublasLtMatmulHeuristicResult_t taken_ = {};
  FinishCall finish_;
};

}  // namespace

std::unique_ptr<Kernel> make_cublaslt(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<LtProduct>(gpu, read_parameters<LtParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
