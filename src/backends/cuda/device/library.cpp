// Opening of libraries.
#include "backends/cuda/device/library.h"

#include <dlfcn.h>

#include <cstdlib>

namespace kiln::cuda {
namespace {

void* open_file(const LibraryFiles& files, std::string& reason) {
  if (const char* named = std::getenv(files.variable)) {
    if (void* library = dlopen(named, RTLD_NOW | RTLD_LOCAL)) return library;
    const char* text = dlerror();
    reason = files.variable + std::string(" names a file that cannot be opened: ") + (text ? text : named);
    return nullptr;
  }
  std::string names;
  for (const char* name : files.names) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
    names += (names.empty() ? "" : " or ") + std::string(name);
  }
  reason = files.title + std::string(" is not found: there is no ") + names + " where libraries are looked for";
  return nullptr;
}

}  // namespace

std::string open_library(const LibraryFiles& files, const FunctionTable& functions) {
  std::string reason;
  void* library = open_file(files, reason);
  if (!library) return reason;
  for (const FunctionSlot& slot : functions) {
    *slot.address = dlsym(library, slot.name);
    if (!*slot.address) return files.title + std::string(" is too old: it has no ") + slot.name;
  }
  return "";
}

}  // namespace kiln::cuda
