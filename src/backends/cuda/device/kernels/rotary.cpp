// Kernel "rotary": turns pairs of each head's elements, of float32, float16 or bfloat16. Inputs: x [b, heads, t, size] or [b, t, heads *
// size] of any strides, cosines and sines [positions, half] or [b, t, half], position ids [b, t] (int64, may be absent). Parameters: heads
// (of three axes), rotated (0: whole heads), interleaved.
#include "backends/cuda/device/cu/rotary.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/attention_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class Rotary final : public Kernel {
 public:
  Rotary(Gpu& gpu, const RotaryParameters& p)
      : gpu_(gpu), heads_(p.heads), rotated_(p.rotated), interleaved_(p.interleaved) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 4 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "rotary has other operands"};
      const TensorView &x = call.inputs[0], &cosines = call.inputs[1], &ids = call.inputs[3], &y = call.outputs[0];
      const char* suffix = float_suffix(x.dtype);
      for (const TensorView* v : {&x, &cosines, &call.inputs[2], &y})
        if (!suffix || v->dtype != x.dtype || !is_plain(*v))
          return {Code::kMalformedPlan, "rotary is of float32, float16 or bfloat16"};
      if (!same_dims(x, y) || (x.rank != 3 && x.rank != 4) || (x.rank == 3 && (heads_ == 0 || x.dims[2] % heads_ != 0)))
        return {Code::kShapeMismatch, "rotary keeps the shape of its heads"};
      for (const TensorView* v : {&x, &y})
        if (v->strides[v->rank - 1] != 1 && v->dims[v->rank - 1] != 1)
          return {Code::kMalformedPlan, "the elements of a head of rotary are not adjacent"};
      const int64_t heads = x.rank == 4 ? x.dims[1] : heads_, steps = x.dims[x.rank - 2],
                    size = x.rank == 4 ? x.dims[3] : x.dims[2] / heads_, pairs = (rotated_ == 0 ? size : rotated_) / 2;
      if (2 * pairs > size || cosines.rank < 1 || !cosines.is_dense() || !call.inputs[2].is_dense() ||
          !same_dims(cosines, call.inputs[2]) || cosines.dims[cosines.rank - 1] != pairs)
        return {Code::kShapeMismatch, "the cosines of rotary have another width"};
      const int64_t positions = extent(cosines, 0, cosines.rank - 1), rows = x.dims[0] * steps;
      const bool has_ids = ids.present();
      if (has_ids ? ids.dtype != DType::kI64 || !ids.is_dense() || ids.elements() != rows : positions != rows)
        return {Code::kShapeMismatch, "the positions of rotary do not fit"};
      const int64_t width = size - pairs;
      if (x.elements() > INT32_MAX) return {Code::kUnsupported, "rotary has too many elements"};
      arguments_ = {static_cast<uint32_t>(rows * heads * width),
                    divisor(width),
                    divisor(heads),
                    divisor(steps),
                    static_cast<uint32_t>(pairs),
                    interleaved_,
                    strides_of(x, size),
                    strides_of(y, size),
                    positions};
      launch_ = {gpu_.function("rotary", "rotary" + std::string(suffix))};
      launch_.threads = kRotaryThreads;
      launch_.grid[0] = blocks_for(arguments_.count, kRotaryThreads);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const void *x = call.inputs[0].data, *cosines = call.inputs[1].data, *sines = call.inputs[2].data,
               *ids = call.inputs[3].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, cosines, sines, ids, y);
  }

 private:
  static HeadStrides strides_of(const TensorView& v, int64_t size) {
    if (v.rank == 4) return {v.strides[0], v.strides[1], v.strides[2]};
    return {v.strides[0], size, v.strides[1]};
  }

  Gpu& gpu_;
  int64_t heads_, rotated_;
  bool interleaved_;
  RotaryArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_rotary(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Rotary>(gpu, read_parameters<RotaryParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
