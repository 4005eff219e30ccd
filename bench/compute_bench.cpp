// Measures our matrix products and convolutions, each configuration, beside oneDNN on layers of known networks.
// Usage: compute_bench [threads] [part of a name]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <dnnl.hpp>

#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/winograd.h"

namespace {

using namespace kiln::cpu;

struct Floats {
  explicit Floats(int64_t count)
      : data(static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(count * 4 + 127) / 64 * 64))) {
    for (int64_t i = 0; i < count; ++i) data.get()[i] = static_cast<float>(i * 37 % 101) / 101 - 0.5f;
  }
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data;
  operator float*() const { return data.get(); }
};

struct Contestant {
  std::string name;
  std::function<void()> run;
  double best = 1e9;
};

// Least time of many, in turns, so that a disturbance meets all of them.
void measure(std::vector<Contestant>& all, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (int round = 0; round < 5 || Clock::now() < end; ++round) {
    for (Contestant& c : all) {
      for (int i = 0; i < 3; ++i) {
        const auto begin = Clock::now();
        c.run();
        c.best = std::min(c.best, std::chrono::duration<double>(Clock::now() - begin).count());
      }
    }
  }
}

// The first contestant is the peer.
void report(const std::string& name, double flops, std::vector<Contestant>& all) {
  measure(all, 0.3);
  const auto best =
      std::min_element(all.begin() + 1, all.end(), [](const auto& a, const auto& b) { return a.best < b.best; });
  std::printf("%-28s oneDNN %7.1f us %5.0f | first %5.0f | best %5.0f = %.2f (%s) |", name.c_str(), all[0].best * 1e6,
              flops / all[0].best / 1e9, flops / all[1].best / 1e9, flops / best->best / 1e9, all[0].best / best->best,
              best->name.c_str());
  for (size_t i = 1; i < all.size(); ++i) std::printf(" %.0f", flops / all[i].best / 1e9);
  std::printf("\n");
  std::fflush(stdout);
}

std::string text(const BlockConfig& c) {
  return std::to_string(c.panel) + "x" + std::to_string(c.rows) + " k" + std::to_string(c.depth) + " m" +
         std::to_string(c.block_rows) + " t" + std::to_string(c.row_threads) + "x" + std::to_string(c.column_threads) +
         (c.copy_rows ? " copy" : "");
}

dnnl::engine& engine() {
  static dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}
dnnl::stream& stream() {
  static dnnl::stream s(engine());
  return s;
}
using Format = dnnl::memory::format_tag;
dnnl::memory::desc desc(const dnnl::memory::dims& dims, Format format) {
  return {dims, dnnl::memory::data_type::f32, format};
}

// Written values: pages that were never written share one page of zeros, which flatters the reader.
dnnl::memory filled(const dnnl::memory::desc& d) {
  dnnl::memory memory(d, engine());
  auto* p = static_cast<float*>(memory.get_data_handle());
  for (size_t i = 0; i < d.get_size() / sizeof(float); ++i) p[i] = static_cast<float>(i * 37 % 101) / 101 - 0.5f;
  return memory;
}

void bench_gemm(const std::string& name, int64_t m, int64_t n, int64_t k, int threads) {
  const Floats a(m * k), b(n * k), c(m * n);
  const dnnl::matmul::primitive_desc pd(engine(), desc({m, k}, Format::ab), desc({k, n}, Format::any),
                                        desc({m, n}, Format::ab));
  const dnnl::matmul primitive(pd);
  const dnnl::memory source(pd.src_desc(), engine(), a.data.get()), target(pd.dst_desc(), engine(), c.data.get());
  const dnnl::memory weights = filled(pd.weights_desc());
  std::vector<Contestant> all{
      {"oneDNN", [&] {
         primitive.execute(stream(), {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, target}});
         stream().wait();
       }}};
  std::vector<std::unique_ptr<Floats>> keep;
  for (const BlockConfig& config : gemm_configs(m, n, k, threads)) {
    const GemmCall call{m, n, k, a, k, c, n};
    float* packed = *keep.emplace_back(std::make_unique<Floats>(packed_b_floats(k, n)));
    float* space = *keep.emplace_back(std::make_unique<Floats>(gemm_workspace(call, config)));
    pack_b({b, n, false}, k, n, config.panel, packed);
    all.push_back({text(config), [=] { gemm(call, packed, {}, config, space); }});
  }
  report(name, 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k), all);
}

