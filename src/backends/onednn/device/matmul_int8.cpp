// Kernel "matmul_int8": bytes a [..., m, k] times signed bytes [k, n].
#include "backends/onednn/device/integer_sums.h"
#include "backends/onednn/device/primitive_kernel.h"
#include "backends/onednn/device/primitive_parameters.h"
#include "backends/onednn/device/registry.h"

namespace kiln::onednn {
namespace {

class MatMulInt8 final : public IntegerSums {
 public:
  explicit MatMulInt8(const MatMulInt8Parameters& p) : IntegerSums(p.sums) {}

 protected:
  Recipe describe(const KernelCall& call) const override {
    if (call.inputs.empty() || call.outputs.size() != 1)
      throw Error(Code::kMalformedPlan, "a product of bytes has other operands");
    const TensorView& a = call.inputs[0];
    const auto left = cpu::kernels::matrix_of(a), out = cpu::kernels::matrix_of(call.outputs[0]);
    if (!left || !out || left->rows != out->rows || left->columns < 1)
      throw Error(Code::kShapeMismatch, "the operands of a product of bytes do not fit each other");
    Recipe r;
    r.source = Desc({left->rows, left->columns}, type_of_bytes(a), Ints{left->stride, 1});
    r.weights = Desc({left->columns, out->columns}, dnnl::memory::data_type::s8, dnnl::memory::format_tag::ab);
    r.sums = Desc({out->rows, out->columns}, dnnl::memory::data_type::s32, dnnl::memory::format_tag::ab);
    r.rows_of = cpu::kernels::matrix_of;
    r.rows = out->rows;
    r.columns = out->columns;
    r.stride = out->stride;
    const Desc any({left->columns, out->columns}, dnnl::memory::data_type::s8, dnnl::memory::format_tag::any);
    const dnnl::matmul::primitive_desc made(engine(), r.source, any, r.sums, scratchpad_of_step(), true);
    if (made && is_exact(made)) r.primitive = made;
    return r;
  }
};

}  // namespace

std::unique_ptr<Kernel> make_matmul_int8(const Attributes& parameters) {
  return std::make_unique<MatMulInt8>(read_parameters<MatMulInt8Parameters>(parameters));
}

}  // namespace kiln::onednn
