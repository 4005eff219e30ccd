// LinearAttention: a state [d_k, d_v] per head that each step decays, corrects and adds to, and that queries read. query [b, t, hq * d_k],
// key [b, t, hkv * d_k], value [b, t, hkv * d_v]; heads of query share those of key in groups. The state is kept in float32.
#include <cmath>

#include "base/index.h"
#include "base/require.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

bool decays(const ShapeCall& c) { return c.text("update_rule").starts_with("gated"); }
bool corrects(const ShapeCall& c) { return c.text("update_rule").ends_with("delta"); }

void check_heads(const ShapeCall& c) {
  const std::string rule = c.text("update_rule");
  if (rule != "linear" && rule != "gated" && rule != "delta" && rule != "gated_delta")
    throw Error(Code::kInvalidArgument, "LinearAttention with update_rule '" + rule + "'");
  if (decays(c) != c.present("decay") || corrects(c) != c.present("beta"))
    throw Error(Code::kInvalidGraph, "update_rule '" + rule + "' has other inputs")
        .remedy("give decay to gated rules and beta to delta rules, and to no others");
  const int64_t q = c.integer("q_num_heads"), kv = c.integer("kv_num_heads");
  if (q < 1 || kv < 1 || q % kv != 0)
    throw Error(Code::kInvalidArgument,
                "LinearAttention with " + std::to_string(q) + " and " + std::to_string(kv) + " heads");
}

std::vector<OutputShape> linear_attention_shapes(ShapeCall& c) {
  check_heads(c);
  for (const char* input : {"query", "key", "value"}) require_rank(c, input, 3);
  const Shape &q = c.dims("query"), &k = c.dims("key"), &v = c.dims("value");
  const int64_t heads = c.integer("q_num_heads"), shared = c.integer("kv_num_heads");
  const Dim d_k = floor_div(q[2], heads), d_v = floor_div(v[2], shared);
  require_same(k[2], d_k * Dim(shared), "width of the key and the expected one");
  for (const char* input : {"key", "value", "decay", "beta"}) {
    if (!c.present(input)) continue;
    require_rank(c, input, 3);
    for (size_t i : {size_t{0}, size_t{1}})
      require_same(c.dims(input)[i], q[i], "batch or steps of query and another input");
  }
  const Shape state{q[0], Dim(shared), d_k, d_v};
  if (c.present("past_state")) {
    require_rank(c, "past_state", 4);
    for (size_t i = 0; i < 4; ++i) require_same(c.dims("past_state")[i], state[i], "dimensions of the state");
  }
  return {Shape{q[0], q[1], d_v * Dim(heads)}, state};
}

// One head of one sequence.
class HeadState {
 public:
  HeadState(int64_t d_k, int64_t d_v, const double* past)
      : d_v_(static_cast<size_t>(d_v)), s_(static_cast<size_t>(d_k * d_v), 0.0) {
    if (past) s_.assign(past, past + s_.size());
  }
  void decay(const double* g, bool one) {
    for (size_t i = 0; i < s_.size(); ++i) s_[i] *= std::exp(g[one ? 0 : i / d_v_]);
  }
  void add(const double* k, std::vector<double> v, const double* beta) {
    if (beta) {
      const std::vector<double> known = read(k);
      for (size_t j = 0; j < d_v_; ++j) v[j] = *beta * (v[j] - known[j]);
    }
    for (size_t i = 0; i < s_.size(); ++i) s_[i] += k[i / d_v_] * v[i % d_v_];
  }
  std::vector<double> read(const double* q) const {
    std::vector<double> y(d_v_, 0.0);
    for (size_t i = 0; i < s_.size(); ++i) y[i % d_v_] += s_[i] * q[i / d_v_];
    return y;
  }
  const std::vector<double>& elements() const { return s_; }

 private:
  size_t d_v_;
  std::vector<double> s_;
};

std::vector<double> optional_doubles(const RefCall& c, std::string_view input) {
  return c.present(input) ? doubles(c.input(input)) : std::vector<double>();
}

void linear_attention_reference(RefCall& c) {
  const Dims& q_dims = c.input("query").dims();
  const int64_t batch = q_dims[0], steps = q_dims[1], heads = c.integer("q_num_heads"),
                shared = c.integer("kv_num_heads"), group = heads / shared, d_k = q_dims[2] / heads,
                d_v = c.input("value").dims()[2] / shared;
  const std::vector<double> q = doubles(c.input("query")), k = doubles(c.input("key")), v = doubles(c.input("value")),
                            past = optional_doubles(c, "past_state"), decay = optional_doubles(c, "decay"),
                            beta = optional_doubles(c, "beta");
  const int64_t decay_width = decay.empty() ? 0 : c.input("decay").dims().back(),
                beta_width = beta.empty() ? 0 : c.input("beta").dims().back();
  const bool fits = (decay.empty() || decay_width == shared || decay_width == shared * d_k) &&
                    (beta.empty() || beta_width == shared || beta_width == 1);
  require(fits, Code::kShapeMismatch, "decay or beta of LinearAttention has another width");
  const double given = c.real("scale"), scale = given == 0 ? 1 / std::sqrt(static_cast<double>(d_k)) : given;
  std::vector<double> y(static_cast<size_t>(c.output().size())), states;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < shared; ++h) {
      HeadState state(d_k, d_v, past.empty() ? nullptr : past.data() + (b * shared + h) * d_k * d_v);
      for (int64_t t = 0; t < steps; ++t) {
        poll_work();
        const int64_t row = b * steps + t;
        if (!decay.empty())
          state.decay(decay.data() + row * decay_width + h * (decay_width / shared), decay_width == shared);
        const double* value = v.data() + (row * shared + h) * d_v;
        state.add(k.data() + (row * shared + h) * d_k, {value, value + d_v},
                  beta.empty() ? nullptr : beta.data() + row * beta_width + (beta_width == 1 ? 0 : h));
        for (int64_t g = h * group; g < (h + 1) * group; ++g) {
          const std::vector<double> read = state.read(q.data() + (row * heads + g) * d_k);
          for (int64_t j = 0; j < d_v; ++j) nth(y, (row * heads + g) * d_v + j) = scale * nth(read, j);
        }
      }
      states.insert(states.end(), state.elements().begin(), state.elements().end());
    }
  store(c.output(), y);
  if (c.wants(1)) store(c.output(1), states);
}

}  // namespace

const OpDef linear_attention =
    op("LinearAttention")
        .input("query", kFloatTypes)
        .input("key", kFloatTypes, "query")
        .input("value", kFloatTypes, "query")
        .optional_input("past_state", kFloatTypes)
        .optional_input("decay", kFloatTypes, "query")
        .optional_input("beta", kFloatTypes, "query")
        .attr("chunk_size", int64_t{64})
        .required_attr("kv_num_heads", int64_t{0})
        .required_attr("q_num_heads", int64_t{0})
        .attr("scale", 0.0)
        .attr("update_rule", std::string("gated_delta"))
        .output("output", same_type("query"))
        .optional_output("present_state", computed_type([](const ShapeCall& c) {
                           return c.present("past_state") ? c.dtype("past_state") : c.dtype("query");
                         }))
        .shapes(linear_attention_shapes)
        .reference(linear_attention_reference)
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