ConvShape square(int64_t size, int64_t in_c, int64_t out_c, int64_t kernel, int64_t stride) {
  const int64_t pad = kernel / 2;
  return {.in_h = size,
          .in_w = size,
          .in_c = in_c,
          .out_c = out_c,
          .kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = pad,
          .pad_left = pad,
          .pad_bottom = pad,
          .pad_right = pad,
          .in_stride = in_c,
          .out_stride = out_c};
}

void bench_conv(const std::string& name, const ConvShape& s, int threads) {
  const int64_t outputs = s.out_h() * s.out_w() * s.out_c, terms = s.in_c * s.kernel_h * s.kernel_w;
  const Floats in(s.in_h * s.in_w * s.in_c), weights(terms * s.out_c), out(outputs), bias(s.out_c);
  const dnnl::convolution_forward::primitive_desc pd(
      engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
      desc({1, s.in_c, s.in_h, s.in_w}, Format::nhwc), desc({s.out_c, s.in_c, s.kernel_h, s.kernel_w}, Format::any),
      desc({s.out_c}, Format::a), desc({1, s.out_c, s.out_h(), s.out_w()}, Format::nhwc), {s.stride_h, s.stride_w},
      {s.pad_top, s.pad_left}, {s.pad_bottom, s.pad_right});
  const dnnl::convolution_forward primitive(pd);
  const dnnl::memory source(pd.src_desc(), engine(), in.data.get()), target(pd.dst_desc(), engine(), out.data.get());
  const dnnl::memory filter = filled(pd.weights_desc()), shift(pd.bias_desc(), engine(), bias.data.get());
  std::vector<Contestant> all{
      {"oneDNN", [&] {
         primitive.execute(
             stream(),
             {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, filter}, {DNNL_ARG_BIAS, shift}, {DNNL_ARG_DST, target}});
         stream().wait();
       }}};
  Epilogue epilogue;
  epilogue.bias = bias;
  epilogue.activation = Activation::kRelu;
  std::vector<std::unique_ptr<Floats>> keep;
  const float* source_data = in;
  float* target_data = out;
  for (const BlockConfig& config : conv_configs(s, threads)) {
    float* packed = *keep.emplace_back(std::make_unique<Floats>(packed_conv_floats(s)));
    float* space = *keep.emplace_back(std::make_unique<Floats>(conv_workspace(s, config)));
    pack_conv(s, weights, config, packed);
    all.push_back({text(config), [=] { conv_nhwc(s, source_data, packed, target_data, epilogue, config, space); }});
  }
  if (winograd_accepts(s)) {
    for (const WinogradConfig& config : winograd_configs(s, threads)) {
      float* packed = *keep.emplace_back(std::make_unique<Floats>(packed_winograd_floats(s, config)));
      float* space = *keep.emplace_back(std::make_unique<Floats>(winograd_workspace(s, config)));
      pack_winograd(s, weights, config, packed);
      all.push_back({"F" + std::to_string(config.tile) + " " + text(config.block) + " n" +
                         std::to_string(config.block.block_columns),
                     [=] { winograd_nhwc(s, source_data, packed, target_data, epilogue, config, space); }});
    }
  }
  report(name, 2.0 * static_cast<double>(outputs) * static_cast<double>(terms), all);
}

