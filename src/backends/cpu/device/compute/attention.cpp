// Attention: blocks of queries against packed keys and values of one head, whose scores stay in the second-level cache.
#include "backends/cpu/device/compute/attention.h"

#include <algorithm>

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/compute/softmax.h"

namespace kiln::cpu {
namespace {

constexpr int64_t kScoreFloats = 48 * 1024;  // of a block of queries

constexpr BlockConfig kScores{};
constexpr BlockConfig kValues{.block_rows = 56};
constexpr double kNanosecondsPerPair = 0.02;  // of a query's and a key's number

int64_t align(int64_t floats) { return (floats + 15) / 16 * 16; }

struct Plan {
  Plan(const AttentionShape& s, int most_threads) {
    const double terms = static_cast<double>(s.batch * s.heads) * static_cast<double>(s.queries * s.keys) *
                         static_cast<double>(s.size + s.value_size + 20);
    threads = useful_threads(most_threads, terms * kNanosecondsPerPair);
    items = s.batch * s.heads;
    splits = items % threads == 0 || items >= 4 * threads
                 ? 1
                 : std::min<int64_t>(threads, std::max<int64_t>(s.queries / 14, 1));
    rows =
        std::clamp<int64_t>(kScoreFloats / std::max<int64_t>(s.keys, 1) / 14 * 14, 14, std::max<int64_t>(s.queries, 1));
    keys = align(packed_b_floats(s.size, s.keys));
    values = align(packed_b_floats(s.keys, s.value_size));
    stride = align(s.keys);
    scores = stride * rows;
    const GemmCall first{rows, s.keys, s.size, nullptr, s.q.row, nullptr, stride},
        second{rows, s.value_size, s.keys, nullptr, stride, nullptr, s.y.row};
    products = align(std::max(gemm_workspace(first, kScores), gemm_workspace(second, kValues)));
  }
  int64_t floats_per_thread() const { return keys + values + scores + products; }

  int threads;
  int64_t items, splits, rows, keys, values, scores, products, stride;
};

// softmax over the first `n` keys of a row; the others get no weight.
void causal_row(float* row, int64_t n, int64_t keys, float scale, const float* mask) {
  SoftmaxMask m;
  m.data = mask;
  softmax_rows(false, 1, n, row, keys, row, keys, scale, m, 1);
  std::fill(row + n, row + keys, 0.0f);
}

// Queries [begin, end) of one head.
void run_head(const AttentionShape& s, const Plan& plan, int64_t item, int64_t begin, int64_t end, const float* q,
              const float* k, const float* v, const float* mask, float* y, float* space) {
  const int64_t b = item / s.heads, h = item % s.heads, kv = h / (s.heads / s.kv_heads);
  float *packed_k = space, *packed_v = packed_k + plan.keys, *scores = packed_v + plan.values,
        *products = scores + plan.scores;
  pack_b({k + b * s.k.batch + kv * s.k.head, s.k.row, true}, s.size, s.keys, kScores.panel, packed_k);
  pack_b({v + b * s.v.batch + kv * s.v.head, s.v.row, false}, s.keys, s.value_size, kValues.panel, packed_v);
  q += b * s.q.batch + h * s.q.head;
  y += b * s.y.batch + h * s.y.head;
  if (mask) mask += (s.mask_period > 0 ? b % s.mask_period : b) * s.mask_strides[0] + h * s.mask_strides[1];
  Looks looks(kNanosecondsPerPair);
  for (int64_t i = begin; i < end; i += plan.rows) {
    if (looks.before(static_cast<double>(plan.rows * s.keys) * static_cast<double>(s.size + s.value_size))) return;
    // Whole panels, as they were packed.
    const int64_t rows = std::min(plan.rows, end - i),
                  seen = s.causal ? std::min(s.keys, (i + rows + kScores.panel - 1) / kScores.panel * kScores.panel)
                                  : s.keys;
    gemm({rows, seen, s.size, q + i * s.q.row, s.q.row, scores, plan.stride}, packed_k, {}, kScores, products);
    const float* first = mask ? mask + i * s.mask_strides[2] : nullptr;
    if (s.causal) {
      for (int64_t r = 0; r < rows; ++r)
        causal_row(scores + r * plan.stride, std::min(s.keys, i + r + 1), s.keys, s.scale,
                   first ? first + r * s.mask_strides[2] : nullptr);
    } else {
      SoftmaxMask m;
      m.data = first;
      m.dims[2] = rows;
      m.strides[2] = s.mask_strides[2];
      softmax_rows(false, rows, s.keys, scores, plan.stride, scores, plan.stride, s.scale, m, 1);
    }
    gemm({rows, s.value_size, s.keys, scores, plan.stride, y + i * s.y.row, s.y.row}, packed_v, {}, kValues, products);
  }
}

}  // namespace

int64_t attention_workspace(const AttentionShape& shape, int threads) {
  if (shape.batch * shape.heads * shape.queries == 0) return 0;
  const Plan plan(shape, threads);
  return plan.floats_per_thread() * plan.threads;
}

void attention(const AttentionShape& s, const float* q, const float* k, const float* v, const float* mask, float* y,
               float* workspace, int threads) noexcept {
  if (s.batch * s.heads * s.queries * s.value_size == 0) return;
  const Plan plan(s, threads);
  const int64_t units = plan.items * plan.splits;
  const int64_t pieces = std::min<int64_t>(plan.threads, units);
  parallel_ranges(static_cast<int>(pieces), pieces, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece)
      for (int64_t unit = units * piece / pieces; unit < units * (piece + 1) / pieces && !work_ended(); ++unit) {
        const int64_t part = unit % plan.splits, begin = s.queries * part / plan.splits,
                      end = s.queries * (part + 1) / plan.splits;
        run_head(s, plan, unit / plan.splits, begin, end, q, k, v, mask, y,
                 workspace + piece * plan.floats_per_thread());
      }
  });
}

}  // namespace kiln::cpu
