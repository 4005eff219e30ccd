// Which tiles of the kernels on tensor cores suit a product.
#include "backends/cuda/target/tiles.h"

#include <algorithm>
#include <cmath>

#include "backends/cuda/device/cu/conv_stream.h"
#include "backends/cuda/device/kernels/conv_parameters.h"
#include "backends/cuda/device/kernels/conv_window.h"
#include "backends/cuda/target/chip.h"
#include "base/checked.h"

namespace kiln::cuda {
namespace {

constexpr size_t kMostConfigs = 12;
constexpr double kHopeless = 2.5;  // times the best estimate

// Nanoseconds, for one multiprocessor: measured on compute capability 9.0, and good enough to put tiles of others in order.
constexpr double kStart = 1500;                  // of a kernel, until its first product
constexpr double kExchange = 700;                // sums between the blocks of a cluster
constexpr double kBytesPerNanosecond = 42;       // from the second-level cache
constexpr double kProductsPerNanosecond = 3500;  // multiplications and additions of 16-bit numbers
constexpr int64_t kUnusedByClusters = 12;        // multiprocessors that clusters of four and eight blocks leave out

struct Candidate {
  double nanoseconds;
  Config config;
};

// `room`: blocks that run at once.
double estimate(const TiledProduct& p, int64_t room, int64_t rows, int64_t columns, int64_t splits) {
  const int64_t blocks = ceil_div(p.rows, rows) * ceil_div(p.columns, columns) * splits;
  const double chunk = std::max(static_cast<double>((rows + columns) * 128) / kBytesPerNanosecond,
                                static_cast<double>(rows * columns * 64) / kProductsPerNanosecond);
  const auto waves = static_cast<double>(ceil_div(blocks, room));
  const auto chunks = static_cast<double>(ceil_div(p.chunks, splits));
  return kStart + waves * (chunks * chunk + kStart / 4) + (splits > 1 ? kExchange : 0);
}

// Of a cluster, where the kernel takes `wanted`.
int64_t most_blocks(const Chip& chip, int64_t wanted) {
  return std::min({wanted, int64_t{chip.largest_cluster()}, int64_t{target_cluster()}});
}

double estimate(const TiledProduct& p, const Chip& chip, int64_t rows, int64_t columns, int64_t splits) {
  return estimate(p, chip.multiprocessors, rows, columns, splits);
}

int64_t room_for_clusters(int64_t blocks, const Chip& chip) {
  return std::max<int64_t>(chip.multiprocessors - (blocks > 2 ? kUnusedByClusters : 0), 1);
}

std::vector<Config> best_of(std::vector<Candidate> candidates) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.nanoseconds < b.nanoseconds; });
  std::vector<Config> configs;
  for (size_t i = 0; i < candidates.size() && i < kMostConfigs; ++i)
    if (candidates[i].nanoseconds <= kHopeless * candidates[0].nanoseconds)
      configs.push_back(std::move(candidates[i].config));
  return configs;
}

}  // namespace

std::vector<Config> mma_configs(const TiledProduct& p, const Chip& chip) {
  std::vector<Candidate> candidates;
  for (int64_t i = 0; i < kMmaTileCount; ++i) {
    const MmaTile& tile = kMmaTiles[i];
    if (tile.shared() > chip.shared_per_block) continue;
    candidates.push_back({estimate(p, chip, tile.rows, tile.columns, 1), to_parameters(kernels::MmaChoice{i})});
  }
  return best_of(std::move(candidates));
}

std::vector<Config> byte_configs(const TiledProduct& p, const Chip& chip) {
  std::vector<Candidate> candidates;
  for (int64_t i = 0; i < kMmaTileCount; ++i)
    for (int64_t splits = 1; splits <= most_blocks(chip, kMostMmaSplits); splits *= 2) {
      const MmaTile& tile = kMmaTiles[i];
      if (tile.shared() > chip.shared_per_block || (splits > 1 && splits > p.chunks) ||
          !fits_splits(tile, static_cast<int>(splits)))
        continue;
      candidates.push_back(
          {estimate(p, chip, tile.rows, tile.columns, splits), to_parameters(kernels::ByteChoice{i, splits})});
    }
  return best_of(std::move(candidates));
}

