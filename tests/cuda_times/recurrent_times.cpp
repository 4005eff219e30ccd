// Times an LSTM over 100 steps in two directions on a GPU: the whole layer, the product of its inputs, and every way to do the rest, each by graph
// replay. Usage: cuda_recurrent_times {float32|float16|bfloat16} UNITS BATCH...
#include <cstdio>
#include <cstdlib>
#include <string>

#include "cuda_times/replay.h"

namespace kiln::cuda::testing {
namespace {

constexpr int64_t kSteps = 100, kDirections = 2, kGates = 4;

// Of each configuration that runs.
void report(Device& device, const std::string& name, const NodeCase& node_case, bool best_alone) {
  const BuiltNode node(node_case);
  std::string best_name;
  double best = 0;
  for (const Tactic* tactic : tactic_list().all()) {
    if (compiles_long(*tactic) || tactic->refusal(node.problem()).refused()) continue;
    const std::vector<Config> configs =
        tactic->configurations ? tactic->configurations(node.problem()) : std::vector<Config>(1);
    for (const Config& config : configs) {
      const std::string what = tactic->name + " " + to_string(config);
      try {
        PlacedStep step(device, node, tactic->emit(node.problem(), config));
        step.prepare();
        const double time = replay_time(device, 3, [&](Stream& stream) { return step.launch(stream); });
        if (!best_alone) std::printf("  %-10s %9.1f us  %s\n", name.c_str(), time, what.c_str());
        if (best_name.empty() || time < best) best = time, best_name = what;
      } catch (const Error& e) {
        std::printf("  %s: %s: %s\n", name.c_str(), what.c_str(), e.what());
      }
    }
  }
  if (best_alone) std::printf("  %-10s %9.1f us  %s\n", name.c_str(), best, best_name.c_str());
  std::fflush(stdout);
}

void report(Device& device, DType type, int64_t units, int64_t batch) {
  const auto weights = [&](Dims dims) { return Operand{.dims = std::move(dims), .type = type, .constant = true}; };
  const int64_t inputs = kDirections * units, rows = kGates * units;
  const Operand x{.dims = {kSteps, batch, inputs}, .type = type}, r = weights({kDirections, rows, units}),
                                                                  b = weights({kDirections, 2 * rows});
  const std::string direction = "bidirectional";
  std::printf("%s, %lld units, batch %lld\n", std::string(name(type)).c_str(), static_cast<long long>(units),
              static_cast<long long>(batch));
  report(device, "layer",
         {.op = "LSTM",
          .attributes = {{"direction", direction}},
          .inputs = {x, weights({kDirections, rows, inputs}), r, b},
          .outputs = 3},
         false);
  report(device, "product", {.op = "MatMul", .inputs = {x, weights({inputs, kDirections * rows})}}, true);
  report(device, "steps",
         {.op = "RecurrentProjected",
          .attributes = {{"cell", std::string("LSTM")}, {"direction", direction}},
          .inputs = {{.dims = {kSteps, batch, kDirections * rows}, .type = type}, r, b},
          .outputs = 3},
         false);
}

}  // namespace
}  // namespace kiln::cuda::testing

int main(int argc, char** argv) {
  using namespace kiln;
  using namespace kiln::cuda::testing;
  std::string reason;
  Device* device = gpu(reason);
  const std::optional<DType> type = argc > 3 ? dtype_from_name(argv[1]) : std::nullopt;
  if (!device || !type) {
    std::fprintf(stderr, "%s\n",
                 device ? "usage: cuda_recurrent_times {float32|float16|bfloat16} UNITS BATCH..." : reason.c_str());
    return 2;
  }
  try {
    for (int i = 3; i < argc; ++i) report(*device, *type, std::atoll(argv[2]), std::atoll(argv[i]));
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
