// Tactics: LSTM, GRU and RNN, a launch or two for each step, of weights in floats or bytes; or all steps in one launch, of multiplied inputs.
#include <algorithm>

#include "backends/cuda/device/kernels/recurrent_packing.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/tactics.h"
#include "base/checked.h"
#include "target/cell_functions.h"

namespace kiln::cuda::tactics {
namespace {

constexpr int64_t kMostSteps = 4096;  // each is a launch

std::string cell_of(const Problem& p) { return p.attributes().text("cell", p.op()); }

Cell kind_of(const std::string& cell) { return cell == "LSTM" ? Cell::kLstm : cell == "GRU" ? Cell::kGru : Cell::kRnn; }

int64_t direction_count(const Problem& p) {
  return p.attributes().text("direction", "forward") == "bidirectional" ? 2 : 1;
}

Refusal accept_cell(const Problem& p) {
  if (Refusal r = needs_one_float(p); r.refused()) return r;
  constexpr int64_t kMostSequences = 1 << 16;
  const int64_t sequences = p.input(0).max[p.attributes().integer("layout", 0) != 0 ? 0 : 1];
  if (sequences > kMostSequences) return refuse(std::to_string(sequences) + " sequences at once are too many");
  CellFunctions ignored;
  return read_cell_functions(cell_of(p), p.attributes(), direction_count(p), ignored);
}

// Operand 0 has not too many steps.
Refusal accept_steps(const Problem& p) {
  const int64_t steps = p.input(0).max[p.attributes().integer("layout", 0) != 0 ? 1 : 0];
  return steps > kMostSteps ? refuse(std::to_string(steps) + " steps are too many launches") : accept();
}

kernels::RecurrentParameters parameters_of(const Problem& p) {
  const Attributes& a = p.attributes();
  CellFunctions functions;
  (void)read_cell_functions(cell_of(p), a, direction_count(p), functions);
  return {.cell = kind_of(cell_of(p)),
          .reverse = a.text("direction", "forward") == "reverse",
          .batch_first = a.integer("layout", 0) != 0,
          .linear = a.integer("linear_before_reset", 0) != 0,
          .coupled = a.integer("input_forget", 0) != 0,
          .clip = a.real("clip", 0),
          .kinds = std::move(functions.kinds),
          .alphas = std::move(functions.alphas),
          .betas = std::move(functions.betas)};
}

// The same operands of the problem, as far as they are present.
std::vector<int> where_present(const Problem& p, std::vector<int> inputs) {
  for (int& i : inputs)
    if (!p.input(i).present) i = Emitted::kAbsent;
  return inputs;
}

// Inputs of RecurrentProjected.
enum ProductInput : int {
  kProducts,
  kStateWeights,
  kProductBias,
  kProductLengths,
  kProductH,
  kProductC,
  kProductPeepholes
};

// Inputs of RecurrentDequantized.
enum ByteInput : int { kX, kW, kR, kWScale, kRScale, kWZero, kRZero, kBias, kLengths, kInitialH, kInitialC };

kernels::ChipShare share_of(const Problem& p, int64_t blocks) {
  const Argument& r = p.input(kStateWeights);
  return {kind_of(cell_of(p)), r.opt[2], blocks, bits(r.dtype) / 8};
}

// Whether blocks hold enough of their shares to be worth it: what does not fit is read at each step. Without clusters all must fit.
bool holds_share(const kernels::ChipShare& share, const Chip& chip) {
  constexpr int64_t kOtherTables = 24 << 10;
  const int64_t weights = share.chunks * share.chunk_bytes, room = chip.shared_per_block - kOtherTables;
  return share.units <= kernels::kMostChipUnits && weights <= (target_cluster() > 1 ? 3 * room : room);
}

// Numbers of blocks in a cluster that hold a layer, the best guess first: as few as have little each, else the most.
std::vector<int64_t> cluster_choices(const Problem& p) {
  constexpr int64_t kLittle = 64 << 10;
  const Chip& chip = target_chip();
  const int64_t hidden = p.input(kStateWeights).opt[2];
  std::vector<int64_t> choices;
  for (int64_t blocks = target_cluster(); blocks >= 1; blocks /= 2) {
    const bool half_is_idle = 2 * ceil_div(hidden, share_of(p, blocks).units) <= blocks;
    if (!half_is_idle && holds_share(share_of(p, blocks), chip)) choices.push_back(blocks);
  }
  const auto has_little = [&](int64_t blocks) {
    const kernels::ChipShare share = share_of(p, blocks);
    return share.chunks * share.chunk_bytes <= kLittle;
  };
  const auto last = std::find_if(choices.rbegin(), choices.rend(), has_little);
  if (last != choices.rend()) std::rotate(choices.begin(), last.base() - 1, last.base());
  return choices;
}

}  // namespace

const Tactic recurrent_chip{
    .name = "recurrent_chip",
    .version = 1,
    .ops = {"RecurrentProjected"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = accept_cell(p); r.refused()) return r;
      const Argument& r = p.input(kStateWeights);
      if (!r.constant) return refuse("the recurrent weights are not constant");
      if (r.constant->size() == 0) return refuse("there are no units");
      if (bits(r.dtype) == 16 && target_chip().compute < 80)
        return refuse("16 bits on tensor cores need compute capability 8.0, not " + compute_text(target_chip()));
      return cluster_choices(p).empty() ? refuse("the weights of " + std::to_string(r.opt[2]) +
                                                 " units do not lie in the memory of clusters of " +
                                                 std::to_string(target_cluster()) + " blocks")
                                        : accept();
    },
    .configurations =
        [](const Problem& p) {
          std::vector<Config> configs;
          for (int64_t blocks : cluster_choices(p)) configs.push_back({{"blocks", blocks}});
          return configs;
        },
    .emit =
        [](const Problem& p, const Config& config) {
          const Tensor& r = *p.input(kStateWeights).constant;
          const int64_t blocks = config.integer("blocks");
          Emitted e =
              emit_kernel("recurrent_chip", kernels::RecurrentChipParameters{parameters_of(p), r.dims()[2], blocks},
                          where_present(p, {kProducts, kStateWeights, kProductBias, kProductLengths, kProductH,
                                            kProductC, kProductPeepholes}));
          e.inputs[kStateWeights] = Emitted::from_constant(0);
          e.constants.push_back(kernels::pack_chip_weights(r, kind_of(cell_of(p)), blocks));
          return e;
        },
};

