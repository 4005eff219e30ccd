// The modules in this library: what nvcc made of each cu/<name>.cu, for all architectures that were asked for.
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

}  // namespace kiln::cuda
