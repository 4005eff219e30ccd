// Speed of the CPU kernels other than products: time, GB/s and GFLOP/s, beside memcpy and oneDNN. One thread, best of many.
// Arguments: parts of names to run.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <omp.h>
#include <dnnl.hpp>

#include "backends/cpu/device/compute/conv_depthwise.h"
#include "backends/cpu/device/compute/normalize.h"
#include "backends/cpu/device/compute/pointwise.h"
#include "backends/cpu/device/compute/pool_nhwc.h"
#include "backends/cpu/device/compute/reduce.h"
#include "backends/cpu/device/compute/softmax.h"

namespace {

using namespace kiln;
using namespace kiln::cpu;
using Run = std::function<void()>;
using Clock = std::chrono::steady_clock;

std::vector<std::string> filters;

double once(const Run& f, int repeats) {
  const auto start = Clock::now();
  for (int i = 0; i < repeats; ++i) f();
  return std::chrono::duration<double>(Clock::now() - start).count() / repeats;
}

// Seconds of each, measured in turns so that both see the same machine.
std::pair<double, double> best(const Run& ours, const Run& theirs) {
  ours();
  if (theirs) theirs();
  const int repeats = std::max(1, static_cast<int>(200e-6 / std::max(once(ours, 1), 1e-9)));
  double a = 1e9, b = 1e9;
  for (int i = 0; i < 60; ++i) {
    a = std::min(a, once(ours, repeats));
    if (theirs) b = std::min(b, once(theirs, repeats));
  }
  return {a, b};
}

void report(const std::string& name, double bytes, double flops, const Run& ours, const Run& theirs) {
  const bool wanted = filters.empty() || std::any_of(filters.begin(), filters.end(),
                                                     [&](const auto& f) { return name.find(f) != std::string::npos; });
  if (!wanted) return;
  const auto [a, b] = best(ours, theirs);
  std::printf("%-34s %9.2f us %7.1f GB/s", name.c_str(), a * 1e6, bytes / a * 1e-9);
  if (flops > 0) std::printf(" %7.1f GFLOP/s", flops / a * 1e-9);
  if (theirs) std::printf("   other %9.2f us   ratio %.2f", b * 1e6, b / a);
  std::printf("\n");
  std::fflush(stdout);
}

std::vector<float> data(int64_t n) {
  std::vector<float> v(static_cast<size_t>(n));
  std::mt19937 g(1);
  std::uniform_real_distribution<float> d(-2, 2);
  for (float& x : v) x = d(g);
  return v;
}

dnnl::engine& engine() {
  static dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}
Run primitive(const dnnl::primitive& p, const std::unordered_map<int, dnnl::memory>& arguments) {
  static dnnl::stream stream(engine());
  return [p, arguments] { p.execute(stream, arguments); };
}
dnnl::memory wrap(const dnnl::memory::desc& d, const std::vector<float>& v) {
  return dnnl::memory(d, engine(), const_cast<float*>(v.data()));
}
constexpr auto kF32 = dnnl::memory::data_type::f32;
using Tag = dnnl::memory::format_tag;

struct Builder {
  ScalarProgram p;
  uint16_t push(ScalarOp op, uint16_t a = 0, uint16_t b = 0, double real = 0, int64_t integer = 0) {
    ScalarInstruction i;
    i.op = op, i.a = a, i.b = b, i.real = real, i.integer = integer;
    p.code.push_back(i);
    return static_cast<uint16_t>(p.code.size() - 1);
  }
  uint16_t input() { return push(ScalarOp::kInput, 0, 0, 0, p.input_count++); }
  uint16_t constant(double v) { return push(ScalarOp::kConstant, 0, 0, v); }
};

void bench_pointwise() {
  for (int64_t n : {int64_t{4096}, int64_t{100352}, int64_t{1} << 22}) {
    const auto x = data(n), z = data(n);
    auto y = data(n);
    const std::string size = " " + std::to_string(n);
    const double bytes = 4.0 * static_cast<double>(n);
    report(
        "memcpy" + size, 2 * bytes, 0, [&] { std::memcpy(y.data(), x.data(), static_cast<size_t>(n) * 4); }, nullptr);
    const dnnl::memory::desc md({n}, kF32, Tag::a);
    auto eltwise = [&](dnnl::algorithm a) {
      dnnl::eltwise_forward::primitive_desc pd(engine(), dnnl::prop_kind::forward_inference, a, md, md,
                                               a == dnnl::algorithm::eltwise_swish ? 1.0f : 0.0f);
      return primitive(dnnl::eltwise_forward(pd), {{DNNL_ARG_SRC, wrap(md, x)}, {DNNL_ARG_DST, wrap(md, y)}});
    };
    auto ours = [&](const std::string& name, const std::function<uint16_t(Builder&)>& make, const Run& theirs) {
      Builder b;
      b.p.outputs = {make(b)};
      const std::vector<PointwiseOperand> in(b.p.input_count, {DType::kF32, {1}}), out(1, {DType::kF32, {1}});
      PointwisePlan plan(b.p, {n}, in, out, 1);
      const void* inputs[] = {x.data(), z.data()};
      void* outputs[] = {y.data()};
      report(name + size, bytes * (b.p.input_count + 1), 0, [&] { plan.run(inputs, outputs); }, theirs);
    };
    dnnl::binary::primitive_desc add(engine(), dnnl::algorithm::binary_add, md, md, md);
    const Run add_run = primitive(
        dnnl::binary(add), {{DNNL_ARG_SRC_0, wrap(md, x)}, {DNNL_ARG_SRC_1, wrap(md, z)}, {DNNL_ARG_DST, wrap(md, y)}});
    auto logistic = [](Builder& b, uint16_t v) {
      return b.push(ScalarOp::kDiv, b.constant(1),
                    b.push(ScalarOp::kAdd, b.constant(1), b.push(ScalarOp::kExp, b.push(ScalarOp::kNeg, v))));
    };
    ours(
        "relu",
        [](Builder& b) {
          const auto v = b.input();
          return b.push(ScalarOp::kMax, v, b.constant(0));
        },
        eltwise(dnnl::algorithm::eltwise_relu));
    ours(
        "add",
        [](Builder& b) {
          const auto v = b.input(), w = b.input();
          return b.push(ScalarOp::kAdd, v, w);
        },
        add_run);
    ours(
        "add_relu",
        [](Builder& b) {
          const auto v = b.input(), w = b.input();
          return b.push(ScalarOp::kMax, b.push(ScalarOp::kAdd, v, w), b.constant(0));
        },
        add_run);
    ours("exp", [](Builder& b) { return b.push(ScalarOp::kExp, b.input()); }, eltwise(dnnl::algorithm::eltwise_exp));
    ours("log", [](Builder& b) { return b.push(ScalarOp::kLog, b.input()); }, eltwise(dnnl::algorithm::eltwise_log));
    ours("tanh", [](Builder& b) { return b.push(ScalarOp::kTanh, b.input()); }, eltwise(dnnl::algorithm::eltwise_tanh));
    ours("sigmoid", [&](Builder& b) { return logistic(b, b.input()); }, eltwise(dnnl::algorithm::eltwise_logistic));
    ours(
        "silu",
        [&](Builder& b) {
          const auto v = b.input();
          return b.push(ScalarOp::kMul, v, logistic(b, v));
        },
        eltwise(dnnl::algorithm::eltwise_swish));
    ours(
        "pow",
        [](Builder& b) {
          const auto v = b.push(ScalarOp::kAbs, b.input());
          return b.push(ScalarOp::kPow, v, b.constant(1.7));
        },
        nullptr);
    ours(
        "gelu_erf",
        [](Builder& b) {
          const auto v = b.input();
          const auto e = b.push(ScalarOp::kErf, b.push(ScalarOp::kMul, v, b.constant(0.70710678)));
          return b.push(ScalarOp::kMul, b.push(ScalarOp::kMul, v, b.constant(0.5)),
                        b.push(ScalarOp::kAdd, e, b.constant(1)));
        },
        eltwise(dnnl::algorithm::eltwise_gelu_erf));
  }
  // Channel scale and shift: innermost (NHWC), outer (NCHW).
  Builder b;
  const auto v = b.input(), s = b.input(), t = b.input();
  b.p.outputs = {b.push(ScalarOp::kAdd, b.push(ScalarOp::kMul, v, s), t)};
  const auto x = data(1 << 20), w = data(4096);
  auto y = x;
  for (int64_t c : {24, 96, 512}) {
    const int64_t pixels = 100352 / c;
    const void* inputs[] = {x.data(), w.data(), w.data()};
    void* outputs[] = {y.data()};
    const std::vector<PointwiseOperand> in{{DType::kF32, {c, 1}}, {DType::kF32, {0, 1}}, {DType::kF32, {0, 1}}},
        out{{DType::kF32, {c, 1}}};
    PointwisePlan nhwc(b.p, {pixels, c}, in, out, 1);
    const double bytes = 8.0 * static_cast<double>(pixels * c);
    report("scale_shift_nhwc " + std::to_string(c), bytes, 0, [&] { nhwc.run(inputs, outputs); }, nullptr);
    const std::vector<PointwiseOperand> in2{{DType::kF32, {pixels, 1}}, {DType::kF32, {1, 0}}, {DType::kF32, {1, 0}}},
        out2{{DType::kF32, {pixels, 1}}};
    PointwisePlan nchw(b.p, {c, pixels}, in2, out2, 1);
    report("scale_shift_nchw " + std::to_string(c), bytes, 0, [&] { nchw.run(inputs, outputs); }, nullptr);
  }
}

void bench_depthwise(int64_t size, int64_t channels, int64_t kernel, int64_t stride) {
  const int64_t pad = kernel / 2, out = (size + 2 * pad - kernel) / stride + 1;
  const auto x = data(size * size * channels), w = data(kernel * kernel * channels), bias = data(channels);
  std::vector<float> packed(w.size()), y(static_cast<size_t>(out * out * channels)), z = y;
  pack_depthwise_weights(w.data(), channels, kernel, kernel, packed.data());
  DepthwiseShape s{1, size, size, channels, out, out, {kernel, kernel, stride, stride, 1, 1, pad, pad}};
  Epilogue e;
  e.bias = bias.data();
  e.activation = Activation::kClip;
  e.alpha = 0, e.beta = 6;
  const dnnl::memory::desc xd({1, channels, size, size}, kF32, Tag::nhwc), yd({1, channels, out, out}, kF32, Tag::nhwc),
      wd({channels, 1, 1, kernel, kernel}, kF32, Tag::any), bd({channels}, kF32, Tag::a);
  dnnl::post_ops post;
  post.append_eltwise(dnnl::algorithm::eltwise_clip, 0, 6);
  dnnl::primitive_attr attr;
  attr.set_post_ops(post);
  dnnl::convolution_forward::primitive_desc pd(engine(), dnnl::prop_kind::forward_inference,
                                               dnnl::algorithm::convolution_direct, xd, wd, bd, yd, {stride, stride},
                                               {0, 0}, {pad, pad}, {pad, pad}, attr);
  dnnl::memory wm(pd.weights_desc(), engine());
  dnnl::reorder(wrap({{channels, 1, 1, kernel, kernel}, kF32, Tag::goihw}, w), wm);
  const Run theirs = primitive(dnnl::convolution_forward(pd), {{DNNL_ARG_SRC, wrap(xd, x)},
                                                               {DNNL_ARG_WEIGHTS, wm},
                                                               {DNNL_ARG_BIAS, wrap(bd, bias)},
                                                               {DNNL_ARG_DST, wrap(yd, z)}});
  const std::string name = "depthwise " + std::to_string(size) + "x" + std::to_string(channels) + " k" +
                           std::to_string(kernel) + " s" + std::to_string(stride);
  const double bytes = 4.0 * static_cast<double>(x.size() + y.size());
  report(
      name, bytes, 2.0 * static_cast<double>(y.size()) * static_cast<double>(kernel * kernel),
      [&] {
        conv_depthwise(s, x.data(), dense_pixels(size, size, channels), packed.data(), y.data(),
                       dense_pixels(out, out, channels), e, 1);
      },
      theirs);
}

void bench_pools() {
  const int64_t size = 112, channels = 64, out = 56;
  const auto x = data(size * size * channels);
  std::vector<float> y(static_cast<size_t>(out * out * channels));
  PoolShape s{1, size, size, channels, out, out, {3, 3, 2, 2, 1, 1, 1, 1}, 1, 1};
  const dnnl::memory::desc xd({1, channels, size, size}, kF32, Tag::nhwc), yd({1, channels, out, out}, kF32, Tag::nhwc);
  dnnl::pooling_forward::primitive_desc pd(engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_max,
                                           xd, yd, {2, 2}, {3, 3}, {0, 0}, {1, 1}, {1, 1});
  report(
      "max_pool 112x64 k3 s2", 4.0 * static_cast<double>(x.size() + y.size()), 0,
      [&] {
        pool_nhwc(PoolKind::kMax, s, x.data(), dense_pixels(size, size, channels), y.data(),
                  dense_pixels(out, out, channels), 1);
      },
      primitive(dnnl::pooling_forward(pd), {{DNNL_ARG_SRC, wrap(xd, x)}, {DNNL_ARG_DST, wrap(yd, y)}}));
  const dnnl::memory::desc gd({1, 1280, 7, 7}, kF32, Tag::nhwc), hd({1, 1280, 1, 1}, kF32, Tag::nhwc);
  dnnl::pooling_forward::primitive_desc gp(engine(), dnnl::prop_kind::forward_inference,
                                           dnnl::algorithm::pooling_avg_exclude_padding, gd, hd, {1, 1}, {7, 7}, {0, 0},
                                           {0, 0}, {0, 0});
  report(
      "global_average 7x1280", 4.0 * 50 * 1280, 0,
      [&] { global_average_nhwc(1, 7, 7, 1280, x.data(), dense_pixels(7, 7, 1280), y.data(), 1280, 1); },
      primitive(dnnl::pooling_forward(gp), {{DNNL_ARG_SRC, wrap(gd, x)}, {DNNL_ARG_DST, wrap(hd, y)}}));
}

void bench_rows(int64_t rows, int64_t n) {
  const auto x = data(rows * n), scale = data(n);
  auto y = x;
  const std::string size = " " + std::to_string(rows) + "x" + std::to_string(n);
  const double bytes = 8.0 * static_cast<double>(rows * n);
  const dnnl::memory::desc md({rows, n}, kF32, Tag::ab), sd({n}, kF32, Tag::a), od({rows, 1}, kF32, Tag::ab);
  dnnl::softmax_forward::primitive_desc sp(engine(), dnnl::prop_kind::forward_inference,
                                           dnnl::algorithm::softmax_accurate, md, md, 1);
  report(
      "softmax" + size, bytes, 0, [&] { softmax_rows(false, rows, n, x.data(), n, y.data(), n, 1, {}, 1); },
      primitive(dnnl::softmax_forward(sp), {{DNNL_ARG_SRC, wrap(md, x)}, {DNNL_ARG_DST, wrap(md, y)}}));
  dnnl::layer_normalization_forward::primitive_desc lp(
      engine(), dnnl::prop_kind::forward_inference, md, md, 1e-5f,
      dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift);
  RowNorm norm;
  norm.rows = rows, norm.n = n, norm.scale = norm.bias = scale.data();
  report(
      "layer_norm" + size, bytes, 0, [&] { normalize_rows(norm, x.data(), n, y.data(), n, 1); },
      primitive(dnnl::layer_normalization_forward(lp), {{DNNL_ARG_SRC, wrap(md, x)},
                                                        {DNNL_ARG_DST, wrap(md, y)},
                                                        {DNNL_ARG_SCALE, wrap(sd, scale)},
                                                        {DNNL_ARG_SHIFT, wrap(sd, scale)}}));
  for (uint32_t axis : {1u, 0u}) {
    const dnnl::memory::desc rd({axis ? rows : 1, axis ? 1 : n}, kF32, Tag::ab);
    dnnl::reduction::primitive_desc rp(engine(), dnnl::algorithm::reduction_sum, md, rd, 0, 0);
    const int64_t dims[] = {rows, n}, strides[] = {n, 1};
    report(
        "sum axis " + std::to_string(axis) + size, bytes / 2, 0,
        [&] { reduce(ReduceKind::kSum, dims, strides, 1u << axis, x.data(), y.data(), 1); },
        primitive(dnnl::reduction(rp), {{DNNL_ARG_SRC, wrap(md, x)}, {DNNL_ARG_DST, wrap(rd, y)}}));
  }
}

}  // namespace

int main(int argc, char** argv) {
  filters.assign(argv + 1, argv + argc);
  omp_set_num_threads(1);
  bench_pointwise();
  for (auto [size, channels, kernel, stride] : std::vector<std::array<int64_t, 4>>{{112, 32, 3, 1},
                                                                                   {112, 96, 3, 2},
                                                                                   {56, 144, 3, 1},
                                                                                   {56, 144, 3, 2},
                                                                                   {28, 192, 3, 1},
                                                                                   {28, 192, 3, 2},
                                                                                   {14, 384, 3, 1},
                                                                                   {14, 576, 3, 1},
                                                                                   {14, 576, 3, 2},
                                                                                   {7, 960, 3, 1},
                                                                                   {28, 120, 5, 1},
                                                                                   {14, 672, 5, 1},
                                                                                   {7, 960, 5, 1},
                                                                                   {56, 72, 5, 2},
                                                                                   {28, 384, 7, 1}}) {
    bench_depthwise(size, channels, kernel, stride);
  }
  bench_pools();
  bench_rows(1536, 128);
  bench_rows(128, 768);
  bench_rows(197, 3072);
  return 0;
}
