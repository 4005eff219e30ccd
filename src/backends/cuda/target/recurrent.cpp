// Tactic: LSTM, GRU and RNN with the usual activations.
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
      const bool batch_first = p.attributes().integer("layout", 0) != 0;
      const int64_t steps = p.input(0).max[batch_first ? 1 : 0];
      if (steps > kMostSteps) return refuse(std::to_string(steps) + " steps are too many launches");
      if (p.input(0).min.empty() ? p.input(0).opt[batch_first ? 1 : 0] == 0 : p.input(0).min[batch_first ? 1 : 0] == 0)
        return refuse("there may be no step");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const auto present = [&](int i) { return p.input(i).present ? i : Emitted::kAbsent; };
          return emit_kernel("recurrent",
                             kernels::RecurrentParameters{
                                 .cell = cell_of(p),
                                 .reverse = p.attributes().text("direction", "forward") == "reverse",
                                 .batch_first = p.attributes().integer("layout", 0) != 0,
                             },
                             {0, 1, 2, present(3), present(5), present(6)});
        },
};

}  // namespace kiln::cuda::tactics
