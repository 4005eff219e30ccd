// MatMulBfloat16: MatMul of a, rounded to bfloat16, and b in bfloat16, summed in float32. Kiln's own; made of MatMul where a build may
// compute in bfloat16.
#include "base/error.h"
#include "ops/registry.h"

namespace kiln::ops {

const OpDef matmul_bfloat16 =
    op("MatMulBfloat16")
        .input("a", {DType::kF32})
        .input("b", {DType::kBF16})
        .output("y", fixed_type(DType::kF32))
        .shape([](ShapeCall& c) {
          const Shape &a = c.dims("a"), &b = c.dims("b");
          if (a.size() < 2 || b.size() != 2)
            throw Error(Code::kShapeMismatch, "MatMulBfloat16 multiplies matrices by one matrix, not " + to_string(a) +
                                                  " by " + to_string(b));
          Shape y(a.begin(), a.end() - 1);
          if (a.back().is_constant() && b[0].is_constant() && !(a.back() == b[0]))
            throw Error(Code::kShapeMismatch, "MatMulBfloat16 of " + to_string(a) + " and " + to_string(b));
          y.push_back(b[1]);
          return OutputShape(y);
        })
        .reference([](RefCall& c) {
          const Tensor a = c.input("a").cast(DType::kBF16).cast(DType::kF32);
          const Tensor b = c.input("b").cast(DType::kF32);
          c.output() = evaluate(*find_op("MatMul"), {}, {a, b}, 1).at(0).tensor;
        })
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
