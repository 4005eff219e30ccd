// The activations of a recurrent layer.
#include "target/cell_functions.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kiln {
namespace {

struct NamedActivation {
  std::string_view name;  // lower case
  CellActivation kind;
  double alpha, beta;  // defaults; NaN when the function has no such parameter
};
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr NamedActivation kNamed[] = {{"affine", CellActivation::kAffine, 1, 0},
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

Strings usual_activations(std::string_view cell) {
  if (cell == "LSTM") return {"sigmoid", "tanh", "tanh"};
  if (cell == "GRU") return {"sigmoid", "tanh"};
  return {"tanh"};
}

}  // namespace

// Values of activation_alpha and activation_beta go, in order, to the functions that have such a parameter.
Refusal read_cell_functions(std::string_view cell, const Attributes& attributes, int64_t directions,
                            CellFunctions& to) {
  const Strings usual = usual_activations(cell);
  const auto count = usual.size() * static_cast<size_t>(directions);
  Strings names = attributes.texts("activations", {});
  if (names.size() > count) names.resize(count);
  if (names.empty())
    while (names.size() < count) names.insert(names.end(), usual.begin(), usual.end());
  if (names.size() != count) return refuse("there are " + std::to_string(names.size()) + " activations");
  const Floats alphas = attributes.reals("activation_alpha", {}), betas = attributes.reals("activation_beta", {});
  size_t next_alpha = 0, next_beta = 0;
  for (std::string name : names) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char ch) { return ch >= 'A' && ch <= 'Z' ? static_cast<char>(ch + 'a' - 'A') : ch; });
    const auto* found =
        std::find_if(std::begin(kNamed), std::end(kNamed), [&](const NamedActivation& n) { return name == n.name; });
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

}  // namespace kiln
