// What RNN, GRU and LSTM share.
#include "ops/recurrent/recurrence.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/index.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"

namespace kiln::ops {

OpDef&& with_recurrence(OpDef&& op, Cell cell) {
  OpDef&& plain = std::move(op)
                      .optional_input("b", kFloatTypes, "x")
                      .optional_input("sequence_lens", DType::kI32)
                      .optional_input("initial_h", kFloatTypes, "x")
                      .attr("direction", std::string("forward"))
                      .attr("hidden_size", int64_t{0})
                      .attr("layout", int64_t{0})
                      .optional_output("y", same_type("x"))
                      .optional_output("y_h", same_type("x"));
  if (cell == Cell::kPlain) return std::move(plain);
  return std::move(plain).optional_input("initial_c", kFloatTypes, "x").optional_output("y_c", same_type("x"));
}

OpDef&& with_activations(OpDef&& op, Strings defaults) {
  return std::move(op)
      .attr("activation_alpha", Floats{})
      .attr("activation_beta", Floats{})
      .attr("activations", std::move(defaults))
      .attr("clip", 0.0);
}

int64_t direction_count(const ShapeCall& c) {
  const std::string direction = c.text("direction");
  if (direction == "bidirectional") return 2;
  if (direction == "forward" || direction == "reverse") return 1;
  throw Error(Code::kInvalidArgument, "direction '" + direction + "' is unknown")
      .remedy("use forward, reverse or bidirectional");
}

namespace {

void check_state(const ShapeCall& c, std::string_view name, const Shape& state) {
  if (!c.present(name)) return;
  require_rank(c, name, 3);
  for (size_t i = 0; i < 3; ++i)
    require_same(c.dims(name)[i], state[i], "dimensions of '" + std::string(name) + "' and of the state");
}

void check_matrix(const ShapeCall& c, std::string_view name, const Shape& expected) {
  require_rank(c, name, static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i)
    require_same(c.dims(name)[i], expected[i],
                 "dimension " + std::to_string(i) + " of '" + std::string(name) + "' and the expected one");
}

}  // namespace

std::vector<OutputShape> recurrent_shapes(const ShapeCall& c, int64_t gates, Terms terms) {
  require_rank(c, "x", 3);
  require_rank(c, "r", 3);
  const Shape& x = c.dims("x");
  const bool batch_first = c.integer("layout") != 0;
  const Dim &seq = x[batch_first ? 1 : 0], &batch = x[batch_first ? 0 : 1];
  const Dim directions = direction_count(c);
  const Dim hidden = c.has_attr("hidden_size") ? Dim(c.integer("hidden_size")) : c.dims("r")[2];
  if (terms == Terms::kInputs) check_matrix(c, "w", {directions, Dim(gates) * hidden, x[2]});
  else require_same(x[2], directions * Dim(gates) * hidden, "the last dimension of 'x' and the rows of all directions");
  check_matrix(c, "r", {directions, Dim(gates) * hidden, hidden});
  if (c.present("b")) check_matrix(c, "b", {directions, Dim(2 * gates) * hidden});
  if (c.present("sequence_lens")) require_vector(c, "sequence_lens", batch);
  const Shape state = batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  check_state(c, "initial_h", state);
  const Shape y = batch_first ? Shape{batch, seq, directions, hidden} : Shape{seq, directions, batch, hidden};
  return {y, state, state};
}

void check_cell(const ShapeCall& c, const Shape& state) {
  check_state(c, "initial_c", state);
  if (!c.present("p")) return;
  require_rank(c, "p", 2);
  require_same(c.dims("p")[1], Dim(3) * state[2], "peepholes and three times the hidden size");
}

namespace {

struct ActivationKind {
  const char* name;
  double alpha, beta;  // defaults; NaN when the function has no such parameter
  double (*f)(double x, double alpha, double beta);
};

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr ActivationKind kActivations[] = {
    {"affine", 1, 0, [](double x, double a, double b) { return a * x + b; }},
    {"elu", 1, kNone, [](double x, double a, double) { return x >= 0 ? x : a * std::expm1(x); }},
    {"hardsigmoid", 0.2, 0.5, [](double x, double a, double b) { return std::min(std::max(a * x + b, 0.0), 1.0); }},
    {"leakyrelu", 0.01, kNone, [](double x, double a, double) { return x >= 0 ? x : a * x; }},
    {"relu", kNone, kNone, [](double x, double, double) { return x < 0 ? 0 : x; }},
    {"scaledtanh", 1, 1, [](double x, double a, double b) { return a * std::tanh(b * x); }},
    {"sigmoid", kNone, kNone, [](double x, double, double) { return 1 / (1 + std::exp(-x)); }},
    {"softplus", kNone, kNone,
     [](double x, double, double) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }},
    {"softsign", kNone, kNone, [](double x, double, double) { return x / (1 + std::abs(x)); }},
    {"tanh", kNone, kNone, [](double x, double, double) { return std::tanh(x); }},
    {"thresholdedrelu", 1, kNone, [](double x, double a, double) { return x >= a ? x : 0; }},
};

const ActivationKind& activation_kind(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char ch) { return ch >= 'A' && ch <= 'Z' ? static_cast<char>(ch + 'a' - 'A') : ch; });
  for (const ActivationKind& kind : kActivations)
    if (name == kind.name) return kind;
  throw Error(Code::kUnsupported, "activation '" + name + "' is unknown")
      .remedy("use one of those that ONNX lists for recurrent operators");
}

