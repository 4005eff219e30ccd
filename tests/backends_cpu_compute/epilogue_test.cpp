// Activations and epilogues against scalar formulas.
#include "backends/cpu/device/compute/epilogue.h"

#include <algorithm>

#include "backends_cpu_compute/testing.h"

namespace kiln::cpu {
namespace {
using namespace testing;

double reference(Activation kind, double x, double alpha, double beta) {
  if (std::isnan(x)) return x;
  auto limit = [](double v, double low, double high) { return std::min(std::max(v, low), high); };
  switch (kind) {
    case Activation::kNone: return x;
    case Activation::kRelu: return std::max(x, 0.0);
    case Activation::kClip: return limit(x, alpha, beta);
    case Activation::kLeakyRelu: return x < 0 ? alpha * x : x;
    case Activation::kSigmoid: return 1 / (1 + std::exp(-x));
    case Activation::kTanh: return std::tanh(x);
    case Activation::kSilu: return x / (1 + std::exp(-x));
    case Activation::kHardSwish: return x * limit(x / 6 + 0.5, 0, 1);
    case Activation::kHardSigmoid: return limit(alpha * x + beta, 0, 1);
    case Activation::kGeluErf: return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
    case Activation::kGeluTanh: return x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
    case Activation::kElu: return x < 0 ? alpha * std::expm1(x) : x;
  }
  return 0;
}

TEST(Epilogue, EveryActivationAtEveryLength) {
  for_each_isa([] {
    for (int k = 0; k < kActivationCount; ++k) {
      const auto kind = static_cast<Activation>(k);
      const float alpha = kind == Activation::kClip ? -0.5f : 0.2f, beta = kind == Activation::kClip ? 6.0f : 0.5f;
      for (int64_t n : {0, 1, 3, 4, 7, 8, 15, 16, 17, 33, 1000}) {
        auto x = random_floats(n, static_cast<uint32_t>(n + k), -12, 12);
        if (n > 7) x[5] = kNan, x[6] = -0.0f;
        std::vector<float> y(static_cast<size_t>(n + 1), 77), expected;
        for (float v : x) expected.push_back(static_cast<float>(reference(kind, v, alpha, beta)));
        apply_activation(kind, alpha, beta, x.data(), y.data(), n);
        EXPECT_EQ(y.back(), 77) << "wrote behind the end";
        y.pop_back();
        expect_close(y, expected, 1e-6, 5e-7, "activation " + std::to_string(k));
      }
    }
  });
}

TEST(Epilogue, Infinities) {
  for_each_isa([] {
    for (auto kind : {Activation::kRelu, Activation::kClip, Activation::kSigmoid, Activation::kTanh, Activation::kElu,
                      Activation::kHardSigmoid, Activation::kLeakyRelu}) {
      const std::vector<float> x = {kInf, -kInf, 100, -100, 3e38f, -3e38f};
      std::vector<float> y(x.size()), expected;
      for (float v : x) expected.push_back(static_cast<float>(reference(kind, v, 0.25, 1)));
      apply_activation(kind, 0.25f, 1, x.data(), y.data(), static_cast<int64_t>(x.size()));
      expect_close(y, expected, 1e-6, 1e-30, std::to_string(static_cast<int>(kind)));
    }
  });
}

// Where nothing, or all, of x is left.
TEST(Epilogue, GeluFarOut) {
  for_each_isa([] {
    for (auto kind : {Activation::kGeluErf, Activation::kGeluTanh}) {
      const std::vector<float> x = {-kInf, -3e38f, -100, -5.5f, 5.5f, 100, 3e38f, kInf},
                               expected = {std::nanf(""), 0, 0, 0, 5.5f, 100, 3e38f, kInf};
      std::vector<float> y(x.size());
      apply_activation(kind, 0, 0, x.data(), y.data(), static_cast<int64_t>(x.size()));
      expect_close(y, expected, 1e-7, 4e-7, std::to_string(static_cast<int>(kind)));
    }
  });
}

TEST(Epilogue, BiasResidualAndHook) {
  for_each_isa([] {
    for (bool after : {false, true}) {
      const int64_t n = 37, column = 5, row = 2, stride = 64;
      const auto bias = random_floats(stride, 1), residual = random_floats(3 * stride, 2);
      auto x = random_floats(n, 3);
      std::vector<float> expected;
      for (int64_t i = 0; i < n; ++i) {
        const float r = residual[static_cast<size_t>(row * stride + column + i)];
        const float v = x[static_cast<size_t>(i)] + bias[static_cast<size_t>(column + i)];
        expected.push_back(2 * (after ? std::max(v, 0.0f) + r : std::max(v + r, 0.0f)));
      }
      Epilogue e;
      e.bias = bias.data();
      e.residual = residual.data();
      e.residual_stride = stride;
      e.residual_after = after;
      e.activation = Activation::kRelu;
      int64_t seen[3] = {};
      e.hook_context = seen;
      e.hook = [](void* context, float* values, int64_t count, int64_t r, int64_t c) {
        for (int64_t i = 0; i < count; ++i) values[i] *= 2;
        auto* out = static_cast<int64_t*>(context);
        out[0] = count, out[1] = r, out[2] = c;
      };
      apply_epilogue(e, x.data(), n, row, column);
      expect_close(x, expected, 1e-6, 1e-6);
      EXPECT_EQ(seen[0], n);
      EXPECT_EQ(seen[1], row);
      EXPECT_EQ(seen[2], column);
    }
  });
}

}  // namespace
}  // namespace kiln::cpu
