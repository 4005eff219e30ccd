// Kernels that make bytes element by element. "byte_table": of bytes; inputs x and a table of 256 bytes. "byte_quantize": of float32;
// parameters scale, zero_point.
#include "backends/cpu/device/compute/byte_maps.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/integer_result.h"
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/views.h"

namespace kiln::cpu::kernels {
namespace {

// Element by element, in whatever order both tensors have in common.
class ByteMap : public DenseKernel {
 protected:
  explicit ByteMap(size_t inputs) : inputs_(inputs) {}

  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != inputs_ || call.outputs.size() != 1 || !is_byte(call.outputs[0]) ||
        !takes_input(call.inputs[0]) || (inputs_ > 1 && !is_table(call.inputs[1])))
      return {Code::kMalformedPlan, "operands of a map to bytes have other types"};
    if (!same_dims(call.inputs[0], call.outputs[0]))
      return {Code::kShapeMismatch, "the operands of a map to bytes have other shapes"};
    return kOkStatus;
  }
  bool takes(const KernelCall& call) const override {
    return call.inputs.size() == inputs_ && call.outputs.size() == 1 && is_channels_last(call.inputs[0]) &&
           is_channels_last(call.outputs[0]);
  }
  virtual bool takes_input(const TensorView& x) const = 0;

 private:
  static bool is_table(const TensorView& v) { return is_byte(v) && v.is_dense() && v.elements() == kByteTable; }
  size_t inputs_;
};

class ByteTable final : public ByteMap {
 public:
  explicit ByteTable(const NoParameters&) : ByteMap(2) {}

 private:
  bool takes_input(const TensorView& x) const override { return is_byte(x); }
  Status launch_dense(const KernelCall& call) noexcept override {
    map_bytes(static_cast<const uint8_t*>(call.inputs[0].data), static_cast<uint8_t*>(call.outputs[0].data),
              call.inputs[0].elements(), static_cast<const uint8_t*>(call.inputs[1].data), thread_count());
    return kOkStatus;
  }
};

class ByteQuantize final : public ByteMap {
 public:
  explicit ByteQuantize(const ByteQuantizeParameters& p)
      : ByteMap(1), scale_(static_cast<float>(p.scale)), zero_(p.zero_point) {}

 private:
  bool takes_input(const TensorView& x) const override { return is_f32(x); }
  Status launch_dense(const KernelCall& call) noexcept override {
    const Quantizer q{scale_, zero_, call.outputs[0].dtype == DType::kI8};
    quantize_floats(static_cast<const float*>(call.inputs[0].data), static_cast<uint8_t*>(call.outputs[0].data),
                    call.inputs[0].elements(), q, thread_count());
    return kOkStatus;
  }

  float scale_;
  int32_t zero_;
};

}  // namespace

std::unique_ptr<Kernel> make_byte_table(const Attributes& parameters) {
  return std::make_unique<ByteTable>(read_parameters<NoParameters>(parameters));
}
std::unique_ptr<Kernel> make_byte_quantize(const Attributes& parameters) {
  return std::make_unique<ByteQuantize>(read_parameters<ByteQuantizeParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
