// Reductions and positions of extremes against naive loops in double.
#include "backends/cpu/device/compute/reduce.h"

#include <algorithm>
#include <numeric>

#include "backends_cpu_compute/testing.h"

namespace kiln::cpu {
namespace {
using namespace testing;

double naive(ReduceKind kind, const std::vector<double>& v) {
  auto sum = [&](auto map) {
    double s = 0;
    for (double e : v) s += map(e);
    return s;
  };
  auto nan = std::any_of(v.begin(), v.end(), [](double e) { return std::isnan(e); });
  const double largest = nan ? NAN : v.empty() ? -INFINITY : *std::max_element(v.begin(), v.end());
  const double shift = std::isinf(largest) ? 0 : largest;
  switch (kind) {
    case ReduceKind::kSum: return sum([](double e) { return e; });
    case ReduceKind::kMean: return sum([](double e) { return e; }) / static_cast<double>(v.size());
    case ReduceKind::kMax: return largest;
    case ReduceKind::kMin: return nan ? NAN : v.empty() ? INFINITY : *std::min_element(v.begin(), v.end());
    case ReduceKind::kProduct: return std::accumulate(v.begin(), v.end(), 1.0, std::multiplies<>());
    case ReduceKind::kL1: return sum([](double e) { return std::fabs(e); });
    case ReduceKind::kL2: return std::sqrt(sum([](double e) { return e * e; }));
    case ReduceKind::kSumSquares: return sum([](double e) { return e * e; });
    case ReduceKind::kLogSum: return std::log(sum([](double e) { return e; }));
    case ReduceKind::kLogSumExp: return std::log(sum([&](double e) { return std::exp(e - shift); })) + shift;
  }
  return 0;
}

using Dims = std::vector<int64_t>;

std::vector<float> run_and_check(ReduceKind kind, const Dims& dims, const Dims& strides, uint32_t reduced,
                                 const std::vector<float>& x, int threads) {
  int64_t outputs = 1, total = 1;
  for (size_t d = 0; d < dims.size(); ++d) {
    total *= dims[d];
    if (!(reduced >> d & 1)) outputs *= dims[d];
  }
  std::vector<std::vector<double>> members(static_cast<size_t>(outputs));
  for (int64_t e = 0; e < total; ++e) {
    int64_t at = 0, out = 0, rest = e, weight = 1;
    for (size_t d = dims.size(); d-- > 0; rest /= dims[d]) {
      at += rest % dims[d] * strides[d];
      if (reduced >> d & 1) continue;
      out += rest % dims[d] * weight;
      weight *= dims[d];
    }
    members[static_cast<size_t>(out)].push_back(x[static_cast<size_t>(at)]);
  }
  std::vector<float> y(static_cast<size_t>(outputs), 1e9f), expected;
  for (const auto& m : members) expected.push_back(static_cast<float>(naive(kind, m)));
  reduce(kind, dims, strides, reduced, x.data(), y.data(), threads);
  expect_close(y, expected, 4e-6, 1e-5,
               "kind " + std::to_string(static_cast<int>(kind)) + " set " + std::to_string(reduced));
  return y;
}

Dims dense(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
  return strides;
}

constexpr int kKinds = static_cast<int>(ReduceKind::kLogSumExp) + 1;

TEST(Reduce, EverySetOfAxes) {
  for_each_isa([] {
    for (int k = 0; k < kKinds; ++k) {
      const auto kind = static_cast<ReduceKind>(k);
      for (const Dims& dims : {Dims{3, 4, 5, 6}, Dims{2, 1, 33, 7}, Dims{5, 3, 2, 70}, Dims{1, 1, 1, 1},
                               Dims{0, 2, 3, 4}, Dims{2, 3, 4, 0}}) {
        const int64_t count = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
        const auto x = random_floats(count, 1, kind == ReduceKind::kLogSum ? 0.1f : -1.2f, 1.3f);
        for (uint32_t reduced = 0; reduced < 16; ++reduced) {
          run_and_check(kind, dims, dense(dims), reduced, x, 1);
          // The same elements with dimensions 1 and 3 swapped in memory.
          Dims swapped{dims[0], dims[3], dims[2], dims[1]}, strides = dense(swapped);
          std::swap(strides[1], strides[3]);
          run_and_check(kind, dims, strides, reduced, x, 2);
        }
      }
    }
  });
}

TEST(Reduce, LargeAndIndependentOfThreads) {
  for (auto kind : {ReduceKind::kSum, ReduceKind::kMean, ReduceKind::kMax, ReduceKind::kL2, ReduceKind::kLogSumExp}) {
    for (auto [dims, reduced] :
         {std::pair<Dims, uint32_t>{{1000003}, 1}, {{40000, 24}, 1}, {{24, 40000}, 2}, {{7, 300, 500}, 5}}) {
      const int64_t count = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
      const auto x = random_floats(count, 1, 0.5f, 1.5f);
      const auto one = run_and_check(kind, dims, dense(dims), reduced, x, 1),
                 two = run_and_check(kind, dims, dense(dims), reduced, x, 2);
      EXPECT_EQ(one, two);
    }
  }
}

TEST(Reduce, SpecialValues) {
  for_each_isa([] {
    for (int k = 0; k < kKinds; ++k) {
      for (float special : {kNan, kInf, -kInf}) {
        auto x = random_floats(5 * 40, 1, 0.5f, 1.5f);
        x[77] = special;
        for (uint32_t reduced : {1u, 2u, 3u})
          run_and_check(static_cast<ReduceKind>(k), {5, 40}, {40, 1}, reduced, x, 1);
        std::fill(x.begin(), x.end(), special);
        run_and_check(static_cast<ReduceKind>(k), {5, 40}, {40, 1}, 2, x, 1);
      }
    }
  });
}

TEST(ArgExtreme, AgainstScan) {
  for_each_isa([] {
    for (int64_t inner : {1, 3, 70}) {
      for (int64_t n : {1, 2, 19, 200}) {
        for (int variant = 0; variant < 8; ++variant) {
          const bool largest = variant & 1, last = variant & 2;
          auto x = random_floats(3 * n * inner, static_cast<uint32_t>(variant));
          for (float& v : x) v = std::round(v * 2);  // equals occur
          if (variant & 4) x[x.size() / 2] = kNan, x[x.size() / 3] = kNan;
          std::vector<int64_t> y(static_cast<size_t>(3 * inner), -1);
          arg_extreme(largest, last, 3, n, inner, x.data(), y.data(), 2);
          for (int64_t o = 0; o < 3 * inner; ++o) {
            auto at = [&](int64_t i) { return x[static_cast<size_t>(o / inner * n * inner + i * inner + o % inner)]; };
            int64_t best = 0;
            for (int64_t i = 1; i < n; ++i) {
              const float a = at(i), b = at(best);
              const bool equal = a == b || (std::isnan(a) && std::isnan(b));
              const bool better = !std::isnan(b) && (std::isnan(a) || (largest ? a > b : a < b));
              if (better || (equal && last)) best = i;
            }
            ASSERT_EQ(y[static_cast<size_t>(o)], best) << n << " " << inner << " " << variant;
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace kiln::cpu
