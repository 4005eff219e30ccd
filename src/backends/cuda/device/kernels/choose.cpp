// Kernel "choose": the elements of the second operand where the first one (bool) holds, and of the third elsewhere, with the bits that they
// have. Operands broadcast.
#include "backends/cuda/device/cu/choose.h"

#include "backends/cuda/device/kernels/pointwise_call.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

class Choose final : public Kernel {
 public:
  Choose(Gpu& gpu, const NoParameters&) : gpu_(gpu) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 3 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "a choice has three operands and one result"};
      const TensorView& y = call.outputs[0];
      const int size = element_bytes(y.dtype);
      if (call.inputs[0].dtype != DType::kBool || call.inputs[1].dtype != y.dtype || call.inputs[2].dtype != y.dtype ||
          size == 0)
        return {Code::kMalformedPlan, "a choice has operands of other types"};
      KILN_RETURN_IF_ERROR(check_broadcast(call));
      const PointwiseLoop loop = pointwise_loop(call);
      parts_.clear();
      for (const LoopPart& part : loop.parts) {
        Part p{{gpu_.function("choose", "choose_" + std::to_string(size))}, walk_of<4>(part.loop), {}};
        for (size_t k = 0; k < loop.operands.size(); ++k)
          p.starts[k] = part.starts[k] * element_bytes(loop.operands[k]->dtype);
        p.launch.threads = kChooseThreads;
        p.launch.grid[0] = blocks_for(p.walk.count, kChooseThreads);
        parts_.push_back(p);
      }
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    for (const Part& p : parts_) {
      const auto at = [&](const TensorView& v, size_t k) { return static_cast<uint8_t*>(v.data) + p.starts[k]; };
      const void *conditions = at(call.inputs[0], 1), *yes = at(call.inputs[1], 2), *no = at(call.inputs[2], 3);
      void* y = at(call.outputs[0], 0);
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, p.launch, p.walk, conditions, yes, no, y));
    }
    return kOkStatus;
  }

 private:
  struct Part {
    Launch launch;
    ChooseLoop walk;
    int64_t starts[4];  // bytes, per operand
  };

  Gpu& gpu_;
  std::vector<Part> parts_;
};

}  // namespace

std::unique_ptr<Kernel> make_choose(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Choose>(gpu, read_parameters<NoParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
