// Tactic: transposed convolution as a product with all taps, whose results are summed where they meet.
#include "backends/cpu/device/kernels/conv_transpose.h"

#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "base/error.h"
#include "target/epilogue.h"

namespace kiln::cpu::tactics {
namespace {

struct TransposeProblem {
  TransposeShape shape;  // at the optimum
  kernels::SlidingWindow window;
  FusedEpilogue epilogue;
};

// Padding in front of each axis: as given, or what the wanted size leaves, as the operator's definition says.
Refusal read_padding(const Problem& p, TransposeProblem& t) {
  const std::string padding = p.attributes().text("auto_pad", "NOTSET");
  const Ints sizes = p.attributes().ints("output_shape", {}), extra = p.attributes().ints("output_padding", {});
  if (padding == "VALID") t.window.begin[0] = t.window.begin[1] = 0;
  const bool same = padding == "SAME_UPPER" || padding == "SAME_LOWER";
  if (!same && sizes.empty()) return accept();
  if (!p.input(0).is_static) return refuse("padding that depends on the sizes of varying images");
  const size_t rank = p.input(0).opt.size() - 2;
  for (size_t i = 0; i < rank; ++i) {
    const auto axis = 2 - rank + i;
    const int64_t reach = (t.window.kernel[axis] - 1) * t.window.dilation[axis] + 1;
    const int64_t full = (t.shape.in[axis] - 1) * t.window.stride[axis] + (extra.size() == rank ? extra[i] : 0) + reach;
    const int64_t total = std::max<int64_t>(full - t.shape.out[axis], 0);
    t.window.begin[axis] = padding == "SAME_UPPER" ? total / 2 : total - total / 2;
  }
  return accept();
}

Refusal read_transpose(const Problem& p, TransposeProblem& t) {
  const Argument &x = p.input(0), &w = p.input(1), &y = p.outputs[0];
  for (const Refusal& r : {accept_channels_last(x, "x"), accept_channels_last(y, "y")})
    if (r.refused()) return r;
  if (!w.is_static || w.dtype != DType::kF32 || !w.layout.is_row_major())
    return refuse("the weights are " + std::string(name(w.dtype)) + ", needs float32 of a fixed shape");
  if (!x.is_fixed(1) || !y.is_fixed(1)) return refuse("the number of channels is not constant");
  TransposeShape& s = t.shape;
  s.groups = p.attributes().integer("group", 1);
  s.in_c = x.opt[1];
  s.out_c = y.opt[1];
  if (w.opt[0] != s.in_c || w.opt[1] * s.groups != s.out_c) return refuse("weights of shape " + to_string(w.opt));
  if (s.in_c == 0 || s.out_c == 0) return refuse("images without channels");
  t.window = window_of(p, Ints(w.opt.begin() + 2, w.opt.end()));
  t.window.padding = kernels::SlidingWindow::kGiven;
  const kernels::ImageView in = image_of(x.opt), out = image_of(y.opt);
  s.in[0] = in.height, s.in[1] = in.width, s.out[0] = out.height, s.out[1] = out.width;
  for (int axis : {0, 1}) s.kernel[axis] = t.window.kernel[axis];
  if (const Refusal r = read_padding(p, t); r.refused()) return r;
  for (int axis : {0, 1})
    if (t.window.begin[axis] < 0) return refuse("negative padding");
  const Refusal r = p.node->base_input_count() > 2 ? add_bias(p, 2, 1, 1, t.epilogue) : accept();
  return r.refused() ? r : read_epilogue(p, 1, t.epilogue);
}

TransposeProblem transpose_problem(const Problem& p) {
  TransposeProblem t;
  if (const Refusal r = read_transpose(p, t); r.refused())
    throw Error(Code::kInternal, "a transposed convolution was not accepted").cause(r.reason);
  return t;
}

Tensor packed_weights(const TransposeShape& shape, const float* weights, const BlockConfig& blocks) {
  std::vector<float> ordered(static_cast<size_t>(kernels::ordered_transpose_floats(shape)));
  return packed_floats(kernels::packed_transpose_floats(shape),
                       [&](float* to) { kernels::pack_transpose(shape, weights, blocks, to, ordered.data()); });
}

}  // namespace

const Tactic conv_transpose{
    .name = "conv_transpose",
    .version = 1,
    .ops = {"ConvTranspose"},
    .accepts = [](const Problem& p) -> Refusal {
      TransposeProblem t;
      return read_transpose(p, t);
    },
    .configurations =
        [](const Problem& p) {
          const TransposeShape s = transpose_problem(p).shape;
          std::vector<Config> list;
          for (const BlockConfig& c : gemm_configs(std::max<int64_t>(s.in[0] * s.in[1], 1),
                                                   s.taps() * (s.out_c / s.groups), s.in_c / s.groups, p.threads))
            list.push_back(to_parameters(kernels::BlockParameters{c}));
          if (s.is_depthwise()) list.resize(1);  // no product is cut
          return list;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const TransposeProblem t = transpose_problem(p);
          const auto blocks = read_parameters<kernels::BlockParameters>(config);
          const Tensor* weights = p.input(1).constant;
          Emitted e = emit_kernel("conv_transpose",
                                  kernels::ConvTransposeParameters{
                                      .conv = {{t.window, t.shape.groups}, t.epilogue.parameters},
                                      .blocks = blocks,
                                      .ordered = weights != nullptr,
                                  },
                                  {0});
          if (weights) {
            e.inputs.push_back(add_constant(e, packed_weights(t.shape, weights->as<float>().data(), blocks)));
          } else {
            e.inputs.push_back(1);
          }
          emit_epilogue_inputs(t.epilogue, e);
          return e;
        },
};

}  // namespace kiln::cpu::tactics
