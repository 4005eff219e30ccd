// NVRTC, opened when it is asked for, and what it compiled.
#include "backends/cuda/device/nvrtc.h"

#include <algorithm>

#include "backends/cuda/device/embedded.h"
#include "backends/cuda/device/image.h"
#include "backends/cuda/device/library.h"
#include "base/hash.h"

namespace kiln::cuda {
namespace {

constexpr const char* kRemedy = "name the library's file in KILN_NVRTC, or install NVIDIA's NVRTC 12 or 13";

// Headers of the standard library that those of Kiln include, as far as generated kernels go: they use none of their classes.
struct Header {
  const char *name, *text;
};
constexpr Header kStandard[] = {
    {"cstddef", "using size_t = decltype(sizeof(0));\n"},
    {"cstdint",
     "using int8_t = signed char; using uint8_t = unsigned char; using int16_t = short; using uint16_t = unsigned "
     "short;\n"
     "using int32_t = int; using uint32_t = unsigned; using int64_t = long long; using uint64_t = unsigned long long;\n"
     "using uintptr_t = unsigned long long;\n"
     "#define INT64_MIN (-9223372036854775807ll - 1)\n"},
    {"optional", "namespace std { template <class T> class optional; }\n"},
    {"span", "namespace std { template <class T> class span; }\n"},
    {"string", "namespace std { class string; }\n"},
    {"string_view", "namespace std { class string_view; }\n"},
    {"vector", "namespace std { template <class T> class vector {}; }\n"},
};

// Of all programs. Products and sums are rounded one by one, as the reference does.
constexpr const char* kOptions[] = {"--std=c++20", "--fmad=false", "--device-as-default-execution-space"};

// By name and text.
std::vector<Header> headers() {
  std::vector<Header> all(std::begin(kStandard), std::end(kStandard));
  for (const EmbeddedHeader& h : embedded_headers()) all.push_back({h.name, h.text});
  return all;
}

std::string start(Nvrtc& nvrtc) {
  int major = 0, minor = 0, count = 0;
  nvrtcResult result = nvrtc.nvrtcVersion(&major, &minor);
  if (result == NVRTC_SUCCESS) result = nvrtc.nvrtcGetNumSupportedArchs(&count);
  nvrtc.architectures.resize(static_cast<size_t>(std::max(count, 0)));
  if (result == NVRTC_SUCCESS && count > 0) result = nvrtc.nvrtcGetSupportedArchs(nvrtc.architectures.data());
  nvrtc.version = 1000 * major + 10 * minor;
  if (result == NVRTC_SUCCESS) return "";
  return "NVRTC does not start: " + std::string(nvrtc.nvrtcGetErrorString(result));
}

// A program in the library.
class Program {
 public:
  Program(const Nvrtc& nvrtc, const std::string& source) : nvrtc_(nvrtc) {
    std::vector<const char*> names, texts;
    for (const Header& h : headers()) names.push_back(h.name), texts.push_back(h.text);
    check(nvrtc_.nvrtcCreateProgram(&program_, source.c_str(), "generated.cu", static_cast<int>(names.size()),
                                    texts.data(), names.data()));
  }
  ~Program() { (void)nvrtc_.nvrtcDestroyProgram(&program_); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  std::vector<std::byte> compile(int compute) {
    const std::string architecture = "--gpu-architecture=sm_" + std::to_string(compute);
    std::vector<const char*> options{architecture.c_str()};
    options.insert(options.end(), std::begin(kOptions), std::end(kOptions));
    const nvrtcResult result = nvrtc_.nvrtcCompileProgram(program_, static_cast<int>(options.size()), options.data());
    if (result == NVRTC_ERROR_COMPILATION)
      throw Error(Code::kInternal, "NVRTC does not compile a generated kernel").cause(log());
    check(result);
    size_t size = 0;
    check(nvrtc_.nvrtcGetCUBINSize(program_, &size));
    std::vector<std::byte> binary(size);
    check(nvrtc_.nvrtcGetCUBIN(program_, reinterpret_cast<char*>(binary.data())));
    return binary;
  }

 private:
  void check(nvrtcResult result) const {
    if (result == NVRTC_SUCCESS) return;
    const Code code = result == NVRTC_ERROR_OUT_OF_MEMORY ? Code::kOutOfMemory : Code::kExecution;
    throw Error(code, "NVRTC fails: " + std::string(nvrtc_.nvrtcGetErrorString(result)))
        .remedy("build without generated kernels: --disable=pointwise_generated");
  }
  std::string log() const {
    size_t size = 0;
    check(nvrtc_.nvrtcGetProgramLogSize(program_, &size));
    std::string text(size, ' ');
    check(nvrtc_.nvrtcGetProgramLog(program_, text.data()));
    return text.substr(0, text.find('\0'));
  }

  const Nvrtc& nvrtc_;
  nvrtcProgram program_ = nullptr;
};

constexpr size_t kMostCompiled = 4096;  // some 10 KB each

// Of all that decides what is made of the source.
Hash128 key_of(const Nvrtc& nvrtc, const std::string& source, int compute) {
  static const std::string surroundings = [] {
    std::string text;
    for (const char* option : kOptions) text += std::string(option) + "\n";
    for (const Header& h : headers()) text += h.name + std::string("\n") + h.text + "\n";
    return hash128(text).hex();
  }();
  return hash128("NVRTC " + std::to_string(nvrtc.version) + " sm_" + std::to_string(compute) + " " + surroundings +
                 "\n" + source);
}

}  // namespace

const Nvrtc* find_nvrtc(std::string& reason) {
  static const auto& opened =
      *new OpenedLibrary<Nvrtc>({"NVRTC", "KILN_NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12"}}, start);
  return opened.get(reason);
}

std::string compiler_lack(int compute) {
  std::string reason;
  const Nvrtc* nvrtc = find_nvrtc(reason);
  if (!nvrtc) return reason;
  const std::vector<int>& known = nvrtc->architectures;
  if (std::find(known.begin(), known.end(), compute) == known.end())
    return "NVRTC " + version_text(nvrtc->version) + " does not compile for compute capability " +
           std::to_string(compute / 10) + "." + std::to_string(compute % 10);
  const Driver* driver = find_driver(reason);
  if (driver && nvrtc->version / 1000 > driver->version / 1000)
    return "NVRTC " + version_text(nvrtc->version) + " is newer than the driver, which is for CUDA " +
           version_text(driver->version);
  return "";
}

Binary compile(const std::string& source, int compute, KeptCode* kept) {
  if (const std::string lack = compiler_lack(compute); !lack.empty())
    throw Error(Code::kUnsupported, "a kernel cannot be compiled").cause(lack).remedy(kRemedy);
  static auto& compiled = *new CompiledOnce(kMostCompiled);
  std::string reason;
  const Nvrtc& nvrtc = *find_nvrtc(reason);
  return compiled.get(key_of(nvrtc, source, compute), kept, is_whole_image, [&] {
    return std::make_shared<const std::vector<std::byte>>(Program(nvrtc, source).compile(compute));
  });
}

}  // namespace kiln::cuda
