// Matrix products against plain loops: every instruction set, configuration, activation, odd size and stride.
#include "backends/cpu/device/compute/gemm.h"

#include <gtest/gtest.h>

#include <memory>

#include "backends_cpu_compute/product_testing.h"
#include "backends_cpu_compute/testing.h"

namespace kiln::cpu {
namespace {

using testing::close;
using testing::for_each_isa;
using testing::kInf;
using testing::kNan;
using testing::random_floats;

struct GemmCase {
  int64_t m, n, k, a_slack = 0, c_slack = 0;
  bool transposed = false;
};

std::string describe(const GemmCase& x, const BlockConfig& c) {
  return "m " + std::to_string(x.m) + " n " + std::to_string(x.n) + " k " + std::to_string(x.k) + " panel " +
         std::to_string(c.panel) + " rows " + std::to_string(c.rows) + " depth " + std::to_string(c.depth) +
         " threads " + std::to_string(c.row_threads) + "x" + std::to_string(c.column_threads);
}

std::vector<float> naive_gemm(const GemmCase& x, const std::vector<float>& a, const std::vector<float>& b,
                              const Epilogue& e) {
  std::vector<float> c(static_cast<size_t>(x.m * x.n));
  for (int64_t i = 0; i < x.m; ++i) {
    for (int64_t j = 0; j < x.n; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < x.k; ++k) {
        const float bv = b[static_cast<size_t>(x.transposed ? j * x.k + k : k * x.n + j)];
        sum += static_cast<double>(a[static_cast<size_t>(i * (x.k + x.a_slack) + k)]) * bv;
      }
      c[static_cast<size_t>(i * x.n + j)] = testing::scalar_epilogue(e, sum, i, j);
    }
  }
  return c;
}

// Runs gemm with guard values around each row of C and compares.
void check_gemm(const GemmCase& x, const BlockConfig& config, const std::vector<float>& a, const std::vector<float>& b,
                const Epilogue& e) {
  const RightOperand right{b.data(), x.transposed ? x.k : x.n, x.transposed};
  std::vector<float> packed(static_cast<size_t>(packed_b_floats(x.k, x.n)), kNan);
  pack_b(right, x.k, x.n, config.panel, packed.data(), 2);
  const int64_t stride = x.n + x.c_slack;
  std::vector<float> c(static_cast<size_t>(x.m * stride) + 1, 777.0f);
  const GemmCall call{x.m, x.n, x.k, a.data(), x.k + x.a_slack, c.data(), stride};
  std::vector<float> workspace(static_cast<size_t>(gemm_workspace(call, config)));
  gemm(call, packed.data(), e, config, workspace.data());
  const std::vector<float> expected = naive_gemm(x, a, b, e);
  int wrong = 0;
  for (int64_t i = 0; i < x.m; ++i) {
    for (int64_t j = 0; j < stride; ++j) {
      const float got = c[static_cast<size_t>(i * stride + j)];
      const float want = j < x.n ? expected[static_cast<size_t>(i * x.n + j)] : 777.0f;
      if (!close(got, want, 2e-5, 2e-5 * std::sqrt(static_cast<double>(x.k) + 1)) && ++wrong < 4) {
        ADD_FAILURE() << describe(x, config) << " at " << i << "," << j << ": " << got << " is not " << want;
      }
    }
  }
  EXPECT_EQ(c.back(), 777.0f);
}

std::vector<BlockConfig> odd_configs() {
  return {{16, 14, 256, 112, 0, 1, 1, false},
          {32, 14, 8, 20, 32, 1, 2, false},
          {48, 9, 5, 7, 48, 2, 1, true},
          {64, 6, 4096, 3, 128, 2, 2, false},
          {32, 5, 16, 100, 0, 3, 1, true}};
}

// A row of A times equal columns of B: bit by bit the same in full tiles and in what is left over.
TEST(Gemm, EqualColumnsGiveEqualResults) {
  for_each_isa([] {
    const int64_t n = 1000, k = 700;
    const std::vector<float> column = random_floats(k, 5, 0, 1e4F);
    std::vector<float> b(static_cast<size_t>(n * k));
    for (int64_t i = 0; i < k; ++i) std::fill_n(b.begin() + i * n, n, column[static_cast<size_t>(i)]);
    for (int64_t m : {1, 2, 3, 5, 7, 9, 17}) {
      const std::vector<float> a = random_floats(m * k, 6);
      for (const BlockConfig& config : gemm_configs(m, n, k, 2)) {
        std::vector<float> packed(static_cast<size_t>(packed_b_floats(k, n))), c(static_cast<size_t>(m * n));
        pack_b({b.data(), n, false}, k, n, config.panel, packed.data());
        const GemmCall call{m, n, k, a.data(), k, c.data(), n};
        std::vector<float> workspace(static_cast<size_t>(gemm_workspace(call, config)));
        gemm(call, packed.data(), {}, config, workspace.data());
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 1; j < n; ++j)
            ASSERT_EQ(c[static_cast<size_t>(i * n + j)], c[static_cast<size_t>(i * n)])
                << describe({m, n, k}, config) << " at " << i << "," << j;
      }
    }
  });
}

