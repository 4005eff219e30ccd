// Every operator on random samples, as engines of every back end. `--gtest_random_seed=N` takes other samples, KILN_SAMPLES=N other numbers of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "operators/seeds.h"
#include "operators/trial.h"

namespace kiln::operators {
namespace {

constexpr uint64_t kSeeds = 100;

// Operators that no graph of one node with tensors can hold, with the reason.
struct Exempt {
  const char *op, *reason;
};
constexpr const char *kStrings = "takes or gives strings; tests/ops/strings_test.cpp",
                     *kImage = "takes an image file; tests/ops/image_test.cpp";
constexpr const char *kSequence = "takes or gives a sequence or optional; tests/ops/sequence_test.cpp",
                     *kControl = "holds graphs; tests/compiler/compile_test.cpp";
constexpr Exempt kExempt[] = {
    {"ConcatFromSequence", kSequence},
    {"If", kControl},
    {"ImageDecoder", kImage},
    {"Loop", kControl},
    {"Optional", kSequence},
    {"OptionalGetElement", kSequence},
    {"OptionalHasElement", kSequence},
    {"RegexFullMatch", kStrings},
    {"Scan", kControl},
    {"SequenceAt", kSequence},
    {"SequenceConstruct", kSequence},
    {"SequenceEmpty", kSequence},
    {"SequenceErase", kSequence},
    {"SequenceInsert", kSequence},
    {"SequenceLength", kSequence},
    {"SplitToSequence", kSequence},
    {"StringConcat", kStrings},
    {"StringConstant", kStrings},
    {"StringNormalizer", kStrings},
    {"StringSplit", kStrings},
};

bool is_exempt(const std::string& op) {
  return std::any_of(std::begin(kExempt), std::end(kExempt), [&](const Exempt& e) { return op == e.op; });
}

std::vector<const OpDef*> sampled_ops() {
  std::vector<const OpDef*> ops;
  for (const OpDef* op : all_ops())
    if (sampler_of(*op)) ops.push_back(op);
  return ops;
}

TEST(Operators, EachIsSampledOrExempt) {
  for (const OpDef* op : all_ops())
    EXPECT_NE(sampler_of(*op) != nullptr, is_exempt(op->name()))
        << op->name() << " needs a sampler in tests/operators/samplers, or a reason in the list of exempt operators";
  for (const Exempt& e : kExempt) EXPECT_NE(find_op(e.op), nullptr) << e.op;
  for (const Entry& entry : all_samplers()) EXPECT_NE(find_op(entry.op), nullptr) << entry.op;
}

class OperatorTest : public ::testing::TestWithParam<const OpDef*> {};

TEST_P(OperatorTest, AgreesWithItsReferenceOnEveryBackEnd) {
  const auto first = static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
  const uint64_t count = seeds_wanted("KILN_SAMPLES", kSeeds);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(GetParam()->name() + " seed " + std::to_string(seed));
    try {
      Trial trial(*GetParam(), seed);
      if (seed % 3 == 2) trial.make_dynamic();
      for (const std::string& failure : trial.failures(seed % 5 == 1)) ADD_FAILURE() << failure << "\n" << trial.str();
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, OperatorTest, ::testing::ValuesIn(sampled_ops()),
                         [](const auto& test) { return test.param->name(); });

}  // namespace
}  // namespace kiln::operators