// Each direction's matrix [rows, columns] transposed.
std::vector<double> transposed(const std::vector<double>& m, int64_t directions, int64_t rows, int64_t columns) {
  std::vector<double> t(m.size());
  for (int64_t d = 0; d < directions; ++d)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) nth(t, (d * columns + j) * rows + i) = nth(m, (d * rows + i) * columns + j);
  return t;
}

}  // namespace

Recurrence::Recurrence(RefCall& c, int64_t gates, Strings default_activations, Terms terms)
    : gates_(gates), terms_(terms) {
  const Dims& x = c.input("x").dims();
  batch_first_ = c.integer("layout") != 0;
  seq_ = x[batch_first_ ? 1 : 0];
  batch_ = x[batch_first_ ? 0 : 1];
  input_ = x[2];
  hidden_ = c.input("r").dims()[2];
  directions_ = direction_count(c.shapes());
  x_ = doubles(c.input("x"));
  if (terms == Terms::kInputs) w_ = transposed(doubles(c.input("w")), directions_, gates_ * hidden_, input_);
  r_ = transposed(doubles(c.input("r")), directions_, gates_ * hidden_, hidden_);
  b_ = c.present("b") ? doubles(c.input("b"))
                      : std::vector<double>(static_cast<size_t>(directions_ * 2 * gates_ * hidden_), 0.0);
  per_direction_ = default_activations.size();
  make_activations(c, default_activations);
}

// Values of activation_alpha and activation_beta go, in order, to the functions that have such a parameter.
void Recurrence::make_activations(RefCall& c, const Strings& defaults) {
  const Attributes& attributes = c.shapes().attributes();
  Strings names = attributes.texts("activations", {});
  const size_t count = per_direction_ * static_cast<size_t>(directions_);
  if (names.size() > count) names.resize(count);
  if (names.empty())
    for (int64_t d = 0; d < directions_; ++d) names.insert(names.end(), defaults.begin(), defaults.end());
  if (names.size() != count)
    throw Error(Code::kInvalidArgument,
                "there are " + std::to_string(names.size()) + " activations, " + std::to_string(count) + " are needed");
  const Floats alphas = attributes.reals("activation_alpha", {}), betas = attributes.reals("activation_beta", {});
  const double clip = c.has_attr("clip") ? c.real("clip") : 0;
  size_t next_alpha = 0, next_beta = 0;
  for (const std::string& name : names) {
    const ActivationKind kind = activation_kind(name);
    double alpha = kind.alpha, beta = kind.beta;
    if (!std::isnan(alpha) && next_alpha < alphas.size()) alpha = alphas[next_alpha++];
    if (!std::isnan(beta) && next_beta < betas.size()) beta = betas[next_beta++];
    activations_.push_back([f = kind.f, alpha, beta, clip](double x) {
      return f(clip > 0 ? std::clamp(x, -clip, clip) : x, alpha, beta);
    });
  }
}

