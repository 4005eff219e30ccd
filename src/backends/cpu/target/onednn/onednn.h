// What the tactics of oneDNN share.
#pragma once
#include "backends/onednn/device/packing.h"
#include "backends/onednn/device/primitive_parameters.h"
#include "target/epilogue.h"

namespace kiln::cpu {

inline constexpr const char* kOnednn = "onednn";  // the device

// An image [n,c,spatial...] of float32 with one to three spatial dimensions, in row-major or channels-last order, with a fixed
// number of channels. `what` names it in the reason.
Refusal accept_onednn_image(const Argument& argument, const char* what);

// The window attributes of a Conv, ConvTranspose or pooling.
onednn::Window onednn_window(const Problem& problem, const Ints& kernel);

// A step of the device without packed weights: what is not a constant comes from the problem.
Emitted emit_onednn(std::string kernel, Attributes parameters, std::vector<int> inputs);
template <class T> Emitted emit_onednn(std::string kernel, const T& parameters, std::vector<int> inputs) {
  return emit_onednn(std::move(kernel), to_parameters(parameters), std::move(inputs));
}

// Would oneDNN run this step, at the optimum, by more than its reference implementation?
Refusal accept_onednn(const Problem& problem, const Emitted& emitted);
// Puts `weights`, in the order in which the operator has them, packed as the step's input 1.
void pack_onednn(const Problem& problem, Emitted& emitted, const void* weights);

// As the operands lie; and copied to channels last, where an image is row-major.
std::vector<Config> onednn_image_configurations(const Problem& problem);

}  // namespace kiln::cpu
