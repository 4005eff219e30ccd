// Ranges that NVIDIA's tools show in their time lines.
#include "backends/cuda/device/ranges.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>

namespace kiln::cuda {
namespace {

nvtxDomainHandle_t domain() noexcept {
  static const nvtxDomainHandle_t made = nvtxDomainCreateA("Kiln");
  return made;
}

}  // namespace

void begin_range(const char* name) noexcept {
  nvtxEventAttributes_t attributes = {};
  attributes.version = NVTX_VERSION;
  attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  attributes.messageType = NVTX_MESSAGE_TYPE_ASCII;
  attributes.message.ascii = name;
  (void)nvtxDomainRangePushEx(domain(), &attributes);
}

void end_range() noexcept { (void)nvtxDomainRangePop(domain()); }

}  // namespace kiln::cuda

#else  // CUDA's headers came without those of NVTX

void kiln::cuda::begin_range(const char*) noexcept {}
void kiln::cuda::end_range() noexcept {}

#endif
