// Kernel "pointwise_generated": a scalar program that was compiled for its operands. Its code says all: it has no parameters of its own.
#include "backends/cuda/device/generated/pointwise_parts.h"

#include "backends/cuda/device/kernels/pointwise_call.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int kMostLanes = 8;        // in registers
constexpr int kFewLanes = 4;         // of programs whose copies for each lane would take long to fetch
constexpr size_t kLongProgram = 24;  // instructions

// The kernel has inputs first, the loop has results first.
size_t source_of(const GeneratedProgram& g, size_t operand) {
  const size_t inputs = g.program.input_count, results = g.program.outputs.size();
  return operand < inputs ? results + operand : operand - inputs;
}

Reach reach_of(const Loop& loop, size_t source) {
  const int64_t stride = loop.dims.empty() ? 0 : loop.strides[source].back();
  return stride == 0 ? Reach::kRepeated : stride == 1 ? Reach::kAdjacent : Reach::kStrided;
}

// Whether each operand goes as the code was compiled for, and rows begin at words.
bool takes_words(const GeneratedProgram& g, const Loop& loop) {
  if (loop.dims.empty()) return false;
  for (size_t k = 0; k < g.types.size(); ++k) {
    const Dims& strides = loop.strides[source_of(g, k)];
    if (g.reaches[k] != Reach::kStrided && g.reaches[k] != reach_of(loop, source_of(g, k))) return false;
    if (g.reaches[k] != Reach::kAdjacent) continue;
    for (size_t axis = 0; axis + 1 < strides.size(); ++axis)
      if (strides[axis] % g.lanes != 0) return false;
  }
  return true;
}

GeneratedArguments<kMaxOperands> arguments_of(const GeneratedProgram& g, Loop loop, int lanes) {
  GeneratedArguments<kMaxOperands> a;
  for (size_t k = 0; k < g.types.size(); ++k)
    a.operands[k].inner = loop.dims.empty() ? 0 : loop.strides[source_of(g, k)].back();
  group_lanes(loop, lanes, a.inner);
  a.count = static_cast<uint32_t>(loop.count());
  a.axes = static_cast<int32_t>(loop.dims.size());
  for (size_t axis = 0; axis < loop.dims.size(); ++axis) {
    a.dims[axis] = divisor(loop.dims[axis]);
    for (size_t k = 0; k < g.types.size(); ++k) a.operands[k].strides[axis] = loop.strides[source_of(g, k)][axis];
  }
  return a;
}

class PointwiseGenerated final : public Kernel {
 public:
  PointwiseGenerated(Gpu& gpu, std::shared_ptr<Module> module, const Attributes& parameters)
      : gpu_(gpu),
        module_(std::move(module)),
        generated_(read_parameters<GeneratedProgram>(parameters)),
        words_(module_->function(kWordsFunction)),
        elements_(module_->function(kElementsFunction)) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(check_pointwise(generated_.program, call));
      for (size_t k = 0; k < generated_.types.size(); ++k) {
        const TensorView& v = k < call.inputs.size() ? call.inputs[k] : call.outputs[k - call.inputs.size()];
        if (v.dtype != generated_.types[k])
          return {Code::kMalformedPlan, "an operand is of another type than a kernel was generated for"};
      }
      parts_ = generated_parts(generated_, call);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    for (GeneratedPart& part : parts_) {
      const bool words = part.place(call);
      const GeneratedArguments<kMaxOperands>& arguments = words ? part.words : part.elements;
      Launch launch{words ? words_ : elements_};
      launch.threads = kGeneratedThreads;
      launch.grid[0] = (arguments.count - 1) / kGeneratedThreads + 1;
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, launch, arguments));
    }
    return kOkStatus;
  }

  Sharing sharing() const noexcept override { return Sharing::kInPlace; }

 private:
  Gpu& gpu_;
  std::shared_ptr<Module> module_;
  GeneratedProgram generated_;
  CUfunction words_, elements_;
  std::vector<GeneratedPart> parts_;
};

}  // namespace

bool GeneratedPart::place(const KernelCall& call) noexcept {
  bool words = takes_words;
  const size_t inputs = call.inputs.size();
  for (size_t k = 0; k < inputs + call.outputs.size(); ++k) {
    const TensorView& v = k < inputs ? call.inputs[k] : call.outputs[k - inputs];
    char* const data = static_cast<char*>(v.data) + starts[k];
    this->words.operands[k].data = elements.operands[k].data = data;
    words = words && is_aligned(data, aligned[k]);
  }
  return words;
}

std::vector<GeneratedPart> generated_parts(const GeneratedProgram& g, const KernelCall& call) {
  const PointwiseLoop loop = pointwise_loop(call);
  std::vector<GeneratedPart> list;
  for (const LoopPart& from : loop.parts) {
    GeneratedPart& part = list.emplace_back();
    part.takes_words = takes_words(g, from.loop);
    part.elements = arguments_of(g, from.loop, 1);
    if (part.takes_words) part.words = arguments_of(g, from.loop, g.lanes);
    for (size_t k = 0; k < g.types.size(); ++k) {
      const int bytes = element_bytes(g.types[k]);
      part.starts[k] = from.starts[source_of(g, k)] * bytes;
      part.aligned[k] = g.reaches[k] == Reach::kAdjacent ? g.lanes * bytes : 1;
    }
  }
  return list;
}

void plan_words(GeneratedProgram& g, const KernelCall& call, int word) {
  const PointwiseLoop loop = pointwise_loop(call);
  g.reaches.assign(g.types.size(), Reach::kRepeated);
  int widest = 1;
  for (size_t k = 0; k < g.types.size() && !loop.parts.empty(); ++k) {
    g.reaches[k] = reach_of(loop.parts[0].loop, source_of(g, k));
    if (g.reaches[k] == Reach::kAdjacent) widest = std::max(widest, element_bytes(g.types[k]));
  }
  g.lanes = std::clamp(word / widest, 1, g.program.code.size() > kLongProgram ? kFewLanes : kMostLanes);
}

std::unique_ptr<Kernel> make_pointwise_generated(Gpu& gpu, std::shared_ptr<Module> module,
                                                 const Attributes& parameters) {
  return std::make_unique<PointwiseGenerated>(gpu, std::move(module), parameters);
}

}  // namespace kiln::cuda::kernels
