// Tactics: convolutions and products by tiles, on tensor cores and without.
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/conv_problem.h"
#include "backends/cuda/target/tactics.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/index.h"

namespace kiln::cuda::tactics {
namespace {

Refusal accepts_mma(const Problem& p) {
  if (!target_chip().has_cp_async())
    return refuse("compute capability is " + compute_text(target_chip()) + ", needs 8.0");
  TiledProblem t;
  if (const Refusal r = read_exact(p, t); r.refused()) return r;
  if (t.weights.groups > 1 && t.weights.channels * t.weights.bytes % kernels::kPiece != 0)
    return refuse("a group has " + std::to_string(t.weights.channels) + " channels, no whole words of 16 bytes");
  return accept();
}

Refusal accepts_wgmma(const Problem& p) {
  if (!target_chip().has_wgmma()) return refuse("compute capability is " + compute_text(target_chip()) + ", needs 9.0");
  TiledProblem t;
  if (const Refusal r = read_tiled(p, t); r.refused()) return r;
  if (t.weights.groups > 1) return refuse("there are " + std::to_string(t.weights.groups) + " groups, needs one");
  return accept();
}

// Alone it is as fast as product_wgmma; between a network's other layers it makes those wait longer, which the clock does not see.
Refusal accepts_conv_wgmma(const Problem& p) {
  if (const Refusal r = accepts_wgmma(p); r.refused()) return r;
  const TiledProblem t = tiled_problem(p);
  if (t.matrix && suits_whole(t.product, target_chip()))
    return refuse("a product of so few rows and terms is product_wgmma's");
  return accept();
}

WindowedResult windowed(const Problem& p, const TiledProblem& t) {
  const Dims& y = p.outputs[0].opt;
  const SlidingWindow& w = t.window;
  const auto reach = [&](int axis) { return (w.kernel[axis] - 1) * w.dilation[axis]; };
  return {.width = y.back(),
          .height = y.size() > 3 ? y[2] : 1,
          .batch = y[0],
          .taps = w.kernel[0] * w.kernel[1],
          .reach_w = reach(1),
          .reach_h = reach(0)};
}

Refusal accepts_window(const Problem& p) {
  if (const Refusal r = accepts_wgmma(p); r.refused()) return r;
  const TiledProblem t = tiled_problem(p);
  if (t.matrix) return refuse("a product has no window");
  const SlidingWindow& w = t.window;
  if (w.kernel[0] * w.kernel[1] == 1) return refuse("the window has one tap");
  if (w.stride[0] != 1 || w.stride[1] != 1)
    return refuse("windows are " + std::to_string(w.stride[0]) + " and " + std::to_string(w.stride[1]) +
                  " pixels apart, needs 1");
  if (window_configs(t.product, windowed(p, t), target_chip()).empty())
    return refuse("the pixels under a tile do not fit a block's memory");
  return accept();
}

Refusal accepts_stream(const Problem& p) {
  if (const Refusal r = accepts_wgmma(p); r.refused()) return r;
  const TiledProblem t = tiled_problem(p);
  if (const Refusal r = needs_no_program(t.program); r.refused()) return r;
  if (t.weights.bytes != 2)
    return refuse("elements of type " + std::string(name(t.type)) + ", needs float16 or bfloat16");
  if (t.weights.columns % 8 != 0)
    return refuse(std::to_string(t.weights.columns) + " columns are no whole words of 16 bytes");
  constexpr int64_t kSide = 128;
  const int64_t tiles = ceil_div(t.product.rows, kSide) * ceil_div(t.product.columns, kSide);
  if (2 * tiles < target_chip().multiprocessors)
    return refuse("there are " + std::to_string(tiles) + " tiles of 128 rows and columns, too few for " +
                  std::to_string(target_chip().multiprocessors) + " multiprocessors");
  // Alone it is as fast as a library's product; between a network's other layers it makes those wait longer.
  if (t.matrix && tiles < 2 * target_chip().multiprocessors)
    return refuse("a product of " + std::to_string(tiles) +
                  " tiles of 128 rows and columns has fewer than two of them for each multiprocessor");
  return accept();
}

// What every operand of the kernels without tensor cores must be.
Refusal accepts_any(const Problem& p) {
  const DType type = p.input(0).dtype;
  if (!is_kernel_float(type))
    return refuse("elements of type " + std::string(name(type)) + ", needs float32, float16 or bfloat16");
  for (const Argument* a : {&p.inputs[0], &p.inputs[1], &p.outputs[0]}) {
    if (a->dtype != type) return refuse("an operand is " + std::string(name(a->dtype)));
    if (!a->ranked || !a->layout.is_plain()) return refuse("an operand has the blocked layout " + to_string(a->layout));
  }
  return accept();
}

// The bias of the operator itself may be known only at run time, and be like x.
Refusal add_own_bias(const Problem& p, int column_axis, double factor, FusedEpilogue& e) {
  const Argument& bias = p.input(2);
  const bool vector = bias.present && bias.opt.size() == 1 && bias.is_static;
  if (vector && !bias.constant && bias.dtype == p.input(0).dtype && factor == 1 &&
      bias.opt[0] == nth(p.outputs[0].opt, column_axis)) {
    e.bias_input = 2;
    return accept();
  }
  return add_bias(p, 2, column_axis, factor, e);
}

Refusal read_conv_any(const Problem& p, FusedEpilogue& e) {
  for (const Refusal& r : {accepts_any(p), accept_image(p.input(0), "x"), accept_image(p.outputs[0], "y")})
    if (r.refused()) return r;
  const Argument& w = p.input(1);
  if (w.opt.size() != p.input(0).opt.size() || !w.is_static)
    return refuse("the weights have dimensions that are not known");
  const Refusal r = p.node->base_input_count() > 2 ? add_own_bias(p, 1, 1, e) : accept();
  return r.refused() ? r : read_epilogue(p, 1, e);
}

Refusal read_product_any(const Problem& p, FusedEpilogue& e) {
  if (Refusal r = accepts_any(p); r.refused()) return r;
  const bool gemm = p.op() == "Gemm", has_columns = p.input(1).opt.size() > 1;
  const int column_axis = has_columns ? static_cast<int>(p.outputs[0].opt.size()) - 1 : -1;
  const bool has_c = gemm && p.node->base_input_count() > 2 && p.input(2).present;
  const Refusal r = has_c ? add_own_bias(p, column_axis, p.attributes().real("beta", 1.0), e) : accept();
  return r.refused() ? r : read_epilogue(p, column_axis, e);
}

}  // namespace

const Tactic conv_wgmma{
    .name = "conv_wgmma",
    .version = 2,
    .ops = {"Conv", "MatMul", "Gemm"},
    .accepts = accepts_conv_wgmma,
    .configurations =
        [](const Problem& p) {
          const TiledProblem t = tiled_problem(p);
          return wgmma_configs(t.product, t.matrix, target_chip());
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = tiled_problem(p);
          const auto choice = read_parameters<kernels::GroupChoice>(config);
          return emit_tiled_rows(t, "conv_wgmma",
                                 kernels::pack_wgmma_weights(t.weights, t.type, kGroupTiles[choice.tile]),
                                 kernels::ConvWgmmaParameters{parameters_of(t), choice});
        },
};

const Tactic conv_window{
    .name = "conv_window",
    .version = 1,
    .ops = {"Conv"},
    .accepts = accepts_window,
    .configurations =
        [](const Problem& p) {
          const TiledProblem t = tiled_problem(p);
          return window_configs(t.product, windowed(p, t), target_chip());
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = tiled_problem(p);
          const auto choice = read_parameters<kernels::WindowChoice>(config);
          return emit_tiled_rows(t, "conv_window",
                                 kernels::pack_wgmma_weights(t.weights, t.type, kGroupTiles[choice.tile]),
                                 kernels::ConvWindowParameters{parameters_of(t), choice});
        },
};

const Tactic conv_stream{
    .name = "conv_stream",
    .version = 4,
    .ops = {"Conv", "MatMul", "Gemm"},
    .accepts = accepts_stream,
    .configurations =
        [](const Problem& p) {
          const TiledProblem t = tiled_problem(p);
          return stream_configs(t.product, t.epilogue, target_chip());
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = tiled_problem(p);
          const auto choice = read_parameters<kernels::StreamChoice>(config);
          const StreamTile& tile = kStreamTiles[choice.tile];
          return emit_tiled_rows(t, "conv_stream",
                                 kernels::pack_wgmma_weights(t.weights, t.type, {tile.rows / 64, tile.columns}),
                                 kernels::ConvStreamParameters{{parameters_of(t), choice}}, kernels::kPiece);
        },
};

const Tactic conv_mma{
    .name = "conv_mma",
    .version = 2,
    .ops = {"Conv", "MatMul", "Gemm"},
    .accepts = accepts_mma,
    .configurations = [](const Problem& p) { return mma_configs(tiled_problem(p).product, target_chip()); },
    .emit =
        [](const Problem& p, const Config& config) {
          const TiledProblem t = tiled_problem(p);
          const auto choice = read_parameters<kernels::MmaChoice>(config);
          return emit_tiled_rows(t, "conv_mma", kernels::pack_mma_weights(t.weights, t.type),
                                 kernels::ConvMmaParameters{parameters_of(t), choice, p.tf32});
        },
};

const Tactic conv_any{
    .name = "conv_any",
    .version = 1,
    .ops = {"Conv"},
    .accepts = [](const Problem& p) -> Refusal {
      FusedEpilogue e;
      return read_conv_any(p, e);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          FusedEpilogue epilogue;
          (void)read_conv_any(p, epilogue);
          const Dims& w = p.input(1).opt;
          const ConvParameters to{{window_of(p, Ints(w.begin() + 2, w.end())), p.attributes().integer("group", 1)},
                                  epilogue.parameters};
          Emitted e = emit_kernel("conv_any", to, {0, 1});
          emit_epilogue_inputs(epilogue, e);
          return e;
        },
};

const Tactic product_any{
    .name = "product_any",
    .version = 1,
    .ops = {"MatMul", "Gemm"},
    .accepts = [](const Problem& p) -> Refusal {
      FusedEpilogue e;
      return read_product_any(p, e);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          FusedEpilogue epilogue;
          (void)read_product_any(p, epilogue);
          const bool gemm = p.op() == "Gemm";
          const kernels::ProductAnyParameters to{.vector_a = p.input(0).opt.size() == 1,
                                                 .vector_b = p.input(1).opt.size() == 1,
                                                 .transpose_a = gemm && p.attributes().integer("transA", 0) != 0,
                                                 .transpose_b = gemm && p.attributes().integer("transB", 0) != 0,
                                                 .factor = gemm ? p.attributes().real("alpha", 1.0) : 1.0,
                                                 .epilogue = epilogue.parameters};
          Emitted e = emit_kernel("product_any", to, {0, 1});
          emit_epilogue_inputs(epilogue, e);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
