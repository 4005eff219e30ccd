// RotaryEmbedding: turns pairs of each head's elements by angles given as cosines and sines per position.
#include "base/index.h"
#include "base/require.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape rotary_shape(ShapeCall& c) {
  require_rank(c, "x", 3, 4);
  if (c.rank("x") == 3 && c.integer("num_heads") < 1)
    throw Error(Code::kInvalidArgument, "RotaryEmbedding has a 3-D input and no num_heads")
        .remedy("set num_heads, or give a 4-D input");
  for (const char* name : {"cos_cache", "sin_cache"}) require_rank(c, name, c.present("position_ids") ? 2 : 3);
  if (c.present("position_ids")) require_rank(c, "position_ids", 2);
  for (size_t i = 0; i < c.dims("cos_cache").size(); ++i)
    require_same(c.dims("cos_cache")[i], c.dims("sin_cache")[i], "dimensions of cos_cache and sin_cache");
  if (!c.present("position_ids")) {
    require_same(c.dims("cos_cache")[0], c.dims("x")[0], "batch of cos_cache and x");
    require_same(c.dims("cos_cache")[1], c.dims("x")[c.rank("x") == 4 ? 2 : 1], "length of cos_cache and x");
  }
  return c.dims("x");
}

// x seen as heads: strides in elements of batch, position and head.
struct HeadView {
  int64_t batch, seq, heads, size, batch_stride, seq_stride, head_stride;
};

HeadView head_view(const RefCall& c) {
  const Dims& d = c.input("x").dims();
  if (d.size() == 4) return {d[0], d[2], d[1], d[3], d[1] * d[2] * d[3], d[3], d[2] * d[3]};
  const int64_t heads = c.integer("num_heads"), size = d[2] / heads;
  if (size * heads != d[2])
    throw Error(Code::kShapeMismatch,
                "x " + c.input("x").type_string() + " does not split into " + std::to_string(heads) + " heads");
  return {d[0], d[1], heads, size, d[1] * d[2], d[2], size};
}

void rotary_reference(RefCall& c) {
  const HeadView view = head_view(c);
  const int64_t wanted = c.integer("rotary_embedding_dim"), rotated = wanted == 0 ? view.size : wanted,
                half = rotated / 2;
  const std::vector<double> cosines = doubles(c.input("cos_cache")), sines = doubles(c.input("sin_cache"));
  const Dims& cache = c.input("cos_cache").dims();
  if (cache.back() != half || rotated > view.size)
    throw Error(Code::kShapeMismatch, "cos_cache is " + c.input("cos_cache").type_string() +
                                          ", half of the rotated part is " + std::to_string(half));
  const std::vector<int64_t> ids =
      c.present("position_ids") ? integers(c.input("position_ids")) : std::vector<int64_t>{};
  require(cosines.size() == sines.size() && (ids.empty() || static_cast<int64_t>(ids.size()) == view.batch * view.seq),
          Code::kShapeMismatch, "the caches or positions of RotaryEmbedding do not fit its input");
  std::vector<double> x = doubles(c.input("x"));
  const int64_t first = c.integer("interleaved") != 0 ? 2 : 1, second = c.integer("interleaved") != 0 ? 1 : half;
  for (int64_t b = 0; b < view.batch; ++b)
    for (int64_t t = 0; t < view.seq; ++t) {
      const int64_t row = ids.empty() ? b * view.seq + t : nth(ids, b * view.seq + t);
      if (row < 0 || (row + 1) * half > static_cast<int64_t>(cosines.size()))
        throw Error(Code::kInvalidArgument, "position " + std::to_string(row) + " is outside the cache");
      for (int64_t h = 0; h < view.heads; ++h) {
        double* head = x.data() + b * view.batch_stride + t * view.seq_stride + h * view.head_stride;
        for (int64_t i = 0; i < half; ++i) {
          const double co = nth(cosines, row * half + i), si = nth(sines, row * half + i);
          double &re = head[i * first], &im = head[i * first + second];
          const double turned = co * re - si * im;
          im = si * re + co * im;
          re = turned;
        }
      }
    }
  store(c.output(), x);
}

constexpr TypeSet kRotaryTypes{DType::kF32, DType::kF16, DType::kBF16};

}  // namespace

const OpDef rotary_embedding = op("RotaryEmbedding")
                                   .input("x", kRotaryTypes)
                                   .input("cos_cache", kRotaryTypes, "x")
                                   .input("sin_cache", kRotaryTypes, "x")
                                   .optional_input("position_ids", DType::kI64)
                                   .attr("interleaved", int64_t{0})
                                   .attr("num_heads", int64_t{0})
                                   .attr("rotary_embedding_dim", int64_t{0})
                                   .output("y", same_type("x"))
                                   .shape(rotary_shape)
                                   .reference(rotary_reference)
                                   .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
