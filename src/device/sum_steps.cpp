// What kernels of several devices do with the sums of a product: writing and checked reading.
#include "device/sum_steps.h"

#include <cmath>

#include "base/error.h"
#include "device/byte_table.h"
#include "device/parameters.h"

namespace kiln {
namespace {

constexpr size_t kMostSteps = 64;

// 0 where it leaves the normal numbers.
float reciprocal_of(float v) {
  const float r = 1 / v;
  return std::isnormal(v) && std::isnormal(r) ? r : 0;
}

}  // namespace

void put_sum_parameters(Attributes& to, const SumParameters& p) {
  Ints kinds, activations;
  Floats lows, highs;
  for (const SumStep& s : p.steps) {
    kinds.push_back(s.kind);
    lows.push_back(s.low);
    highs.push_back(s.high);
    if (s.kind == SumStep::kActivate) activations.push_back(static_cast<int64_t>(s.activation));
  }
  to.set("steps", kinds);
  to.set("step_lows", lows);
  to.set("step_highs", highs);
  if (!activations.empty()) to.set("step_activations", activations);
  to.set("result_zero", int64_t{p.zero});
  if (p.table.empty()) return;
  to.set("table", Ints(p.table.begin(), p.table.end()));
  to.set("table_signed", int64_t{p.is_signed});
}

SumParameters read_sum_parameters(const Attributes& from) {
  SumParameters p;
  const Ints& kinds = from.ints("steps");
  const Floats lows = from.reals("step_lows", {}), highs = from.reals("step_highs", {});
  const Ints activations = from.ints("step_activations", {});
  auto next_activation = activations.begin();
  if (kinds.size() > kMostSteps || lows.size() != kinds.size() || highs.size() != kinds.size())
    throw Error(Code::kMalformedPlan, "the steps after a sum are " + std::to_string(kinds.size()) + " kinds with " +
                                          std::to_string(lows.size()) + " and " + std::to_string(highs.size()) +
                                          " numbers");
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i] < 0 || kinds[i] >= kSumStepKinds)
      throw Error(Code::kMalformedPlan, "a step after a sum is of kind " + std::to_string(kinds[i]));
    SumStep s;
    s.kind = static_cast<SumStep::Kind>(kinds[i]);
    s.low = static_cast<float>(lows[i]);
    s.high = s.kind == SumStep::kDivide ? reciprocal_of(s.low) : static_cast<float>(highs[i]);
    if (s.kind == SumStep::kActivate) {
      const int64_t number = next_activation == activations.end() ? -1 : *next_activation++;
      if (number < 0 || number >= kActivationCount)
        throw Error(Code::kMalformedPlan, "an activation after a sum is of kind " + std::to_string(number));
      s.activation = static_cast<Activation>(number);
    }
    p.steps.push_back(s);
  }
  p.zero = static_cast<int32_t>(read_integer(from, "result_zero", -128, 255));
  for (int64_t to : from.ints("table", {})) p.table.push_back(static_cast<uint8_t>(to));
  if (!p.table.empty() && std::ssize(p.table) != kByteTable)
    throw Error(Code::kMalformedPlan, "the table after a sum has " + std::to_string(p.table.size()) + " bytes");
  p.is_signed = from.integer("table_signed", 0) != 0;
  return p;
}

}  // namespace kiln
