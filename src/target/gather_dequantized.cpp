// GatherDequantized of a constant table as a step.
#include "target/gather_dequantized.h"

#include "base/index.h"
#include "device/gather_dequantized.h"
#include "target/checks.h"
#include "target/epilogue.h"

namespace kiln {
namespace {

// The elements as they are packed, without copying them.
Tensor packed_bytes(const Tensor& t) {
  return Tensor::borrow(DType::kU8, {t.bytes()}, t.data(), std::make_shared<const Tensor>(t));
}

// How far apart parameters of adjacent indices (of adjacent blocks along the axis of blocks) of the table lie.
Ints parameter_strides(const Tensor& parameter, int64_t rank, int64_t axis, int64_t block) {
  Ints strides(static_cast<size_t>(rank), 0);
  if (parameter.size() == 1) return strides;
  if (block == 0) nth(strides, axis) = 1;
  else strides = row_major_strides(parameter.dims());
  return strides;
}

}  // namespace

Refusal accept_gather_dequantized(const Problem& p) {
  if (!p.post().empty()) return refuse("it has post-operations");
  for (const Argument* a : {&p.input(1), &p.outputs[0]}) {
    if (!a->layout.is_plain()) return refuse("an operand has the blocked layout " + to_string(a->layout));
    if (!a->ranked) return refuse("the rank of an operand is not known");
  }
  for (int i : {0, 2, 3})
    if (p.input(i).present && !p.input(i).constant) return refuse("a parameter of the table is not constant");
  return p.input(0).constant->size() > 0 ? accept() : refuse("the table is empty");
}

void emit_gather_dequantized(const Problem& p, Emitted& e) {
  const Tensor &table = *p.input(0).constant, &scale = *p.input(2).constant;
  const Tensor* zero = p.input(3).constant;
  const bool is_one = scale.size() == 1 && (!zero || zero->size() == 1);  // the axis may be none then
  const int64_t axis = is_one ? 0 : axis_of(p, "axis", 1, table.rank()),
                block = is_one ? 0 : p.attributes().integer("block_size", 0);
  put_parameters(e.parameters, GatherDequantizedParameters{
                                   .dims = table.dims(),
                                   .axis = axis_of(p, "gather_axis", 0, table.rank()),
                                   .bits = bits(table.dtype()),
                                   .is_signed = is_signed_integer(table.dtype()),
                                   .block_axis = axis,
                                   .block = std::max<int64_t>(block, 1),
                                   .scale_strides = parameter_strides(scale, table.rank(), axis, block),
                                   .zero_strides = zero ? parameter_strides(*zero, table.rank(), axis, block) : Ints(),
                               });
  e.inputs = {add_constant(e, packed_bytes(table)), 1, add_constant(e, scale.reshaped({scale.size()}))};
  if (zero) e.inputs.push_back(add_constant(e, packed_bytes(*zero)));
}

}  // namespace kiln
