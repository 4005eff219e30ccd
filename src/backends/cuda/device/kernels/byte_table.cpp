// Kernel "byte_table": bytes made of bytes by a table of all results. Inputs: x, and a constant table of 256 bytes. x and the result lie
// alike, without gaps, row-major or channels last.
#include "backends/cuda/device/cu/byte_table.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/byte_table.h"

namespace kiln::cuda::kernels {
namespace {

bool lie_alike(const TensorView& a, const TensorView& b) {
  for (int i = 0; i < a.rank; ++i)
    if (a.dims[i] > 1 && a.strides[i] != b.strides[i]) return false;
  return true;
}

// Every element has its own place among as many bytes.
bool fills_its_place(const TensorView& v) {
  int64_t last = 0;
  for (int i = 0; i < v.rank; ++i) last += (v.dims[i] - 1) * v.strides[i];
  return v.elements() == 0 || last + 1 == v.elements();
}

class ByteTable final : public Kernel {
 public:
  explicit ByteTable(Gpu& gpu) : gpu_(gpu) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 2 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "a table of bytes has two operands and one result"};
      const auto is_plain_byte = [](const TensorView& v) { return is_byte(v) && is_plain(v); };
      const TensorView &x = call.inputs[0], &table = call.inputs[1], &y = call.outputs[0];
      if (!is_plain_byte(x) || !is_plain_byte(table) || !is_plain_byte(y) || !table.host || !table.is_dense() ||
          table.elements() != kByteTable)
        return {Code::kMalformedPlan, "operands of a table of bytes have other types or sizes, or it is not constant"};
      if (!same_dims(x, y) || !lie_alike(x, y) || !fills_its_place(x))
        return {Code::kShapeMismatch, "the operands of a table of bytes lie otherwise"};
      if (x.elements() > INT32_MAX) return {Code::kUnsupported, "a table of bytes takes fewer than 2^31 of them"};
      count_ = static_cast<uint32_t>(x.elements());
      launch_ = {gpu_.function("byte_table", "byte_table")};
      launch_.threads = kByteTableThreads;
      launch_.grid[0] = blocks_for(count_, kByteTableThreads * kByteTableRun);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const void *x = call.inputs[0].data, *table = call.inputs[1].data;
    void* y = call.outputs[0].data;
    const int32_t in_words = is_aligned(x, kByteTableRun) && is_aligned(y, kByteTableRun);
    return gpu_.launch(stream, launch_, x, table, y, count_, in_words);
  }

 private:
  Gpu& gpu_;
  uint32_t count_ = 0;
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_byte_table(Gpu& gpu, const Attributes& parameters) {
  (void)read_parameters<NoParameters>(parameters);
  return std::make_unique<ByteTable>(gpu);
}

}  // namespace kiln::cuda::kernels
