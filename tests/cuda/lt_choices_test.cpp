// Which of cuBLASLt's algorithms multiplies matrices of a shape: asked of a library that counts how often it is asked.
#include "backends/cuda/device/lt_choices.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kiln::cuda {
namespace {

struct Layout {
  int64_t columns, rows;
};

int asked = 0, checked = 0, alive = 0;
uint64_t most_rows = 0;    // that checked algorithms compute
size_t per_row = 0;        // bytes of workspace that an algorithm wants for a row
constexpr int kCount = 3;  // proposals

template <class Handle> cublasStatus_t destroy(Handle handle) {
  --alive;
  delete reinterpret_cast<Layout*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}
template <class Handle> cublasStatus_t create(Handle* handle, Layout layout = {}) {
  ++alive;
  *handle = reinterpret_cast<Handle>(new Layout(layout));
  return CUBLAS_STATUS_SUCCESS;
}
int64_t rows_of(cublasLtMatrixLayout_t layout) { return reinterpret_cast<const Layout*>(layout)->rows; }

// Its algorithms are numbers: the rows that they were proposed for, times ten, and which proposal they are.
struct CountingLibrary : CublasLt {
  CountingLibrary() {
    asked = checked = 0;
    most_rows = 1000;
    per_row = 0;
    cublasLtGetStatusString.call = [](cublasStatus_t) { return "refused"; };
    cublasLtMatmulDescCreate.call = [](cublasLtMatmulDesc_t* to, cublasComputeType_t, cudaDataType_t) {
      return create(to);
    };
    cublasLtMatmulDescDestroy.call = [](cublasLtMatmulDesc_t h) { return destroy(h); };
    cublasLtMatmulDescSetAttribute.call = [](cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t, const void*,
                                             size_t) { return CUBLAS_STATUS_SUCCESS; };
    cublasLtMatrixLayoutCreate.call = [](cublasLtMatrixLayout_t* to, cudaDataType_t, uint64_t columns, uint64_t rows,
                                         int64_t) {
      return create(to, {static_cast<int64_t>(columns), static_cast<int64_t>(rows)});
    };
    cublasLtMatrixLayoutDestroy.call = [](cublasLtMatrixLayout_t h) { return destroy(h); };
    cublasLtMatrixLayoutSetAttribute.call = [](cublasLtMatrixLayout_t, cublasLtMatrixLayoutAttribute_t, const void*,
                                               size_t) { return CUBLAS_STATUS_SUCCESS; };
    cublasLtMatmulPreferenceCreate.call = [](cublasLtMatmulPreference_t* to) { return create(to); };
    cublasLtMatmulPreferenceDestroy.call = [](cublasLtMatmulPreference_t h) { return destroy(h); };
    cublasLtMatmulPreferenceSetAttribute.call = [](cublasLtMatmulPreference_t of,
                                                   cublasLtMatmulPreferenceAttributes_t a, const void* value, size_t) {
      if (a == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        reinterpret_cast<Layout*>(of)->rows = static_cast<int64_t>(*static_cast<const size_t*>(value));
      return CUBLAS_STATUS_SUCCESS;
    };
    cublasLtMatmulAlgoGetHeuristic.call = [](cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                             cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t y,
                                             cublasLtMatmulPreference_t within, int,
                                             cublasLtMatmulHeuristicResult_t* to, int* count) {
      ++asked;
      *count = kCount;
      const auto rows = static_cast<uint64_t>(rows_of(y));
      for (int i = 0; i < kCount; ++i) {
        to[i] = {};
        to[i].algo.data[0] = rows * 10 + static_cast<uint64_t>(i);
        to[i].workspaceSize = std::min(rows * per_row, static_cast<uint64_t>(reinterpret_cast<Layout*>(within)->rows));
      }
      return CUBLAS_STATUS_SUCCESS;
    };
    cublasLtMatmulAlgoCheck.call = [](cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                      cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t y,
                                      const cublasLtMatmulAlgo_t*, cublasLtMatmulHeuristicResult_t* to) {
      ++checked;
      const auto rows = static_cast<uint64_t>(rows_of(y));
      to->workspaceSize = rows * per_row;
      return rows <= most_rows ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
    };
  }
};

LtShape rows(int64_t n, int64_t columns = 64) {
  return {n, columns, 32, 1, {n, 32, 32, 0}, {32, columns, columns, 0}, {n, columns, columns, 0}};
}

class CudaLtChoices : public ::testing::Test {
 protected:
  // What the process knows of a handle it knows for good.
  CudaLtChoices() : handle_(reinterpret_cast<cublasLtHandle_t>(++next)) {}
  ~CudaLtChoices() override { EXPECT_EQ(alive, 0); }
  LtChoices choices(int64_t proposal = 0, LtKind kind = {}) { return {library_, handle_, kind, proposal}; }
  static uint64_t algorithm(LtChoices& of, size_t workspace = SIZE_MAX) { return of.within(workspace).algo.data[0]; }
  CountingLibrary library_;
  cublasLtHandle_t handle_;

