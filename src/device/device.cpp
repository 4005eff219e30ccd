// Finding devices.
#include "device/device.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/work.h"
#include "device/choice.h"
#include "device/load_back_end.h"

namespace kiln {

int64_t TensorView::elements() const {
  int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= dims[i];
  return n;
}

bool TensorView::is_dense() const {
  if (!strides) return rank == 0;
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    if (dims[i] != 1 && strides[i] != stride) return false;
    stride *= dims[i];
  }
  return true;
}

void* Allocator::allocate_in(Stream& /*stream*/, size_t size, size_t alignment) noexcept {
  return allocate(size, alignment);
}

void Allocator::deallocate_in(Stream& stream, void* memory) noexcept {
  static_cast<void>(stream.synchronize());  // the memory goes whatever became of the work
  deallocate(memory);
}

void require_no_code(const KernelSource& source) {
  if (source.code)
    throw Error(Code::kMalformedPlan,
                "kernel '" + std::string(source.kernel) + "' brings machine code, and takes none");
}

std::vector<std::byte> Device::generate(const GeneratedKernel& kernel) {
  throw Error(Code::kUnsupported, "the device '" + std::string(name()) + "' has no generator of kernels '" +
                                      kernel.generator.substr(0, 100) + "'")
      .remedy("build the engine again with this version");
}

std::unique_ptr<Kernel> Device::create_kernel(std::string_view kernel, const Attributes& parameters,
                                              const GeneratedKernel* code) {
  const std::shared_ptr<const Executable> executable = load({kernel, parameters, code});
  return executable ? executable->create_kernel() : nullptr;
}

namespace {

struct Registry {
  std::recursive_mutex mutex;  // a device may open another when it is made
  std::map<std::string, CreateDevice> creators;
  std::map<std::string, Device*> devices;  // by name and ordinal
  std::map<std::string, int> chosen;       // ordinals that names without one stand for, where not 0
};

Registry& registry() {
  static Registry instance;
  return instance;
}

std::string own_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void*>(&open_device), &info) || !info.dli_fname) return "";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

// OpenMP's threads spin after their work, on cores that the next steps want, unless this variable says otherwise when their library is
// loaded, which a back end's library may bring along. What the user set stays.
class SleepingThreads {
 public:
  SleepingThreads()
      : set_(!std::getenv(kPolicy) && !std::getenv("GOMP_SPINCOUNT") && setenv(kPolicy, "passive", 0) == 0) {}
  ~SleepingThreads() {
    if (set_) unsetenv(kPolicy);
  }

 private:
  static constexpr const char* kPolicy = "OMP_WAIT_POLICY";
  bool set_;
};

// Kernels of the library, or those of the libraries that it brings along, ask about the limits of this program's work.
void lend_work(void* library) {
  if (void* adopt = dlsym(library, "kiln_adopt_work"))
    reinterpret_cast<decltype(&kiln_adopt_work)>(adopt)(&current_work);
}

std::string library_of(const std::string& back_end) { return "libkiln_" + back_end + ".so"; }

std::vector<std::string> folders() { return {own_folder(), own_folder() + "../lib/", std::string()}; }

// Null when it is not loaded.
void* loaded_library(const std::string& name) {
  for (const std::string& folder : folders())
    if (void* library = dlopen((folder + library_of(name)).c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD))
      return library;
  return nullptr;
}

// The back end's library. Null, with the reason, when there is none, or it does not open.
void* open_library(const std::string& name, std::string& reason) {
  if (void* library = loaded_library(name)) return library;
  const SleepingThreads sleeping;
  bool exists = false;
  for (const std::string& folder : folders()) {
    const std::string path = folder + library_of(name);
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return library;
    const char* text = dlerror();
    if (text && !exists) reason = text;
    exists = exists || (!folder.empty() && std::filesystem::exists(path));
  }
  return nullptr;
}

