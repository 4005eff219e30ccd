// Attention: blocks of queries against packed keys and values of one head, whose scores stay in the second-level cache; in float32, or in
// bfloat16 by the processor's unit for tiles.
#include "backends/cpu/device/compute/attention.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/compute/product_int8.h"
#include "backends/cpu/device/compute/softmax.h"
#include "backends/cpu/device/compute/tile_kernel.h"

namespace kiln::cpu {
namespace {

constexpr int64_t kScoreFloats = 48 * 1024;  // of a block of queries

// Of both products; where registers have less than 16 lanes, tiles of 16 columns at most, so that wider panels would be read with gaps.
BlockConfig config_of_products(int32_t block_rows) {
  if (tile_table().lanes < 16) return {.panel = 16, .rows = 6, .block_rows = block_rows};
  return {.block_rows = block_rows};
}
constexpr double kNanosecondsPerPair = 0.02;  // of a query's and a key's number
constexpr double kNanosecondsPerNarrowPair = 0.005;

int64_t align(int64_t floats) { return (floats + 15) / 16 * 16; }

// Heads of all batches, whose queries are divided where there are too few of them for the threads.
struct Division {
  Division(const AttentionShape& s, int most_threads, double nanoseconds_per_pair) {
    const double terms = static_cast<double>(s.batch * s.heads) * static_cast<double>(s.queries * s.keys) *
                         static_cast<double>(s.size + s.value_size + 20);
    threads = useful_threads(most_threads, terms * nanoseconds_per_pair);
    items = s.batch * s.heads;
    splits = items % threads == 0 || items >= 4 * threads
                 ? 1
                 : std::min<int64_t>(threads, std::max<int64_t>(s.queries / 14, 1));
  }
  // Calls f(item, first query, behind the last, thread).
  template <class F> void run(int64_t queries, const F& f) const {
    const int64_t units = items * splits, pieces = std::min<int64_t>(threads, units);
    parallel_ranges(static_cast<int>(pieces), pieces, [&](int64_t first, int64_t last) {
      for (int64_t piece = first; piece < last; ++piece)
        for (int64_t unit = units * piece / pieces; unit < units * (piece + 1) / pieces && !work_ended(); ++unit) {
          const int64_t part = unit % splits;
          f(unit / splits, queries * part / splits, queries * (part + 1) / splits, piece);
        }
    });
  }
  int threads;
  int64_t items, splits;
};

struct Plan : Division {
  Plan(const AttentionShape& s, int most_threads) : Division(s, most_threads, kNanosecondsPerPair) {
    rows =
        std::clamp<int64_t>(kScoreFloats / std::max<int64_t>(s.keys, 1) / 14 * 14, 14, std::max<int64_t>(s.queries, 1));
    keys = align(packed_b_floats(s.size, s.keys));
    values = align(packed_b_floats(s.keys, s.value_size));
    stride = align(s.keys);
    scores = stride * rows;
    const GemmCall first{rows, s.keys, s.size, nullptr, s.q.row, nullptr, stride},
        second{rows, s.value_size, s.keys, nullptr, stride, nullptr, s.y.row};
    products = align(std::max(gemm_workspace(first, of_scores), gemm_workspace(second, of_values)));
  }
  int64_t floats_per_thread() const { return keys + values + scores + products; }

