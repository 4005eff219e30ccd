// What lies in this library: modules, as nvcc made each of cu/<name>.cu for all architectures that were asked for, and headers.
#pragma once
#include <span>
#include <string_view>

namespace kiln::cuda {

struct EmbeddedModule {
  std::string_view name;
  const unsigned char* image;  // a fat binary
  const char* functions;       // its kernels, a line each: name, space, compute capability
};
std::span<const EmbeddedModule> embedded_modules();

// Headers that generated kernels include, by the names by which they are included.
struct EmbeddedHeader {
  const char *name, *text;
};
std::span<const EmbeddedHeader> embedded_headers();

}  // namespace kiln::cuda
