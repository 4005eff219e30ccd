// Tactic: expansion and depthwise convolution in bands of rows.
#include "backends/cpu/device/compute/expand_depthwise.h"

#include <algorithm>
#include <cmath>

#include "backends/cpu/device/compute/conv_depthwise.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/conv/conv_problem.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

constexpr int64_t kBandFloats = 96 * 1024;  // of the expansion that a thread keeps: part of the second-level cache
enum Input { kX, kExpand, kExpandBias, kWeights, kBias };

struct FusedConvs {
  kernels::SlidingWindow window;
  ConvShape expansion;  // at the optimum
  ConvShape depthwise;
  kernels::EpilogueParameters activation;
  FusedEpilogue expand_bias, epilogue;
};

Refusal read_activation(const Problem& p, kernels::EpilogueParameters& e) {
  const Attributes& a = p.attributes();
  const std::string name = a.text("activation", "");
  if (name.empty()) return accept();
  if (name != "Clip") {
    const auto plain = plain_activation(name);
    if (!plain) return refuse("the activation " + name + " is none of the kernels");
    e.activation = *plain;
    return accept();
  }
  e.activation = Activation::kClip;
  e.alpha = static_cast<float>(a.real("low", 0));
  e.beta = static_cast<float>(a.real("high", 0));
  return accept();
}

Refusal read_convs(const Problem& p, FusedConvs& f) {
  for (const Refusal& r : {accept_channels_last(p.input(kX), "x"), accept_channels_last(p.outputs[0], "y")})
    if (r.refused()) return r;
  const Argument &x = p.input(kX), &y = p.outputs[0], &expand = p.input(kExpand), &w = p.input(kWeights);
  if (!expand.constant || !w.constant) return refuse("the weights are not constant");
  if (!x.is_fixed(1)) return refuse("the number of channels is not constant");
  if (x.opt[1] != expand.opt[1] || expand.opt[0] != w.opt[0])
    return refuse("weights of shapes " + to_string(expand.opt) + " and " + to_string(w.opt) + " for images " +
                  to_string(x.opt));
  f.window = window_of(p, Ints(w.constant->dims().begin() + 2, w.constant->dims().end()));
  f.expansion = conv_shape({}, 1, image_of(x.opt), image_of({x.opt[0], w.opt[0], x.opt[2], x.opt[3]}));
  f.depthwise = conv_shape(f.window, w.opt[0], image_of({x.opt[0], w.opt[0], x.opt[2], x.opt[3]}), image_of(y.opt));
  for (const Refusal& r : {read_activation(p, f.activation), add_bias(p, kExpandBias, 1, 1, f.expand_bias),
                           add_bias(p, kBias, 1, 1, f.epilogue)})
    if (r.refused()) return r;
  return read_epilogue(p, 1, f.epilogue);
}

// Rows that fill the cache, half and twice as many, and the whole image.
std::vector<int64_t> bands(const ConvShape& s) {
  const int64_t all = std::max<int64_t>(s.out_h(), 1), row = std::max<int64_t>(s.in_w * s.in_c * s.stride_h, 1);
  const int64_t fitting = std::clamp<int64_t>(kBandFloats / row, 1, all);
  std::vector<int64_t> list;
  for (int64_t band : {fitting, std::max<int64_t>(fitting / 2, 1), std::min(2 * fitting, all), all})
    if (std::find(list.begin(), list.end(), band) == list.end()) list.push_back(band);
  return list;
}

std::vector<Config> configurations(const Problem& p) {
  FusedConvs f;
  if (read_convs(p, f).refused()) return {};
  std::vector<Config> list;
  const std::vector<BlockConfig> blocks = conv_configs(f.expansion, 1);
  for (int64_t band : bands(f.depthwise))
    for (size_t i = 0; i < std::min<size_t>(blocks.size(), 2); ++i) {
      list.push_back(to_parameters(kernels::BandParameters{{blocks[i]}, band, p.threads}));
    }
  return list;
}

Emitted emit(const Problem& p, const Config& config) {
  FusedConvs f;
  read_convs(p, f);
  const float *expand = p.input(kExpand).constant->as<float>().data(),
              *w = p.input(kWeights).constant->as<float>().data();
  const ConvShape& d = f.depthwise;
  const auto bands = read_parameters<kernels::BandParameters>(config);
  Emitted e = emit_kernel("expand_depthwise",
                          kernels::ExpandDepthwiseParameters{
                              .window = f.window,
                              .expansion = {f.activation.activation, f.activation.alpha, f.activation.beta},
                              .epilogue = f.epilogue.parameters,
                              .bands = bands,
                          },
                          {kX});
  e.inputs.push_back(add_constant(e, packed_floats(packed_conv_floats(f.expansion), [&](float* to) {
                                    pack_conv(f.expansion, expand, bands.blocks, to);
                                  })));
  e.inputs.push_back(add_constant(e, packed_floats(d.in_c * d.kernel_h * d.kernel_w, [&](float* to) {
                                    pack_depthwise_weights(w, d.in_c, d.kernel_h, d.kernel_w, to);
                                  })));
  const std::vector<float>& bias = f.expand_bias.bias;
  e.inputs.push_back(f.expand_bias.bias_input >= 0 ? f.expand_bias.bias_input
                     : bias.empty()                ? Emitted::kAbsent
                                    : add_constant(e, Tensor::of<float>({static_cast<int64_t>(bias.size())}, bias)));
  emit_epilogue_inputs(f.epilogue, e);
  return e;
}

}  // namespace

const Tactic expand_depthwise{
    .name = "expand_depthwise",
    .version = 1,
    .ops = {"ExpandDepthwise"},
    .accepts =
        [](const Problem& p) {
          FusedConvs f;
          return read_convs(p, f);
        },
    .configurations = configurations,
    .emit = emit,
};

}  // namespace kiln::cpu::tactics