  const BlockConfig of_scores = config_of_products(112), of_values = config_of_products(56);
  int64_t rows, keys, values, scores, products, stride;
};

// A head of a batch, and what lies where.
struct Place {
  Place(const AttentionShape& s, int64_t item) : b(item / s.heads), h(item % s.heads), kv(h / (s.heads / s.kv_heads)) {}
  int64_t query(const AttentionShape& s) const { return b * s.q.batch + h * s.q.head; }
  int64_t key(const AttentionShape& s) const { return b * s.k.batch + kv * s.k.head; }
  int64_t value(const AttentionShape& s) const { return b * s.v.batch + kv * s.v.head; }
  int64_t result(const AttentionShape& s) const { return b * s.y.batch + h * s.y.head; }
  const float* mask(const AttentionShape& s, const float* all) const {
    if (!all) return nullptr;
    return all + (s.mask_period > 0 ? b % s.mask_period : b) * s.mask_strides[0] + h * s.mask_strides[1];
  }
  int64_t b, h, kv;
};

// softmax over the first `n` keys of a row; the others get no weight.
void causal_row(float* row, int64_t n, int64_t keys, float scale, const float* mask) {
  SoftmaxMask m;
  m.data = mask;
  softmax_rows(false, 1, n, row, keys, row, keys, scale, m, 1);
  std::fill(row + n, row + keys, 0.0f);
}

// Scores of queries [first, first + rows) become weights. `mask`: of the head.
void weigh(const AttentionShape& s, int64_t first, int64_t rows, float* scores, int64_t stride, const float* mask) {
  const float* own = mask ? mask + first * s.mask_strides[2] : nullptr;
  if (s.causal) {
    for (int64_t r = 0; r < rows; ++r)
      causal_row(scores + r * stride, std::min(s.keys, first + r + 1), s.keys, s.scale,
                 own ? own + r * s.mask_strides[2] : nullptr);
    return;
  }
  SoftmaxMask m;
  m.data = own;
  m.dims[2] = rows;
  m.strides[2] = s.mask_strides[2];
  softmax_rows(false, rows, s.keys, scores, stride, scores, stride, s.scale, m, 1);
}

// The keys that queries before `end` see, in whole pieces, as they are packed.
int64_t seen_keys(const AttentionShape& s, int64_t end, int64_t piece) {
  return s.causal ? std::min(s.keys, (end + piece - 1) / piece * piece) : s.keys;
}

// Queries [begin, end) of one head.
void run_head(const AttentionShape& s, const Plan& plan, int64_t item, int64_t begin, int64_t end, const float* q,
              const float* k, const float* v, const float* mask, float* y, float* space) {
  const Place at(s, item);
  float *packed_k = space, *packed_v = packed_k + plan.keys, *scores = packed_v + plan.values,
        *products = scores + plan.scores;
  pack_b({k + at.key(s), s.k.row, true}, s.size, s.keys, plan.of_scores.panel, packed_k);
  pack_b({v + at.value(s), s.v.row, false}, s.keys, s.value_size, plan.of_values.panel, packed_v);
  q += at.query(s);
  y += at.result(s);
  mask = at.mask(s, mask);
  Looks looks(kNanosecondsPerPair);
  for (int64_t i = begin; i < end; i += plan.rows) {
    if (looks.before(static_cast<double>(plan.rows * s.keys) * static_cast<double>(s.size + s.value_size))) return;
    const int64_t rows = std::min(plan.rows, end - i);
    gemm({rows, seen_keys(s, i + rows, plan.of_scores.panel), s.size, q + i * s.q.row, s.q.row, scores, plan.stride},
         packed_k, {}, plan.of_scores, products);
    weigh(s, i, rows, scores, plan.stride, mask);
    gemm({rows, s.value_size, s.keys, scores, plan.stride, y + i * s.y.row, s.y.row}, packed_v, {}, plan.of_values,
         products);
  }
}

// ---- in bfloat16

constexpr int64_t kNarrow = 2;  // bytes of a number
int64_t in_lines(int64_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

struct NarrowPlan : Division {
  NarrowPlan(const AttentionShape& s, int most_threads) : Division(s, most_threads, kNanosecondsPerNarrowPair) {
    rows = std::clamp<int64_t>(kScoreFloats / std::max<int64_t>(s.keys, 1) / 32 * 32, 32,
                               std::max<int64_t>(s.queries, 32));
    query = int8_terms(s.size * kNarrow), weight = int8_terms(s.keys * kNarrow);
    stride = align(s.keys);
    keys = in_lines(packed_int8_bytes(query, s.keys));
    values = in_lines(packed_int8_bytes(weight, s.value_size));
    scores = rows * stride * static_cast<int64_t>(sizeof(float));
    rounded = in_lines(std::max(rows, kInt8Group) * std::max(query, kNarrow * kNarrow));
    weights = in_lines(rows * weight);
    products = in_lines(std::max(int8_scratch_bytes(rows, query, true, 1), int8_scratch_bytes(rows, weight, true, 1)));
  }
  int64_t bytes_per_thread() const { return keys + values + scores + rounded + weights + products; }

  int64_t rows, stride;   // of a block; floats between rows of scores
  int64_t query, weight;  // bytes of a row of queries, and of weights
  int64_t keys, values, scores, rounded, weights, products;
};

class RowsApart final : public ByteRows {
 public:
  RowsApart(const void* first, int64_t stride) : first_(static_cast<const uint8_t*>(first)), stride_(stride) {}
  void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t*) const noexcept override {
    for (int64_t i = 0; i < rows; ++i) addresses[i] = first_ + (row + i) * stride_;
  }

 private:
  const uint8_t* first_;
  int64_t stride_;
};

// Numbers of a tensor, which is float32 or bfloat16.
struct Numbers {
  const void* data;
  bool narrow;
  Numbers at(int64_t offset) const {
    return {static_cast<const uint8_t*>(data) + offset * (narrow ? kNarrow : int64_t{4}), narrow};
  }
  void round(int64_t count, uint16_t* to) const {
    if (narrow) std::memcpy(to, data, static_cast<size_t>(count * kNarrow));
    else round_to_bfloat16(static_cast<const float*>(data), to, count);
  }
};

// Rows of `count` numbers, `bytes` apart, with zeros behind them.
void round_rows(const Numbers& from, int64_t stride, int64_t rows, int64_t count, uint8_t* to, int64_t bytes) {
  for (int64_t i = 0; i < rows; ++i, to += bytes) {
    from.at(i * stride).round(count, reinterpret_cast<uint16_t*>(to));
    std::memset(to + count * kNarrow, 0, static_cast<size_t>(bytes - count * kNarrow));
  }
}

// Keys as columns, packed as product_int8.h says: pairs of numbers are turned as one.
void pack_keys(const AttentionShape& s, const NarrowPlan& plan, const Numbers& k, uint8_t* rounded, uint8_t* packed) {
  const int64_t words = plan.query / 4;
  for (int64_t group = 0; group < s.keys; group += kInt8Group) {
    const int64_t count = std::min(kInt8Group, s.keys - group),
                  width = std::min(kInt8Group, int8_columns(s.keys) - group);
    round_rows(k.at(group * s.k.row), s.k.row, count, s.size, rounded, plan.query);
    if (count < width) std::memset(packed, 0, static_cast<size_t>(plan.query * width));
    tile_table().transpose(reinterpret_cast<const float*>(rounded), words, count, words,
                           reinterpret_cast<float*>(packed), width);
    packed += plan.query * width;
  }
}

void pack_values(const AttentionShape& s, const Numbers& v, uint8_t* packed) {
  uint16_t pair[2][kInt8Group] = {};
  for (int64_t group = 0; group < s.value_size; group += kInt8Group) {
    const int64_t count = std::min(kInt8Group, s.value_size - group),
                  width = std::min(kInt8Group, int8_columns(s.value_size) - group);
    std::fill(pair[0] + count, pair[0] + width, uint16_t{0});
    std::fill(pair[1] + count, pair[1] + width, uint16_t{0});
    for (int64_t key = 0; key < s.keys; key += 2, packed += 4 * width) {
      v.at(key * s.v.row + group).round(count, pair[0]);
      if (key + 1 < s.keys) v.at((key + 1) * s.v.row + group).round(count, pair[1]);
      else std::fill(pair[1], pair[1] + count, uint16_t{0});
      auto* to = reinterpret_cast<uint32_t*>(packed);
      for (int64_t j = 0; j < width; ++j) to[j] = pair[0][j] | static_cast<uint32_t>(pair[1][j]) << 16;
    }
  }
}

void run_narrow_head(const AttentionShape& s, const NarrowPlan& plan, int64_t item, int64_t begin, int64_t end,
                     const NarrowAttention& data, uint8_t* space) {
  const Place at(s, item);
  uint8_t *packed_k = space, *packed_v = packed_k + plan.keys, *scored = packed_v + plan.values,
          *rounded = scored + plan.scores, *weights = rounded + plan.rounded, *products = weights + plan.weights;
  auto* const scores = reinterpret_cast<float*>(scored);
  pack_keys(s, plan, Numbers{data.k, data.reads_narrow}.at(at.key(s)), rounded, packed_k);
  pack_values(s, Numbers{data.v, data.reads_narrow}.at(at.value(s)), packed_v);
  const Numbers q = Numbers{data.q, data.reads_narrow}.at(at.query(s));
  const float* mask = at.mask(s, data.mask);
  const bool in_place = q.narrow && s.size * kNarrow == plan.query;
  const auto multiply = [&](const ByteRows& left, int64_t rows, int64_t columns, int64_t terms, const uint8_t* packed,
                            SumEpilogue::Result result, void* out, int64_t stride) {
    SumEpilogue e;
    e.result = result;
    product_int8({.rows = rows,
                  .columns = columns,
                  .terms = terms,
                  .left = &left,
                  .kind = Int8Product::kBfloat16,
                  .in_tiles = true,
                  .packed = reinterpret_cast<const int8_t*>(packed),
                  .out = out,
                  .out_stride = stride},
                 e, 1, products);
  };
  Looks looks(kNanosecondsPerNarrowPair);
  for (int64_t i = begin; i < end; i += plan.rows) {
    if (looks.before(static_cast<double>(plan.rows * s.keys) * static_cast<double>(s.size + s.value_size))) return;
    const int64_t rows = std::min(plan.rows, end - i);
    const Numbers own = q.at(i * s.q.row);
    if (!in_place) round_rows(own, s.q.row, rows, s.size, rounded, plan.query);
    const RowsApart queries(in_place ? own.data : rounded, in_place ? s.q.row * kNarrow : plan.query);
    multiply(queries, rows, seen_keys(s, i + rows, kInt8Group), plan.query, packed_k, SumEpilogue::kFloat, scores,
             plan.stride);
    weigh(s, i, rows, scores, plan.stride, mask);
    round_rows({scores, false}, plan.stride, rows, s.keys, weights, plan.weight);
    const int64_t to = at.result(s) + i * s.y.row;
    void* y = data.writes_narrow ? static_cast<void*>(static_cast<uint16_t*>(data.y) + to)
                                 : static_cast<void*>(static_cast<float*>(data.y) + to);
    multiply(RowsApart(weights, plan.weight), rows, s.value_size, plan.weight, packed_v,
             data.writes_narrow ? SumEpilogue::kBfloat16 : SumEpilogue::kFloat, y, s.y.row);
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
  plan.run(s.queries, [&](int64_t item, int64_t begin, int64_t end, int64_t thread) {
    run_head(s, plan, item, begin, end, q, k, v, mask, y, workspace + thread * plan.floats_per_thread());
  });
}

int64_t narrow_attention_workspace(const AttentionShape& shape, int threads) {
  if (shape.batch * shape.heads * shape.queries == 0) return 0;
  const NarrowPlan plan(shape, threads);
  return plan.bytes_per_thread() * plan.threads;
}

void narrow_attention(const AttentionShape& s, const NarrowAttention& data, uint8_t* workspace, int threads) noexcept {
  if (s.batch * s.heads * s.queries * s.value_size == 0) return;
  const NarrowPlan plan(s, threads);
  plan.run(s.queries, [&](int64_t item, int64_t begin, int64_t end, int64_t thread) {
    run_narrow_head(s, plan, item, begin, end, data, workspace + thread * plan.bytes_per_thread());
  });
}

}  // namespace kiln::cpu