struct Layer {
  const char* name;
  ConvShape shape;
};

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const std::string filter = argc > 2 ? argv[2] : "";
  const auto wanted = [&](const std::string& name) { return name.find(filter) != std::string::npos; };
  const struct {
    const char* name;
    int64_t m, n, k;
  } products[] = {{"bert 128x768x768", 128, 768, 768},
                  {"bert 128x3072x768", 128, 3072, 768},
                  {"bert 128x768x3072", 128, 768, 3072},
                  {"vit 197x768x768", 197, 768, 768},
                  {"vit 197x3072x768", 197, 3072, 768},
                  {"lstm step 1x2048x512", 1, 2048, 512},
                  {"lstm input 64x2048x256", 64, 2048, 256},
                  {"mlp 1x256x64", 1, 256, 64},
                  {"mlp 1x64x64", 1, 64, 64},
                  {"vgg fc 1x4096x25088", 1, 4096, 25088},
                  {"heads 128x128x64", 128, 128, 64},
                  {"square 1024", 1024, 1024, 1024}};
  for (const auto& p : products) {
    if (wanted(p.name)) bench_gemm(p.name, p.m, p.n, p.k, threads);
  }
  const Layer layers[] = {{"resnet 224 3-64 7x7/2", {square(224, 3, 64, 7, 2)}},
                          {"mobilenet 224 3-32 3x3/2", {square(224, 3, 32, 3, 2)}},
                          {"resnet 56 64-64 1x1", {square(56, 64, 64, 1, 1)}},
                          {"resnet 56 64-256 1x1", {square(56, 64, 256, 1, 1)}},
                          {"resnet 56 256-64 1x1", {square(56, 256, 64, 1, 1)}},
                          {"resnet 56 64-64 3x3", {square(56, 64, 64, 3, 1)}},
                          {"resnet 56 256-512 1x1/2", {square(56, 256, 512, 1, 2)}},
                          {"resnet 56 128-128 3x3/2", {square(56, 128, 128, 3, 2)}},
                          {"resnet 28 128-512 1x1", {square(28, 128, 512, 1, 1)}},
                          {"resnet 28 512-128 1x1", {square(28, 512, 128, 1, 1)}},
                          {"resnet 28 128-128 3x3", {square(28, 128, 128, 3, 1)}},
                          {"resnet 14 256-1024 1x1", {square(14, 256, 1024, 1, 1)}},
                          {"resnet 14 1024-256 1x1", {square(14, 1024, 256, 1, 1)}},
                          {"resnet 14 256-256 3x3", {square(14, 256, 256, 3, 1)}},
                          {"resnet 7 512-2048 1x1", {square(7, 512, 2048, 1, 1)}},
                          {"resnet 7 2048-512 1x1", {square(7, 2048, 512, 1, 1)}},
                          {"resnet 7 512-512 3x3", {square(7, 512, 512, 3, 1)}},
                          {"mobilenet 112 32-16 1x1", {square(112, 32, 16, 1, 1)}},
                          {"mobilenet 112 16-96 1x1", {square(112, 16, 96, 1, 1)}},
                          {"mobilenet 56 96-24 1x1", {square(56, 96, 24, 1, 1)}},
                          {"mobilenet 56 24-144 1x1", {square(56, 24, 144, 1, 1)}},
                          {"mobilenet 28 144-32 1x1", {square(28, 144, 32, 1, 1)}},
                          {"mobilenet 14 64-384 1x1", {square(14, 64, 384, 1, 1)}},
                          {"mobilenet 14 384-96 1x1", {square(14, 384, 96, 1, 1)}},
                          {"mobilenet 7 160-960 1x1", {square(7, 160, 960, 1, 1)}},
                          {"mobilenet 7 320-1280 1x1", {square(7, 320, 1280, 1, 1)}},
                          {"vgg 224 64-64 3x3", {square(224, 64, 64, 3, 1)}},
                          {"vgg 56 256-256 3x3", {square(56, 256, 256, 3, 1)}}};
  for (const Layer& l : layers) {
    if (wanted(l.name)) bench_conv(l.name, l.shape, threads);
  }
}
