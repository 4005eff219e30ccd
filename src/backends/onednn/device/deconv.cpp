// Kernel "deconv": transposed convolution over one to three dimensions.
#include "backends/onednn/device/convolution.h"
#include "backends/onednn/device/registry.h"

namespace kiln::onednn {

std::unique_ptr<Kernel> make_deconv(const Attributes& parameters) {
  return std::make_unique<Convolution<dnnl::deconvolution_forward, true>>(
      read_parameters<ConvolutionParameters>(parameters));
}

}  // namespace kiln::onednn
