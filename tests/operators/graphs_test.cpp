// Random graphs as engines. KILN_GRAPHS=N takes N instead of a few, and `--gtest_random_seed=S` others; scripts/graphs.sh runs many.
#include <gtest/gtest.h>

#include "operators/graphs/checks.h"
#include "operators/seeds.h"

namespace kiln::operators {
namespace {

constexpr uint64_t kFew = 250;

TEST(Graphs, AgreeWithTheReferenceInEveryWay) {
  const uint64_t count = seeds_wanted("KILN_GRAPHS", kFew);
  const auto first = static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
  for (uint64_t seed = first; seed < first + count; ++seed)
    if (const std::string report = report_of(seed); !report.empty()) ADD_FAILURE() << report;
}

}  // namespace
}  // namespace kiln::operators
