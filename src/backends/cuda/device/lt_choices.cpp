// Choice among cuBLASLt's algorithms.
#include "backends/cuda/device/lt_choices.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

namespace kiln::cuda {
namespace {

using Proposals = std::vector<cublasLtMatmulHeuristicResult_t>;

// What was proposed, for all kernels of the process. Thread-safe.
class KnownProposals {
 public:
  struct Question {
    cublasLtHandle_t handle;
    LtKind kind;
    LtShape shape;
    size_t workspace;
    auto operator<=>(const Question&) const = default;
  };
  std::optional<Proposals> find(const Question& question) {
    std::lock_guard lock(mutex_);
    const auto at = known_.find(question);
    return at == known_.end() ? std::nullopt : std::optional(at->second);
  }
  void add(const Question& question, const Proposals& proposals) {
    constexpr size_t kMost = 1024;
    std::lock_guard lock(mutex_);
    if (known_.size() >= kMost) known_.clear();
    known_.insert_or_assign(question, proposals);
  }

 private:
  std::mutex mutex_;
  std::map<Question, Proposals> known_;
};

KnownProposals& known_proposals() {
  static auto& known = *new KnownProposals;  // kernels of threads that end late still ask
  return known;
}

void check(const CublasLt& library, cublasStatus_t result, const char* what) {
  throw_if_error(status_of(library, result, what));
}

LtDescribed<cublasLtMatrixLayout_t> layout_of(const CublasLt& library, const LtKind& kind, const LtMatrices& m,
                                              int64_t count) {
  const char* what = "cuBLASLt does not take the shape of a product";
  LtDescribed<cublasLtMatrixLayout_t> layout;
  layout.make(
      [&](auto* to) {
        check(library,
              library.cublasLtMatrixLayoutCreate(to, kind.element, static_cast<uint64_t>(m.columns),
                                                 static_cast<uint64_t>(m.rows), m.row),
              what);
      },
      library.cublasLtMatrixLayoutDestroy.call);
  if (count == 1) return layout;
  const auto set = [&](cublasLtMatrixLayoutAttribute_t attribute, const auto& value) {
    check(library, library.cublasLtMatrixLayoutSetAttribute(layout.get(), attribute, &value, sizeof value), what);
  };
  set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<int32_t>(count));
  set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, m.batch);
  return layout;
}

int64_t size_of(cudaDataType_t type) { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }

// Bytes that all rows begin at multiples of.
int64_t alignment_of(const LtShape& shape, cudaDataType_t type) {
  int64_t least = LtChoices::kAlignment;
  for (const LtMatrices* m : {&shape.a, &shape.b, &shape.y}) {
    const int64_t row = m->rows > 1 ? m->row : 0, batch = shape.count > 1 ? m->batch : 0;
    while ((row * size_of(type)) % least != 0 || (batch * size_of(type)) % least != 0) least /= 2;
  }
  return least;
}

}  // namespace

LtProduct::LtProduct(const CublasLt& library, const LtKind& kind, const LtShape& shape) {
  const char* what = "cuBLASLt does not take a setting of a product";
  product_.make([&](auto* to) { check(library, library.cublasLtMatmulDescCreate(to, kind.compute, kind.scale), what); },
                library.cublasLtMatmulDescDestroy.call);
  const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
    check(library, library.cublasLtMatmulDescSetAttribute(product_.get(), attribute, &value, sizeof value), what);
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, kind.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(CUBLASLT_MATMUL_DESC_TRANSB, kind.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, kind.epilogue);
  a_ = layout_of(library, kind, shape.a, shape.count);
  b_ = layout_of(library, kind, shape.b, shape.count);
  y_ = layout_of(library, kind, shape.y, shape.count);
}

void LtChoices::build_for(const LtShape& shape) {
  const Asked asked{shape, LtProduct(library_, kind_, shape), {}, {}, {}};
  built_algorithm_ = proposed(asked, kMostWorkspace, proposal_).algo;
  built_ = shape;
}

void LtChoices::choose(const LtShape& shape) {
  const auto known = std::find_if(asked_.begin(), asked_.end(), [&](const Asked& a) { return a.shape == shape; });
  if (known != asked_.end()) {
    std::rotate(asked_.begin(), known, known + 1);
    return;
  }
  Asked fresh{shape, LtProduct(library_, kind_, shape), {}, {}, {}};
  if (!takes_built(fresh)) fresh.chosen = proposed(fresh, kMostWorkspace, built_ ? 0 : proposal_);
  if (asked_.size() == kMostShapes) asked_.pop_back();
  asked_.insert(asked_.begin(), std::move(fresh));
}

// The library does not look at what rows begin at.
bool LtChoices::takes_built(Asked& asked) const {
  if (!built_ || alignment_of(asked.shape, kind_.element) < alignment_of(*built_, kind_.element)) return false;
  const LtProduct& p = asked.product;
  cublasLtMatmulHeuristicResult_t result = {};
  if (library_.cublasLtMatmulAlgoCheck(handle_, p.product(), p.b(), p.a(), p.y(), p.y(), &built_algorithm_, &result) !=
          CUBLAS_STATUS_SUCCESS ||
      result.workspaceSize > kMostWorkspace)
    return false;
  asked.chosen = result;
  asked.chosen.algo = built_algorithm_;
  return true;
}

const cublasLtMatmulHeuristicResult_t& LtChoices::within(size_t workspace) {
  Asked& asked = asked_.front();
  if (asked.chosen.workspaceSize <= workspace) return asked.chosen;
  if (asked.least != workspace) {
    asked.least.reset();
    asked.smaller = proposed(asked, workspace, 0);
    asked.least = workspace;
  }
  return asked.smaller;
}

// One of the library's proposals within so much workspace.
cublasLtMatmulHeuristicResult_t LtChoices::proposed(const Asked& asked, size_t workspace, int64_t proposal) const {
  const KnownProposals::Question question{handle_, kind_, asked.shape, workspace};
  auto proposals = known_proposals().find(question);
  if (!proposals) {
    const char* what = "cuBLASLt has no kernel for a product";
    LtDescribed<cublasLtMatmulPreference_t> preference;
    preference.make([&](auto* to) { check(library_, library_.cublasLtMatmulPreferenceCreate(to), what); },
                    library_.cublasLtMatmulPreferenceDestroy.call);
    const auto want = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      check(library_, library_.cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value),
            what);
    };
    want(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace);
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      want(attribute, static_cast<uint32_t>(kAlignment));
    proposals.emplace(static_cast<size_t>(kMostProposals));
    int count = 0;
    const LtProduct& p = asked.product;
    check(library_,
          library_.cublasLtMatmulAlgoGetHeuristic(handle_, p.product(), p.b(), p.a(), p.y(), p.y(), preference.get(),
                                                  static_cast<int>(kMostProposals), proposals->data(), &count),
          what);
    proposals->resize(static_cast<size_t>(std::clamp<int>(count, 0, kMostProposals)));
    known_proposals().add(question, *proposals);
  }
  if (proposal >= std::ssize(*proposals))
    throw Error(Code::kUnsupported, "cuBLASLt makes fewer proposals for a product");
  const cublasLtMatmulHeuristicResult_t& chosen = (*proposals)[static_cast<size_t>(proposal)];
  check(library_, chosen.state, "a proposal of cuBLASLt cannot be used");
  return chosen;
}

}  // namespace kiln::cuda
