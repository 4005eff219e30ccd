// Tactics: convolutions by cuDNN, transposed ones, too, their weights constant and their images channels last; by kernels that the library
// has compiled, and by those that it compiles for one shape.
#include <cstring>

#include "backends/cuda/device/generator.h"
#include "backends/cuda/device/kernels/cudnn_kernels.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/cudnn_choices.h"
#include "backends/cuda/target/epilogue_program.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"

namespace kiln::cuda::tactics {
namespace {

struct CudnnProblem {
  CudnnConv conv;
  FusedEpilogue epilogue;
  FusedProgram program;
  std::vector<kernels::CudnnChoice> choices;
};

Refusal accept_images(const Problem& p) {
  const Argument &x = p.input(0), &w = p.input(1), &y = p.outputs[0];
  const DType type = x.dtype;
  if (!is_kernel_float(type)) return refuse("elements of type " + std::string(name(type)));
  for (const Argument* a : {&w, &y})
    if (a->dtype != type) return refuse("an operand is " + std::string(name(a->dtype)));
  if (!w.constant) return refuse("the weights are not constant");
  for (const Argument* a : {&x, &y}) {
    if (!a->ranked || a->opt.size() < 3 || a->opt.size() > 5)
      return refuse("an operand has " + std::to_string(a->opt.size()) + " dimensions, needs 3 to 5");
    if (!is_channels_last(*a)) return refuse("an operand has layout " + to_string(a->layout) + ", needs channels last");
    if (!a->is_fixed(1)) return refuse("the number of channels is not constant");
  }
  return accept();
}

// With a row of one pixel between where there is one spatial axis.
Dims with_two_axes(Dims dims) {
  if (dims.size() == 3) dims.insert(dims.begin() + 2, 1);
  return dims;
}

Refusal read_window(const Problem& p, kernels::CudnnWindow& w) {
  const Attributes& a = p.attributes();
  const size_t axes = p.input(0).opt.size() - 2, missing = axes < 2 ? 1 : 0;
  const std::string padding = a.text("auto_pad", "NOTSET");
  if (!a.ints("output_shape", {}).empty()) return refuse("the padding follows from the size of the result");
  if (padding != "NOTSET" && padding != "VALID") return refuse("the padding follows from sizes (" + padding + ")");
  const auto read = [&](const char* name, int64_t fallback) {
    Ints values = integers_of(a, name, axes, fallback);
    values.insert(values.begin(), missing, fallback);
    return values;
  };
  w.strides = read("strides", 1);
  w.dilations = read("dilations", 1);
  w.transposed = p.op() == "ConvTranspose";
  Ints pads = integers_of(a, "pads", 2 * axes, 0);
  if (padding == "VALID") pads.assign(2 * axes, 0);
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(axes);
  w.begin.assign(missing, 0);
  w.end.assign(missing, 0);
  w.begin.insert(w.begin.end(), pads.begin(), middle);
  w.end.insert(w.end.end(), middle, pads.end());
  return accept();
}

// Of the results' type where the library adds it, float32 where our kernel does.
DType bias_type(const Problem& p, const CudnnProblem& t) {
  return t.conv.window.transposed ? DType::kF32 : p.outputs[0].dtype;
}

Refusal read_sums(const Problem& p, bool compiled, CudnnProblem& t) {
  const Refusal own = p.node->base_input_count() > 2 ? add_bias(p, 2, 1, 1, t.epilogue) : accept();
  if (own.refused()) return own;
  if (const Refusal r = read_results(p, 1, t.epilogue, t.program); r.refused()) return r;
  if (compiled)
    if (const Refusal r = needs_no_program(t.program); r.refused()) return r;
  if (t.epilogue.bias_input >= 0 && p.input(t.epilogue.bias_input).dtype != bias_type(p, t))
    return refuse("the bias is " + std::string(name(p.input(t.epilogue.bias_input).dtype)));
  const bool transposed = t.conv.window.transposed, bias = t.epilogue.has_bias(),
             residual = t.epilogue.residual_input >= 0;
  const kernels::CudnnEpilogue e =
      t.program.steps.empty() ? kernels::cudnn_epilogue(transposed, compiled, t.epilogue.parameters, bias, residual)
                              : kernels::cudnn_epilogue_of_program(transposed, bias, residual);
  t.conv.bias = e.bias;
  t.conv.residual = e.residual;
  t.conv.residual_after = e.residual_after;
  t.conv.activation = e.activation;
  return accept();
}

// The library takes tens of milliseconds to plan a convolution for shapes that it has not had, ours next to nothing.
bool has_other_tactics(const Problem& p) { return p.op() == "Conv" && p.input(0).opt.size() <= 4; }

Refusal read_cudnn(const Problem& p, bool compiled, CudnnProblem& t) {
  if (const Refusal r = accept_images(p); r.refused()) return r;
  CudnnConv& c = t.conv;
  if (const Refusal r = read_window(p, c.window); r.refused()) return r;
  if (const Refusal r = read_sums(p, compiled, t); r.refused()) return r;
  c.type = p.input(0).dtype;
  c.x = with_two_axes(p.input(0).opt);
  c.w = with_two_axes(p.input(1).constant->dims());
  c.y = with_two_axes(p.outputs[0].opt);
  c.tf32 = p.tf32;
  if (c.is_empty()) return refuse("there are no results");
  if (const Status s = c.fits(); !s.ok()) return refuse(s.detail);
  if (compiled || has_other_tactics(p))
    if (const Refusal r = needs_one_shape(p); r.refused()) return r;
  return find_choices(c, c.needs(compiled), t.choices);
}

CudnnProblem cudnn_problem(const Problem& p, bool compiled) {
  CudnnProblem t;
  const Refusal r = read_cudnn(p, compiled, t);
  if (r.refused()) throw Error(Code::kInternal, "a convolution was not accepted").cause(r.reason);
  return t;
}

// [columns, taps..., channels]: the order in which the library's kernels read weights fastest.
Tensor packed_taps(const Tensor& w, const Dims& dims) {
  const int64_t columns = dims[0], channels = dims[1], taps = w.size() / (columns * channels);
  Dims to_dims{columns};
  to_dims.insert(to_dims.end(), dims.begin() + 2, dims.end());
  to_dims.push_back(channels);
  Tensor packed = Tensor::allocate(w.dtype(), to_dims);
  const auto size = static_cast<size_t>(bits(w.dtype()) / 8);
  const auto* from = static_cast<const std::byte*>(w.data());
  auto* to = static_cast<std::byte*>(packed.mutable_data());
  for (int64_t k = 0; k < columns; ++k)
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t c = 0; c < channels; ++c, to += size)
        std::memcpy(to, from + static_cast<size_t>((k * channels + c) * taps + tap) * size, size);
  return packed;
}

int emit_bias(const Problem& p, const CudnnProblem& t, Emitted& e) {
  if (t.epilogue.bias_input >= 0) return t.epilogue.bias_input;
  if (!t.conv.bias && !t.epilogue.has_bias()) return Emitted::kAbsent;
  std::vector<float> bias = t.epilogue.bias;
  bias.resize(static_cast<size_t>(t.conv.y[1]), 0.0f);
  return add_constant(e, Tensor::of<float>({t.conv.y[1]}, bias).cast(bias_type(p, t)));
}

// Behind x: weights, bias and sum.
void add_operands(const Problem& p, const CudnnProblem& t, Emitted& e) {
  e.inputs.push_back(add_constant(e, packed_taps(*p.input(1).constant, t.conv.w)));
  e.inputs.push_back(emit_bias(p, t, e));
  e.inputs.push_back(t.epilogue.residual_input >= 0 ? t.epilogue.residual_input : Emitted::kAbsent);
  emit_program(t.program, e);
}

}  // namespace

