// Finding devices.
#include "device/device.h"

#include <dlfcn.h>

#include <map>
#include <mutex>

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

namespace {

using Create = Device* (*)();

struct Registry {
  std::mutex mutex;
  std::map<std::string, Create> creators;
  std::map<std::string, Device*> devices;
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

Create open_library(const std::string& name) {
  const std::string file = "libkiln_" + name + ".so";
  std::string reason;
  for (const std::string& folder : {own_folder(), own_folder() + "../lib/", std::string()}) {
    if (void* library = dlopen((folder + file).c_str(), RTLD_NOW | RTLD_GLOBAL)) {
      const std::string symbol = "kiln_create_device_" + name;
      if (void* create = dlsym(library, symbol.c_str())) return reinterpret_cast<Create>(create);
      reason = file + " has no symbol " + symbol;
    } else if (const char* text = dlerror()) {
      reason = text;
    }
  }
  throw Error(Code::kNotFound, "the device '" + name + "' is not available")
      .cause(reason)
      .remedy("install " + file + " beside the runtime library");
}

bool plain_name(const std::string& name) {
  if (name.empty() || name.size() > 32) return false;
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

}  // namespace

void register_device(std::string name, Create create) {
  std::lock_guard lock(registry().mutex);
  registry().creators[std::move(name)] = create;
}

Device& open_device(const std::string& name) {
  if (!plain_name(name)) throw Error(Code::kNotFound, "'" + name + "' is not the name of a device");
  std::lock_guard lock(registry().mutex);
  Device*& device = registry().devices[name];
  if (!device) {
    auto it = registry().creators.find(name);
    device = (it != registry().creators.end() ? it->second : open_library(name))();
  }
  return *device;
}

}  // namespace kiln
