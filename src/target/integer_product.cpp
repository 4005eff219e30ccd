// What products and convolutions of bytes ask of their kernels.
#include "target/integer_product.h"

#include "passes/quantize/integer_sums.h"
#include "target/checks.h"
#include "target/spatial_window.h"

namespace kiln {
namespace {

constexpr TypeSet kMultiplied{DType::kI8, DType::kU8};

bool is_integer_conv(const Problem& p) { return p.op() == "ConvInteger" || p.op() == "QLinearConv"; }
bool quantizes(const Problem& p) { return p.op() == "QLinearMatMul" || p.op() == "QLinearConv"; }

// One number, or one per row, column or channel.
Refusal accept_parameter(const Argument& a, bool per_index) {
  if (!a.present || (a.is_static && element_count(a.opt) == 1)) return accept();
  if (per_index && rank(a) == 1) return accept();
  return refuse("a scale or zero point of shape " + to_string(a.opt));
}

// Sums of MatMulInteger and ConvInteger wrap; QLinear operators quantize the true ones.
Refusal accept_terms(const Problem& p) {
  if (!quantizes(p)) return accept();
  const bool conv = is_integer_conv(p), told = conv || !has_run_time_symbol(p.node->input(0)->shape());
  const int64_t terms =
      conv ? element_count(Dims(p.input(3).opt.begin() + 1, p.input(3).opt.end())) : p.input(0).max.back();
  constexpr passes::ByteRange kAny{-UINT8_MAX, UINT8_MAX};
  if (!told || !passes::sums_fit(kAny, kAny, terms)) return refuse(passes::kSumsMayWrap);
  return accept();
}

}  // namespace

std::vector<std::string_view> integer_product_ops() {
  return {"MatMulInteger", "QLinearMatMul", "ConvInteger", "QLinearConv"};
}

bool is_integer_product(const Problem& p) { return !is_integer_conv(p); }

std::vector<int> integer_operands(const Problem& p) {
  std::vector<int> inputs{0, 1, 2, 3};
  if (quantizes(p)) inputs = {0, 3, 2, 5, 1, 4, 6, 7};
  if (p.op() == "QLinearConv") inputs.push_back(8);
  for (int& i : inputs)
    if (!p.input(i).present) i = Emitted::kAbsent;
  return inputs;
}

Refusal accept_integer_product(const Problem& p) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  const std::vector<int> inputs = integer_operands(p);
  const Argument &a = p.input(0), &b = p.input(inputs[1]);
  if (!kMultiplied.has(a.dtype) || !kMultiplied.has(b.dtype))
    return refuse("products of " + std::string(name(a.dtype)) + " and " + std::string(name(b.dtype)));
  if (quantizes(p) && (p.input(1).dtype != DType::kF32 || !kMultiplied.has(p.outputs[0].dtype)))
    return refuse("scales of type " + std::string(name(p.input(1).dtype)));
  if (rank(a) < 2 || rank(b) < 2) return refuse("an operand is a vector");
  if (is_integer_conv(p) && (rank(a) < 3 || !b.is_static)) return refuse("the kernel's size is not known");
  if (Refusal r = accept_terms(p); r.refused()) return r;
  for (size_t i = 2; i < inputs.size(); ++i) {
    if (inputs[i] == Emitted::kAbsent) continue;
    const bool per_index = is_integer_product(p) || i == 3 || i == 5 || i == 8;
    if (Refusal r = accept_parameter(p.input(inputs[i]), per_index); r.refused()) return r;
  }
  return accept();
}

IntegerConvParameters integer_conv_parameters(const Problem& p) {
  const Dims& w = p.input(integer_operands(p)[1]).opt;
  return {spatial_window_of(p, {w.begin() + 2, w.end()}), p.attributes().integer("group", 1)};
}

}  // namespace kiln
