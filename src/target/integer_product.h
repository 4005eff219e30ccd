// Products and convolutions of bytes whose weights, zero points and scales may be known only when running: MatMulInteger, ConvInteger,
// QLinearMatMul and QLinearConv, as kernels "integer_product" and "integer_conv" take them.
#pragma once
#include "device/integer_parameters.h"
#include "target/target.h"

namespace kiln {

std::vector<std::string_view> integer_product_ops();
Refusal accept_integer_product(const Problem& problem);
// False: a convolution.
bool is_integer_product(const Problem& problem);
// Inputs as the kernels take them: operands, zero points, then of the last two operators scales of both and of the result, its zero point and,
// of a convolution, the bias.
std::vector<int> integer_operands(const Problem& problem);
IntegerConvParameters integer_conv_parameters(const Problem& problem);

}  // namespace kiln
