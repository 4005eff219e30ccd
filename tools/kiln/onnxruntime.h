// Outputs of ONNX Runtime, where Python has it.
#pragma once
#include <string>
#include <vector>

#include "command.h"

namespace kiln::tool {

// Runs the model by the `python3` of the path. Throws Failure when that, or its package onnxruntime, is missing or fails.
api::Values run_onnxruntime(const std::string& model, const api::Values& inputs,
                            const std::vector<api::IoTensor>& outputs);

}  // namespace kiln::tool
