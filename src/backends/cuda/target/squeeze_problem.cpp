// What the tactics of squeeze-and-excite share: its two products.
#include "backends/cuda/target/squeeze_problem.h"

#include "backends/cuda/device/kernels/packing.h"
#include "target/epilogue.h"

namespace kiln::cuda {
namespace {

std::optional<Activation> factor_activation(const std::string& name) {
  return name == "HardSigmoid" ? Activation::kHardSigmoid : plain_activation(name);
}

std::string squeeze_name(const Problem& p) { return p.attributes().text("squeeze_activation", "Relu"); }
std::string excite_name(const Problem& p) { return p.attributes().text("excite_activation", "Sigmoid"); }

// Rows of a dense matrix [columns, channels].
Tensor packed_rows(const Tensor& weights) {
  kernels::WeightView v;
  v.data = weights.data();
  v.bytes = bits(weights.dtype()) / 8;
  v.columns = weights.dims()[0];
  v.channels = v.column_stride = weights.dims()[1];
  v.channel_stride = 1;
  return kernels::pack_mma_weights(v, weights.dtype());
}

int add_bias_of(const Problem& p, int input, Emitted& e) {
  if (!p.input(input).present) return Emitted::kAbsent;
  const Tensor& bias = *p.input(input).constant;
  return add_constant(e, packed_floats(bias.size(), [&](float* to) {
                        for (int64_t i = 0; i < bias.size(); ++i) to[i] = static_cast<float>(bias.at(i));
                      }));
}

}  // namespace

Refusal accept_squeeze(const Problem& p, int first, const Argument& x) {
  for (int i = first; i < first + 4; ++i)
    if (p.input(i).present && !p.input(i).constant) return refuse("the weights are not constant");
  const int64_t lanes = kernels::kPiece / (bits(x.dtype) / 8);
  if (!x.is_fixed(1) || x.opt[1] % lanes != 0)
    return refuse(std::to_string(x.opt[1]) + " channels are no whole words of 16 bytes");
  const int64_t hidden = p.input(first).opt[0];
  constexpr int64_t kMost = 2048;
  if (x.opt[1] == 0 || x.opt[1] > kMost || hidden == 0 || hidden > kMost)
    return refuse("there are " + std::to_string(x.opt[1]) + " channels, and " + std::to_string(hidden) +
                  " between the products");
  for (const std::string& name : {squeeze_name(p), excite_name(p)})
    if (!factor_activation(name)) return refuse("the kernels have no activation " + name);
  return accept();
}

kernels::SqueezeProducts squeeze_products(const Problem& p, int first) {
  return {.hidden = p.input(first).opt[0],
          .squeeze = *factor_activation(squeeze_name(p)),
          .excite = *factor_activation(excite_name(p)),
          .alpha = p.attributes().real("alpha", 0.2),
          .beta = p.attributes().real("beta", 0.5)};
}

void emit_squeeze_inputs(const Problem& p, int first, Emitted& e) {
  for (int i : {first, first + 2}) {
    e.inputs.push_back(add_constant(e, packed_rows(*p.input(i).constant)));
    e.inputs.push_back(add_bias_of(p, i + 1, e));
  }
}

}  // namespace kiln::cuda
