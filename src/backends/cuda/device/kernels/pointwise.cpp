// Kernel "pointwise": a scalar program over broadcast tensors of any strides.
#include "backends/cuda/device/kernels/pointwise_call.h"
#include "backends/cuda/device/kernels/pointwise_code.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/pointwise_parameters.h"

namespace kiln::cuda::kernels {
namespace {

PointwiseCode code_of(const ScalarProgram& program) {
  std::string reason;
  auto code = pointwise_code(program, reason);
  if (!code) throw Error(Code::kMalformedPlan, "a scalar program does not fit the GPU's interpreter: " + reason);
  return *std::move(code);
}

// Elements whose types a program on floats and bools can hold, and those that it can read.
bool is_float_result(DType type) { return float_suffix(type) || type == DType::kBool; }
bool is_float_input(DType type) { return is_generated_type(type) && type != DType::kF64; }

// Whether the elements lie one after the other as the loop goes, in its first operand.
bool is_dense(const Loop& loop) {
  int64_t stride = 1;
  for (size_t axis = loop.dims.size(); axis-- > 0; stride *= loop.dims[axis])
    if (loop.strides[0][axis] != stride) return false;
  return true;
}

class Pointwise final : public Kernel {
 public:
  Pointwise(Gpu& gpu, const ScalarProgram& program)
      : gpu_(gpu),
        code_(code_of(program)),
        float_code_(code_of(with_float_inputs(program))),
        chain_(chain_code(with_float_inputs(program))),
        inputs_(program.input_count),
        program_(program) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(check_pointwise(program_, call));
      const auto [operands, loop_parts] = pointwise_loop(call);
      bool floats = float_code_.floats, chains = chain_.has_value();
      for (const TensorView& v : call.outputs) {
        floats = floats && is_float_result(v.dtype);
        chains = chains && float_suffix(v.dtype);
      }
      for (const TensorView& v : call.inputs) floats = floats && is_float_input(v.dtype);
      parts_.clear();
      chain_parts_.clear();
      if (std::any_of(operands.begin(), operands.end(), [](const TensorView* v) { return bits(v->dtype) % 8 != 0; }) &&
          (loop_parts.size() > 1 || call.outputs.size() > 1))
        return {Code::kUnsupported, "a program on parts of bytes has one result, of fewer than 2^31 elements"};
      const bool packs = bits(call.outputs[0].dtype) % 8 != 0;
      for (const LoopPart& part : loop_parts)
        if (packs && !is_dense(part.loop)) return {Code::kUnsupported, "parts of bytes are stored one after the other"};
        else if (packs) parts_.push_back(make_part(part, operands, Part::kPacked));
        else if (floats && chains) chain_parts_.push_back(make_chain(part, operands));
        else parts_.push_back(make_part(part, operands, floats ? Part::kFloats : Part::kAny));
      return kOkStatus;
    });
  }

  Sharing sharing() const noexcept override { return Sharing::kInPlace; }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    for (Chain& part : chain_parts_) {
      ChainArguments& a = part.arguments;
      for (size_t k = 0; k < inputs_; ++k) a.data[k] = static_cast<uint8_t*>(call.inputs[k].data) + part.starts[k];
      a.data[kChainInputs] = static_cast<uint8_t*>(call.outputs[0].data) + part.starts[kChainInputs];
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, part.launch, a));
    }
    for (Part& part : parts_) {
      PointwiseArguments& a = part.arguments;
      const size_t inputs = call.inputs.size();
      for (size_t k = 0; k < inputs; ++k) a.data[k] = static_cast<uint8_t*>(call.inputs[k].data) + part.starts[k];
      for (size_t k = 0; k < call.outputs.size(); ++k)
        a.data[inputs + k] = static_cast<uint8_t*>(call.outputs[k].data) + part.starts[inputs + k];
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, part.launch, a));
    }
    return kOkStatus;
  }

 private:
  struct Part {
    enum Way {
      kFloats,
      kAny,
      kPacked
    };  // all values are floats and bools; not so; elements of the result are parts of bytes
    Launch launch;
    PointwiseArguments arguments;
    std::vector<int64_t> starts;  // bytes, per operand
  };

  struct Chain {
    Launch launch;
    ChainArguments arguments;
    int64_t starts[kChainInputs + 1] = {};  // bytes, per operand
  };

  Part make_part(const LoopPart& from, const std::vector<const TensorView*>& operands, Part::Way way) {
    Part part{{}, {}, std::vector<int64_t>(operands.size())};
    PointwiseArguments& a = part.arguments;
    const PointwiseCode& code = way == Part::kFloats ? float_code_ : code_;
    const size_t outputs = code.results.size();
    a.inputs = static_cast<uint8_t>(inputs_);
    a.outputs = static_cast<uint8_t>(outputs);
    a.steps = static_cast<uint8_t>(code.steps.size());
    std::copy(code.steps.begin(), code.steps.end(), a.code);
    std::copy(code.results.begin(), code.results.end(), a.results);
    std::copy(code.result_types.begin(), code.result_types.end(), a.result_types);
    // The kernel has its inputs first.
    Loop loop{from.loop.dims, {}};
    for (size_t k = 0; k < operands.size(); ++k) {
      const size_t source = k < inputs_ ? outputs + k : k - inputs_;
      loop.strides.push_back(from.loop.strides[source]);
      a.types[k] = operands[source]->dtype;
      part.starts[k] = from.starts[source] * element_bytes(a.types[k]);
      a.inner_strides[k] = loop.dims.empty() ? 0 : loop.strides[k].back();
    }
    constexpr const char* kFunctions[] = {"pointwise_f32", "pointwise_any", "pointwise_packed"};
    if (way != Part::kPacked) group_lanes(loop, kLanes, a.inner);
    a.walk = walk_of<kMaxOperands>(loop);
    part.launch.function = gpu_.function("pointwise", kFunctions[way]);
    part.launch.threads = kPointwiseThreads;
    part.launch.grid[0] =
        blocks_for(a.walk.count, int64_t{kPointwiseThreads} * (way == Part::kPacked ? kPackedLanes : 1));
    return part;
  }

  // `operands`: the result, then the inputs; the kernel has the result last.
  Chain make_chain(const LoopPart& from, const std::vector<const TensorView*>& operands) {
    Chain part{{}, {}};
    ChainArguments& a = part.arguments;
    a.inputs = static_cast<uint8_t>(inputs_);
    a.first = chain_->first;
    a.steps = static_cast<uint8_t>(chain_->steps.size());
    std::copy(chain_->steps.begin(), chain_->steps.end(), a.code);
    Loop loop{from.loop.dims, std::vector<Dims>(kChainInputs + 1, Dims(from.loop.dims.size(), 0))};
    for (size_t source = 0; source <= inputs_; ++source) {
      const size_t k = source == 0 ? kChainInputs : source - 1;
      loop.strides[k] = from.loop.strides[source];
      a.types[k] = operands[source]->dtype;
      part.starts[k] = from.starts[source] * element_bytes(a.types[k]);
      a.inner_strides[k] = loop.dims.empty() ? 0 : loop.strides[k].back();
    }
    group_lanes(loop, kLanes, a.inner);
    a.walk = walk_of<kChainInputs + 1>(loop);
    part.launch = {gpu_.function("pointwise_chain", "pointwise_chain")};
    part.launch.threads = kPointwiseThreads;
    part.launch.grid[0] = blocks_for(a.walk.count, kPointwiseThreads);
    return part;
  }

  Gpu& gpu_;
  PointwiseCode code_, float_code_;  // the second where all values are floats and bools
  std::optional<ChainCode> chain_;
  size_t inputs_;
  ScalarProgram program_;
  std::vector<Part> parts_;
  std::vector<Chain> chain_parts_;
};

}  // namespace

std::unique_ptr<Kernel> make_pointwise(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Pointwise>(gpu, read_parameters<PointwiseParameters>(parameters).program);
}

}  // namespace kiln::cuda::kernels