TEST(Gemm, SizesAndConfigurations) {
  const int64_t sizes[] = {0, 1, 2, 3, 5, 13, 17, 33, 67};
  for_each_isa([&] {
    uint32_t seed = 1;
    for (int64_t m : sizes) {
      for (int64_t n : sizes) {
        for (int64_t k : {0, 1, 3, 18, 41}) {
          const GemmCase x{m, n, k, m % 3, n % 2, (m + n + k) % 2 == 1};
          const auto a = random_floats(m * (k + x.a_slack), ++seed), b = random_floats(k * n, ++seed),
                     bias = random_floats(n, ++seed);
          Epilogue e;
          e.bias = bias.data();
          const auto configs = odd_configs();
          check_gemm(x, configs[seed / 3 % configs.size()], a, b, e);
        }
      }
    }
  });
}

TEST(Gemm, OfferedConfigurations) {
  for_each_isa([] {
    for (const GemmCase x : {GemmCase{1, 70, 130}, GemmCase{4, 130, 64}, GemmCase{9, 100, 77}, GemmCase{49, 144, 520},
                             GemmCase{130, 95, 1024}}) {
      const auto a = random_floats(x.m * x.k, 5), b = random_floats(x.k * x.n, 6);
      const auto configs = gemm_configs(x.m, x.n, x.k, 2);
      ASSERT_FALSE(configs.empty());
      for (const BlockConfig& c : configs) check_gemm(x, c, a, b, {});
    }
  });
}

TEST(Gemm, Epilogues) {
  for_each_isa([] {
    const GemmCase x{19, 53, 21, 0, 3};
    const auto a = random_floats(x.m * x.k, 5), b = random_floats(x.k * x.n, 6), bias = random_floats(x.n, 7);
    const auto residual = random_floats(x.m * (x.n + 5), 8);
    for (int kind = 0; kind < kActivationCount; ++kind) {
      for (int sum = 0; sum < 3; ++sum) {
        Epilogue e;
        e.activation = static_cast<Activation>(kind);
        e.alpha = e.activation == Activation::kClip ? -1.5f : 0.3f;
        e.beta = 0.6f;
        if (kind % 2 == 0) e.bias = bias.data();
        if (sum > 0) e.residual = residual.data();
        e.residual_stride = x.n + 5;
        e.residual_after = sum == 2;
        for (const BlockConfig& c : odd_configs()) check_gemm(x, c, a, b, e);
      }
    }
  });
}

TEST(Gemm, ResidualInPlace) {
  for_each_isa([] {
    const GemmCase x{31, 40, 50};
    const auto a = random_floats(x.m * x.k, 5), b = random_floats(x.k * x.n, 6), residual = random_floats(x.m * x.n, 8);
    const BlockConfig config{32, 14, 16, 20, 0, 1, 1, false};
    std::vector<float> packed(static_cast<size_t>(packed_b_floats(x.k, x.n)));
    pack_b({b.data(), x.n, false}, x.k, x.n, config.panel, packed.data());
    Epilogue e;
    e.residual = residual.data();
    e.residual_stride = x.n;
    e.activation = Activation::kRelu;
    const auto expected = naive_gemm(x, a, b, e);
    std::vector<float> c = residual;
    e.residual = c.data();
    gemm({x.m, x.n, x.k, a.data(), x.k, c.data(), x.n}, packed.data(), e, config, nullptr);
    testing::expect_close(c, expected, 1e-5, 1e-4);
  });
}