const Tactic cudnn{
    .name = "cudnn",
    .version = 1,
    .ops = {"Conv", "ConvTranspose"},
    .library = "cudnn",
    .accepts = [](const Problem& p) -> Refusal {
      CudnnProblem t;
      return read_cudnn(p, false, t);
    },
    .configurations = [](const Problem& p) { return to_configs(cudnn_problem(p, false).choices); },
    .emit =
        [](const Problem& p, const Config& config) {
          const CudnnProblem t = cudnn_problem(p, false);
          Emitted e = emit_kernel("cudnn",
                                  kernels::CudnnParameters{.window = t.conv.window,
                                                           .tf32 = t.conv.tf32,
                                                           .epilogue = t.epilogue.parameters,
                                                           .choice = read_parameters<kernels::CudnnChoice>(config)},
                                  {0});
          add_operands(p, t, e);
          return e;
        },
};

const Tactic cudnn_compiled{
    .name = "cudnn_compiled",
    .version = 1,
    .ops = {"Conv", "ConvTranspose"},
    .library = "cudnn",
    .level = 5,
    .compiles = 40,
    .accepts = [](const Problem& p) -> Refusal {
      CudnnProblem t;
      return read_cudnn(p, true, t);
    },
    .configurations = [](const Problem& p) { return to_configs(cudnn_problem(p, true).choices); },
    .emit =
        [](const Problem& p, const Config& config) {
          const CudnnProblem t = cudnn_problem(p, true);
          Emitted e = emit_kernel(cudnn_compiled.name, Attributes(), {0});
          e.code = generate(e.kernel,
                            to_parameters(kernels::CudnnCompiledConv{t.conv, t.epilogue.parameters,
                                                                     read_parameters<kernels::CudnnChoice>(config)}),
                            target_chip(), p.kept);
          add_operands(p, t, e);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