const Tactic recurrent_projected{
    .name = "recurrent_projected",
    .version = 1,
    .ops = {"RecurrentProjected"},
    .accepts = accept_cell,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          std::vector<int> inputs = where_present(
              p, {kProducts, kStateWeights, kProductBias, kProductLengths, kProductH, kProductC, kProductPeepholes});
          inputs.insert(inputs.begin() + kStateWeights, Emitted::kAbsent);
          return emit_kernel("recurrent", parameters_of(p), std::move(inputs));
        },
};

const Tactic recurrent{
    .name = "recurrent",
    .version = 2,
    .ops = {"LSTM", "GRU", "RNN"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = accept_cell(p); r.refused()) return r;
      return accept_steps(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("recurrent", parameters_of(p), where_present(p, {0, 1, 2, 3, 4, 5, 6, 7}));
        },
};

const Tactic recurrent_bytes{
    .name = "recurrent_bytes",
    .version = 2,
    .ops = {"RecurrentDequantized"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = accept_cell(p); r.refused()) return r;
      if (p.input(kW).dtype != p.input(kR).dtype) return refuse("the weights are of two types");
      return accept_steps(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          std::vector<int> inputs = where_present(
              p, {kX, kW, kR, kBias, kLengths, kInitialH, kInitialC, kX, kWScale, kRScale, kWZero, kRZero});
          inputs[7] = Emitted::kAbsent;  // it has no peepholes
          return emit_kernel("recurrent", parameters_of(p), std::move(inputs));
        },
};

}  // namespace kiln::cuda::tactics