TEST(Gemm, HookSeesEachValueOnce) {
  const GemmCase x{37, 70, 40};
  const auto a = random_floats(x.m * x.k, 5), b = random_floats(x.k * x.n, 6);
  for (const BlockConfig& config : odd_configs()) {
    testing::HookLog log{std::vector<int>(static_cast<size_t>(x.m * x.n)), x.n};
    std::vector<float> packed(static_cast<size_t>(packed_b_floats(x.k, x.n))), c(static_cast<size_t>(x.m * x.n));
    pack_b({b.data(), x.n, false}, x.k, x.n, config.panel, packed.data());
    Epilogue e;
    e.hook = testing::log_hook;
    e.hook_context = &log;
    const GemmCall call{x.m, x.n, x.k, a.data(), x.k, c.data(), x.n};
    std::vector<float> workspace(static_cast<size_t>(gemm_workspace(call, config)));
    gemm(call, packed.data(), e, config, workspace.data());
    auto expected = naive_gemm(x, a, b, {});
    for (float& v : expected) v *= -2;
    testing::expect_close(c, expected, 1e-5, 1e-4);
    EXPECT_EQ(log.seen, std::vector<int>(log.seen.size(), 1));
  }
}

TEST(Gemm, NanAndInfinityPropagate) {
  for_each_isa([] {
    const GemmCase x{15, 35, 9};
    auto a = random_floats(x.m * x.k, 5, 0.5f, 1);
    const auto b = random_floats(x.k * x.n, 6, 0.5f, 1);
    a[static_cast<size_t>(2 * x.k + 3)] = kNan;
    a[static_cast<size_t>(7 * x.k + 8)] = kInf;
    a[static_cast<size_t>(14 * x.k)] = -kInf;
    for (int kind = 0; kind < kActivationCount; ++kind) {
      if (static_cast<Activation>(kind) == Activation::kHardSwish) continue;  // -inf * 0
      if (static_cast<Activation>(kind) == Activation::kSilu) continue;
      if (static_cast<Activation>(kind) == Activation::kGeluErf ||
          static_cast<Activation>(kind) == Activation::kGeluTanh)
        continue;
      Epilogue e;
      e.activation = static_cast<Activation>(kind);
      e.alpha = 0.25f;
      e.beta = 6;
      for (const BlockConfig& c : odd_configs()) check_gemm(x, c, a, b, e);
    }
  });
}

TEST(Gemm, UnpackedBatches) {
  for_each_isa([] {
    for (bool transposed : {false, true}) {
      for (int64_t count : {0, 1, 5}) {
        const GemmCase x{21, 37, 30, 0, 0, transposed};
        const auto a = random_floats(count * x.m * x.k, 5), b = random_floats(count * x.k * x.n, 6);
        const auto residual = random_floats(count * x.m * x.n, 7), bias = random_floats(count * x.n, 8);
        for (const BlockConfig& config : odd_configs()) {
          std::vector<float> c(static_cast<size_t>(count * x.m * x.n));
          const GemmCall call{x.m, x.n, x.k, a.data(), x.k, c.data(), x.n};
          const GemmBatch batch{count, x.m * x.k, x.k * x.n, x.m * x.n, x.m * x.n, x.n};
          Epilogue e;
          e.bias = bias.data();
          e.residual = residual.data();
          e.residual_stride = x.n;
          std::vector<float> workspace(static_cast<size_t>(gemm_unpacked_workspace(call, config, batch)));
          gemm_unpacked(call, {b.data(), transposed ? x.k : x.n, transposed}, e, config, batch, workspace.data());
          for (int64_t i = 0; i < count; ++i) {
            Epilogue item = e;
            item.bias += i * x.n;
            item.residual += i * x.m * x.n;
            const std::vector<float> ai(a.begin() + i * x.m * x.k, a.begin() + (i + 1) * x.m * x.k);
            const std::vector<float> bi(b.begin() + i * x.k * x.n, b.begin() + (i + 1) * x.k * x.n);
            const std::vector<float> ci(c.begin() + i * x.m * x.n, c.begin() + (i + 1) * x.m * x.n);
            testing::expect_close(ci, naive_gemm(x, ai, bi, item), 1e-5, 1e-4, describe(x, config));
          }
        }
      }
    }
  });
}

TEST(Gemm, SameBitsForAnyThreadCount) {
  const GemmCase x{131, 150, 300};
  const auto a = random_floats(x.m * x.k, 5), b = random_floats(x.k * x.n, 6);
  std::vector<float> packed(static_cast<size_t>(packed_b_floats(x.k, x.n))), first;
  pack_b({b.data(), x.n, false}, x.k, x.n, 32, packed.data());
  for (auto [rows, columns] : {std::pair{1, 1}, {2, 1}, {1, 2}, {3, 2}}) {
    std::vector<float> c(static_cast<size_t>(x.m * x.n));
    gemm({x.m, x.n, x.k, a.data(), x.k, c.data(), x.n}, packed.data(), {}, {32, 14, 64, 40, 0, rows, columns, false},
         nullptr);
    if (first.empty()) first = c;
    EXPECT_EQ(first, c);
  }
}

}  // namespace
}  // namespace kiln::cpu
