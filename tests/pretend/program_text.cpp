// Generated kernels of the pretend device.
#include "pretend/program_text.h"

#include "tensor/scalar_codec.h"

namespace kiln::pretend {
namespace {

constexpr std::string_view kMagic = "program text: ";
constexpr std::string_view kArchitecture = "pretend_1";
constexpr int64_t kVersion = 1;
constexpr const char* kRemedy = "build the engine again, or load it without trust in its kernels";

void check_request(const GeneratedKernel& kernel) {
  if (kernel.generator != kProgramText)
    throw Error(Code::kMalformedPlan, "the pretend device has no generator '" + kernel.generator + "'").remedy(kRemedy);
  if (kernel.version != kVersion)
    throw Error(Code::kPlanVersion, "the kernel was made by version " + std::to_string(kernel.version) +
                                        " of its generator, this is version " + std::to_string(kVersion))
        .remedy("build the engine again");
  if (kernel.architecture != kArchitecture)
    throw Error(Code::kPlanDevice, "the kernel was made for " + kernel.architecture)
        .cause("this device is " + std::string(kArchitecture))
        .remedy("build the engine on this machine");
}

Attributes parse(std::span<const std::byte> binary) {
  const std::string_view text(reinterpret_cast<const char*>(binary.data()), binary.size());
  size_t position = kMagic.size();
  try {
    if (text.starts_with(kMagic)) {
      const Attributes parameters = parse_attributes(text, position);
      if (position == text.size()) return parameters;
    }
  } catch (const Error&) {
    position = 0;  // reported below like other damage
  }
  throw Error(Code::kMalformedPlan, "the code of a kernel is damaged").cause("it is no program text").remedy(kRemedy);
}

}  // namespace

std::vector<std::byte> program_text(const GeneratedKernel& kernel) {
  check_request(kernel);
  const ScalarProgram program = get_program(kernel.parameters, "program");
  Attributes parameters;
  put_program(parameters, "program", program);
  const std::string text = std::string(kMagic) + to_string(parameters);
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::shared_ptr<const GeneratedKernel> generate_program_text(const Attributes& parameters) {
  GeneratedKernel kernel{std::string(kProgramText), kVersion, std::string(kArchitecture), parameters};
  auto binary = std::make_shared<const std::vector<std::byte>>(program_text(kernel));
  kernel.binary = *binary;
  kernel.owner = std::move(binary);
  return std::make_shared<const GeneratedKernel>(std::move(kernel));
}

std::shared_ptr<const Executable> load_program_text(const KernelSource& source) {
  if (!source.code)
    throw Error(Code::kMalformedPlan, "a generated kernel has no code").remedy("build the engine again");
  check_request(*source.code);
  const Attributes parameters = parse(source.code->binary);
  return open_device("cpu").load({"pointwise", parameters});
}

}  // namespace kiln::pretend
