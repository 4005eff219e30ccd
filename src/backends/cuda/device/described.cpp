// GPUs that this machine lacks: kernels can be asked, nothing runs.
#include <algorithm>
#include <iterator>

#include "backends/cuda/device/device.h"
#include "backends/cuda/device/embedded.h"
#include "backends/cuda/device/generator.h"
#include "backends/cuda/device/memory.h"

namespace kiln::cuda {
namespace {

// Compute capabilities on which the machine code runs that this back end has by default.
struct Served {
  int from, to;
};
constexpr Served kServed[] = {{75, 75}, {80, 89}, {90, 90}, {100, 109}, {120, 129}};

bool has_kernels(int compute) {
  const std::string_view compiled = embedded_modules().front().functions;
  return compiled.find(" " + std::to_string(compute) + "\n") != std::string::npos ||
         std::any_of(std::begin(kServed), std::end(kServed),
                     [&](const Served& s) { return s.from <= compute && compute <= s.to; });
}

class NoMemory final : public Allocator {
 public:
  void* allocate(size_t, size_t) noexcept override { return nullptr; }
  void deallocate(void*) noexcept override {}
};

class DescribedDevice final : public Device {
 public:
  DescribedDevice(const DeviceFacts& facts, const Chip& chip) : facts_(facts), gpu_(nullptr, nullptr, chip) {}
  std::string_view name() const override { return "cuda"; }
  const DeviceFacts& facts() const override { return facts_; }
  bool is_present() const override { return false; }
  int max_threads() const override { return 1; }
  double edge_milliseconds() const override { return kEdgeMilliseconds; }
  int64_t free_memory() const noexcept override { return 0; }
  Allocator& allocator() override { return none_; }
  Allocator& staging() override { return none_; }
  std::unique_ptr<Stream> create_stream(int) override { throw absent(); }
  std::unique_ptr<Event> create_event(bool) override { throw absent(); }
  Stream* adopt_stream(void*) noexcept override { return nullptr; }
  Event* adopt_event(void*) noexcept override { return nullptr; }
  Status copy(Stream&, void*, const void*, size_t, CopyKind) noexcept override { return kAbsent; }
  Status fill(Stream&, void*, std::byte, size_t) noexcept override { return kAbsent; }
  std::map<std::string, std::string> libraries() const override { return cuda::libraries(); }
  std::shared_ptr<const Executable> load(const KernelSource& source) override { return load_kernel(gpu_, source); }
  std::vector<std::byte> generate(const GeneratedKernel& kernel) override {
    return generate_again(kernel, gpu_.chip());
  }

 private:
  static constexpr Status kAbsent{Code::kInvalidState, "the GPU is known by its profile only: it is not there"};
  static Error absent() {
    return Error(kAbsent.code, kAbsent.detail).remedy("run the engine on a machine that has the GPU");
  }
  DeviceFacts facts_;
  Gpu gpu_;
  NoMemory none_;
};

}  // namespace

Device* describe(const DeviceFacts& facts, std::string& reason) {
  const std::optional<Chip> chip = chip_of(facts);
  if (!chip || !has_kernels(chip->compute)) {
    reason = "the fingerprint '" + facts.fingerprint.substr(0, 100) + "' is of no GPU that Kiln has kernels for";
    return nullptr;
  }
  if (facts.host_memory || facts.alignment != static_cast<int64_t>(kAlignment)) {
    reason = "a GPU has memory of its own, whose alignment is " + std::to_string(kAlignment);
    return nullptr;
  }
  return new DescribedDevice(facts, *chip);
}

}  // namespace kiln::cuda
