// Attention: softmax(scale * q * k^T, capped, masked) * v per head; keys and values may be shared by groups of query heads, and a
// cache (past_key, past_value) may precede them. Inputs are [batch,heads,seq,size], or [batch,seq,heads*size] with the numbers of
// heads as attributes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/index.h"
#include "base/require.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// A tensor seen as [batch, heads, seq, size].
Shape as_heads(const ShapeCall& c, std::string_view input, std::string_view heads) {
  const Shape& dims = c.dims(input);
  if (dims.size() == 4) return dims;
  const int64_t count = c.integer(heads);
  if (count < 1)
    throw Error(Code::kInvalidArgument, "Attention has 3-D inputs and no " + std::string(heads))
        .remedy("set q_num_heads and kv_num_heads, or give 4-D inputs");
  if (dims[2].is_constant() && dims[2].value() % count != 0)
    throw Error(Code::kShapeMismatch, "input '" + std::string(input) + "' " + to_string(dims) +
                                          " does not split into " + std::to_string(count) + " heads");
  return {dims[0], count, dims[1], floor_div(dims[2], count)};
}

struct AttentionShapes {
  Shape q, k, v;    // as [batch, heads, seq, size]
  Dim past, total;  // lengths of the cache, and of all keys
};

AttentionShapes attention_views(const ShapeCall& c) {
  AttentionShapes s{as_heads(c, "q", "q_num_heads"), as_heads(c, "k", "kv_num_heads"), as_heads(c, "v", "kv_num_heads"),
                    0, 0};
  if (c.present("past_key")) s.past = c.dims("past_key")[2];
  s.total = s.past + s.k[2];
  return s;
}

void check_attention(const ShapeCall& c, const AttentionShapes& s) {
  for (size_t i : {0, 1, 2}) require_same(s.k[i], s.v[i], "batch, heads or length of k and v");
  require_same(s.q[0], s.k[0], "batch of q and k");
  require_same(s.q[3], s.k[3], "head sizes of q and k");
  if (s.q[1].is_constant() && s.k[1].is_constant() && (s.k[1].value() == 0 || s.q[1].value() % s.k[1].value() != 0))
    throw Error(Code::kShapeMismatch,
                "Attention has " + s.q[1].str() + " query heads over " + s.k[1].str() + " key heads")
        .cause("the first must be a multiple of the second");
  require(c.present("past_key") == c.present("past_value"), Code::kInvalidGraph,
          "Attention needs both past_key and past_value, or neither");
  if (c.present("past_key")) {
    const Shape &key = c.dims("past_key"), &value = c.dims("past_value");
    for (size_t i : {0, 1, 3}) {
      require_same(key[i], s.k[i], "batch, heads or size of past_key and k");
      require_same(value[i], s.v[i], "batch, heads or size of past_value and v");
    }
    require_same(key[2], value[2], "lengths of past_key and past_value");
  }
  if (c.present("nonpad_kv_seqlen")) require_vector(c, "nonpad_kv_seqlen", s.q[0]);
  if (c.integer("whole_mask") != 0 && c.present("attn_mask") && c.rank("attn_mask") > 0)
    require_same(c.dims("attn_mask").back(), s.total, "lengths of the mask and of the keys");
  const std::string precision = c.text("softmax_precision");
  if (!precision.empty() && !dtype_from_name(precision))
    throw Error(Code::kTypeMismatch, "'" + precision + "' is not an element type");
}

std::vector<OutputShape> attention_shapes(ShapeCall& c) {
  require_rank(c, "q", 3, 4);
  for (const char* name : {"k", "v"}) require_rank(c, name, c.rank("q"));
  for (const char* name : {"past_key", "past_value"})
    if (c.present(name)) require_rank(c, name, 4);
  const AttentionShapes s = attention_views(c);
  check_attention(c, s);
  const Shape y = c.rank("q") == 4 ? Shape{s.q[0], s.q[1], s.q[2], s.v[3]} : Shape{s.q[0], s.q[2], s.q[1] * s.v[3]};
  return {y, Shape{s.k[0], s.k[1], s.total, s.k[3]}, Shape{s.v[0], s.v[1], s.total, s.v[3]},
          Shape{s.q[0], s.q[1], s.q[2], s.total}};
}

