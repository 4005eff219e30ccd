// Tactic: products of matrices, and convolutions that are such, by cuBLASLt.
#include "backends/cuda/device/cublas_lt.h"
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/device/kernels/transposed_matrix.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/conv_problem.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
namespace {

struct LtProblem {
  bool image = false, transpose_a = false, transpose_b = false;
  double alpha = 1;
  const Tensor* weights = nullptr;  // constant right operand
  FusedEpilogue epilogue;
  FusedProgram program;
};

Refusal accept_operands(const Problem& p) {
  const DType type = p.input(0).dtype;
  if (!is_kernel_float(type) && type != DType::kF64) return refuse("elements of type " + std::string(name(type)));
  for (const Argument* a : {&p.inputs[0], &p.inputs[1], &p.outputs[0]}) {
    if (a->dtype != type) return refuse("an operand is " + std::string(name(a->dtype)));
    if (!a->ranked || a->opt.size() < 2) return refuse("an operand is no matrix");
  }
  if (type == DType::kF64 && !p.post().empty()) return refuse("results of float64 have post-operations");
  return accept();
}

// The library's fast kernels read whole words of 16 bytes, and it may lack others.
Refusal accept_extent(const Argument& a, size_t axis, const char* what) {
  const int64_t size = a.opt[axis], word = 16 / (bits(a.dtype) / 8);
  if (!a.is_fixed(axis)) return refuse("the number of " + std::string(what) + " is not constant");
  if (size < 1 || (bits(a.dtype) == 16 && size % word != 0))
    return refuse(std::to_string(size) + " " + what + " are no whole words of 16 bytes");
  return accept();
}

bool has_no_batch(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end() - 2, [](const Dim& d) { return d == Dim(1); });
}

Refusal accept_batches(const Problem& p) {
  const Shape &a = p.node->input(0)->shape(), &b = p.node->input(1)->shape();
  if (has_no_batch(b) && b.size() <= std::max<size_t>(a.size(), 2)) return accept();
  if (has_no_batch(a) && a.size() <= b.size()) return accept();
  if (a.size() != b.size() || !std::equal(a.begin(), a.end() - 2, b.begin()))
    return refuse("the batches " + to_string(a) + " and " + to_string(b) + " differ");
  return accept();
}

Refusal read_lt_product(const Problem& p, LtProblem& t) {
  const bool gemm = p.op() == "Gemm";
  for (const Argument* a : {&p.inputs[0], &p.inputs[1], &p.outputs[0]})
    if (!a->layout.is_row_major()) return refuse("an operand has the layout " + to_string(a->layout));
  if (gemm) {
    t.transpose_a = p.attributes().integer("transA", 0) != 0;
    t.transpose_b = p.attributes().integer("transB", 0) != 0;
    t.alpha = p.attributes().real("alpha", 1.0);
  }
  t.weights = p.input(1).constant;
  const size_t a_last = p.input(0).opt.size() - 1, b_last = p.input(1).opt.size() - 1;
  for (const Refusal& r : {accept_extent(p.input(1), b_last - (t.transpose_b ? 1 : 0), "columns"),
                           accept_extent(p.input(1), b_last - (t.transpose_b ? 0 : 1), "terms"),
                           t.transpose_a ? accept_extent(p.input(0), a_last, "rows") : accept(), accept_batches(p)})
    if (r.refused()) return r;
  const int column_axis = static_cast<int>(p.outputs[0].opt.size()) - 1;
  const bool has_c = gemm && p.node->base_input_count() > 2 && p.input(2).present;
  if (has_c && p.input(0).dtype == DType::kF64) return refuse("results of float64 have a bias");
  const Refusal r = has_c ? add_bias(p, 2, column_axis, p.attributes().real("beta", 1.0), t.epilogue) : accept();
  return r.refused() ? r : read_results(p, column_axis, t.epilogue, t.program);
}

Refusal read_lt_conv(const Problem& p, LtProblem& t) {
  TiledProblem tiled;
  if (const Refusal r = read_exact(p, tiled); r.refused()) return r;
  const SlidingWindow& w = tiled.window;
  const bool plain = w.padding == SlidingWindow::kGiven && tiled.weights.taps == 1 && tiled.weights.groups == 1;
  for (int axis : {0, 1})
    if (!plain || w.stride[axis] != 1 || w.begin[axis] != 0 || w.end[axis] != 0)
      return refuse("the convolution is no product of matrices");
  const Argument &x = p.input(0), &y = p.outputs[0];
  if (!is_channels_last(x)) return refuse("x has layout " + to_string(x.layout) + ", needs channels last");
  for (const Refusal& r : {accept_extent(x, 1, "channels"), accept_extent(y, 1, "channels")})
    if (r.refused()) return r;
  t.image = true;
  t.transpose_b = true;
  t.weights = p.input(1).constant;
  t.epilogue = tiled.epilogue;
  t.program = tiled.program;
  return accept();
}

