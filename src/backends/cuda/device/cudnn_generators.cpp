// Kernels whose plans cuDNN compiles when the engine is built, which takes it a second or more each, and which it reads again from the
// engine's file in milliseconds.
#include "backends/cuda/device/cudnn_generators.h"

#include <charconv>

#include "backends/cuda/device/kernels/cudnn_kernels.h"
#include "tensor/attributes.h"

namespace kiln::cuda {
namespace {

using namespace kernels;

constexpr size_t kMostCompiled = 1024;  // some 70 KB each
constexpr const char* kAgain =
    "load the engine without trust in its kernels (--rebuildKernels), which compiles it again, or build it again";

const Cudnn& library_or_throw() {
  std::string reason;
  const Cudnn* library = find_cudnn(reason);
  if (!library)
    throw Error(Code::kPlanDevice, "a step of the engine is compiled by cuDNN, which is not there")
        .cause(reason)
        .remedy("name the library's file in KILN_CUDNN, or build the engine with --disable=cudnn");
  return *library;
}

// By the chosen kernel; by the first that is proposed where the library is of another version.
template <class Compiled> Binary compiled(const Cudnn& library, const Compiled& parameters, const Chip& chip) {
  const CudnnDescriptor properties = gpu_properties(library, chip);
  std::vector<std::byte> all;
  for (const auto& described : planned(parameters)) {
    const CudnnGraph graph = described.graph(library, {nullptr, &properties});
    const CudnnPlan plan = parameters.choice.library == library.version
                               ? graph.plan(parameters.choice)
                               : graph.plan_within(parameters.needs(), CudnnGraph::kMostWorkspace);
    const std::vector<std::byte> text = text_of(plan);
    if (!all.empty()) all.push_back(kBetweenPlans);
    all.insert(all.end(), text.begin(), text.end());
  }
  return std::make_shared<const std::vector<std::byte>>(std::move(all));
}

// Of the library that wrote the plan; 0: it is none.
int64_t version_of(std::span<const std::byte> bytes) {
  const std::string_view plan(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  constexpr std::string_view kMember = "\"cudnnVersion\":";
  if (plan.empty() || plan.front() != '{' || plan.back() != '}') return 0;
  const size_t at = plan.find(kMember);
  int64_t version = 0;
  if (at != plan.npos) std::from_chars(plan.data() + at + kMember.size(), plan.data() + plan.size(), version);
  return version;
}

void check_plan(std::span<const std::byte> plan) {
  const int64_t version = version_of(plan);
  const Cudnn& library = library_or_throw();
  if (version <= 0)
    throw Error(Code::kMalformedPlan, "a plan of cuDNN in the engine is damaged")
        .cause("its " + std::to_string(plan.size()) + " bytes are no plan as the library writes them")
        .remedy(kAgain);
  if (version != library.version)
    throw Error(Code::kPlanDevice, "a step of the engine was compiled by cuDNN " + cudnn_version_text(version) +
                                       ", this is " + cudnn_version_text(library.version))
        .remedy(kAgain);
}

// Of all that decides what the library makes.
Hash128 key_of(const Cudnn& library, const GeneratedKernel& request, const Chip& chip) {
  std::string text = "cuDNN";
  for (const int64_t number : {library.version, int64_t{chip.compute}, int64_t{chip.multiprocessors},
                               int64_t{chip.shared_per_block}, chip.cache, request.version})
    text += " " + std::to_string(number);
  return hash128(text + " " + request.generator + "\n" + to_string(request.parameters));
}

template <class Compiled> Binary build(const GeneratedKernel& request, const Chip& chip, KeptCode* kept) {
  const auto p = read_parameters<Compiled>(request.parameters);
  const Cudnn& library = library_or_throw();
  static auto& known = *new CompiledOnce(kMostCompiled);
  const auto is_sound = [&](std::span<const std::byte> plans) {
    for (size_t i = 0; i < planned(p).size(); ++i)
      if (version_of(plan_among(plans, i)) != library.version) return false;
    return true;
  };
  return known.get(key_of(library, request, chip), kept, is_sound, [&] { return compiled(library, p, chip); });
}

template <class Compiled> class CudnnExecutable final : public Executable {
 public:
  CudnnExecutable(Gpu& gpu, const GeneratedKernel& kernel)
      : gpu_(gpu),
        parameters_(read_parameters<Compiled>(kernel.parameters)),
        plan_(std::make_shared<const std::vector<std::byte>>(kernel.binary.begin(), kernel.binary.end())) {}
  std::unique_ptr<Kernel> create_kernel() const override { return compiled_kernel(gpu_, parameters_, plan_); }

 private:
  Gpu& gpu_;
  Compiled parameters_;
  Binary plan_;
};

template <class Compiled> std::shared_ptr<const Executable> load(Gpu& gpu, const GeneratedKernel& kernel) {
  const size_t count = planned(read_parameters<Compiled>(kernel.parameters)).size();
  for (size_t i = 0; i < count; ++i) check_plan(plan_among(kernel.binary, i));
  return std::make_shared<CudnnExecutable<Compiled>>(gpu, kernel);
}

template <class Compiled> constexpr Generator generator(std::string_view name, int64_t version) {
  return {name, version, build<Compiled>, load<Compiled>};
}

}  // namespace

std::span<const Generator> cudnn_generators() {
  static constexpr Generator kAll[] = {
      generator<CudnnCompiledConv>("cudnn_compiled", 1),
      generator<CudnnCompiledAttention>("cudnn_attention", 2),
      generator<CudnnCompiledNorm>("cudnn_norm", 1),
  };
  return kAll;
}

}  // namespace kiln::cuda