// Copies [batch,seq,heads*size] or [batch,heads,seq,size] into rows from `offset` on of [batch,heads,total,size].
void place(const Tensor& tensor, const Dims& view, int64_t offset, int64_t total, std::vector<double>& to) {
  const std::vector<double> from = doubles(tensor);
  const int64_t heads = view[1], seq = view[2], size = view[3];
  const double* row = from.data();
  for (int64_t b = 0; b < view[0]; ++b)
    for (int64_t i = 0; i < heads * seq; ++i, row += size) {
      const int64_t h = tensor.rank() == 4 ? i / seq : i % heads, t = tensor.rank() == 4 ? i % seq : i / heads;
      std::copy(row, row + size, to.begin() + ((b * heads + h) * total + offset + t) * size);
    }
}

std::vector<double> gather_heads(const RefCall& c, std::string_view current, std::string_view past, const Shape& view,
                                 int64_t total) {
  const Dims dims = static_dims(view);
  std::vector<double> all(static_cast<size_t>(dims[0] * dims[1] * total * dims[3]));
  int64_t offset = 0;
  if (!past.empty() && c.present(past)) {
    place(c.input(past), c.input(past).dims(), 0, total, all);
    offset = c.input(past).dims()[2];
  }
  place(c.input(current), dims, offset, total, all);
  return all;
}

constexpr double kMasked = -std::numeric_limits<double>::infinity();

// What is added to the scores: the mask, causality and padding. The mask may be shorter than the keys; what it lacks is masked.
class Bias {
 public:
  Bias(const RefCall& c, const Dims& scores, int64_t past)
      : causal_(c.integer("is_causal") != 0), past_(past), period_(c.integer("mask_period")) {
    if (c.present("nonpad_kv_seqlen")) lengths_ = integers(c.input("nonpad_kv_seqlen"));
    if (!c.present("attn_mask")) return;
    const Tensor& mask = c.input("attn_mask");
    require(mask.rank() >= 1, Code::kShapeMismatch, "attn_mask is a scalar");
    values_ = doubles(mask);
    if (mask.dtype() == DType::kBool)
      for (double& v : values_) v = v != 0 ? 0 : kMasked;
    length_ = mask.dims().back();
    Dims to = scores;
    to.back() = length_;
    if (period_ > 0 && scores[0] % period_ == 0) to[0] = period_;
    const bool is_short = c.integer("whole_mask") != 0 && length_ != scores.back();
    if (is_short || length_ > scores.back() || broadcast(mask.dims(), to) != to)
      throw Error(Code::kShapeMismatch,
                  "attn_mask " + mask.type_string() + " does not fit scores " + to_string(scores));
    strides_ = broadcast_strides(mask.dims(), to);
    if (length_ == 1) strides_.back() = 1;
  }
  double at(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (causal_ && j > i + past_) return kMasked;
    if (!lengths_.empty() && j >= nth(lengths_, b)) return kMasked;
    if (values_.empty()) return 0;
    return j < length_ ? nth(values_, dot({period_ > 0 ? b % period_ : b, h, i, j}, strides_)) : kMasked;
  }

 private:
  bool causal_;
  int64_t past_, period_, length_ = 0;
  std::vector<double> values_;
  std::vector<int64_t> lengths_;
  Dims strides_;
};

void softmax(double* x, int64_t n) {
  const double top = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - top);
  for (int64_t i = 0; i < n; ++i) x[i] /= sum;
}