Refusal read_lt(const Problem& p, LtProblem& t) {
  if (const Refusal r = accept_operands(p); r.refused()) return r;
  const Refusal r = p.op() == "Conv" ? read_lt_conv(p, t) : read_lt_product(p, t);
  if (r.refused()) return r;
  if (t.epilogue.bias_input >= 0 && p.input(t.epilogue.bias_input).dtype != p.outputs[0].dtype)
    return refuse("the bias is of another type than the results");
  std::string reason;
  return find_cublas_lt(reason) ? accept() : refuse(reason);
}

// [columns, terms]: the order in which the library's kernels read weights fastest.
Tensor packed_weights(const LtProblem& t) {
  const Tensor& w = *t.weights;
  const int64_t rows = t.image ? w.dims()[0] : w.dims()[w.dims().size() - 2], columns = w.size() / rows;
  return t.transpose_b ? w.reshaped({rows, columns}) : kernels::transposed_matrix(w, rows, columns);
}

bool is_fixed(const Argument& a) {
  for (size_t axis = 0; axis < a.opt.size(); ++axis)
    if (!a.is_fixed(axis)) return false;
  return true;
}

// Nothing where every size is known.
kernels::LtBuilt built_for(const Problem& p, const LtProblem& t, bool packed) {
  const Argument &a = p.input(0), &b = p.input(1), &y = p.outputs[0];
  if (is_fixed(a) && is_fixed(b) && is_fixed(y)) return {};
  kernels::LtBuilt built{.type = a.dtype, .bias = t.epilogue.has_bias()};
  const size_t last = a.opt.size() - 1;
  built.columns = t.image ? y.opt[1] : y.opt.back();
  built.terms = t.image ? a.opt[1] : t.transpose_a ? a.opt[last - 1] : a.opt[last];
  const int64_t all = element_count(y.opt) / std::max<int64_t>(built.columns, 1);
  if (packed || t.image || (has_no_batch(p.node->input(1)->shape()) && !t.transpose_a)) {
    built.rows = all;
    return built;
  }
  built.rows = y.opt[y.opt.size() - 2];
  built.count = std::max<int64_t>(all / std::max<int64_t>(built.rows, 1), 1);
  built.batches_a = built.count > 1 && !has_no_batch(p.node->input(0)->shape());
  built.batches_b = built.count > 1 && !has_no_batch(p.node->input(1)->shape());
  return built;
}

}  // namespace

const Tactic cublaslt{
    .name = "cublaslt",
    .version = 2,
    .ops = {"Conv", "MatMul", "Gemm"},
    .accepts = [](const Problem& p) -> Refusal {
      LtProblem t;
      return read_lt(p, t);
    },
    .configurations =
        [](const Problem&) {
          std::string reason;
          const CublasLt* library = find_cublas_lt(reason);
          std::vector<Config> configs;
          for (int64_t i = 0; i < LtChoices::kMostProposals; ++i)
            configs.push_back(to_parameters(kernels::LtChoice{i, library ? library->version : 0}));
          return configs;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          LtProblem t;
          (void)read_lt(p, t);
          const bool packed = t.weights && (t.image || has_no_batch(p.node->input(1)->shape()));
          Emitted e = emit_kernel("cublaslt",
                                  kernels::LtParameters{.image = t.image,
                                                        .transpose_a = t.transpose_a,
                                                        .transpose_b = t.transpose_b || packed,
                                                        .tf32 = p.tf32,
                                                        .alpha = t.alpha,
                                                        .epilogue = t.epilogue.parameters,
                                                        .choice = read_parameters<kernels::LtChoice>(config),
                                                        .built = built_for(p, t, packed)},
                                  {0});
          e.inputs.push_back(packed ? add_constant(e, packed_weights(t)) : 1);
          int bias = t.epilogue.bias_input >= 0 ? t.epilogue.bias_input : Emitted::kAbsent;
          if (!t.epilogue.bias.empty()) {
            const auto count = static_cast<int64_t>(t.epilogue.bias.size());
            bias = add_constant(e, Tensor::of<float>({count}, t.epilogue.bias).cast(p.outputs[0].dtype));
          }
          e.inputs.push_back(bias);
          e.inputs.push_back(t.epilogue.residual_input >= 0 ? t.epilogue.residual_input : Emitted::kAbsent);
          emit_program(t.program, e);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