std::vector<double> Recurrence::recurrent_part(int64_t direction, const std::vector<double>& state, int64_t first,
                                               int64_t last) const {
  const int64_t all = gates_ * hidden_, from = first * hidden_, count = (last - first) * hidden_;
  const double* bias = b_.data() + (direction * 2 + 1) * all + from;
  std::vector<double> result(bias, bias + count);
  const double* r = r_.data() + direction * hidden_ * all + from;
  poll_work(hidden_ * count);
  for (int64_t j = 0; j < hidden_; ++j, r += all)
    for (int64_t i = 0; i < count; ++i) nth(result, i) += nth(state, j) * r[i];
  return result;
}

std::vector<double> Recurrence::input_part(int64_t direction, const double* x) const {
  const int64_t all = gates_ * hidden_;
  const double* bias = b_.data() + direction * 2 * all;
  std::vector<double> result(bias, bias + all);
  if (terms_ == Terms::kProducts) {
    for (int64_t i = 0; i < all; ++i) nth(result, i) += x[direction * all + i];
    return result;
  }
  const double* w = w_.data() + direction * input_ * all;
  for (int64_t j = 0; j < input_; ++j, w += all)
    for (int64_t i = 0; i < all; ++i) nth(result, i) += x[j] * w[i];
  return result;
}

namespace {

std::vector<double> initial_state(const RefCall& c, std::string_view name, int64_t count) {
  return c.present(name) ? doubles(c.input(name)) : std::vector<double>(static_cast<size_t>(count), 0.0);
}

std::vector<int64_t> sequence_lengths(const RefCall& c, int64_t batch, int64_t seq) {
  if (!c.present("sequence_lens")) return std::vector<int64_t>(static_cast<size_t>(batch), seq);
  std::vector<int64_t> lengths = integers(c.input("sequence_lens"));
  for (int64_t l : lengths)
    if (l < 0 || l > seq)
      throw Error(Code::kInvalidArgument,
                  "a sequence length is " + std::to_string(l) + ", sequences hold " + std::to_string(seq) + " steps");
  return lengths;
}

}  // namespace

void Recurrence::run(RefCall& c, const Step& step, bool has_cell) const {
  std::vector<double> y(static_cast<size_t>(seq_ * directions_ * batch_ * hidden_), 0.0);
  std::vector<double> hs = initial_state(c, "initial_h", directions_ * batch_ * hidden_);
  std::vector<double> cs = has_cell ? initial_state(c, "initial_c", directions_ * batch_ * hidden_) : hs;
  const std::vector<int64_t> lengths = sequence_lengths(c, batch_, seq_);
  for (int64_t d = 0; d < directions_; ++d)
    for (int64_t n = 0; n < batch_; ++n) {
      const int64_t state_at = (batch_first_ ? n * directions_ + d : d * batch_ + n) * hidden_,
                    length = nth(lengths, n);
      std::vector<double> h(hs.begin() + state_at, hs.begin() + state_at + hidden_),
          cell(cs.begin() + state_at, cs.begin() + state_at + hidden_);
      const bool backward = d == 1 || c.text("direction") == "reverse";
      for (int64_t i = 0; i < length; ++i) {
        const int64_t t = backward ? length - 1 - i : i;
        const int64_t x_at = (batch_first_ ? n * seq_ + t : t * batch_ + n) * input_;
        const int64_t y_at =
            (batch_first_ ? (n * seq_ + t) * directions_ + d : (t * directions_ + d) * batch_ + n) * hidden_;
        step(d, input_part(d, x_.data() + x_at), h, cell);
        std::copy(h.begin(), h.end(), y.begin() + y_at);
      }
      std::copy(h.begin(), h.end(), hs.begin() + state_at);
      std::copy(cell.begin(), cell.end(), cs.begin() + state_at);
    }
  store(c.output(), y);
  if (c.wants(1)) store(c.output(1), hs);
  if (has_cell && c.wants(2)) store(c.output(2), cs);
}

}  // namespace kiln::ops
