// Kernels that are generated.
#include "backends/cuda/device/generator.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "backends/cuda/device/generated/pointwise_parts.h"
#include "backends/cuda/device/generated/pointwise_source.h"
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

template <class T> bool read_at(std::span<const std::byte> bytes, uint64_t offset, T& value) {
  if (offset > bytes.size() || sizeof value > bytes.size() - offset) return false;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return true;
}

// Drivers are not told how long the code is: all that its tables point to has to lie inside.
bool is_whole_image(std::span<const std::byte> bytes) {
  Elf64_Ehdr header;
  if (!read_at(bytes, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_CUDA || header.e_shnum == 0 ||
      header.e_shentsize != sizeof(Elf64_Shdr) || (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr)))
    return false;
  const auto inside = [&](uint64_t offset, uint64_t size) {
    return offset <= bytes.size() && size <= bytes.size() - offset;
  };
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    if (!inside(header.e_shoff, 0) || !read_at(bytes, header.e_shoff + i * sizeof section, section)) return false;
    if (section.sh_type != SHT_NOBITS && !inside(section.sh_offset, section.sh_size)) return false;
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!inside(header.e_phoff, 0) || !read_at(bytes, header.e_phoff + i * sizeof segment, segment)) return false;
    if (!inside(segment.p_offset, segment.p_filesz)) return false;
  }
  return header.e_shstrndx < header.e_shnum;
}

class GeneratedExecutable final : public Executable {
 public:
  GeneratedExecutable(Gpu& gpu, const Generator& generator, const GeneratedKernel& kernel)
      : gpu_(gpu),
        generator_(generator),
        module_(std::make_shared<Module>(gpu, kernel.binary.data())),
        parameters_(kernel.parameters) {}
  std::unique_ptr<Kernel> create_kernel() const override { return generator_.make(gpu_, module_, parameters_); }

 private:
  Gpu& gpu_;
  const Generator& generator_;
  std::shared_ptr<Module> module_;
  Attributes parameters_;
};

}  // namespace

std::span<const Generator> all_generators() {
  static constexpr Generator kGenerators[] = {
      {"pointwise_generated", 1, kernels::pointwise_source, kernels::make_pointwise_generated},
  };
  return kGenerators;
}

std::shared_ptr<const GeneratedKernel> generate(const Generator& generator, const Attributes& parameters,
                                                const Chip& chip) {
  const Binary binary = compile(generator.source(parameters), chip.compute);
  return std::make_shared<const GeneratedKernel>(GeneratedKernel{std::string(generator.name), generator.version,
                                                                 architecture_of(chip), parameters, *binary, binary});
}

std::vector<std::byte> generate_again(const GeneratedKernel& kernel, const Chip& chip) {
  const Generator& generator = generator_of(kernel, chip);
  return *compile(generator.source(kernel.parameters), chip.compute);
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
  if (!is_whole_image(source.code->binary))
    throw Error(Code::kMalformedPlan, "the code of a generated kernel is damaged")
        .cause("its " + std::to_string(source.code->binary.size()) + " bytes are no machine code for a GPU")
        .remedy(kRebuild);
  auto loaded = std::make_shared<GeneratedExecutable>(gpu, generator, *source.code);
  (void)loaded->create_kernel();  // checks the parameters
  return loaded;
}

}  // namespace kiln::cuda
