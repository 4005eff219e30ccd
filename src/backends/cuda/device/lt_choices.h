// Which of cuBLASLt's algorithms multiplies matrices of a shape. The library takes tenths of a millisecond to propose some, and
// microseconds to check one.
#pragma once
#include <optional>
#include <utility>
#include <vector>

#include "backends/cuda/device/cublas_lt.h"

namespace kiln::cuda {

// One of the library's descriptions, which goes with its owner.
template <class Handle> class LtDescribed {
 public:
  using Destroy = cublasStatus_t (*)(Handle);
  LtDescribed() = default;
  LtDescribed(LtDescribed&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), destroy_(std::exchange(other.destroy_, nullptr)) {}
  LtDescribed& operator=(LtDescribed&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(destroy_, other.destroy_);
    return *this;
  }
  ~LtDescribed() {
    if (handle_) (void)destroy_(handle_);
  }
  template <class Make> void make(Make make, Destroy destroy) {
    *this = LtDescribed();
    destroy_ = destroy;
    make(&handle_);
  }
  Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
  Destroy destroy_ = nullptr;
};

// Rows of adjacent elements, in elements.
struct LtMatrices {
  int64_t rows = 0, columns = 0, row = 0;  // `row`: between rows
  int64_t batch = 0;                       // between matrices; 0: all are the same
  auto operator<=>(const LtMatrices&) const = default;
};

// Of a product by rows: y [rows, columns] = a b, `count` times. What is added lies as y does.
struct LtShape {
  int64_t rows = 0, columns = 0, terms = 0, count = 1;
  LtMatrices a, b, y;
  auto operator<=>(const LtShape&) const = default;
};

// What is the same of a product whatever its shape.
struct LtKind {
  cudaDataType_t element = CUDA_R_32F, scale = CUDA_R_32F;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  bool transpose_a = false, transpose_b = false;
  auto operator<=>(const LtKind&) const = default;
};

// A product as the library knows it. It counts columns first, and multiplies b^T by a^T, which has the result's bytes.
class LtProduct {
 public:
  LtProduct(const CublasLt& library, const LtKind& kind, const LtShape& shape);  // throws Error
  cublasLtMatmulDesc_t product() const { return product_.get(); }
  cublasLtMatrixLayout_t a() const { return a_.get(); }
  cublasLtMatrixLayout_t b() const { return b_.get(); }
  cublasLtMatrixLayout_t y() const { return y_.get(); }

 private:
  LtDescribed<cublasLtMatmulDesc_t> product_;
  LtDescribed<cublasLtMatrixLayout_t> a_, b_, y_;
};

// The algorithms of one product for the shapes that it meets. The GPU's context is the thread's own in each call.
class LtChoices {
 public:
  static constexpr int64_t kMostProposals = 8;
  static constexpr size_t kMostWorkspace = size_t{32} << 20;  // that proposals may want
  static constexpr size_t kMostShapes = 8;                    // that are kept
  static constexpr int64_t kAlignment = 16;                   // bytes that operands begin at multiples of

  LtChoices(const CublasLt& library, cublasLtHandle_t handle, const LtKind& kind, int64_t proposal)
      : library_(library), handle_(handle), kind_(kind), proposal_(proposal) {}
  const LtKind& kind() const { return kind_; }

  // Takes the proposal for the shape that the engine was built for, which is then the algorithm of all shapes that it can compute.
  // Throws Error.
  void build_for(const LtShape& shape);
  // Makes the shape the present one. Throws Error when the library cannot compute it.
  void choose(const LtShape& shape);

  // Of the present shape.
  const LtProduct& product() const { return asked_.front().product; }
  size_t workspace() const { return asked_.front().chosen.workspaceSize; }
  // The algorithm, or where that wants more workspace the first that is proposed within so little. Throws Error when there is none.
  const cublasLtMatmulHeuristicResult_t& within(size_t workspace);

 private:
  struct Asked {
    LtShape shape;
    LtProduct product;
    cublasLtMatmulHeuristicResult_t chosen = {};
    std::optional<size_t> least;  // what `smaller` is within
    cublasLtMatmulHeuristicResult_t smaller = {};
  };
  bool takes_built(Asked& asked) const;
  cublasLtMatmulHeuristicResult_t proposed(const Asked& asked, size_t workspace, int64_t proposal) const;

  const CublasLt& library_;
  cublasLtHandle_t handle_;
  LtKind kind_;
  int64_t proposal_;
  std::optional<LtShape> built_;
  cublasLtMatmulAlgo_t built_algorithm_ = {};
  std::vector<Asked> asked_;  // the present shape's first, then by when they were last used
};

}  // namespace kiln::cuda