 private:
  static inline uintptr_t next = 0;
};

TEST_F(CudaLtChoices, NewShapesTakeTheAlgorithmOfTheBuild) {
  LtChoices c = choices(2);
  c.build_for(rows(8));
  EXPECT_EQ(asked, 1);
  for (int64_t n : {1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31}) {
    c.choose(rows(n));
    EXPECT_EQ(algorithm(c), 82u) << n;
  }
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(checked, 12);
}

TEST_F(CudaLtChoices, WhatTheBuildsCannotComputeIsProposedOnce) {
  LtChoices c = choices(2);
  c.build_for(rows(8));
  most_rows = 100;
  for (int i = 0; i < 3; ++i)
    for (int64_t n : {200, 50}) {
      c.choose(rows(n));
      EXPECT_EQ(algorithm(c), n == 200 ? 2000u : 82u);
    }
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(checked, 2);
}

TEST_F(CudaLtChoices, WithoutABuildEachShapeHasItsProposal) {
  LtChoices c = choices(1);
  for (int64_t n : {4, 6, 4}) {
    c.choose(rows(n));
    EXPECT_EQ(algorithm(c), static_cast<uint64_t>(10 * n + 1));
  }
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(checked, 0);
}

// Layers of a network are alike, and so are the kernels of its contexts.
TEST_F(CudaLtChoices, OneKernelsProposalsAreTheOthers) {
  for (int i = 0; i < 5; ++i) {
    LtChoices c = choices(i % kCount);
    c.build_for(rows(8));
    c.choose(rows(3));
    EXPECT_EQ(algorithm(c), static_cast<uint64_t>(80 + i % kCount));
  }
  EXPECT_EQ(asked, 1);
  LtKind transposed;
  transposed.transpose_b = true;
  choices(0, transposed).build_for(rows(8));
  EXPECT_EQ(asked, 2);
}

TEST_F(CudaLtChoices, ThereMayBeFewerProposals) {
  LtChoices c = choices(kCount);
  EXPECT_THROW(c.build_for(rows(8)), Error);
  EXPECT_THROW(c.choose(rows(8)), Error);
}

TEST_F(CudaLtChoices, LittleWorkspaceTakesAnotherAlgorithm) {
  per_row = 1024;
  LtChoices c = choices();
  c.build_for(rows(8));
  c.choose(rows(16));
  EXPECT_EQ(c.workspace(), 16384u);
  EXPECT_EQ(algorithm(c, 16384), 80u);
  EXPECT_EQ(algorithm(c, 4096), 160u);
  EXPECT_EQ(c.within(4096).workspaceSize, 4096u);
  EXPECT_EQ(asked, 2);
  per_row = LtChoices::kMostWorkspace;  // more than any may have
  c.choose(rows(2));
  EXPECT_EQ(algorithm(c), 20u);
}

// The library's check does not look at addresses.
TEST_F(CudaLtChoices, RowsThatBeginElsewhereHaveTheirOwn) {
  const auto spread = [](int64_t n) {
    LtShape s = rows(n);
    s.a.row = 33;
    return s;
  };
  LtChoices even = choices(), odd = choices();
  even.build_for(rows(8));
  even.choose(spread(4));
  EXPECT_EQ(algorithm(even), 40u);
  even.choose(spread(1));  // one row begins where the operand does
  EXPECT_EQ(algorithm(even), 80u);
  odd.build_for(spread(16));
  odd.choose(rows(5));
  EXPECT_EQ(algorithm(odd), 160u);
}

TEST_F(CudaLtChoices, FewShapesAreKept) {
  LtChoices c = choices();
  c.build_for(rows(8));
  for (int round = 0; round < 2; ++round)
    for (int64_t n = 1; n <= 2 * static_cast<int64_t>(LtChoices::kMostShapes); ++n) c.choose(rows(n));
  EXPECT_LE(alive, 4 * static_cast<int>(LtChoices::kMostShapes));
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace kiln::cuda