// Its function kiln_<verb>_device_<name>. Null, with the reason, when there is none; `lacking`: what a library without one is.
void* find_in_library(const char* verb, const std::string& name, const char* lacking, std::string& reason) {
  void* library = open_library(name, reason);
  if (!library) return nullptr;
  const std::string symbol = std::string("kiln_") + verb + "_device_" + name;
  void* found = dlsym(library, symbol.c_str());
  if (found) lend_work(library);
  else reason = library_of(name) + " " + lacking;
  return found;
}

bool plain_name(const std::string& name) {
  if (name.empty() || name.size() > 32) return false;
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

std::optional<int> ordinal_of(const std::string& text) {
  if (text.empty() || text.size() > 3 || text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return std::stoi(text);
}

int usual_ordinal(const std::string& back_end) {
  const auto chosen = registry().chosen.find(back_end);
  return chosen == registry().chosen.end() ? 0 : chosen->second;
}

}  // namespace

void register_device(std::string name, CreateDevice create) {
  std::lock_guard lock(registry().mutex);
  registry().creators[std::move(name)] = create;
}

void load_back_end(const std::string& back_end) {
  std::lock_guard lock(registry().mutex);
  std::string ignored;
  if (plain_name(back_end) && !registry().creators.count(back_end)) static_cast<void>(open_library(back_end, ignored));
}

Device* try_open_device(const std::string& name, std::string& reason) {
  const size_t colon = name.find(':');
  const std::string back_end = name.substr(0, colon);
  std::lock_guard lock(registry().mutex);
  const std::optional<int> ordinal =
      colon == std::string::npos ? usual_ordinal(back_end) : ordinal_of(name.substr(colon + 1));
  if (!plain_name(back_end) || !ordinal) {
    reason = "'" + name + "' is not the name of a device: letters, digits and '_', then perhaps ':' and its number";
    return nullptr;
  }
  const std::string key = back_end + ":" + std::to_string(*ordinal);
  if (const auto it = registry().devices.find(key); it != registry().devices.end()) return it->second;
  const auto known = registry().creators.find(back_end);
  const CreateDevice create = known != registry().creators.end()
                                  ? known->second
                                  : reinterpret_cast<CreateDevice>(find_in_library(
                                        "create", back_end, "is not the library of a back end", reason));
  Device* device = create ? create(*ordinal, reason) : nullptr;
  if (device) registry().devices[key] = device;
  return device;
}

Device& describe_device(const std::string& back_end, const DeviceFacts& facts) {
  std::string reason = "'" + back_end + "' is not the name of a back end";
  std::lock_guard lock(registry().mutex);
  if (registry().devices.count(back_end + ":0"))
    throw Error(Code::kInvalidState, "the device '" + back_end + "' is in use and cannot become another one")
        .remedy("name the profile of the device before anything else of this program uses the back end");
  if (plain_name(back_end) && !open_library(back_end, reason))
    throw Error(Code::kNotFound, "this Kiln has no library of the back end '" + back_end + "', which the profile is of")
        .cause(reason)
        .remedy("use a Kiln that was built with this back end; `kiln list backends` shows those of this one");
  const auto describe = plain_name(back_end) ? reinterpret_cast<DescribeDevice>(find_in_library(
                                                   "describe", back_end, "knows devices of this machine only", reason))
                                             : nullptr;
  Device* device = describe ? describe(facts, reason) : nullptr;
  if (!device)
    throw Error(Code::kNotFound, "the back end '" + back_end + "' builds for no device that is not there")
        .cause(reason)
        .remedy("build on a machine that has the device, without its profile");
  return *(registry().devices[back_end + ":0"] = device);
}

void choose_ordinal(const std::string& back_end, int ordinal) {
  std::lock_guard lock(registry().mutex);
  static_cast<void>(open_device(back_end + ":" + std::to_string(ordinal)));
  registry().chosen[back_end] = ordinal;
}

Device& open_device(const std::string& name) {
  std::string reason;
  if (Device* device = try_open_device(name, reason)) return *device;
  throw Error(Code::kNotFound, "the device '" + name + "' is not available")
      .cause(reason)
      .remedy("`kiln list devices` shows those that are");
}

}  // namespace kiln
