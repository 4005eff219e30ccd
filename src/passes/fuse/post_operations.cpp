// Bias, activations and residual sums become post-operations of the convolution or matrix product before them.
#include "passes/facts.h"
#include "passes/lists.h"
#include "passes/post_ops.h"

namespace kiln::passes {
namespace {

constexpr size_t kMaxPostOps = 8;

bool is_base(const Node& n) { return n.is("Conv") || n.is("ConvTranspose") || n.is("Gemm") || n.is("MatMul"); }

}  // namespace

const Rule post_operations{.name = "post_operations",
                           .pattern = one_of({}),
                           .rewrite = [](const Match& m) -> std::optional<Patch> {
                             const Node& root = m.root();
                             if (!root.op().is_pointwise()) return std::nullopt;
                             for (int i = 0; i < static_cast<int>(root.inputs().size()); ++i) {
                               if (!root.input(i) || root.input(i)->dtype() != root.output()->dtype()) continue;
                               if (auto patch = append_post_op(m, i, kMaxPostOps, is_base)) return patch;
                             }
                             return std::nullopt;
                           },
                           .stage = 1};

}  // namespace kiln::passes
