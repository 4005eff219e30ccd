// Any bytes as an ONNX model: a graph that verifies, or an Error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "frontends/onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto graph = kiln::onnx::import_bytes(std::as_bytes(std::span(data, size)));
    kiln::ir::verify(*graph);
  } catch (const kiln::Error& e) {
    if (e.code() == kiln::Code::kInternal) __builtin_trap();
  }
  return 0;
}