// Scores of one query, from the product to the softmax; `shown` receives the stage that qk_matmul_output_mode names.
void score_row(const RefCall& c, const Bias& bias, int64_t b, int64_t h, int64_t i, std::vector<double>& row,
               double* shown) {
  const int64_t mode = c.integer("qk_matmul_output_mode");
  const double cap = c.real("softcap");
  const auto show = [&](int64_t stage) {
    if (mode == stage) std::copy(row.begin(), row.end(), shown);
  };
  show(0);
  if (cap > 0)
    for (double& v : row) v = cap * std::tanh(v / cap);
  show(1);
  for (size_t j = 0; j < row.size(); ++j) row[j] += bias.at(b, h, i, static_cast<int64_t>(j));
  show(2);
  softmax(row.data(), static_cast<int64_t>(row.size()));
  show(3);
}

void attention_reference(RefCall& c) {
  const AttentionShapes s = attention_views(c.shapes());
  const int64_t total = s.total.value(), batch = s.q[0].value(), heads = s.q[1].value(), seq = s.q[2].value(),
                size = s.q[3].value();
  const int64_t kv_heads = s.k[1].value(), v_size = s.v[3].value();
  const std::vector<double> q = gather_heads(c, "q", "", s.q, seq), k = gather_heads(c, "k", "past_key", s.k, total),
                            v = gather_heads(c, "v", "past_value", s.v, total);
  const double scale = c.has_attr("scale") ? c.real("scale") : 1 / std::sqrt(static_cast<double>(size));
  const Bias bias(c, {batch, heads, seq, total}, s.past.value());
  std::vector<double> y(static_cast<size_t>(c.output().size()), 0.0),
      shown(static_cast<size_t>(batch * heads * seq * total)), row(static_cast<size_t>(total));
  const bool flat = c.input("q").rank() == 3;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads && total > 0; ++h)
      for (int64_t i = 0; i < seq; ++i) {
        poll_work(total * size);
        const double* query = q.data() + ((b * heads + h) * seq + i) * size;
        const int64_t group = b * kv_heads + h / (heads / kv_heads);
        for (int64_t j = 0; j < total; ++j) {
          const double* key = k.data() + (group * total + j) * size;
          double sum = 0;
          for (int64_t d = 0; d < size; ++d) sum += query[d] * key[d];
          nth(row, j) = sum * scale;
        }
        score_row(c, bias, b, h, i, row, shown.data() + ((b * heads + h) * seq + i) * total);
        double* out = y.data() + (flat ? (b * seq + i) * heads + h : (b * heads + h) * seq + i) * v_size;
        for (int64_t j = 0; j < total; ++j)
          for (int64_t d = 0; d < v_size; ++d) out[d] += nth(row, j) * nth(v, (group * total + j) * v_size + d);
      }
  store(c.output(), y);
  if (c.wants(1)) store(c.output(1), k);
  if (c.wants(2)) store(c.output(2), v);
  if (c.wants(3)) store(c.output(3), shown);
}

}  // namespace

const OpDef attention =
    op("Attention")
        .input("q", kFloatTypes)
        .input("k", kFloatTypes, "q")
        .input("v", kFloatTypes)
        .optional_input("attn_mask", kNumericTypes | kBoolType)
        .optional_input("past_key", kFloatTypes, "k")
        .optional_input("past_value", kFloatTypes, "v")
        .optional_input("nonpad_kv_seqlen", DType::kI64)
        .attr("is_causal", int64_t{0})
        .attr("kv_num_heads", int64_t{0})
        .attr("q_num_heads", int64_t{0})
        .attr("qk_matmul_output_mode", int64_t{0})
        .attr("scale", 0.0)
        .attr("softcap", 0.0)
        .attr("softmax_precision", std::string(""))
        .attr("whole_mask", int64_t{0})   // 1: the mask is as long as the keys. Kiln's own
        .attr("mask_period", int64_t{0})  // n: batches b and b + n share a mask [n, ...]. Kiln's own
        .output("y", same_type("q"))
        .optional_output("present_key", same_type("k"))
        .optional_output("present_value", same_type("v"))
        .optional_output("qk_matmul_output", same_type("q"))
        .shapes(attention_shapes)
        .reference(attention_reference)
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
