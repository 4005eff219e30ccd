// What the tactics of convolutions and products of bytes share.
#include "backends/cuda/target/byte_conv.h"

#include "backends/cuda/target/checks.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/index.h"

namespace kiln::cuda {
namespace {

constexpr TypeSet kResults = kByteTypes | TypeSet{DType::kI32, DType::kF32};

Refusal read_images(const Problem& p, ByteConv& c) {
  const Argument &x = p.input(0), &w = p.input(1), &y = p.outputs[0];
  for (const Refusal& r : {accept_image(x, "x", kByteTypes), accept_image(y, "y", kResults)})
    if (r.refused()) return r;
  if (!is_channels_last(y)) return refuse("y has layout " + to_string(y.layout) + ", needs channels last");
  if (!x.is_fixed(1)) return refuse("the number of channels is not constant");
  if (!w.constant || w.constant->rank() != rank(x)) return refuse("the weights are not constant, or of another rank");
  const Dims& dims = w.constant->dims();
  c.window = window_of(p, Ints(dims.begin() + 2, dims.end()));
  c.groups = p.attributes().integer("group", 1);
  c.columns = dims[0] / c.groups;
  c.channels = dims[1];
  return read_byte_problem(p, 1, 0, c.bytes);
}

Refusal read_matrices(const Problem& p, ByteConv& c) {
  const Argument &a = p.input(0), &b = p.input(1), &y = p.outputs[0];
  if (!a.ranked || rank(a) < 2 || !b.constant || rank(b) != 2)
    return refuse("it is no product of matrices by a constant one");
  if (!kByteTypes.has(a.dtype)) return refuse("a is " + std::string(name(a.dtype)) + ", needs " + kByteTypes.str());
  if (!a.layout.is_row_major() || !y.layout.is_row_major()) return refuse("an operand is not row-major");
  c.matrix = true;
  c.channels = b.opt[0];
  c.columns = b.opt[1];
  return read_byte_problem(p, static_cast<int>(rank(y)) - 1, 1, c.bytes);
}

}  // namespace

std::vector<int32_t> sums_of_columns(const ByteConv& c) {
  std::vector<int32_t> sums(static_cast<size_t>(c.groups * c.columns), 0);
  for (int64_t column = 0; column < std::ssize(sums); ++column)
    for (int64_t tap = 0; tap < c.taps(); ++tap)
      for (int64_t channel = 0; channel < c.channels; ++channel)
        nth(sums, column) += nth(c.bytes.weights, c.weight(column, tap, channel));
  return sums;
}

Refusal read_byte_conv(const Problem& p, ByteConv& c) {
  if (const Refusal r = p.op() == "ConvInteger" ? read_images(p, c) : read_matrices(p, c); r.refused()) return r;
  if (c.columns * c.channels * c.taps() == 0) return refuse("there are no weights");
  if (c.bytes.parameters.steps.size() > kMostSumSteps)
    return refuse(std::to_string(c.bytes.parameters.steps.size()) + " steps follow the sums, needs at most " +
                  std::to_string(kMostSumSteps));
  c.product = {element_count(p.outputs[0].opt) / (c.groups * c.columns), c.columns,
               ceil_div(int8_parts(c.bytes) * c.taps() * kernels::padded_channels(c.channels, 1), kernels::kChunk)};
  return accept();
}

ByteConv byte_conv(const Problem& p) {
  ByteConv c;
  if (const Refusal r = read_byte_conv(p, c); r.refused())
    throw Error(Code::kInternal, "a product of bytes was not accepted").cause(r.reason);
  return c;
}

kernels::ByteConvParameters parameters_of(const ByteConv& c) {
  return {{{c.window, c.groups}, c.matrix}, {c.bytes.x_zero, stored_sums(c.bytes.parameters)}};
}

}  // namespace kiln::cuda
