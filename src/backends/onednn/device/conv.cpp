// Kernel "conv": convolution over one to three dimensions.
#include "backends/onednn/device/convolution.h"
#include "backends/onednn/device/registry.h"

namespace kiln::onednn {

std::unique_ptr<Kernel> make_conv(const Attributes& parameters) {
  return std::make_unique<Convolution<dnnl::convolution_forward, false>>(
      read_parameters<ConvolutionParameters>(parameters));
}

}  // namespace kiln::onednn
