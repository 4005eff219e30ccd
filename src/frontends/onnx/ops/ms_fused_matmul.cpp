// com.microsoft FusedMatMul, TransposeMatMul and FusedGemm: products of transposed operands, with a factor or an activation.
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "frontends/onnx/ops/ms_activated.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

// The last two axes change places; before that, with `batch`, the first axis goes behind the other leading ones.
ir::Value* turned(NodeImport& n, int input, bool last, bool batch) {
  const int64_t rank = n.rank(input);
  if (rank < 2 || (!last && !batch)) return n.in(input);
  Ints perm;
  for (int64_t i = 0; i < rank; ++i) perm.push_back(i);
  if (batch) {
    perm.erase(perm.begin());
    perm.insert(perm.end() - 1, 0);
  }
  if (last) std::swap(nth(perm, rank - 1), nth(perm, rank - 2));
  return n.add("Transpose", {n.in(input)}, {{"perm", perm}});
}

void import_fused_matmul(NodeImport& n) {
  std::vector<ir::Value*> operands{turned(n, 0, n.integer("transA", 0) != 0, n.integer("transBatchA", 0) != 0),
                                   turned(n, 1, n.integer("transB", 0) != 0, n.integer("transBatchB", 0) != 0)};
  const double alpha = n.real("alpha", 1.0);
  if (alpha == 1) return n.emit("MatMul", std::move(operands));
  n.emit("Mul", {n.add("MatMul", std::move(operands)), n.scalar(n.dtype(), alpha)});
}

void import_fused_gemm(NodeImport& n) {
  const Attributes attributes =
      n.attributes(*find_op("Gemm"), {"activation", "activation_alpha", "activation_beta", "activation_gamma"});
  Floats parameters;
  if (n.has_attr("activation_alpha")) parameters.push_back(n.real("activation_alpha", 0));
  if (n.has_attr("activation_beta")) parameters.push_back(n.real("activation_beta", 0));
  emit_activated(n, "Gemm", n.inputs(), attributes, n.text("activation"), parameters);
}

}  // namespace

const OnnxOp ms_fused_gemm{"com.microsoft.FusedGemm", {{1, import_fused_gemm}}};
const OnnxOp ms_fused_matmul{"com.microsoft.FusedMatMul", {{1, import_fused_matmul}}};
const OnnxOp ms_transpose_matmul{"com.microsoft.TransposeMatMul", {{1, import_fused_matmul}}};

}  // namespace kiln::onnx::ops
