// What kernels of several devices do with the sums of a product: as fields of a step, and back.
#include "device/sum_steps.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "device/byte_table.h"

namespace kiln {
namespace {

constexpr size_t kMostSteps = 64;

// 0 where it leaves the normal numbers.
float reciprocal_of(float v) {
  const float r = 1 / v;
  return std::isnormal(v) && std::isnormal(r) ? r : 0;
}

}  // namespace

SumFields stored_sums(const SumParameters& p) {
  SumFields to{.zero = p.zero};
  for (const SumStep& s : p.steps) {
    to.kinds.push_back(s.kind);
    to.lows.push_back(s.low);
    to.highs.push_back(s.high);
    if (s.kind != SumStep::kActivate) continue;
    if (!to.activations) to.activations.emplace();
    to.activations->push_back(static_cast<int64_t>(s.activation));
  }
  if (p.table.empty()) return to;
  to.table = p.table;
  to.is_signed = p.is_signed;
  return to;
}

void SumFields::check() const {
  const auto activated = std::count(kinds.begin(), kinds.end(), SumStep::kActivate);
  if (kinds.size() > kMostSteps || lows.size() != kinds.size() || highs.size() != kinds.size() ||
      static_cast<int64_t>(activations ? activations->size() : 0) != activated)
    throw Error(Code::kMalformedPlan, "the steps after a sum are " + std::to_string(kinds.size()) + " kinds with " +
                                          std::to_string(lows.size()) + " and " + std::to_string(highs.size()) +
                                          " numbers, or other activations than they have");
  if (table && std::ssize(*table) != kByteTable)
    throw Error(Code::kMalformedPlan, "the table after a sum has " + std::to_string(table->size()) + " bytes");
}

SumParameters restored_sums(const SumFields& from) {
  SumParameters p{.zero = from.zero,
                  .table = from.table.value_or(std::vector<uint8_t>()),
                  .is_signed = from.is_signed.value_or(false)};
  size_t activated = 0;
  for (size_t i = 0; i < from.kinds.size(); ++i) {
    SumStep s;
    s.kind = static_cast<SumStep::Kind>(from.kinds[i]);
    s.low = static_cast<float>(from.lows[i]);
    s.high = s.kind == SumStep::kDivide ? reciprocal_of(s.low) : static_cast<float>(from.highs[i]);
    if (s.kind == SumStep::kActivate) s.activation = static_cast<Activation>((*from.activations)[activated++]);
    p.steps.push_back(s);
  }
  return p;
}

}  // namespace kiln
