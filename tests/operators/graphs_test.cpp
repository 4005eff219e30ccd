// Random graphs as engines. KILN_GRAPHS=N takes N instead of a few, and `--gtest_random_seed=S` others; scripts/graphs.sh runs many.
#include <gtest/gtest.h>

#include <cstdlib>

#include "operators/graphs/checks.h"

namespace kiln::operators {
namespace {

constexpr uint64_t kFew = 250;

TEST(Graphs, AgreeWithTheReferenceInEveryWay) {
  const char* wanted = std::getenv("KILN_GRAPHS");
  const uint64_t count = wanted ? std::strtoull(wanted, nullptr, 10) : kFew;
  const auto first = static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
  for (uint64_t seed = first; seed < first + count; ++seed)
    if (const std::string report = report_of(seed); !report.empty()) ADD_FAILURE() << report;
}

}  // namespace
}  // namespace kiln::operators
