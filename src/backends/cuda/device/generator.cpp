// Kernels that are generated.
#include "backends/cuda/device/generator.h"

#include <algorithm>

#ifdef KILN_WITH_CUDNN
#include "backends/cuda/device/cudnn_generators.h"
#endif
#include "backends/cuda/device/generated/pointwise_parts.h"
#include "backends/cuda/device/generated/pointwise_source.h"
#include "backends/cuda/device/image.h"
#include "backends/cuda/device/nvrtc.h"

namespace kiln::cuda {
namespace {

constexpr const char* kRebuild = "build the engine again, or load it without trust in its kernels (--rebuildKernels)";

const Generator* find_generator(std::string_view name) {
  const auto all = all_generators();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Generator& g) { return g.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string architecture_of(const Chip& chip) { return "sm_" + std::to_string(chip.compute); }

// The generator that made the kernel, for this chip.
const Generator& generator_of(const GeneratedKernel& kernel, const Chip& chip) {
  const Generator* generator = find_generator(kernel.generator);
  if (!generator)
    throw Error(Code::kMalformedPlan, "there is no generator of kernels '" + kernel.generator.substr(0, 100) + "'")
        .cause("the engine is damaged, or was built by a later version of Kiln")
        .remedy("build the engine again with this version");
  if (kernel.version != generator->version)
    throw Error(Code::kPlanVersion, "a generated kernel is of another version than this runtime generates")
        .cause("it was made by version " + std::to_string(kernel.version) + " of '" + kernel.generator +
               "', this is version " + std::to_string(generator->version))
        .remedy("build the engine again with this version");
  if (kernel.architecture != architecture_of(chip))
    throw Error(Code::kPlanDevice, "a generated kernel is for another GPU")
        .cause("it was compiled for " + kernel.architecture.substr(0, 100) + ", this is " + architecture_of(chip))
        .remedy("build the engine for this GPU");
  return *generator;
}

// Of machine code in a module.
class PointwiseExecutable final : public Executable {
 public:
  PointwiseExecutable(Gpu& gpu, const GeneratedKernel& kernel)
      : gpu_(gpu), module_(std::make_shared<Module>(gpu, kernel.binary.data())), parameters_(kernel.parameters) {}
  std::unique_ptr<Kernel> create_kernel() const override {
    return kernels::make_pointwise_generated(gpu_, module_, parameters_);
  }

 private:
  Gpu& gpu_;
  std::shared_ptr<Module> module_;
  Attributes parameters_;
};

Binary build_pointwise(const GeneratedKernel& request, const Chip& chip, KeptCode* kept) {
  return compile(kernels::pointwise_source(request.parameters), chip.compute, kept);
}

std::shared_ptr<const Executable> load_pointwise(Gpu& gpu, const GeneratedKernel& kernel) {
  if (!is_whole_image(kernel.binary))
    throw Error(Code::kMalformedPlan, "the code of a generated kernel is damaged")
        .cause("its " + std::to_string(kernel.binary.size()) + " bytes are no machine code for a GPU")
        .remedy(kRebuild);
  return std::make_shared<PointwiseExecutable>(gpu, kernel);
}

}  // namespace

std::span<const Generator> all_generators() {
  static const auto& all = *new std::vector<Generator>([] {
    std::vector<Generator> list{{"pointwise_generated", 1, build_pointwise, load_pointwise}};
#ifdef KILN_WITH_CUDNN
    for (const Generator& g : cudnn_generators()) list.push_back(g);
#endif
    return list;
  }());
  return all;
}

std::shared_ptr<const GeneratedKernel> generate(std::string_view name, const Attributes& parameters, const Chip& chip,
                                                KeptCode* kept) {
  const Generator* generator = find_generator(name);
  if (!generator) throw Error(Code::kInternal, "there is no generator '" + std::string(name) + "'");
  GeneratedKernel kernel{std::string(generator->name), generator->version, architecture_of(chip), parameters};
  const Binary binary = generator->build(kernel, chip, kept);
  kernel.binary = *binary;
  kernel.owner = binary;
  return std::make_shared<const GeneratedKernel>(std::move(kernel));
}

std::vector<std::byte> generate_again(const GeneratedKernel& kernel, const Chip& chip) {
  return *generator_of(kernel, chip).build(kernel, chip, nullptr);
}

std::shared_ptr<const Executable> load_generated(Gpu& gpu, const KernelSource& source) {
  if (!find_generator(source.kernel)) return nullptr;
  if (!source.code)
    throw Error(Code::kMalformedPlan, "the generated kernel '" + std::string(source.kernel) + "' has no code")
        .remedy("build the engine again");
  (void)read_parameters<NoParameters>(source.parameters);  // its code says all
  const Generator& generator = generator_of(*source.code, gpu.chip());
  if (generator.name != source.kernel)
    throw Error(Code::kMalformedPlan,
                "kernel '" + std::string(source.kernel) + "' has the code of '" + std::string(generator.name) + "'")
        .remedy("build the engine again");
  auto loaded = generator.load(gpu, *source.code);
  (void)loaded->create_kernel();  // checks the parameters
  return loaded;
}

}  // namespace kiln::cuda
