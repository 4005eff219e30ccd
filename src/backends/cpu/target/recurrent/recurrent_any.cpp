// Tactic: LSTM, GRU and RNN with lengths, peepholes, clipping and any activations; weights that are not constant are packed at each run.
#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/device/kernels/recurrent_any.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/recurrent/layer_parameters.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

using kernels::AnyCell;
using kernels::CellActivation;

struct Named {
  const char* name;  // lower case
  CellActivation kind;
  double alpha, beta;  // defaults; NaN when the function has no such parameter
};
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr Named kNamed[] = {{"affine", CellActivation::kAffine, 1, 0},
                            {"elu", CellActivation::kElu, 1, kNone},
                            {"hardsigmoid", CellActivation::kHardSigmoid, 0.2, 0.5},
                            {"leakyrelu", CellActivation::kLeakyRelu, 0.01, kNone},
                            {"relu", CellActivation::kRelu, kNone, kNone},
                            {"scaledtanh", CellActivation::kScaledTanh, 1, 1},
                            {"sigmoid", CellActivation::kSigmoid, kNone, kNone},
                            {"softplus", CellActivation::kSoftplus, kNone, kNone},
                            {"softsign", CellActivation::kSoftsign, kNone, kNone},
                            {"tanh", CellActivation::kTanh, kNone, kNone},
                            {"thresholdedrelu", CellActivation::kThresholdedRelu, 1, kNone}};

AnyCell any_cell_of(const Problem& p) {
  return p.op() == "LSTM" ? AnyCell::kLstm : p.op() == "GRU" ? AnyCell::kGru : AnyCell::kRnn;
}

// Activations of all directions; values of activation_alpha and activation_beta go, in order, to the functions that
// have such a parameter.
Refusal activations(const Problem& p, kernels::RecurrentAnyParameters& to) {
  const AnyCell cell = any_cell_of(p);
  const Strings defaults = cell == AnyCell::kLstm  ? Strings{"sigmoid", "tanh", "tanh"}
                           : cell == AnyCell::kGru ? Strings{"sigmoid", "tanh"}
                                                   : Strings{"tanh"};
  const auto count = defaults.size() * static_cast<size_t>(p.input(1).opt[0]);
  Strings names = p.attributes().texts("activations", {});
  if (names.size() > count) names.resize(count);
  if (names.empty())
    while (names.size() < count) names.insert(names.end(), defaults.begin(), defaults.end());
  if (names.size() != count) return refuse("there are " + std::to_string(names.size()) + " activations");
  const Floats alphas = p.attributes().reals("activation_alpha", {}),
               betas = p.attributes().reals("activation_beta", {});
  size_t next_alpha = 0, next_beta = 0;
  for (std::string name : names) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char ch) { return ch >= 'A' && ch <= 'Z' ? static_cast<char>(ch + 'a' - 'A') : ch; });
    const auto* found =
        std::find_if(std::begin(kNamed), std::end(kNamed), [&](const Named& n) { return name == n.name; });
    if (found == std::end(kNamed)) return refuse("the activation '" + name + "' is not known");
    double alpha = found->alpha, beta = found->beta;
    if (!std::isnan(alpha) && next_alpha < alphas.size()) alpha = alphas[next_alpha++];
    if (!std::isnan(beta) && next_beta < betas.size()) beta = betas[next_beta++];
    to.kinds.push_back(static_cast<int64_t>(found->kind));
    to.alphas.push_back(std::isnan(alpha) ? 0 : alpha);
    to.betas.push_back(std::isnan(beta) ? 0 : beta);
  }
  return accept();
}

Refusal accepts_steps(const Problem& p) {
  if (Refusal r = needs_f32(p); r.refused()) return r;
  if (!p.input(1).is_static || !p.input(2).is_static) return refuse("the sizes of the weights are not known");
  const Dims& w = p.input(1).opt;
  if (w[1] == 0 || w[2] == 0) return refuse("there are no units or no inputs");
  kernels::RecurrentAnyParameters ignored;
  return activations(p, ignored);
}

bool has_constant_weights(const Problem& p) {
  return p.input(1).constant && p.input(2).constant && (!p.input(3).present || p.input(3).constant);
}

Tensor packed_weights(const Problem& p) {
  const AnyCell cell = any_cell_of(p);
  const Tensor &w = *p.input(1).constant, &r = *p.input(2).constant;
  const int64_t directions = w.dims()[0], input = w.dims()[2], hidden = r.dims()[2],
                rows = kernels::gates_of(cell) * hidden, floats = kernels::PackedCell(cell, input, hidden).total;
  Tensor packed = Tensor::allocate(DType::kF32, {directions, floats});
  auto* to = static_cast<float*>(packed.mutable_data());
  const auto* bias = p.input(3).present ? static_cast<const float*>(p.input(3).constant->data()) : nullptr;
  for (int64_t d = 0; d < directions; ++d)
    kernels::pack_cell(cell, input, hidden, static_cast<const float*>(w.data()) + d * rows * input,
                       static_cast<const float*>(r.data()) + d * rows * hidden, bias ? bias + d * 2 * rows : nullptr,
                       to + d * floats);
  return packed;
}

}  // namespace

const Tactic recurrent_any{
    .name = "recurrent_any",
    .version = 1,
    .ops = {"LSTM", "GRU", "RNN"},
    .accepts = accepts_steps,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Attributes& a = p.attributes();
          kernels::RecurrentAnyParameters to{.layer = layer_parameters(p),
                                             .cell = any_cell_of(p),
                                             .linear = a.integer("linear_before_reset", 0) != 0,
                                             .coupled = a.integer("input_forget", 0) != 0,
                                             .packs = !has_constant_weights(p),
                                             .clip = a.real("clip", 0)};
          (void)activations(p, to);
          const auto present = [&](int i) { return p.input(i).present ? i : Emitted::kAbsent; };
          if (to.packs)
            return emit_kernel("recurrent_any", to,
                               {0, 1, present(4), present(5), present(6), present(7), 2, present(3)});
          Emitted e = emit_kernel("recurrent_any", to,
                                  {0, Emitted::from_constant(0), present(4), present(5), present(6), present(7)});
          e.constants.push_back(packed_weights(p));
          return e;
        },
};

}  // namespace kiln::cpu::tactics
