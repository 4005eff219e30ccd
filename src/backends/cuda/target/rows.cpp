// Tactics: softmax, layer, RMS, group and instance norm, reductions.
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "target/axis_parameters.h"
#include "target/epilogue.h"
#include "target/reduce_problem.h"

namespace kiln::cuda::tactics {
namespace {

constexpr size_t kEmbeddingNormInputs = 7;

}  // namespace

const Tactic softmax{
    .name = "softmax",
    .version = 1,
    .ops = {"Softmax", "LogSoftmax"},
    .accepts = [](const Problem& p) -> Refusal { return needs_one_real(p); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("softmax", softmax_parameters(p), {0}); },
};

const Tactic row_norm{
    .name = "row_norm",
    .version = 1,
    .ops = {"LayerNormalization", "RMSNormalization"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const DType type = p.input(0).dtype;
      if (!kKernelReals.has(type)) return refuse("elements of type " + std::string(name(type)));
      for (int i : {1, 2})
        if (p.input(i).present && p.input(i).dtype != type)
          return refuse("scale or bias is " + std::string(name(p.input(i).dtype)));
      for (size_t i = 1; i < p.outputs.size(); ++i)
        if (p.outputs[i].present && p.outputs[i].dtype != DType::kF32 &&
            (type != DType::kF64 || p.outputs[i].dtype != type))
          return refuse("statistics of type " + std::string(name(p.outputs[i].dtype)));
      return needs_row_vectors(p, {1, 2});
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("row_norm", row_norm_parameters(p), all_inputs(p)); },
};

const Tactic embedding_norm{
    .name = "embedding_norm",
    .version = 1,
    .ops = {"EmbeddingNorm"},
    .accepts = [](const Problem& p) -> Refusal { return needs_one_float(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("embedding_norm", kernels::EmbeddingNormParameters{p.attributes().real("epsilon", 1e-5)},
                             all_inputs(p, kEmbeddingNormInputs));
        },
};

const Tactic group_norm{
    .name = "group_norm",
    .version = 1,
    .ops = {"GroupNormalization", "InstanceNormalization"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_one_float(p); r.refused()) return r;
      if (!lies_like(p, 0)) return refuse("x and the result lie in different orders");
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("group_norm", group_norm_parameters(p), {0, 1, 2}); },
};

namespace {

constexpr TypeSet kReduced{DType::kF16, DType::kBF16, DType::kF32, DType::kF64,
                           DType::kI32, DType::kI64,  DType::kU32, DType::kU64};

// Poolings of whole images are reductions too.
std::optional<ReduceKind> kind_of(const Problem& p) {
  if (p.op() == "GlobalAveragePool") return ReduceKind::kMean;
  if (p.op() == "GlobalMaxPool") return ReduceKind::kMax;
  return reduce_kind(p.op());
}

std::vector<std::string_view> reducing_ops() {
  std::vector<std::string_view> ops = reduce_ops();
  ops.insert(ops.end(), {"GlobalAveragePool", "GlobalMaxPool"});
  return ops;
}

std::optional<Ints> axes_of(const Problem& p) {
  if (reduce_kind(p.op())) return reduced_axes(p);
  Ints axes;
  for (int64_t i = 2; i < rank(p.input(0)); ++i) axes.push_back(i);
  return axes;
}

}  // namespace

const Tactic reduce{
    .name = "reduce",
    .version = 3,
    .ops = reducing_ops(),
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_plain(p); r.refused()) return r;
      const DType type = p.input(0).dtype;
      if (!kReduced.has(type)) return refuse("elements of type " + std::string(name(type)));
      if (!is_float(type) && !is_exact(*kind_of(p))) return refuse("the result for integers has a fraction");
      const auto axes = axes_of(p);
      if (!axes) return refuse("the axes are known only at run time");
      if (axes->empty() && rank(p.input(0)) > 0) return refuse("there is nothing to reduce");
      return accept();
    },
    .configurations = nullptr,
    .emit = [](const Problem& p,
               const Config&) { return emit_kernel("reduce", ReduceParameters{*kind_of(p), *axes_of(p)}, {0}); },
};

}  // namespace kiln::cuda::tactics