namespace {

std::vector<Candidate> wgmma_candidates(const TiledProduct& p, const Chip& chip, bool matrix) {
  constexpr int64_t kManyStages = 8, kFewStages = 4;
  constexpr double kOtherStages = 1.5;  // of matrices, other tiles are tried before the same with fewer stages
  std::vector<Candidate> candidates;
  for (int64_t i = 0; i < kGroupTileCount; ++i)
    for (int64_t splits = 1; splits <= most_blocks(chip, kMaxSplits); splits *= 2) {
      const GroupTile& tile = kGroupTiles[i];
      if (splits > 1 && (splits > p.chunks || tile.columns > 128)) continue;
      const int64_t parts = splits > 1 ? int64_t{tile.rows()} * tile.columns * 4 : 0;
      const int64_t place = (chip.shared_per_block - kernels::kSlack - parts) / tile.stage(),
                    chunks = std::max<int64_t>(ceil_div(p.chunks, splits), 1);
      const int64_t most = std::min<int64_t>({chunks, place, kMaxStages});
      if (most < 1) continue;
      const int64_t room = matrix ? room_for_clusters(splits, chip) : chip.multiprocessors;
      double time = estimate(p, room, tile.rows(), tile.columns, splits);
      for (int64_t stages : {std::min(most, kManyStages), std::min(most, kFewStages)}) {
        const Config config = to_parameters(kernels::GroupChoice{i, splits, stages});
        if (candidates.empty() || !(candidates.back().config == config)) candidates.push_back({time, config});
        if (matrix) time *= kOtherStages;
      }
    }
  return candidates;
}

}  // namespace

std::vector<Config> wgmma_configs(const TiledProduct& p, bool matrix, const Chip& chip) {
  return best_of(wgmma_candidates(p, chip, matrix));
}

std::vector<Config> window_configs(const TiledProduct& p, const WindowedResult& r, const Chip& chip) {
  constexpr int64_t kFewStages = 5;
  constexpr double kOtherStages = 1.15;  // other tiles are tried before the same with fewer stages
  const int64_t channel_chunks = p.chunks / std::max<int64_t>(r.taps, 1);
  std::vector<Candidate> candidates;
  for (int64_t i = 0; i < kGroupTileCount; ++i)
    for (int64_t splits = 1; splits <= std::min(most_blocks(chip, kMaxSplits), channel_chunks); splits *= 2) {
      const GroupTile& tile = kGroupTiles[i];
      if (splits > 1 && tile.columns > 128) continue;
      const auto box = kernels::WindowBox::of(tile, r.width, r.height, r.batch, r.reach_w, r.reach_h);
      const int64_t chunks = ceil_div(channel_chunks, splits), boxes = std::min<int64_t>(chunks, 2);
      const int64_t room = chip.shared_per_block - kernels::window_shared(tile, box, splits, 0, boxes);
      const int64_t most = std::min<int64_t>({room / (tile.columns * 128), kMaxStages, chunks * r.taps});
      if (!box.is_possible() || most < 2) continue;
      const int64_t blocks = box.tiles * ceil_div(p.columns, tile.columns) * splits;
      const double chunk =
          std::max(static_cast<double>(box.stride() + r.taps * tile.columns * 128) / kBytesPerNanosecond,
                   static_cast<double>(r.taps * tile.rows() * tile.columns * 64) / kProductsPerNanosecond);
      const auto waves = static_cast<double>(ceil_div(blocks, chip.multiprocessors));
      const double sent = static_cast<double>(tile.rows() * tile.columns * 4 * (splits - 1) / splits);
      const double time = kStart + waves * (static_cast<double>(chunks) * chunk + kStart / 4) +
                          (splits > 1 ? kExchange + sent / kBytesPerNanosecond : 0);
      for (int64_t stages : {most, std::min(most, kFewStages)}) {
        const Config config = to_parameters(kernels::WindowChoice{{i, splits, stages}, boxes});
        if (candidates.empty() || !(candidates.back().config == config))
          candidates.push_back({stages == most ? time : time * kOtherStages, config});
      }
    }
  return best_of(std::move(candidates));
}

