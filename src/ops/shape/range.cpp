// Range: start, start + delta, ... up to but without limit.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr double kMaxLength = 0x1p40;

std::optional<Dim> float_length(const ShapeCall& c) {
  const Tensor *start = c.constant("start"), *limit = c.constant("limit"), *delta = c.constant("delta");
  if (!start || !limit || !delta) return std::nullopt;
  const double length = std::ceil((limit->at(0) - start->at(0)) / delta->at(0));
  if (!(std::abs(length) <= kMaxLength))
    throw Error(Code::kInvalidArgument, "Range from " + std::to_string(start->at(0)) + " to " +
                                            std::to_string(limit->at(0)) + " by " + std::to_string(delta->at(0)))
        .cause("it has no finite length");
  return Dim(static_cast<int64_t>(std::max(length, 0.0)));
}

std::optional<Dim> range_length(const ShapeCall& c) {
  if (is_float(c.dtype("start"))) return float_length(c);
  auto start = c.elements("start"), limit = c.elements("limit");
  auto delta = c.int_values("delta");
  if (!start || !limit || !delta || start->size() != 1 || limit->size() != 1 || delta->size() != 1) return std::nullopt;
  const int64_t step = delta->front();
  if (step == 0 || step == INT64_MIN) throw Error(Code::kInvalidArgument, "Range by " + std::to_string(step));
  const Dim span = step > 0 ? limit->front() - start->front() : start->front() - limit->front();
  return max(ceil_div(span, Dim(std::abs(step))), Dim(0));
}

std::optional<std::vector<Dim>> range_elements(ShapeCall& c) {
  auto start = c.elements("start");
  auto delta = c.elements("delta");
  auto length = range_length(c);
  if (!start || !delta || !length || !length->is_constant() || length->value() > kMaxElements) return std::nullopt;
  std::vector<Dim> result;
  for (int64_t i = 0; i < length->value(); ++i) result.push_back(start->front() + Dim(i) * delta->front());
  return result;
}

void range_reference(RefCall& c) {
  Tensor& out = c.output();
  const bool real = is_float(out.dtype());
  for (int64_t i = 0; i < out.size(); ++i) {
    if (real) out.set(i, c.input("start").at(0) + static_cast<double>(i) * c.input("delta").at(0));
    else out.set_int(i, c.input("start").int_at(0) + i * c.input("delta").int_at(0));
  }
}

}  // namespace

// stash_type names the precision for float16 and bfloat16; the reference computes in double whatever it says.
const OpDef range = op("Range")
                        .input("start", kFloatTypes | TypeSet{DType::kI16, DType::kI32, DType::kI64})
                        .input("limit", kNumericTypes, "start")
                        .input("delta", kNumericTypes, "start")
                        .attr("stash_type", std::string("float32"))
                        .output("output", same_type("start"))
                        .shape([](ShapeCall& c) {
                          auto n = range_length(c);
                          return Shape{n ? *n : c.unknown_dim(0, 0)};
                        })
                        .elements(range_elements)
                        .reference(range_reference);

}  // namespace kiln::ops
