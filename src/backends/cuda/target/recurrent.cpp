// Tactics: LSTM, GRU and RNN with the usual activations, and LSTM and GRU with weights in bytes.
#include <algorithm>

#include "backends/cuda/device/kernels/recurrent_parameters.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
namespace {

constexpr int64_t kMostSteps = 4096;  // each is a launch

// The cell whose activations these are; empty when the kernel has none such.
std::string cell_of(const Problem& p) {
  Strings usual = p.op() == "LSTM"  ? Strings{"sigmoid", "tanh", "tanh"}
                  : p.op() == "GRU" ? Strings{"sigmoid", "tanh"}
                                    : Strings{"tanh"};
  Strings names = p.attributes().texts("activations", {});
  for (std::string& name : names)
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char ch) { return ch >= 'A' && ch <= 'Z' ? static_cast<char>(ch + 'a' - 'A') : ch; });
  const auto repeated = [&](const Strings& one) {
    for (size_t i = 0; i < names.size(); ++i)
      if (names[i] != one[i % one.size()]) return false;
    return true;
  };
  if (repeated(usual)) return p.op() == "LSTM" ? "lstm" : p.op() == "GRU" ? "gru" : "tanh";
  return p.op() == "RNN" && repeated({"relu"}) ? "relu" : "";
}

// Operand 0 has steps, and not too many.
Refusal accept_steps(const Problem& p) {
  const size_t axis = p.attributes().integer("layout", 0) != 0 ? 1 : 0;
  const Argument& x = p.input(0);
  if (x.max[axis] > kMostSteps) return refuse(std::to_string(x.max[axis]) + " steps are too many launches");
  return (x.min.empty() ? x.opt : x.min)[axis] == 0 ? refuse("there may be no step") : accept();
}

kernels::RecurrentParameters parameters_of(const Problem& p, std::string cell) {
  return {
      .cell = std::move(cell),
      .reverse = p.attributes().text("direction", "forward") == "reverse",
      .batch_first = p.attributes().integer("layout", 0) != 0,
  };
}

int present(const Problem& p, int i) { return p.input(i).present ? i : Emitted::kAbsent; }

// Inputs of RecurrentDequantized.
enum ByteInput : int { kX, kW, kR, kWScale, kRScale, kWZero, kRZero, kBias, kLengths, kInitialH, kInitialC };

}  // namespace

const Tactic recurrent{
    .name = "recurrent",
    .version = 1,
    .ops = {"LSTM", "GRU", "RNN"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_one_float(p); r.refused()) return r;
      if (cell_of(p).empty()) return refuse("it has other activations than usual");
      if (p.attributes().real("clip", 0) != 0) return refuse("it clips");
      if (p.attributes().integer("input_forget", 0) != 0) return refuse("its gates are coupled");
      if (p.op() == "GRU" && p.attributes().integer("linear_before_reset", 0) == 0)
        return refuse("it resets before the product");
      if (p.input(4).present) return refuse("the sequences have lengths");
      if (p.input(7).present) return refuse("it has peepholes");
      return accept_steps(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("recurrent", parameters_of(p, cell_of(p)),
                             {0, 1, 2, present(p, 3), present(p, 5), present(p, 6)});
        },
};

const Tactic recurrent_bytes{
    .name = "recurrent_bytes",
    .version = 1,
    .ops = {"RecurrentDequantized"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_one_float(p); r.refused()) return r;
      if (p.input(kW).dtype != p.input(kR).dtype) return refuse("the weights are of two types");
      if (p.attributes().text("cell") == "GRU" && p.attributes().integer("linear_before_reset", 0) == 0)
        return refuse("it resets before the product");
      if (p.input(kLengths).present) return refuse("the sequences have lengths");
      return accept_steps(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("recurrent", parameters_of(p, p.attributes().text("cell") == "LSTM" ? "lstm" : "gru"),
                             {kX, kW, kR, present(p, kBias), present(p, kInitialH), present(p, kInitialC), kWScale,
                              kRScale, present(p, kWZero), present(p, kRZero)});
        },
};

}  // namespace kiln::cuda::tactics