namespace {

std::vector<Candidate> whole_candidates(const TiledProduct& p, const Chip& chip) {
  constexpr int64_t kMostWaves = 2;      // beyond, kernels that fetch while they multiply are better
  constexpr double kIntoOneBlock = 100;  // bytes a nanosecond, fetched by whichever block of the cluster
  const int64_t row_tiles = ceil_div(p.rows, kWholeTile.rows()), column_tiles = ceil_div(p.columns, kWholeTile.columns);
  std::vector<Candidate> candidates;
  const int64_t most = most_blocks(chip, kMostClusterBlocks);
  for (int64_t splits = 1; splits <= most; splits *= 2)
    for (int64_t shares = 1; splits * shares <= most; shares *= 2) {
      const int64_t chunks = ceil_div(p.chunks, splits), held = std::min<int64_t>(chunks, kMostWholeChunks);
      const int64_t blocks = row_tiles * column_tiles * splits;
      const int64_t room = room_for_clusters(splits * shares, chip);
      if (splits > p.chunks || chunks > kMostChunksInTurn || column_tiles % shares != 0 || blocks > kMostWaves * room ||
          whole_shared(held) + kernels::kSlack > chip.shared_per_block)
        continue;
      const auto bytes = [&](int64_t rows) { return static_cast<double>(chunks * rows * 128); };
      const double wave = std::max(bytes(kWholeTile.rows() / shares + kWholeTile.columns) / kBytesPerNanosecond,
                                   bytes(kWholeTile.rows() + kWholeTile.columns) / kIntoOneBlock);
      const double time = static_cast<double>(ceil_div(blocks, room)) * (kStart + wave) + (splits > 1 ? kExchange : 0);
      candidates.push_back({time, to_parameters(kernels::WholeChoice{splits, shares})});
    }
  return candidates;
}

double least_of(const std::vector<Candidate>& candidates) {
  double least = HUGE_VAL;
  for (const Candidate& candidate : candidates) least = std::min(least, candidate.nanoseconds);
  return least;
}

}  // namespace

std::vector<Config> whole_configs(const TiledProduct& p, const Chip& chip) {
  return best_of(whole_candidates(p, chip));
}

bool suits_whole(const TiledProduct& p, const Chip& chip) {
  constexpr double kAsFast = 1.1;
  const std::vector<Candidate> whole = whole_candidates(p, chip);
  return !whole.empty() && least_of(whole) <= kAsFast * least_of(wgmma_candidates(p, chip, true));
}

std::vector<Config> stream_configs(const TiledProduct& p, const FusedEpilogue& epilogue, const Chip& chip) {
  // Where results come fast, one buffer is filled while the other is stored.
  constexpr int64_t kFewChunks = 8;
  constexpr int64_t kManyChunks = 12;  // with fewer, an activation apart is no faster
  const bool has_residual = epilogue.residual_input >= 0;
  const bool may_finish_apart =
      !has_residual && p.chunks >= kManyChunks && is_finished_apart(epilogue.parameters.activation);
  std::vector<Candidate> candidates;
  for (int64_t i = 0; i < kStreamTileCount; ++i) {
    const StreamTile& tile = kStreamTiles[i];
    const auto stages_beside = [&](int64_t buffers) {
      return std::min<int64_t>((chip.shared_per_block - kernels::kSlack - buffers * tile.result()) / tile.stage(),
                               kMaxStages);
    };
    const int64_t wanted = has_residual || p.chunks <= kFewChunks ? 2 : 1,
                  buffers = stages_beside(wanted) < 2 ? 1 : wanted;
    const int64_t stages = stages_beside(buffers);
    if (stages < 2) continue;
    const double time = estimate(p, chip, tile.rows, tile.columns, 1);
    const auto offer = [&](bool apart) {
      candidates.push_back({time, to_parameters(kernels::StreamChoice{i, stages, buffers, apart})});
    };
    offer(false);
    // Nothing is multiplied beside the last tile of a block.
    const int64_t tiles = ceil_div(p.rows, tile.rows) * ceil_div(p.columns, tile.columns);
    if (!may_finish_apart || !has_finish_apart(tile) || tiles <= chip.multiprocessors) continue;
    offer(true);
  }
  return best_of(std::move(candidates));
}

}  // namespace kiln::cuda
